"""What a notification channel is: a Notifier, and the Delivery it answers with.

Values and a Protocol; imports the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from otel_ext.model.alerts import Alert

__all__ = ["Delivery", "Notifier"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a send. ``error`` is empty when the receiver has the alerts.

    ``recoverable``: trying the same again later may help; ``retry_after_seconds``: the receiver said when.
    """

    error: str = ""
    recoverable: bool = False
    retry_after_seconds: float | None = None

    @property
    def ok(self) -> bool:
        """Whether the receiver has the alerts."""
        return not self.error


class Notifier(Protocol):
    """Sends alerts to one receiver. Called by one thread at a time; may block up to its timeout."""

    def send(self, alerts: Sequence[Alert], now_ms: int, *, timeout_seconds: float | None = None) -> Delivery:
        """Send firing and resolved alerts, and say whether it worked; network errors are answers, not exceptions.

        Args:
            alerts: at most one state for each alert.
            now_ms: Unix milliseconds.
            timeout_seconds: less time than the notifier's own, at exit.
        """
