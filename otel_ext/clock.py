"""Clocks: the only module that reads time. Engines take ``ts_ms``; threads ask a Clock.

``SystemClock`` follows the wall clock but never jumps: windows and rings rely on time that goes forward at a
believable rate. ``ManualClock`` makes weeks pass in a test.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol

__all__ = ["Clock", "ManualClock", "SystemClock"]

_DAY_MS = 86_400_000
_MONOTONIC_ID = getattr(time, "CLOCK_BOOTTIME", None)  # counts the time a laptop sleeps; Linux only


class Clock(Protocol):
    """Gives Unix time in milliseconds that never goes back."""

    def now_ms(self) -> int:
        """Unix milliseconds, never less than any value returned before."""


def _monotonic_ms() -> int:
    if _MONOTONIC_ID is not None:
        return time.clock_gettime_ns(_MONOTONIC_ID) // 1_000_000
    return time.monotonic_ns() // 1_000_000


class SystemClock:
    """The wall clock without its steps.

    Between two readings it advances by the monotonic time that passed, and by at most half of that more or
    less to meet the wall clock again: after a step of one hour it runs at double or half speed until both
    agree. A step of more than a day (a machine that booted in 1970) is taken at once, forwards only.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mono_ms = _monotonic_ms()
        self._now_ms = time.time_ns() // 1_000_000

    def now_ms(self) -> int:
        """Unix milliseconds; thread-safe, never goes back."""
        with self._lock:
            mono = _monotonic_ms()
            self._now_ms = self._advance(mono - self._mono_ms, time.time_ns() // 1_000_000)
            self._mono_ms = mono
            return self._now_ms

    def _advance(self, elapsed_ms: int, wall_ms: int) -> int:
        ahead = wall_ms - self._now_ms
        if ahead > _DAY_MS:
            return wall_ms
        slowest, fastest = elapsed_ms // 2, elapsed_ms * 2
        return self._now_ms + min(max(ahead, slowest), fastest)


class ManualClock:
    """A clock that stands until it is moved; for tests, replay and backtests."""

    def __init__(self, start_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = start_ms

    def now_ms(self) -> int:
        """Unix milliseconds as last set."""
        return self._now_ms

    def advance(self, seconds: float) -> int:
        """Move forward and return the new time in milliseconds; going back is an error."""
        if seconds < 0:
            raise ValueError(f"a clock never goes back: advance({seconds!r})")
        self._now_ms += round(seconds * 1000)
        return self._now_ms
