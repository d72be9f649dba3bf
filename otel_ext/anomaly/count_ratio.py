"""Ratios of counts, such as errors of requests: judged by an exact binomial law, whatever the traffic.

The ratio has a beta posterior from decayed sums of bad and all events, so the prediction is a beta-binomial that is as
wide as the history is short; extra scatter (errors that come in bursts) is estimated and added. Owned by a watch;
imports numpy and the detector vocabulary.
"""

from __future__ import annotations

import numpy as np

from otel_ext.anomaly.count_rate import gamma_band
from otel_ext.anomaly.detector import Arrays, BoolArray, FloatArray, Forecast, IndexArray, Observation, SlotArrays
from otel_ext.anomaly.quantile import step_quantile
from otel_ext.anomaly.tails import beta_binomial_surprise

__all__ = ["CountRatio"]

_EVENTS_OF_MEMORY = 50.0
_FASTEST = 0.05
_SLOWEST = 1.0 / 8640
_FAST = 0.2
_CLIP_SD = 4.0
_CLIP_EVENTS = 2.0
_PRIOR = 0.5
_NORMAL_TAIL = 2.0


class CountRatio:
    """Expects the ratio seen so far; surprise is the tail of a beta-binomial for this many events.

    An interval without events says nothing and is skipped. Memory holds some 50 bad events, between 20 intervals and
    8640. Where the surprises show that the law is too narrow (99 % quantile above 2), they are scaled down by it.

    Args:
        warm_up: intervals with events seen before the first verdict.
    """

    name = "count_ratio"

    def __init__(self, *, warm_up: int = 30) -> None:
        self._warm_up = warm_up
        self._state = SlotArrays(
            age=0.0, bad=0.0, total=0.0, scatter=0.0, square=0.0, fast_bad=0.0, fast_total=0.0, tail=_NORMAL_TAIL
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
        bad = np.where(present, observation.count, 0.0)
        total = np.where(present, observation.exposure, 0.0)
        age = state["age"]
        self._learn_tail(observation, weight)
        ratio, strength = self._posterior(slice(None))
        mean = ratio * total
        variance = mean * (1.0 - ratio) * (1.0 + np.maximum(total - 1.0, 0.0) / (strength + 1.0))
        limit = np.where(age < 5.0, np.inf, _CLIP_SD * np.sqrt(variance) + _CLIP_EVENTS)
        clipped = np.minimum(bad, mean + limit)
        self._learn_scatter(clipped, total, ratio, weight)
        forget = weight * np.clip(mean / _EVENTS_OF_MEMORY, _SLOWEST, _FASTEST)
        state["bad"] = (1.0 - forget) * state["bad"] + weight * clipped
        state["total"] = (1.0 - forget) * state["total"] + weight * total
        fast = np.where(present, _FAST, 0.0)
        state["fast_bad"] = (1.0 - fast) * state["fast_bad"] + bad
        state["fast_total"] = (1.0 - fast) * state["fast_total"] + total
        state["age"] = age + weight

    def accept(self, slots: IndexArray) -> None:
        state = self._state
        state["bad"][slots] = state["fast_bad"][slots]
        state["total"][slots] = state["fast_total"][slots]

    def forecast(self, slots: IndexArray, exposure: FloatArray, surprise: FloatArray) -> Forecast:
        ratio, strength = self._posterior(slots)
        total = np.maximum(exposure, 1.0)
        mean = ratio * total
        variance = mean * (1.0 - ratio) * (1.0 + (total - 1.0) / (strength + 1.0))
        scale = np.maximum(self._state["tail"][slots], _NORMAL_TAIL) / _NORMAL_TAIL
        lower, upper = gamma_band(mean, variance, surprise * scale)
        return Forecast(ratio, lower / total, np.minimum(upper / total, 1.0))

    def dump(self) -> Arrays:
        return self._state.dump()

    def restore(self, arrays: Arrays) -> None:
        self._state.restore(arrays)

    def _posterior(self, slots: IndexArray | slice) -> tuple[FloatArray, FloatArray]:
        """Mean of the ratio, and the events its distribution is worth: history, less what scatter takes away."""
        state = self._state
        total = state["total"][slots]
        ratio = (state["bad"][slots] + _PRIOR) / (total + 2.0 * _PRIOR)
        extra = np.clip(state["scatter"][slots] / np.maximum(state["square"][slots], 1e-9), 0.0, 0.5)
        strength = 1.0 / (extra / (1.0 - extra) + 1.0 / (total + 2.0 * _PRIOR))
        return ratio, strength

    def _raw(self, observation: Observation, wanted: BoolArray) -> FloatArray:
        surprise = np.zeros_like(observation.value)
        slots = np.flatnonzero(wanted)
        if slots.size:
            ratio, strength = self._posterior(slots)
            alpha, beta = ratio * strength, (1.0 - ratio) * strength
            surprise[slots] = beta_binomial_surprise(observation.count[slots], observation.exposure[slots], alpha, beta)
        return surprise

    def _learn_tail(self, observation: Observation, weight: FloatArray) -> None:
        state = self._state
        full = (weight >= 0.5) & (state["age"] >= self._warm_up)
        size = np.abs(self._raw(observation, full))
        step = np.where(full, np.clip(20.0 / np.maximum(state["age"], 1.0), 0.05, 0.2), 0.0)
        state["tail"] = np.maximum(step_quantile(state["tail"], size, 0.99, step), _NORMAL_TAIL)

    def _learn_scatter(self, clipped: FloatArray, total: FloatArray, ratio: FloatArray, weight: FloatArray) -> None:
        state = self._state
        started = state["age"] >= 5.0
        step = np.where(started, weight * np.maximum(0.01, 1.0 / np.maximum(state["age"], 1.0)), 0.0)
        mean = total * ratio
        spread = ratio * (1.0 - ratio)
        state["scatter"] = state["scatter"] + step * ((clipped - mean) ** 2 - total * spread - state["scatter"])
        state["square"] = state["square"] + step * (total * np.maximum(total - 1.0, 0.0) * spread - state["square"])
