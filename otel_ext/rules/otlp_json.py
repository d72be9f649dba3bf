"""OTLP metrics in their JSON encoding (one export request) as the vocabulary's metric values.

Stateless. Imports the vocabulary. Source: opentelemetry-proto, metrics.proto, and its JSON mapping.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from otel_ext.model.metrics import (
    CollectedMetrics,
    ExponentialBuckets,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    InstrumentationScope,
    Metric,
    MetricsData,
    NumberDataPoint,
    Resource,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
    Temporality,
)

__all__ = ["metrics_from_json"]

Json = Mapping[str, Any]


def metrics_from_json(request: Json) -> CollectedMetrics:
    """One export request; its time is that of its newest point.

    Raises:
        ValueError: no point in it, or a metric of an unknown kind; ``KeyError`` for a missing field.
    """
    resources = tuple(_resource(item) for item in request["resourceMetrics"])
    times = [
        point.time_unix_nano
        for resource in resources
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    ]
    if not times:
        raise ValueError("there is no data point in it")
    return CollectedMetrics(ts_ms=max(times) // 1_000_000, data=MetricsData(resource_metrics=resources))


def _resource(item: Json) -> ResourceMetrics:
    attributes = _attributes(item.get("resource", {}).get("attributes", ()))
    return ResourceMetrics(
        resource=Resource(attributes=attributes),
        scope_metrics=tuple(_scope(scope) for scope in item.get("scopeMetrics", ())),
    )


def _scope(item: Json) -> ScopeMetrics:
    scope = item.get("scope", {})
    return ScopeMetrics(
        scope=InstrumentationScope(name=scope.get("name", ""), version=scope.get("version")),
        metrics=tuple(_metric(metric) for metric in item.get("metrics", ())),
    )


def _metric(item: Json) -> Metric:
    kind = next((name for name in _KINDS if name in item), None)
    if kind is None:
        raise ValueError(f"metric {item.get('name')!r} is of no known kind; known are {', '.join(_KINDS)}")
    data = _KINDS[kind](item[kind])
    return Metric(name=item["name"], description=item.get("description"), unit=item.get("unit"), data=data)


def _gauge(data: Json) -> Gauge:
    return Gauge(data_points=tuple(_number(point) for point in data.get("dataPoints", ())))


def _sum(data: Json) -> Sum:
    return Sum(
        data_points=tuple(_number(point) for point in data.get("dataPoints", ())),
        aggregation_temporality=_temporality(data),
        is_monotonic=bool(data.get("isMonotonic", False)),
    )


def _histogram(data: Json) -> Histogram:
    points = tuple(
        HistogramDataPoint(
            **_common(point),
            count=int(point["count"]),
            sum=float(point.get("sum", 0.0)),
            bucket_counts=_integers(point.get("bucketCounts", ())),
            explicit_bounds=tuple(float(bound) for bound in point.get("explicitBounds", ())),
        )
        for point in data.get("dataPoints", ())
    )
    return Histogram(data_points=points, aggregation_temporality=_temporality(data))


def _exponential(data: Json) -> ExponentialHistogram:
    points = tuple(
        ExponentialHistogramDataPoint(
            **_common(point),
            count=int(point["count"]),
            sum=float(point.get("sum", 0.0)),
            scale=int(point.get("scale", 0)),
            zero_count=int(point.get("zeroCount", 0)),
            positive=_buckets(point.get("positive", {})),
            negative=_buckets(point.get("negative", {})),
        )
        for point in data.get("dataPoints", ())
    )
    return ExponentialHistogram(data_points=points, aggregation_temporality=_temporality(data))


_KINDS: Mapping[str, Callable[[Json], Sum | Gauge | Histogram | ExponentialHistogram]] = {
    "gauge": _gauge,
    "sum": _sum,
    "histogram": _histogram,
    "exponentialHistogram": _exponential,
}


def _buckets(item: Json) -> ExponentialBuckets:
    return ExponentialBuckets(offset=int(item.get("offset", 0)), bucket_counts=_integers(item.get("bucketCounts", ())))


def _number(point: Json) -> NumberDataPoint:
    value = float(point["asDouble"]) if "asDouble" in point else float(int(point.get("asInt", 0)))
    return NumberDataPoint(**_common(point), value=value)


def _common(point: Json) -> dict[str, Any]:
    start = int(point.get("startTimeUnixNano", 0))
    return {
        "attributes": _attributes(point.get("attributes", ())),
        "start_time_unix_nano": start or None,
        "time_unix_nano": int(point["timeUnixNano"]),
    }


def _integers(items: Sequence[Any]) -> tuple[int, ...]:
    return tuple(int(item) for item in items)


def _temporality(data: Json) -> int:
    value = data.get("aggregationTemporality", Temporality.CUMULATIVE)
    if isinstance(value, str):
        return int(Temporality[value.removeprefix("AGGREGATION_TEMPORALITY_")])
    return int(value)


def _attributes(items: Sequence[Json]) -> dict[str, Any]:
    return {item["key"]: _value(item.get("value", {})) for item in items}


def _value(value: Json) -> Any:
    if "arrayValue" in value:
        return tuple(_value(item) for item in value["arrayValue"].get("values", ()))
    if "kvlistValue" in value:
        return _attributes(value["kvlistValue"].get("values", ()))
    if "intValue" in value:
        return int(value["intValue"])
    return next(iter(value.values()), "")
