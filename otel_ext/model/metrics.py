"""Metric points in the shape of OTLP: resource, scope, metric, data point.

The field and class names are those of OTLP and of the SDK's own data points, so that what a MetricReader
receives satisfies these types structurally and is passed on without a copy; a contract test holds the two
together. ``type(metric.data).__name__`` tells Sum, Gauge, Histogram and ExponentialHistogram apart.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "CollectedMetrics",
    "Exemplar",
    "ExponentialHistogram",
    "ExponentialHistogramDataPoint",
    "Gauge",
    "Histogram",
    "HistogramDataPoint",
    "InstrumentationScope",
    "Metric",
    "MetricsData",
    "NumberDataPoint",
    "Resource",
    "ResourceMetrics",
    "ScopeMetrics",
    "Sum",
    "Temporality",
]

Attributes = Mapping[str, Any]


class Temporality(enum.IntEnum):
    """OTLP's AggregationTemporality."""

    UNSPECIFIED = 0
    DELTA = 1
    CUMULATIVE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemplar:
    """One measurement kept as an example, with the trace it came from (ids are ints, ``None`` when unknown)."""

    filtered_attributes: Attributes
    value: float
    time_unix_nano: int
    span_id: int | None = None
    trace_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberDataPoint:
    """A value of a counter or gauge."""

    attributes: Attributes
    start_time_unix_nano: int | None
    time_unix_nano: int
    value: float
    exemplars: Sequence[Exemplar] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HistogramDataPoint:
    """Explicit-bucket histogram: ``bucket_counts`` has one entry more than ``explicit_bounds``."""

    attributes: Attributes
    start_time_unix_nano: int | None
    time_unix_nano: int
    count: int
    sum: float
    bucket_counts: Sequence[int]
    explicit_bounds: Sequence[float]
    min: float = 0.0
    max: float = 0.0
    exemplars: Sequence[Exemplar] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExponentialBuckets:
    """Counts of consecutive exponential buckets, the first at index ``offset``."""

    offset: int
    bucket_counts: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExponentialHistogramDataPoint:
    """Base-2 exponential histogram (OTLP)."""

    attributes: Attributes
    start_time_unix_nano: int | None
    time_unix_nano: int
    count: int
    sum: float
    scale: int
    zero_count: int
    positive: ExponentialBuckets
    negative: ExponentialBuckets
    flags: int = 0
    min: float = 0.0
    max: float = 0.0
    exemplars: Sequence[Exemplar] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """Counters: monotonic, or up-down when ``is_monotonic`` is false."""

    data_points: Sequence[NumberDataPoint]
    aggregation_temporality: int
    is_monotonic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """Last values."""

    data_points: Sequence[NumberDataPoint]


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Explicit-bucket histograms."""

    data_points: Sequence[HistogramDataPoint]
    aggregation_temporality: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExponentialHistogram:
    """Exponential histograms."""

    data_points: Sequence[ExponentialHistogramDataPoint]
    aggregation_temporality: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A named stream of points of one kind; ``unit`` is UCUM (``s``, ``By``, ``1``)."""

    name: str
    description: str | None
    unit: str | None
    data: Sum | Gauge | Histogram | ExponentialHistogram


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentationScope:
    """Who made the instrument."""

    name: str
    version: str | None = None
    schema_url: str | None = None
    attributes: Attributes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Who the process is: ``service.name``, ``service.instance.id`` and the rest."""

    attributes: Attributes
    schema_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeMetrics:
    """The metrics of one instrumentation scope."""

    scope: InstrumentationScope
    metrics: Sequence[Metric]
    schema_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceMetrics:
    """The metrics of one resource."""

    resource: Resource
    scope_metrics: Sequence[ScopeMetrics]
    schema_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsData:
    """Everything one collection of a reader returned."""

    resource_metrics: Sequence[ResourceMetrics]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedMetrics:
    """A collection with the instant it stands for, in Unix milliseconds: one column of the metric store."""

    ts_ms: int
    data: MetricsData
