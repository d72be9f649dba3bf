"""What a query returns, and its JSON form in Prometheus' HTTP API.

Frozen values; imports model and formatting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from otel_ext.model.labels import Labels
from otel_ext.model.native_histograms import NativeHistogram
from otel_ext.promql.formatting import format_float, format_float_e

__all__ = ["Matrix", "MatrixSeries", "Point", "QueryResult", "Sample", "Scalar", "String", "Vector", "prometheus_json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    ts_ms: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class String:
    ts_ms: int
    value: str


class Sample(NamedTuple):
    """One element of an instant vector; ``ts_ms`` is the evaluation time."""

    labels: Labels
    ts_ms: int
    value: float | NativeHistogram


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    samples: tuple[Sample, ...]


class Point(NamedTuple):
    ts_ms: int
    value: float | NativeHistogram


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixSeries:
    """One series of a range result, oldest point first."""

    labels: Labels
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Series sorted by their labels."""

    series: tuple[MatrixSeries, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """The value, and what Prometheus calls annotations: warnings (probably wrong) and infos (possibly wrong)."""

    value: Scalar | String | Vector | Matrix
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()


def prometheus_json(result: QueryResult) -> dict[str, Any]:
    """The ``data`` object of ``/api/v1/query`` and ``/api/v1/query_range``."""
    value = result.value
    match value:
        case Scalar():
            return {"resultType": "scalar", "result": [_seconds(value.ts_ms), format_value(value.value)]}
        case String():
            return {"resultType": "string", "result": [_seconds(value.ts_ms), value.value]}
        case Vector():
            return {"resultType": "vector", "result": [_sample_json(sample) for sample in value.samples]}
        case Matrix():
            return {"resultType": "matrix", "result": [_series_json(series) for series in value.series]}


def format_value(value: float) -> str:
    """A sample value as the API prints it: an exponent only below 1e-6 and from 1e21 on."""
    magnitude = abs(value)
    if magnitude != 0 and (magnitude < 1e-6 or magnitude >= 1e21):
        return format_float_e(value)
    return format_float(value)


def _seconds(ts_ms: int) -> float | int:
    return ts_ms / 1000 if ts_ms % 1000 else ts_ms // 1000


def _sample_json(sample: Sample) -> dict[str, Any]:
    ts = _seconds(sample.ts_ms)
    if isinstance(sample.value, NativeHistogram):
        return {"metric": dict(sample.labels), "histogram": [ts, histogram_json(sample.value)]}
    return {"metric": dict(sample.labels), "value": [ts, format_value(sample.value)]}


def _series_json(series: MatrixSeries) -> dict[str, Any]:
    floats, histograms = [], []
    for point in series.points:
        if isinstance(point.value, NativeHistogram):
            histograms.append([_seconds(point.ts_ms), histogram_json(point.value)])
        else:
            floats.append([_seconds(point.ts_ms), format_value(point.value)])
    out: dict[str, Any] = {"metric": dict(series.labels)}
    if floats:
        out["values"] = floats
    if histograms:
        out["histograms"] = histograms
    return out


def histogram_json(histogram: NativeHistogram) -> Mapping[str, Any]:
    """Count, sum and populated buckets: boundary rule (0 open left, 1 open right, 2 open, 3 closed), bounds, count."""
    buckets = [
        [
            _boundary_rule(lower=bucket.lower_inclusive, upper=bucket.upper_inclusive),
            format_value(bucket.lower),
            format_value(bucket.upper),
            format_value(bucket.count),
        ]
        for bucket in histogram.buckets()
        if bucket.count != 0
    ]
    out: dict[str, Any] = {"count": format_value(histogram.count), "sum": format_value(histogram.sum)}
    if buckets:
        out["buckets"] = buckets
    return out


def _boundary_rule(*, lower: bool, upper: bool) -> int:
    if lower:
        return 3 if upper else 1
    return 0 if upper else 2
