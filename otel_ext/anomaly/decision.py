"""From scores to decisions: one threshold stated as false alarms a week, two of three, hold, recovery, alarm budget.

Vectorised over all series of a watch; owned by it. Imports numpy and the detector vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from otel_ext.anomaly.detector import PENDING_WEIGHT, Arrays, BoolArray, FloatArray, IndexArray, SlotArrays

__all__ = ["Decided", "Decision", "surprise_threshold"]

_WEEK_MS = 604_800_000
_CLUSTERING = 0.05
"""Chance that an exceedance follows another within two intervals although nothing is wrong: noise has memory."""
_ALONE_MARGIN = 1.5
_YOUNG_FACTOR = 0.25
_BUDGET_ALARMS = 5.0
_BUDGET_RAISE = 1.25
_BUDGET_HALF_LIFE_MS = 3 * 86_400_000


def surprise_threshold(*, false_alarms_per_week: float, interval_ms: int) -> float:
    """The surprise that one interval must exceed so that two of three do by chance so often a week, one series.

    With ``a`` the chance of one exceedance and ``c`` the clustering, two of three come together about
    ``2 a (a + c)`` times an interval: solved for ``a``.
    """
    rate = false_alarms_per_week * interval_ms / _WEEK_MS
    chance = (-_CLUSTERING + np.sqrt(_CLUSTERING**2 + 2.0 * rate)) / 2.0
    return float(-np.log10(chance))


def alone_threshold(*, false_alarms_per_week: float, interval_ms: int) -> float:
    """The surprise at which one interval alone is enough: half as much again as chance reaches so often a week.

    The margin pays for tails that are known up to the 99 % quantile only and extrapolated from there.
    """
    chance = min(false_alarms_per_week * interval_ms / _WEEK_MS, 0.1)
    return _ALONE_MARGIN * float(-np.log10(chance))


class Decided(NamedTuple):
    """Slots whose state changed at this tick."""

    opened: IndexArray
    closed: IndexArray
    accepted: IndexArray


class Decision:
    """Open or not, for each series.

    It opens when two of the last three values exceed the threshold on the same side, or one exceeds the higher one for
    a single value; each way may take half of the false alarms. It closes after ``recovery`` values below half the
    threshold with none above it in between, or after ``accept_after`` values open: the new level is then normal. A
    series younger than a day needs up to a quarter more surprise. From the sixth alarm in a count with a half-life of
    three days, each further alarm raises that series' own threshold by a quarter.
    """

    def __init__(
        self, *, false_alarms_per_week: float, interval_ms: int, recovery: int, accept_after: int, both_sides: bool
    ) -> None:
        half = false_alarms_per_week / 2.0
        self.threshold = surprise_threshold(false_alarms_per_week=half, interval_ms=interval_ms)
        alone = alone_threshold(false_alarms_per_week=half, interval_ms=interval_ms)
        self._alone_factor = max(1.0, alone / self.threshold)
        self._recovery = recovery
        self._accept_after = accept_after
        self._both_sides = both_sides
        self._youth_intervals = 86_400_000 / interval_ms / 4
        self._budget_decay = 0.5 ** (interval_ms / _BUDGET_HALF_LIFE_MS)
        self._state = SlotArrays(seen=0.0, previous=0.0, before=0.0, open=0.0, open_for=0.0, calm=0.0, alarms=0.0)

    def reserve(self, capacity: int) -> None:
        """Room for at least ``capacity`` series."""
        self._state.reserve(capacity)

    def clear(self, slots: IndexArray) -> None:
        """New series in these slots."""
        self._state.clear(slots)

    @property
    def is_open(self) -> BoolArray:
        """Which series are anomalous now."""
        opened: BoolArray = self._state["open"] != 0.0
        return opened

    @property
    def side(self) -> FloatArray:
        """+1 open above, -1 open below, 0 not open."""
        return self._state["open"]

    @property
    def open_for(self) -> FloatArray:
        """Values seen since it opened."""
        return self._state["open_for"]

    def thresholds(self) -> FloatArray:
        """The surprise each series needs now."""
        state = self._state
        youth = 1.0 + _YOUNG_FACTOR * np.exp(-state["seen"] / self._youth_intervals)
        budget = _BUDGET_RAISE ** np.maximum(state["alarms"] - _BUDGET_ALARMS, 0.0)
        thresholds: FloatArray = self.threshold * youth * budget
        return thresholds

    def forget_streaks(self) -> None:
        """After a gap: what was seen before it proves nothing about now."""
        for name in ("previous", "before", "calm"):
            self._state[name] = np.zeros_like(self._state[name])

    def close(self, slots: IndexArray) -> None:
        """End these without evidence of recovery: their series is gone or silent."""
        for name in ("open", "open_for", "calm", "previous", "before"):
            self._state[name][slots] = 0.0

    def weight(self, surprise: FloatArray) -> FloatArray:
        """How much of each value is to be learned: little when far out or under an anomaly, nothing when both."""
        open_now = self.is_open
        hit = np.abs(surprise) >= self.thresholds()
        weight: FloatArray = np.where(open_now, np.where(hit, 0.0, 0.1), np.where(hit, PENDING_WEIGHT, 1.0))
        return weight

    def decide(self, surprise: FloatArray, present: BoolArray, notable: BoolArray) -> Decided:
        """Take one tick's scores in. ``notable``: the change is large enough to matter at all."""
        state = self._state
        state["alarms"] = state["alarms"] * self._budget_decay
        thresholds = self.thresholds()
        sides = np.where((np.abs(surprise) >= thresholds) & notable, np.sign(surprise), 0.0)
        if not self._both_sides:
            sides = np.maximum(sides, 0.0)
        was_open = self.is_open
        twice = (sides != 0.0) & ((sides == state["previous"]) | (sides == state["before"]))
        alone = (sides != 0.0) & (np.abs(surprise) >= thresholds * self._alone_factor)
        opened = present & ~was_open & (twice | alone)
        quiet = np.abs(surprise) < thresholds / 2.0
        state["calm"] = np.where(present & was_open, np.where(sides != 0.0, 0.0, state["calm"] + quiet), state["calm"])
        state["open_for"] = np.where(present & was_open, state["open_for"] + 1.0, state["open_for"])
        accepted = was_open & present & (state["open_for"] >= self._accept_after) & ~quiet
        closed = was_open & ((state["calm"] >= self._recovery) | accepted)
        self._apply(opened, closed, sides)
        state["before"] = np.where(present, np.where(closed, 0.0, state["previous"]), state["before"])
        state["previous"] = np.where(present, np.where(closed, 0.0, sides), state["previous"])
        state["seen"] = state["seen"] + present
        return Decided(np.flatnonzero(opened), np.flatnonzero(closed), np.flatnonzero(accepted))

    def _apply(self, opened: BoolArray, closed: BoolArray, sides: FloatArray) -> None:
        state = self._state
        state["open"] = np.where(opened, sides, np.where(closed, 0.0, state["open"]))
        state["open_for"] = np.where(opened | closed, 0.0, state["open_for"])
        state["calm"] = np.where(opened | closed, 0.0, state["calm"])
        state["alarms"] = state["alarms"] + opened

    def dump(self) -> Arrays:
        """The state as arrays."""
        return self._state.dump()

    def restore(self, arrays: Arrays) -> None:
        """Take over what :meth:`dump` gave."""
        self._state.restore(arrays)
