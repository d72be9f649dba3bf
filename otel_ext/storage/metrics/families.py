"""What readers of the store get that is not samples: metadata, exposition families, exemplars, counters.

Frozen values; imports model only.
"""

from __future__ import annotations

from dataclasses import dataclass

from otel_ext.model.labels import Labels

__all__ = ["FamilySample", "MetricFamily", "MetricMetadata", "MetricStoreStats", "StoredExemplar"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricMetadata:
    """Type (counter, gauge, histogram, summary, info, unknown), unit and help of a metric name."""

    type: str
    unit: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredExemplar:
    """One measurement of a series, with the labels that lead to its trace (``trace_id``, ``span_id``)."""

    labels: Labels
    value: float
    ts_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilySample:
    """One line of an exposition."""

    name: str
    labels: Labels
    value: float
    exemplar: StoredExemplar | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricFamily:
    """All lines of one metric; a counter's ``name`` has no ``_total``, a histogram's no ``_bucket``."""

    name: str
    type: str
    unit: str
    help: str
    samples: list[FamilySample]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricStoreStats:
    """Counters since the store was made, and what it holds now.

    ``overflow_series`` counts series refused at the memory cap, and the SDK's own ``otel.metric.overflow`` points
    seen; ``dropped_points`` counts points that cannot be stored (delta temporality, too old, unknown kind).
    """

    series: int
    samples: int
    bytes: int
    evicted_series: int
    evicted_samples: int
    dropped_points: int
    overflow_series: int
