"""Replay: recorded series through a detector and its decisions, exactly as they would have run live.

Streams tick by tick and never looks ahead. Pure but for its own state; imports this package alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from otel_ext.anomaly.decision import Decision
from otel_ext.anomaly.detector import BoolArray, Detector, FloatArray, Observation

__all__ = ["Replayed", "replay"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """Shape (ticks, series): signed surprise, and where an anomaly began; ``threshold`` is an old series' own."""

    surprise: FloatArray
    opened: BoolArray
    threshold: float


def replay(
    values: FloatArray,
    at_ms: FloatArray,
    detector: Detector,
    *,
    interval_ms: int,
    false_alarms_per_week: float = 1.0,
    recovery: int = 12,
    accept_after: int = 360,
) -> Replayed:
    """Feed measured values of shape (ticks, series) at these Unix times; NaN is a missing value."""
    ticks, series = values.shape
    decision = Decision(
        false_alarms_per_week=false_alarms_per_week,
        interval_ms=interval_ms,
        recovery=recovery,
        accept_after=accept_after,
        both_sides=True,
    )
    detector.reserve(series)
    decision.reserve(series)
    surprise = np.zeros((ticks, series))
    opened = np.zeros((ticks, series), dtype=np.bool_)
    one, notable = np.ones(series), np.ones(series, dtype=np.bool_)
    for tick in range(ticks):
        observation = Observation(values[tick], values[tick], one, at_ms[tick])
        surprise[tick] = detector.score(observation)
        decided = decision.decide(surprise[tick], np.isfinite(values[tick]), notable)
        detector.learn(observation, decision.weight(surprise[tick]))
        if decided.accepted.size:
            detector.accept(decided.accepted)
        opened[tick, decided.opened] = True
    return Replayed(surprise=surprise, opened=opened, threshold=decision.threshold)
