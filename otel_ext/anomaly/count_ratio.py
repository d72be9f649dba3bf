"""Ratios of counts, such as errors of requests: judged by an exact binomial law, whatever the traffic.

The ratio has a beta posterior from decayed sums of bad and all events, so the prediction is a beta-binomial that is as
wide as the history is short; extra scatter (errors that come in bursts) is added. Owned by a watch; imports this
package alone.
"""

from __future__ import annotations

import numpy as np

from otel_ext.anomaly.count_model import EVENTS_OF_MEMORY, SLOWEST, CountModel, gamma_band
from otel_ext.anomaly.detector import FloatArray, Forecast, IndexArray, Observation
from otel_ext.anomaly.tails import beta_binomial_surprise

__all__ = ["CountRatio"]

_FASTEST = 0.05
_PRIOR = 0.5


class CountRatio(CountModel):
    """Expects the ratio seen so far; surprise is the tail of a beta-binomial for this many events.

    An interval without events says nothing and is skipped. Memory holds some 50 bad events, between 20 intervals and
    8640. Where the surprises show that the law is too narrow (99 % quantile above 2), they are scaled down by it.

    Args:
        warm_up: intervals with events seen before the first verdict.
    """

    name = "count_ratio"

    def __init__(self, *, warm_up: int = 30) -> None:
        super().__init__(warm_up)

    def learn(self, observation: Observation, weight: FloatArray) -> None:
        present = np.isfinite(observation.value)
        weight = np.where(present, weight, 0.0)
        bad = np.where(present, observation.count, 0.0)
        total = np.where(present, observation.exposure, 0.0)
        self._learn_tail(weight)
        ratio, _ = self._posterior(slice(None))
        mean, variance = self._moments(slice(None), total)
        clipped = np.minimum(bad, mean + self._clip_limit(np.sqrt(variance)))
        spread = ratio * (1.0 - ratio)
        pairs = total * np.maximum(total - 1.0, 0.0)
        self._learn_scatter(clipped - mean, total * spread, pairs * spread, weight)
        forget = np.clip(mean / EVENTS_OF_MEMORY, SLOWEST, _FASTEST)
        self._learn_sums(bad, clipped, total, forget, weight)

    def forecast(self, slots: IndexArray, observation: Observation, surprise: FloatArray) -> Forecast:
        total = np.maximum(observation.exposure[slots], 1.0)
        mean, variance = self._moments(slots, total)
        lower, upper = gamma_band(mean, variance, surprise * self._widening(slots))
        return Forecast(mean / total, lower / total, np.minimum(upper / total, 1.0))

    def _surprise(self, slots: IndexArray, count: FloatArray, exposure: FloatArray) -> FloatArray:
        ratio, strength = self._posterior(slots)
        return beta_binomial_surprise(count, exposure, ratio * strength, (1.0 - ratio) * strength)

    def _moments(self, slots: IndexArray | slice, exposure: FloatArray) -> tuple[FloatArray, FloatArray]:
        ratio, strength = self._posterior(slots)
        mean = ratio * exposure
        variance = mean * (1.0 - ratio) * (1.0 + np.maximum(exposure - 1.0, 0.0) / (strength + 1.0))
        return mean, variance

    def _posterior(self, slots: IndexArray | slice) -> tuple[FloatArray, FloatArray]:
        """Mean of the ratio, and the events its distribution is worth: history, less what scatter takes away."""
        total = self._state["exposure"][slots] + 2.0 * _PRIOR
        ratio = (self._state["count"][slots] + _PRIOR) / total
        extra = np.minimum(self._extra_scatter(slots), 0.5)
        strength = 1.0 / (extra / (1.0 - extra) + 1.0 / total)
        return ratio, strength
