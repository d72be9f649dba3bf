"""What can be broken on purpose while the shop runs: `POST /_faults` sets it, `GET /_faults` shows it.

Both faults are exact, not random: of 100 payments at `error_ratio` 0.3 exactly 30 fail, evenly spread.
"""

from __future__ import annotations

import threading
import time
from fractions import Fraction

from pydantic import BaseModel, Field


class FaultSettings(BaseModel):
    """The body of `POST /_faults`; whatever is left out is switched off."""

    slow_database_ms: int = Field(
        default=0, ge=0, le=10_000, description="each read of the catalogue takes this longer"
    )
    error_ratio: float = Field(default=0.0, ge=0.0, le=1.0, description="share of payments the provider refuses")


class Faults:
    """The faults that are on. Read by every request thread, replaced as a whole by `POST /_faults`."""

    def __init__(self) -> None:
        self.settings = FaultSettings()
        self._lock = threading.Lock()
        self._owed = Fraction(0)

    def apply(self, settings: FaultSettings) -> None:
        """Switch to other faults at once."""
        with self._lock:
            self.settings = settings
            self._owed = Fraction(0)

    def wait_for_disk(self) -> int:
        """Called by SQLite inside a statement, so that the statement itself is what takes long."""
        if self.settings.slow_database_ms:
            time.sleep(self.settings.slow_database_ms / 1000)
        return 1

    def payment_fails(self) -> bool:
        """True for every payment that has to fail to keep the ratio."""
        with self._lock:
            self._owed += Fraction(str(self.settings.error_ratio))
            if self._owed < 1:
                return False
            self._owed -= 1
            return True
