"""Whether an SLO burns its budget too fast: burn-rate conditions decided on integers.

A condition remembers only whether it held at the last tick. Owned by the engine, called by its thread. Imports
stats and this package's catalog.

To begin, a condition compares the bad events with the budget of the whole window, the unmeasured part taken as
clean at the same traffic; to go on, it looks at the events seen. So a young process alerts in the same order and
as fast as an old one, and missing data neither starts nor ends an alert.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from otel_ext.slo.catalog import BurnRateThreshold
from otel_ext.stats.ring import WindowCount

__all__ = ["BurnCondition"]


class BurnCondition:
    """One pair of windows of one SLO."""

    __slots__ = ("_denominator", "_numerator", "active", "threshold")

    def __init__(self, threshold: BurnRateThreshold, budget: Fraction) -> None:
        ratio = threshold.burn_rate * budget
        self._numerator, self._denominator = ratio.numerator, ratio.denominator
        self.threshold = threshold
        self.active = False

    def update(self, windows: Mapping[int, WindowCount]) -> bool:
        """Decide on these window counts, by window length in milliseconds; remembers the answer."""
        long, short = windows[self.threshold.long_ms], windows[self.threshold.short_ms]
        if self.active:
            self.active = self._continues(long, short)
        else:
            self.active = self._begins(long, short)
        return self.active

    def _begins(self, long: WindowCount, short: WindowCount) -> bool:
        return long.bad >= self.threshold.min_bad and self._exceeds_whole(long) and self._exceeds_whole(short)

    def _continues(self, long: WindowCount, short: WindowCount) -> bool:
        if not short.total:  # nobody knows that it is over: the long window decides alone
            return self._exceeds_seen(long)
        return self._exceeds_seen(long) and self._exceeds_seen(short)

    def _exceeds_whole(self, count: WindowCount) -> bool:
        expected = self._numerator * count.total * count.window_ms
        return count.bad * self._denominator * count.measured_ms > expected

    def _exceeds_seen(self, count: WindowCount) -> bool:
        return count.bad * self._denominator > self._numerator * count.total
