"""Noise of many kinds, all series at once, through a detector and its decisions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from otel_ext.anomaly.decision import Decision
from otel_ext.anomaly.detector import Detector, FloatArray, Observation

MINUTE_MS = 60_000
WEEK_MS = 604_800_000

Source = Callable[[int], Observation]


START_MS = 1_700_000_000_000.0


def observed(value: FloatArray, count: FloatArray, exposure: FloatArray, tick: int = 0) -> Observation:
    """An observation at ``tick`` minutes after a fixed start."""
    return Observation(value, count, exposure, np.full(value.shape, START_MS + tick * MINUTE_MS))


def measured(values: Callable[[int], FloatArray]) -> Source:
    """A gauge: the value itself."""

    def observe(tick: int) -> Observation:
        value = values(tick)
        return observed(value, value, np.ones_like(value), tick)

    return observe


def rate(counts: Callable[[int], FloatArray], interval_ms: int = MINUTE_MS) -> Source:
    """Counts an interval."""

    def observe(tick: int) -> Observation:
        count = counts(tick).astype(np.float64)
        seconds = np.full(count.shape, interval_ms / 1000)
        return observed(count / seconds, count, seconds, tick)

    return observe


def ratio(pairs: Callable[[int], tuple[FloatArray, FloatArray]]) -> Source:
    """Bad of all events; nothing where there were none."""

    def observe(tick: int) -> Observation:
        bad, total = pairs(tick)
        asked = np.maximum(total, 1.0)
        return observed(np.where(total > 0, bad / asked, np.nan), bad.astype(np.float64), asked, tick)

    return observe


class Run:
    """One detector with its decisions over many series; ``opened`` counts openings by series."""

    def __init__(
        self,
        detector: Detector,
        series: int,
        *,
        interval_ms: int = MINUTE_MS,
        both_sides: bool = True,
        per_week: float = 1.0,
    ) -> None:
        self.detector = detector
        self.interval_ms = interval_ms
        self.decision = Decision(
            false_alarms_per_week=per_week,
            interval_ms=interval_ms,
            recovery=12,
            accept_after=360,
            both_sides=both_sides,
        )
        self.series = series
        self.opened = np.zeros(series)
        self.ticks = 0
        detector.reserve(series)
        self.decision.reserve(series)

    def feed(self, source: Source, ticks: int) -> None:
        for _ in range(ticks):
            self.step(source(self.ticks))

    def step(self, observation: Observation) -> FloatArray:
        surprise = self.detector.score(observation)
        present = np.isfinite(observation.value)
        decided = self.decision.decide(surprise, present, np.ones_like(present))
        self.detector.learn(observation, self.decision.weight(surprise))
        if decided.accepted.size:
            self.detector.accept(decided.accepted)
        self.opened[decided.opened] += 1
        self.ticks += 1
        return surprise

    @property
    def alarms_per_week(self) -> float:
        return float(self.opened.mean()) * WEEK_MS / (self.ticks * self.interval_ms)
