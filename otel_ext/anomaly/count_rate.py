"""Rates of events: how many came in this interval, judged by an exact count law instead of a Gaussian.

The rate has a gamma posterior from decayed sums of events and seconds, so the prediction is a negative binomial that
is as wide as the history is short; extra scatter beyond Poisson is estimated and added. Owned by a watch; imports
numpy and the detector vocabulary.
"""

from __future__ import annotations

import numpy as np

from otel_ext.anomaly.detector import Arrays, BoolArray, FloatArray, Forecast, IndexArray, Observation, SlotArrays
from otel_ext.anomaly.quantile import step_quantile
from otel_ext.anomaly.tails import negative_binomial_surprise

__all__ = ["CountRate"]

_EVENTS_OF_MEMORY = 50.0
_FASTEST = 0.1
_SLOWEST = 1.0 / 8640
_FAST = 0.2
_CLIP_SD = 4.0
_CLIP_EVENTS = 3.0
_NORMAL_TAIL = 2.0
"""Surprise that one value in a hundred exceeds when the model is right."""


class CountRate:
    """Expects the recent rate; surprise is the tail of a negative binomial around it.

    Memory follows the traffic: it holds some 50 expected events, between 10 intervals and 8640 (a day of 10 s).
    Where the surprises themselves show that the law is too narrow (99 % quantile above 2), they are scaled down by it.

    Args:
        warm_up: intervals seen before the first verdict.
    """

    name = "count_rate"

    def __init__(self, *, warm_up: int = 30) -> None:
        self._warm_up = warm_up
        self._state = SlotArrays(
            age=0.0,
            events=0.0,
            seconds=0.0,
            scatter=0.0,
            square=0.0,
            fast_events=0.0,
            fast_seconds=0.0,
            tail=_NORMAL_TAIL,
        )

    def reserve(self, capacity: int) -> None:
        self._state.reserve(capacity)

    def clear(self, slots: IndexArray) -> None:
        self._state.clear(slots)

    def score(self, observation: Observation) -> FloatArray:
        state = self._state
        surprise = self._raw(observation, np.isfinite(observation.value) & (state["age"] >= self._warm_up))
        scaled: FloatArray = surprise * _NORMAL_TAIL / np.maximum(state["tail"], _NORMAL_TAIL)
        return scaled

    def learn(self, observation: Observation, weight: FloatArray) -> None:
        state = self._state
        present = np.isfinite(observation.value)
        weight = np.where(present, weight, 0.0)
        count = np.where(present, observation.count, 0.0)
        seconds = np.where(present, observation.exposure, 0.0)
        age = state["age"]
        self._learn_tail(observation, weight)
        mean = self._rate(slice(None)) * seconds
        limit = np.where(age < 5.0, np.inf, _CLIP_SD * np.sqrt(mean + mean**2 / self._shape(slice(None))))
        clipped = np.clip(count, mean - limit, mean + limit + _CLIP_EVENTS)
        self._learn_scatter(clipped, mean, weight)
        forget = weight * np.clip(mean / _EVENTS_OF_MEMORY, _SLOWEST, _FASTEST)
        state["events"] = (1.0 - forget) * state["events"] + weight * clipped
        state["seconds"] = (1.0 - forget) * state["seconds"] + weight * seconds
        fast = np.where(present, _FAST, 0.0)
        state["fast_events"] = (1.0 - fast) * state["fast_events"] + count
        state["fast_seconds"] = (1.0 - fast) * state["fast_seconds"] + seconds
        state["age"] = age + weight

    def accept(self, slots: IndexArray) -> None:
        state = self._state
        state["events"][slots] = state["fast_events"][slots]
        state["seconds"][slots] = state["fast_seconds"][slots]

    def forecast(self, slots: IndexArray, exposure: FloatArray, surprise: FloatArray) -> Forecast:
        mean = self._rate(slots) * exposure
        variance = mean + mean**2 / self._shape(slots)
        scale = np.maximum(self._state["tail"][slots], _NORMAL_TAIL) / _NORMAL_TAIL
        lower, upper = gamma_band(mean, variance, surprise * scale)
        seconds = np.maximum(exposure, 1e-9)
        return Forecast(mean / seconds, lower / seconds, upper / seconds)

    def dump(self) -> Arrays:
        return self._state.dump()

    def restore(self, arrays: Arrays) -> None:
        self._state.restore(arrays)

    def _rate(self, slots: IndexArray | slice) -> FloatArray:
        """Events a second, with half an event added so that silence is not certainty."""
        rate: FloatArray = (self._state["events"][slots] + 0.5) / np.maximum(self._state["seconds"][slots], 1e-9)
        return rate

    def _shape(self, slots: IndexArray | slice) -> FloatArray:
        """Negative binomial shape: from the posterior's events and the scatter beyond Poisson."""
        state = self._state
        extra = np.maximum(state["scatter"][slots], 0.0) / np.maximum(state["square"][slots], 1e-9)
        shape: FloatArray = 1.0 / (extra + 1.0 / (state["events"][slots] + 0.5))
        return shape

    def _raw(self, observation: Observation, wanted: BoolArray) -> FloatArray:
        surprise = np.zeros_like(observation.value)
        slots = np.flatnonzero(wanted)
        if slots.size:
            mean = self._rate(slots) * observation.exposure[slots]
            surprise[slots] = negative_binomial_surprise(observation.count[slots], mean, self._shape(slots))
        return surprise

    def _learn_tail(self, observation: Observation, weight: FloatArray) -> None:
        state = self._state
        full = (weight >= 0.5) & (state["age"] >= self._warm_up)
        size = np.abs(self._raw(observation, full))
        step = np.where(full, np.clip(20.0 / np.maximum(state["age"], 1.0), 0.05, 0.2), 0.0)
        state["tail"] = np.maximum(step_quantile(state["tail"], size, 0.99, step), _NORMAL_TAIL)

    def _learn_scatter(self, clipped: FloatArray, mean: FloatArray, weight: FloatArray) -> None:
        state = self._state
        started = state["age"] >= 5.0
        step = np.where(started, weight * np.maximum(0.01, 1.0 / np.maximum(state["age"], 1.0)), 0.0)
        state["scatter"] = state["scatter"] + step * ((clipped - mean) ** 2 - mean - state["scatter"])
        state["square"] = state["square"] + step * (mean**2 - state["square"])


def gamma_band(mean: FloatArray, variance: FloatArray, surprise: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Bounds that a count with this mean and variance leaves with about that surprise on either side.

    A gamma law of the same moments through Wilson and Hilferty's cube root; for showing, not for deciding.
    """
    z = np.sqrt(np.maximum(2.0 * np.log(10.0) * surprise - 1.5 * np.log1p(2.0 * surprise), 0.0))
    shape = np.maximum(mean, 1e-9) ** 2 / np.maximum(variance, 1e-12)
    centre, width = 1.0 - 1.0 / (9.0 * shape), z / (3.0 * np.sqrt(shape))
    lower: FloatArray = np.where(centre > width, mean * np.maximum(centre - width, 0.0) ** 3, 0.0)
    upper: FloatArray = mean * np.maximum(centre + width, 0.0) ** 3
    return lower, np.maximum(upper, mean)
