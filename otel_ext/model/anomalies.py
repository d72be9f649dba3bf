"""A verdict of an anomaly watch about one series."""

from __future__ import annotations

from dataclasses import dataclass

from otel_ext.model.labels import Labels

__all__ = ["Anomaly"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """One series left its expected band. Times are Unix milliseconds; ``ended_at_ms`` is ``None`` while open.

    ``score`` is in [0, 1]; ``expected``, ``lower`` and ``upper`` are in the unit of the series.
    """

    watch: str
    series: Labels
    kind: str
    actual: float
    expected: float
    lower: float
    upper: float
    score: float
    started_at_ms: int
    ended_at_ms: int | None
    reason: str
