"""Robust level and spread: the detector for measured values such as latency.

Level: an exponentially weighted mean whose updates are clipped. Spread: the median and the 99 % quantile of the
absolute residual, both tracked; the tail between and beyond them is taken as Weibull-like, so heavy tails widen the
band by themselves. No season. Owned by a watch; imports numpy and the detector vocabulary.
"""

from __future__ import annotations

import numpy as np

from otel_ext.anomaly.detector import PENDING_WEIGHT, Arrays, FloatArray, Forecast, IndexArray, Observation, SlotArrays
from otel_ext.anomaly.quantile import step_quantile

__all__ = ["RobustLevel"]

_CLIP = 4.0 * 1.4826
"""Updates are clipped at four standard deviations, in units of the median absolute residual."""
_TAIL_SURPRISE = 2.0
_MID_SURPRISE = float(-np.log10(0.5))
_GAUSS_RATIO = 3.8189
"""99 % quantile over the median of the absolute value of a Gaussian."""
_LOG_RATIO = float(np.log(4.5))
_RATIO_PRIOR = 60.0
"""The shape of the tail is taken from the data as far as there are more than so many values; before, a little heavier
than a Gaussian's."""
_EXCESS = 0.12
"""Assumed mean log excess over the 99 % quantile until a series shows its own: a Gaussian's."""
_EXCESS_FROM = 100.0
_EXCESS_PRIOR = 3.0
_EXCESS_MEMORY = 50.0
_TINY = 1e-12


class RobustLevel:
    """Expects the recent level; judges a residual by where it lies between and beyond two tracked quantiles.

    With ``u`` the absolute residual, ``m`` its median, ``t`` its 99 % quantile: surprise ``= 2 * (u / t) ** b`` where
    ``b`` puts ``m`` at ``-log10 0.5``; ``b`` is at most the Gaussian's. Beyond ``t`` it is at most
    ``2 + log10(u / t) / x``, the Pareto tail whose mean log excess ``x`` is tracked.

    Args:
        log: work on logarithms: for latencies and other positive, skewed values.
        floor_relative, floor_absolute: least median residual, relative to the level (or in log units) and in the
            unit of the series: smaller wobble is not news.
        warm_up: values seen before the first verdict.
        alpha: weight of a new value in the level.
    """

    name = "robust_level"

    def __init__(
        self,
        *,
        log: bool = False,
        floor_relative: float = 0.02,
        floor_absolute: float = 0.0,
        warm_up: int = 30,
        alpha: float = 0.1,
    ) -> None:
        self._log = log
        self._floor_relative = floor_relative
        self._floor_absolute = floor_absolute
        self._warm_up = warm_up
        self._alpha = alpha
        self._state = SlotArrays(
            age=0.0,
            level=0.0,
            mid=1.0,
            tail=_GAUSS_RATIO,
            excess=_EXCESS,
            exceeded=0.0,
            exposure=0.0,
            recent=(max(5, warm_up), np.nan),
        )

    def reserve(self, capacity: int) -> None:
        self._state.reserve(capacity)

    def clear(self, slots: IndexArray) -> None:
        self._state.clear(slots)

    def score(self, observation: Observation) -> FloatArray:
        state = self._state
        ready = np.isfinite(observation.value) & (state["age"] >= self._warm_up)
        residual = np.where(ready, self._transform(observation.value) - state["level"], 0.0)
        size = np.abs(residual) * self._precision(observation.exposure, state["exposure"])
        _, tail, power = self._shape(slice(None))
        ratio = size / tail
        inside = _TAIL_SURPRISE * ratio**power
        beyond = _TAIL_SURPRISE + np.log10(np.maximum(ratio, 1.0)) / state["excess"]
        surprise: FloatArray = np.sign(residual) * np.where(ratio > 1.0, np.minimum(inside, beyond), inside)
        return surprise

    def learn(self, observation: Observation, weight: FloatArray) -> None:
        state = self._state
        weight = np.where(np.isfinite(observation.value), weight, 0.0)
        taken = weight > 0.0
        value = np.where(taken, self._transform(observation.value), 0.0)
        self._remember(np.flatnonzero(np.isfinite(observation.value)), observation.value)
        started = state["age"] >= self._warm_up
        self._step(value, observation.exposure, np.where(started, weight, 0.0))
        state["age"] = state["age"] + np.where(started, weight, taken.astype(np.float64))
        seed = np.flatnonzero(~started & (state["age"] >= self._warm_up))
        rate = np.where(started, 0.05 * weight, np.where(taken, 1.0 / (state["age"] + 1.0), 0.0))
        state["exposure"] = state["exposure"] + rate * (observation.exposure - state["exposure"])
        if seed.size:
            self._seed(seed)

    def accept(self, slots: IndexArray) -> None:
        self._seed(slots)

    def forecast(self, slots: IndexArray, observation: Observation, surprise: FloatArray) -> Forecast:
        level = self._state["level"][slots]
        _, tail, power = self._shape(slots)
        inside = (surprise / _TAIL_SURPRISE) ** (1.0 / power)
        beyond = 10.0 ** np.minimum((surprise - _TAIL_SURPRISE) * self._state["excess"][slots], 12.0)
        width = tail * np.where(inside > 1.0, np.maximum(inside, beyond), inside)
        width = width / self._precision(observation.exposure[slots], self._state["exposure"][slots])
        bounds = (level, level - width, level + width)
        return Forecast(*(np.exp(bound) if self._log else bound for bound in bounds))

    def spread(self) -> FloatArray:
        """Median absolute residual of each series, in its unit (in log units when ``log``)."""
        return self._state["mid"]

    def residual(self, observation: Observation) -> FloatArray:
        """Distance of each value from the level, in its unit (in log units when ``log``); 0 where it is missing."""
        present = np.isfinite(observation.value) & (self._state["age"] >= self._warm_up)
        return np.where(present, np.abs(self._transform(observation.value) - self._state["level"]), 0.0)

    def dump(self) -> Arrays:
        return self._state.dump()

    def restore(self, arrays: Arrays) -> None:
        self._state.restore(arrays)

    def _transform(self, value: FloatArray) -> FloatArray:
        if not self._log:
            return value
        logs: FloatArray = np.log(np.maximum(value, _TINY))
        return logs

    def _precision(self, exposure: FloatArray, typical: FloatArray) -> FloatArray:
        """A mean of fewer measurements than usual is noisier: its residual counts less, by the square root."""
        share = np.clip(exposure / np.maximum(typical, _TINY), 1e-3, 1.0)
        precision: FloatArray = np.sqrt(share)
        return precision

    def _floor(self, level: FloatArray) -> FloatArray:
        if self._log:
            return np.full_like(level, max(self._floor_relative, _TINY))
        floor: FloatArray = np.maximum(self._floor_relative * np.abs(level), max(self._floor_absolute, _TINY))
        return floor

    def _shape(self, slots: IndexArray | slice) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Floored median and tail of the absolute residual, and the Weibull power through both."""
        state = self._state
        mid = np.maximum(state["mid"][slots], self._floor(state["level"][slots]))
        age = np.maximum(state["age"][slots], 1.0)
        tail = np.maximum(state["tail"][slots] * (1.0 + 4.0 / age), mid * _GAUSS_RATIO)
        believed = age / (age + _RATIO_PRIOR)
        log_ratio = believed * np.log(tail / mid) + (1.0 - believed) * _LOG_RATIO
        power = np.log(_TAIL_SURPRISE / _MID_SURPRISE) / log_ratio
        return mid, tail, power

    def _remember(self, slots: IndexArray, value: FloatArray) -> None:
        """Shift the recent values where one came; values under anomaly are remembered as well."""
        recent = self._state["recent"]
        recent[:-1, slots] = recent[1:, slots]
        recent[-1, slots] = self._transform(value[slots])

    def _step(self, value: FloatArray, exposure: FloatArray, weight: FloatArray) -> None:
        state = self._state
        mid, tail, _ = self._shape(slice(None))
        residual = np.where(weight > 0.0, value - state["level"], 0.0)
        size = np.abs(residual) * self._precision(exposure, state["exposure"])
        limit = _CLIP * mid
        state["level"] = state["level"] + self._alpha * weight * np.clip(residual, -limit, limit)
        age = np.maximum(state["age"], 1.0)
        full = weight >= PENDING_WEIGHT
        state["mid"] = step_quantile(state["mid"], size, 0.5, np.where(full, np.clip(5.0 / age, 0.02, 0.1), 0.0))
        believed = np.where(full, weight, 0.0)
        self._learn_excess(size / np.maximum(tail, _TINY), np.where(age >= _EXCESS_FROM, believed**2, 0.0))
        state["tail"] = step_quantile(state["tail"], size, 0.99, believed * np.clip(20.0 / age, 0.05, 0.2))

    def _learn_excess(self, ratio: FloatArray, weight: FloatArray) -> None:
        """Hill's estimator (1975): the mean logarithm of what exceeds the tail quantile, over the tail quantile."""
        state = self._state
        step = np.where(ratio > 1.0, weight, 0.0)
        state["exceeded"] = np.minimum(state["exceeded"] + step, _EXCESS_MEMORY)
        found = np.minimum(np.log(np.maximum(ratio, 1.0)), 1.5)
        state["excess"] = state["excess"] + step * (found - state["excess"]) / (_EXCESS_PRIOR + state["exceeded"])

    def _seed(self, slots: IndexArray) -> None:
        """Start level and spread from the ring of recent values."""
        state = self._state
        recent = state["recent"][:, slots]
        level = np.nanmedian(recent, axis=0)
        sizes = np.abs(recent - level)
        mid = np.maximum(np.nanmedian(sizes, axis=0), self._floor(level))
        state["level"][slots] = level
        state["mid"][slots] = mid
        state["tail"][slots] = np.maximum(np.nanmax(sizes, axis=0), mid * _GAUSS_RATIO)
        state["age"][slots] = self._warm_up
