"""The alerts' durable state: one file in ``state_dir``, owned by one process of the host, written behind the engines.

Opened on the starting thread; ``save`` is called by the notify thread from published snapshots. A directory that
cannot be written means memory only, and that is said.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from otel_ext.alerting.state_file import load_state, save_state

__all__ = ["AlertStateFile"]


class AlertStateFile:
    """``alerts.json`` in a state directory, held by a lock that ends with the process.

    ``fact`` says why nothing is kept, ``None`` when this process keeps the state.
    """

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "alerts.json"
        self._lock_fd: int | None = None
        self.fact: str | None = None
        try:
            state_dir.mkdir(parents=True, exist_ok=True)
            self._lock_fd = os.open(state_dir / "alerts.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            self.fact = f"state_dir {state_dir}: another process keeps its alerts there; ours are in memory only"
        except OSError as error:
            self.release()
            self.fact = (
                f"state_dir {state_dir} cannot be written ({error.strerror}): alerts are kept in memory only; "
                "name a directory this user may write, for example state_dir: /var/lib/shop"
            )

    @property
    def held(self) -> bool:
        """Whether this process keeps the state."""
        return self._lock_fd is not None

    def load(self) -> Mapping[str, Any] | None:
        """What was saved last; ``None`` for a first start. A file that cannot be read is stated and left there."""
        try:
            return load_state(self._path) if self.held else None
        except (OSError, ValueError) as error:
            self.fact = f"{error}; alerts start anew, and the file is replaced"
            return None

    def save(self, state: Mapping[str, object]) -> None:
        """Replace the file; a full disk is stated, and tried again at the next call."""
        if not self.held:
            return
        try:
            save_state(self._path, state)
        except OSError as error:
            self.fact = f"alert state cannot be written to {self._path}: {error.strerror}"
        else:
            self.fact = None

    def release(self) -> None:
        """Let another process keep the state; also in a forked child, where the lock is the parent's."""
        if self._lock_fd is not None:
            with contextlib.suppress(OSError):
                os.close(self._lock_fd)
            self._lock_fd = None
