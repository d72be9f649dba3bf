"""Rates of events: how many came in this interval, judged by an exact count law instead of a Gaussian.

The rate has a gamma posterior from decayed sums of events and seconds, so the prediction is a negative binomial that
is as wide as the history is short; scatter beyond Poisson is added. Owned by a watch; imports this package alone.
"""

from __future__ import annotations

import numpy as np

from otel_ext.anomaly.count_model import EVENTS_OF_MEMORY, SLOWEST, CountModel, gamma_band
from otel_ext.anomaly.detector import FloatArray, Forecast, IndexArray, Observation
from otel_ext.anomaly.tails import negative_binomial_surprise

__all__ = ["CountRate"]

_FASTEST = 0.1
_HALF_EVENT = 0.5


class CountRate(CountModel):
    """Expects the recent rate; surprise is the tail of a negative binomial around it.

    Memory follows the traffic: it holds some 50 expected events, between 10 intervals and 8640 (a day of 10 s).
    Where the surprises themselves show that the law is too narrow (99 % quantile above 2), they are scaled down by it.

    Args:
        warm_up: intervals seen before the first verdict.
    """

    name = "count_rate"

    def __init__(self, *, warm_up: int = 30) -> None:
        super().__init__(warm_up)

    def learn(self, observation: Observation, weight: FloatArray) -> None:
        present = np.isfinite(observation.value)
        weight = np.where(present, weight, 0.0)
        count = np.where(present, observation.count, 0.0)
        seconds = np.where(present, observation.exposure, 0.0)
        self._learn_tail(weight)
        mean, variance = self._moments(slice(None), seconds)
        limit = self._clip_limit(np.sqrt(variance))
        clipped = np.clip(count, mean - limit, mean + limit)
        self._learn_scatter(clipped - mean, mean, mean**2, weight)
        forget = np.clip(mean / EVENTS_OF_MEMORY, SLOWEST, _FASTEST)
        self._learn_sums(count, clipped, seconds, forget, weight)

    def forecast(self, slots: IndexArray, observation: Observation, surprise: FloatArray) -> Forecast:
        seconds = np.maximum(observation.exposure[slots], 1e-9)
        mean, variance = self._moments(slots, seconds)
        lower, upper = gamma_band(mean, variance, surprise * self._widening(slots))
        return Forecast(mean / seconds, lower / seconds, upper / seconds)

    def _surprise(self, slots: IndexArray, count: FloatArray, exposure: FloatArray) -> FloatArray:
        return negative_binomial_surprise(count, self._rate(slots) * exposure, self._shape(slots))

    def _moments(self, slots: IndexArray | slice, exposure: FloatArray) -> tuple[FloatArray, FloatArray]:
        mean = self._rate(slots) * exposure
        return mean, mean + mean**2 / self._shape(slots)

    def _rate(self, slots: IndexArray | slice) -> FloatArray:
        """Events a second, with half an event added so that silence is not certainty."""
        state = self._state
        rate: FloatArray = (state["count"][slots] + _HALF_EVENT) / np.maximum(state["exposure"][slots], 1e-9)
        return rate

    def _shape(self, slots: IndexArray | slice) -> FloatArray:
        """Negative binomial shape: from the posterior's events and the scatter beyond Poisson."""
        posterior = 1.0 / (self._state["count"][slots] + _HALF_EVENT)
        shape: FloatArray = 1.0 / (self._extra_scatter(slots) + posterior)
        return shape
