"""Level with a time of day: a daily profile learned beside the level, used where it helps.

Two robust levels run side by side, one on the values, one on the values less the profile of the day (an additive season
as Holt and Winters', learned by the median of two days and what was known). Where the profile makes residuals smaller,
both must be surprised. Owned by a watch; imports this package alone.
"""

from __future__ import annotations

import numpy as np

from otel_ext.anomaly.detector import Arrays, BoolArray, FloatArray, Forecast, IndexArray, Observation, SlotArrays
from otel_ext.anomaly.robust_level import RobustLevel

__all__ = ["SeasonalLevel"]

_DAY_MS = 86_400_000.0
_BINS = 144
_PROFILE_RATE = 0.7
_ERROR_RATE = 1.0 / 500
_ERROR_LIMIT = 50.0
_FIRST_DAYS = 2.0
_HELPS = 0.9
_CLIP = 6.0


class SeasonalLevel:
    """Expects the level plus what this time of day usually adds; falls back to the level where days do not repeat.

    The profile has 144 bins of ten minutes, the bin of each value from ``at_ms``. It is used once two days were seen,
    for series whose mean absolute residual it reduces by a tenth at least. The surprise is then the geometric mean of
    both levels' (the same side), so that neither a value usual at this hour nor one that only goes on alarms.

    Args:
        log, floor_relative, floor_absolute, warm_up: see :class:`RobustLevel`.
    """

    name = "seasonal_level"

    def __init__(
        self, *, log: bool = False, floor_relative: float = 0.02, floor_absolute: float = 0.0, warm_up: int = 30
    ) -> None:
        self._log = log
        self._plain = RobustLevel(
            log=log, floor_relative=floor_relative, floor_absolute=floor_absolute, warm_up=warm_up
        )
        self._rest = RobustLevel(log=log, floor_relative=floor_relative, floor_absolute=floor_absolute, warm_up=warm_up)
        self._state = SlotArrays(
            first_ms=np.nan, slow=np.nan, bin=-1.0, total=0.0, values=0.0, plain_error=0.0, rest_error=0.0,
            profile=(_BINS, 0.0), yesterday=(_BINS, np.nan),
        )  # fmt: skip

    def reserve(self, capacity: int) -> None:
        for part in (self._plain, self._rest, self._state):
            part.reserve(capacity)

    def clear(self, slots: IndexArray) -> None:
        for part in (self._plain, self._rest, self._state):
            part.clear(slots)

    def score(self, observation: Observation) -> FloatArray:
        plain = self._plain.score(observation)
        rest = self._rest.score(self._deseasoned(observation))
        both = np.sign(plain) * np.sqrt(np.abs(plain * rest)) * (np.sign(plain) == np.sign(rest))
        surprise: FloatArray = np.where(self._helps(observation), both, plain)
        return surprise

    def learn(self, observation: Observation, weight: FloatArray) -> None:
        self._learn_errors(observation)
        self._plain.learn(observation, weight)
        self._rest.learn(self._deseasoned(observation), weight)
        self._learn_profile(observation)

    def accept(self, slots: IndexArray) -> None:
        self._plain.accept(slots)
        self._rest.accept(slots)

    def forecast(self, slots: IndexArray, observation: Observation, surprise: FloatArray) -> Forecast:
        plain = self._plain.forecast(slots, observation, surprise)
        rest = self._rest.forecast(slots, observation, surprise)
        season = self._season(observation)[slots]
        helps = self._helps(observation)[slots]

        def chosen(flat: FloatArray, deseasoned: FloatArray) -> FloatArray:
            back = deseasoned * np.exp(season) if self._log else deseasoned + season
            bound: FloatArray = np.where(helps, back, flat)
            return bound

        return Forecast(
            chosen(plain.expected, rest.expected), chosen(plain.lower, rest.lower), chosen(plain.upper, rest.upper)
        )

    def dump(self) -> Arrays:
        parts = {"plain": self._plain.dump(), "rest": self._rest.dump(), "season": self._state.dump()}
        return {f"{part}.{name}": values for part, arrays in parts.items() for name, values in arrays.items()}

    def restore(self, arrays: Arrays) -> None:
        for prefix, part in (("plain.", self._plain), ("rest.", self._rest), ("season.", self._state)):
            part.restore({k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)})

    def _bins(self, observation: Observation) -> IndexArray:
        share = np.mod(observation.at_ms, _DAY_MS) / _DAY_MS
        bins: IndexArray = np.minimum((share * _BINS).astype(np.intp), _BINS - 1)
        return bins

    def _season(self, observation: Observation) -> FloatArray:
        """What this time of day adds (in log units when the values are taken in logs)."""
        profile = self._state["profile"]
        season: FloatArray = profile[self._bins(observation), np.arange(profile.shape[1])]
        return season

    def _deseasoned(self, observation: Observation) -> Observation:
        season = self._season(observation)
        value = observation.value / np.exp(season) if self._log else observation.value - season
        return Observation(value, observation.count, observation.exposure, observation.at_ms)

    def _helps(self, observation: Observation) -> BoolArray:
        state = self._state
        seen_days = (observation.at_ms - state["first_ms"]) / _DAY_MS
        helps: BoolArray = (seen_days >= _FIRST_DAYS) & (state["rest_error"] < _HELPS * state["plain_error"])
        return helps

    def _learn_errors(self, observation: Observation) -> None:
        """Mean absolute residual of both levels, over everything that came, far out or not: who explains more?"""
        state = self._state
        present = np.isfinite(observation.value)
        most = _ERROR_LIMIT * self._plain.spread()
        for name, level, seen in (
            ("plain_error", self._plain, observation),
            ("rest_error", self._rest, self._deseasoned(observation)),
        ):
            error = np.minimum(level.residual(seen), most)
            state[name] = state[name] + np.where(present, _ERROR_RATE * (error - state[name]), 0.0)

    def _learn_profile(self, observation: Observation) -> None:
        """Values of one bin are averaged; when the bin is over, the profile learns from their mean."""
        state = self._state
        present = np.isfinite(observation.value)
        value = np.log(np.maximum(observation.value, 1e-12)) if self._log else observation.value
        value = np.where(present, value, 0.0)
        fresh = present & np.isnan(state["slow"])
        state["first_ms"] = np.where(fresh, observation.at_ms, state["first_ms"])
        state["slow"] = np.where(fresh, value, state["slow"])
        bins = self._bins(observation)
        over = present & (state["bin"] != bins)
        self._close_bins(np.flatnonzero(over & (state["values"] > 0.0)))
        state["bin"] = np.where(present, bins, state["bin"])
        offset = np.where(present, value - np.nan_to_num(state["slow"]), 0.0)
        state["total"] = np.where(over, 0.0, state["total"]) + offset
        state["values"] = np.where(over, 0.0, state["values"]) + present

    def _close_bins(self, slots: IndexArray) -> None:
        """The profile moves towards the median of itself, yesterday and today.

        What happened once is outvoted; what happened on two days is season. The slow level, from which offsets are
        taken, follows what the profile leaves, clipped.
        """
        if not slots.size:
            return
        state = self._state
        which = state["bin"][slots].astype(np.intp)
        today = state["total"][slots] / state["values"][slots]
        yesterday, old = state["yesterday"][which, slots], state["profile"][which, slots]
        first = np.isnan(yesterday)
        target = np.where(first, today, np.median(np.stack([np.nan_to_num(yesterday), today, old]), axis=0))
        state["profile"][which, slots] = np.where(first, today, old + _PROFILE_RATE * (target - old))
        state["yesterday"][which, slots] = today
        limit = _CLIP * self._plain.spread()[slots]
        state["slow"][slots] = state["slow"][slots] + np.clip(today - old, -limit, limit) / _BINS
