"""Clocks: the only module that reads time. Engines take ``ts_ms``; threads ask a Clock.

``SystemClock`` follows the wall clock but never jumps: windows and rings rely on time that goes forward at a
believable rate. ``ManualClock`` makes weeks pass in a test.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol

__all__ = ["Clock", "ManualClock", "SystemClock"]

_DAY_NS = 86_400_000_000_000
_MONOTONIC_ID = getattr(time, "CLOCK_BOOTTIME", None)  # counts the time a laptop sleeps; Linux only


class Clock(Protocol):
    """Gives Unix time in milliseconds that never goes back."""

    def now_ms(self) -> int:
        """Unix milliseconds, never less than any value returned before."""


def _monotonic_ns() -> int:
    return time.monotonic_ns() if _MONOTONIC_ID is None else time.clock_gettime_ns(_MONOTONIC_ID)


class SystemClock:
    """The wall clock without its steps.

    Between two readings it advances by the monotonic time that passed, and by at most half of that more or
    less to meet the wall clock again: after a step of one hour it runs at double or half speed until both
    agree. A step of more than a day (a machine that booted in 1970) is taken at once, forwards only.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mono_ns = _monotonic_ns()
        self._now_ns = time.time_ns()

    def now_ms(self) -> int:
        """Unix milliseconds; thread-safe, never goes back."""
        with self._lock:
            mono = _monotonic_ns()
            self._now_ns = self._advance(mono - self._mono_ns, time.time_ns())
            self._mono_ns = mono
            return self._now_ns // 1_000_000

    def _advance(self, elapsed_ns: int, wall_ns: int) -> int:
        # In nanoseconds: half of a millisecond that passed between two readings must not be lost.
        ahead = wall_ns - self._now_ns
        if ahead > _DAY_NS:
            return wall_ns
        return self._now_ns + min(max(ahead, elapsed_ns // 2), elapsed_ns * 2)


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
