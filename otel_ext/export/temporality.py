"""Cumulative points into delta points, for OTLP backends that want delta while the local engines stay cumulative.

State: the previous cumulative point of each series, owned by the exporter that uses the converter; called on the
export thread only. Definition of delta: OTLP data model, "Temporality".
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any, cast

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    Sum,
)
from opentelemetry.sdk.metrics.export import Buckets as ExponentialBuckets

__all__ = ["CumulativeExporter", "DeltaConverter"]


class CumulativeExporter(MetricExporter):
    """Presents a delta exporter as a cumulative one, so that its reader can be shared with the local engines."""

    def __init__(self, exporter: MetricExporter) -> None:
        super().__init__(preferred_aggregation=exporter._preferred_aggregation)  # noqa: SLF001 (the SDK reads it so)
        self._exporter = exporter
        self._converter = DeltaConverter()

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Convert and send."""
        return self._exporter.export(self._converter.convert(metrics_data), timeout_millis=timeout_millis, **kwargs)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Flush the exporter."""
        return self._exporter.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown(timeout_millis, **kwargs)


class DeltaConverter:
    """Remembers the last cumulative point of each series and returns what came since.

    Monotonic sums and histograms are converted; up-down counters and gauges pass through, as OTLP exporters with
    delta preference send them. A series that restarted (its start time moved) is sent whole.
    """

    def __init__(self) -> None:
        self._last: dict[Hashable, Any] = {}

    def convert(self, data: MetricsData) -> MetricsData:
        """The same metrics with delta points; series without change are left out, as the SDK's own delta does."""
        resources = []
        for resource in data.resource_metrics:
            scopes = []
            for scope in resource.scope_metrics:
                converted = (self._metric(scope.scope, metric) for metric in scope.metrics)
                metrics = [metric for metric in converted if metric.data.data_points]
                if metrics:
                    scopes.append(replace(scope, metrics=metrics))
            if scopes:
                resources.append(replace(resource, scope_metrics=scopes))
        return MetricsData(resource_metrics=resources)

    def _metric(self, scope: Any, metric: Metric) -> Metric:
        data = metric.data
        if isinstance(data, Sum) and not data.is_monotonic:
            return metric
        if not isinstance(data, Sum | Histogram | ExponentialHistogram):
            return metric
        points: list[Any] = []
        for point in data.data_points:
            key = (scope.name, scope.version, metric.name, _attribute_key(point.attributes))
            delta = _since(self._last.get(key), point)
            self._last[key] = point
            if delta is not None:
                points.append(delta)
        delta_data = cast("Any", data)
        changed = replace(delta_data, data_points=points, aggregation_temporality=AggregationTemporality.DELTA)
        return replace(metric, data=changed)


def _attribute_key(attributes: Mapping[str, Any] | None) -> Hashable:
    return tuple(sorted((name, repr(value)) for name, value in (attributes or {}).items()))


def _since(last: Any, point: Any) -> Any:
    """The delta point from ``last`` to ``point``; ``None`` when nothing happened."""
    if last is None or last.start_time_unix_nano != point.start_time_unix_nano:
        return point
    if isinstance(point, NumberDataPoint):
        if point.value == last.value:
            return None
        return replace(point, value=point.value - last.value, start_time_unix_nano=last.time_unix_nano)
    if point.count == last.count:
        return None
    if isinstance(point, HistogramDataPoint):
        return _histogram_since(last, point)
    return _exponential_since(last, point)


def _histogram_since(last: HistogramDataPoint, point: HistogramDataPoint) -> HistogramDataPoint:
    counts = [now - before for now, before in zip(point.bucket_counts, last.bucket_counts, strict=True)]
    return replace(
        point,
        start_time_unix_nano=last.time_unix_nano,
        count=point.count - last.count,
        sum=point.sum - last.sum,
        bucket_counts=counts,
    )


def _exponential_since(
    last: ExponentialHistogramDataPoint, point: ExponentialHistogramDataPoint
) -> ExponentialHistogramDataPoint:
    shift = last.scale - point.scale  # a scale only ever shrinks as a histogram grows
    return replace(
        point,
        start_time_unix_nano=last.time_unix_nano,
        count=point.count - last.count,
        sum=point.sum - last.sum,
        zero_count=point.zero_count - last.zero_count,
        positive=_buckets_since(last.positive, point.positive, shift),
        negative=_buckets_since(last.negative, point.negative, shift),
    )


def _buckets_since(last: ExponentialBuckets, now: ExponentialBuckets, shift: int) -> ExponentialBuckets:
    counts = list(now.bucket_counts)
    for index, count in enumerate(last.bucket_counts):
        if count:
            counts[((last.offset + index) >> shift) - now.offset] -= count
    return ExponentialBuckets(offset=now.offset, bucket_counts=counts)

