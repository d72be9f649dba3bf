"""What the detectors of counts share: decayed sums, extra scatter, and a scale that corrects a law that is too narrow.

Base class of the rate and the ratio detector. Imports numpy and the detector vocabulary.
"""

from __future__ import annotations

import abc

import numpy as np

from otel_ext.anomaly.detector import PENDING_WEIGHT, Arrays, BoolArray, FloatArray, IndexArray, Observation, SlotArrays
from otel_ext.anomaly.quantile import step_quantile

__all__ = ["EVENTS_OF_MEMORY", "SLOWEST", "CountModel", "gamma_band"]

EVENTS_OF_MEMORY = 50.0
"""The history that is kept in mind holds about so many counted events."""
SLOWEST = 1.0 / 8640
"""Least share of the history that one interval replaces: a day of 10 s intervals."""
_NORMAL_TAIL = 2.0
"""Surprise that one value in a hundred exceeds when the law is right."""
_FAST = 0.2
_EXACT_FROM = 1.5
_SCATTER_MEMORY = 1.0 / 100
_UNCLIPPED = 5.0


class CountModel(abc.ABC):
    """Counts and exposures with forgetting. Subclasses give the law and the mean.

    Extra scatter is estimated from ``(count - mean)**2`` less what the law explains, and only as far as it exceeds one
    standard error of that estimate: a handful of events must not pass for a burst.
    """

    def __init__(self, warm_up: int) -> None:
        self._warm_up = warm_up
        self._scored: FloatArray = np.zeros(0)
        self._state = SlotArrays(
            age=0.0, count=0.0, exposure=0.0, fast_count=0.0, fast_exposure=0.0, scatter=0.0, noise=0.0, square=0.0,
            tail=_NORMAL_TAIL,
        )  # fmt: skip

    def reserve(self, capacity: int) -> None:
        self._state.reserve(capacity)

    def clear(self, slots: IndexArray) -> None:
        self._state.clear(slots)

    def dump(self) -> Arrays:
        return self._state.dump()

    def restore(self, arrays: Arrays) -> None:
        self._state.restore(arrays)

    def score(self, observation: Observation) -> FloatArray:
        ready = np.isfinite(observation.value) & (self._state["age"] >= self._warm_up)
        self._scored = self._raw(observation, ready)
        scaled: FloatArray = self._scored / self._widening(slice(None))
        return scaled

    def accept(self, slots: IndexArray) -> None:
        self._state["count"][slots] = self._state["fast_count"][slots]
        self._state["exposure"][slots] = self._state["fast_exposure"][slots]

    @abc.abstractmethod
    def _moments(self, slots: IndexArray | slice, exposure: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Expected count and its variance."""

    @abc.abstractmethod
    def _surprise(self, slots: IndexArray, count: FloatArray, exposure: FloatArray) -> FloatArray:
        """Signed surprise under the law, for these slots."""

    def _raw(self, observation: Observation, wanted: BoolArray) -> FloatArray:
        """Exact tails for counts farther out than 1.5 deviations; within, the Gaussian's are near enough."""
        mean, variance = self._moments(slice(None), observation.exposure)
        deviation = np.where(wanted, (observation.count - mean) / np.sqrt(np.maximum(variance, 1e-12)), 0.0)
        size = np.minimum(np.abs(deviation), _EXACT_FROM)
        surprise: FloatArray = np.sign(deviation) * (0.301 + 0.37 * size + 0.14 * size * size)
        slots = np.flatnonzero(np.abs(deviation) > _EXACT_FROM)
        if slots.size:
            surprise[slots] = self._surprise(slots, observation.count[slots], observation.exposure[slots])
        return surprise

    def _widening(self, slots: IndexArray | slice) -> FloatArray:
        """By how much surprises are larger than the law allows; 1 when it is right."""
        widening: FloatArray = np.maximum(self._state["tail"][slots], _NORMAL_TAIL) / _NORMAL_TAIL
        return widening

    def _extra_scatter(self, slots: IndexArray | slice) -> FloatArray:
        state = self._state
        samples = np.clip(state["age"][slots], 1.0, 2.0 / _SCATTER_MEMORY)
        error = np.sqrt(np.maximum(state["noise"][slots], 0.0) / samples)
        extra: FloatArray = np.maximum(state["scatter"][slots] - error, 0.0) / np.maximum(state["square"][slots], 1e-9)
        return extra

    def _learn_tail(self, weight: FloatArray) -> None:
        """Feed the tail with what :meth:`score` found at this tick."""
        state = self._state
        full = (weight >= PENDING_WEIGHT) & (state["age"] >= self._warm_up)
        size = np.abs(self._scored)
        step = np.where(full, np.clip(20.0 / np.maximum(state["age"], 1.0), 0.05, 0.2), 0.0)
        state["tail"] = np.maximum(step_quantile(state["tail"], size, 0.99, step), _NORMAL_TAIL)

    def _learn_scatter(
        self, residual: FloatArray, explained: FloatArray, square: FloatArray, weight: FloatArray
    ) -> None:
        """``explained``: variance under the law; ``square``: what a unit of extra scatter adds to it."""
        state = self._state
        age = np.maximum(state["age"], 1.0)
        learned = (state["age"] >= _UNCLIPPED) & (weight >= 1.0)
        step = np.where(learned, np.maximum(_SCATTER_MEMORY, 1.0 / age), 0.0)
        state["scatter"] = state["scatter"] + step * (residual**2 - explained - state["scatter"])
        state["noise"] = state["noise"] + step * (2.0 * explained**2 + explained - state["noise"])
        state["square"] = state["square"] + step * (square - state["square"])

    def _clip_limit(self, deviation: FloatArray) -> FloatArray:
        """Farthest a learned count may be from the mean: four deviations and two events; none at the very start."""
        limit: FloatArray = np.where(self._state["age"] < _UNCLIPPED, np.inf, 4.0 * deviation + 2.0)
        return limit

    def _learn_sums(
        self, count: FloatArray, clipped: FloatArray, exposure: FloatArray, forget: FloatArray, weight: FloatArray
    ) -> None:
        state = self._state
        kept = 1.0 - weight * forget
        state["count"] = kept * state["count"] + weight * clipped
        state["exposure"] = kept * state["exposure"] + weight * exposure
        fast = np.where(exposure > 0.0, 1.0 - _FAST, 1.0)
        state["fast_count"] = fast * state["fast_count"] + count
        state["fast_exposure"] = fast * state["fast_exposure"] + exposure
        state["age"] = state["age"] + weight


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
