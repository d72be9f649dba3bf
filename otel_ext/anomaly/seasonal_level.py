"""Level with a time of day: a daily profile learned beside the level, used where it helps.

Two robust levels run side by side, one on the values, one on the values less the profile of the day (Holt and Winters'
additive season with clipped updates). Where the profile makes the residuals smaller, both must be surprised. Owned by a
watch; imports this package alone.
"""

from __future__ import annotations

import numpy as np

from otel_ext.anomaly.detector import Arrays, BoolArray, FloatArray, Forecast, IndexArray, Observation, SlotArrays
from otel_ext.anomaly.robust_level import RobustLevel

__all__ = ["SeasonalLevel"]

_DAY_MS = 86_400_000.0
_BINS = 144
_PROFILE_RATE = 0.3
_FIRST_DAYS = 2.0
_HELPS = 0.9
_CLIP = 6.0


class SeasonalLevel:
    """Expects the level plus what this time of day usually adds; falls back to the level where days do not repeat.

    The profile has 144 bins of ten minutes, the bin of each value from ``at_ms``. It is used once two days were seen,
    for series whose median residual it reduces by a tenth at least. The surprise is then the geometric mean of both
    levels' (the same side), so that neither a value usual at this hour nor one that only goes on alarms.

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
        self._state = SlotArrays(first_ms=np.nan, slow=np.nan, profile=(_BINS, 0.0), bin=-1.0, total=0.0, values=0.0)

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
        self._plain.learn(observation, weight)
        self._rest.learn(self._deseasoned(observation), weight)
        self._learn_profile(observation, np.where(np.isfinite(observation.value), weight, 0.0))

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
        seen_days = (observation.at_ms - self._state["first_ms"]) / _DAY_MS
        helps: BoolArray = (seen_days >= _FIRST_DAYS) & (self._rest.spread() < _HELPS * self._plain.spread())
        return helps

    def _learn_profile(self, observation: Observation, weight: FloatArray) -> None:
        """Values of one bin are averaged; when the bin is over, the profile moves towards their mean."""
        state = self._state
        present = weight > 0.0
        value = np.log(np.maximum(observation.value, 1e-12)) if self._log else observation.value
        value = np.where(present, value, 0.0)
        fresh = present & np.isnan(state["slow"])
        state["first_ms"] = np.where(fresh, observation.at_ms, state["first_ms"])
        state["slow"] = np.where(fresh, value, state["slow"])
        limit = _CLIP * self._plain.spread() + np.abs(self._season(observation))
        offset = value - np.nan_to_num(state["slow"])
        young = observation.at_ms - state["first_ms"] < _DAY_MS
        offset = np.where(
            young, offset, np.clip(offset - self._season(observation), -limit, limit) + self._season(observation)
        )
        self._close_bins(self._bins(observation), present)
        state["total"] = state["total"] + np.where(present, weight * offset, 0.0)
        state["values"] = state["values"] + np.where(present, weight, 0.0)

    def _close_bins(self, bins: IndexArray, present: BoolArray) -> None:
        state = self._state
        over = np.flatnonzero(present & (state["bin"] != bins) & (state["values"] > 0.0))
        if over.size:
            which = state["bin"][over].astype(np.intp)
            mean = state["total"][over] / state["values"][over]
            old = state["profile"][which, over]
            rate = np.where(old == 0.0, 1.0, _PROFILE_RATE)
            state["profile"][which, over] = old + rate * (mean - old)
            state["slow"][over] = state["slow"][over] + (mean - old) / _BINS
        started = present & (state["bin"] != bins)
        state["total"] = np.where(started, 0.0, state["total"])
        state["values"] = np.where(started, 0.0, state["values"])
        state["bin"] = np.where(present, bins, state["bin"])
