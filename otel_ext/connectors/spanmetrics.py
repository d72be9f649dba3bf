"""RED series from ended spans: calls, errors and durations, as the Collector's spanmetrics connector makes them.

Counts SERVER, CLIENT, PRODUCER and CONSUMER spans into cumulative integer rows, at most ``max_series`` of them;
what would be one more goes to an overflow row, so that totals are conserved. One short lock: the pipeline thread
counts and reads, an application thread counts when the queue is full. Imports only the model.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from otel_ext.connectors.http import METHOD, OLD_METHOD, OLD_STATUS_CODE, ROUTE, STATUS_CODE, status_code_of
from otel_ext.model.labels import Labels
from otel_ext.model.metrics import (
    Exemplar,
    Histogram,
    HistogramDataPoint,
    InstrumentationScope,
    Metric,
    NumberDataPoint,
    Resource,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
    Temporality,
)
from otel_ext.model.spans import SpanKind, SpanRecord, SpanStatus

__all__ = ["CALLS", "DEFAULT_BOUNDS_SECONDS", "DURATION", "SCOPE", "GoldenSignals", "SpanMetrics"]

CALLS = "traces.span.metrics.calls"
DURATION = "traces.span.metrics.duration"
SCOPE = InstrumentationScope(name="otel_ext.spanmetrics")
DEFAULT_BOUNDS_SECONDS: tuple[float, ...] = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0,
)  # fmt: skip
"""Bucket bounds: those of OpenTelemetry's HTTP duration metrics, with two below and two above."""

_OVERFLOW = "otel.metric.overflow"
_INTERNAL = int(SpanKind.INTERNAL)
_NANO = 1_000_000_000
_Key = tuple[object, object, object, object, object, object]  # name, kind, status, method, route, status code
_Example = tuple[int, int, int, int]  # trace id, span id, duration_nano, end_unix_nano


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenSignals:
    """What one operation did since the start: cumulative integers.

    ``labels``: ``service_name``, ``span_name``, ``span_kind`` and ``http_route`` where there is one. ``errors`` are
    spans with status ERROR or an HTTP status of 500 or above.
    """

    labels: Labels
    count: int
    errors: int
    duration_nano_sum: int


class _Row:
    __slots__ = ("attributes", "buckets", "duration_nano_sum", "examples", "golden_labels", "is_error", "start")

    def __init__(self, attributes: Mapping[str, Any], golden_labels: Labels, is_error: bool, buckets: int) -> None:
        self.attributes = attributes
        self.golden_labels = golden_labels
        self.is_error = is_error
        self.buckets = [0] * buckets
        self.examples: list[_Example | None] = [None] * buckets
        self.duration_nano_sum = 0
        self.start: int | None = None


class _ResourceRows:
    """Rows of one resource; ``by_key`` is a cache of raw attribute values in front of them."""

    __slots__ = ("by_key", "overflow", "overflow_errors", "resource", "rows")

    def __init__(self, resource: Mapping[str, Any]) -> None:
        self.resource = resource
        self.rows: dict[tuple[tuple[str, Any], ...], _Row] = {}
        self.by_key: dict[_Key, _Row] = {}
        self.overflow: _Row | None = None
        self.overflow_errors = 0


class SpanMetrics:
    """Counts spans into RED rows.

    Args:
        max_series: rows at most, over all resources; the overflow row of each resource comes on top.
        bounds_seconds: upper bounds of the duration buckets, ascending; a duration equal to a bound is below it.

    Raises:
        ValueError: for bounds that do not ascend.
    """

    def __init__(self, max_series: int = 2000, bounds_seconds: Sequence[float] = DEFAULT_BOUNDS_SECONDS) -> None:
        self._bounds_nano = [int(Fraction(str(bound)) * _NANO) for bound in bounds_seconds]
        if sorted(set(self._bounds_nano)) != self._bounds_nano:
            raise ValueError(f"bounds_seconds {tuple(bounds_seconds)!r} must ascend, for example (0.1, 0.5, 1)")
        self._bounds_seconds = tuple(float(bound) for bound in bounds_seconds)
        self._max_series = max_series
        self._start()

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._series = 0
        self._overflowed = 0
        self._collected_unix_nano: int | None = None
        self._by_resource: dict[int, _ResourceRows] = {}

    def reset_after_fork(self) -> None:
        """Start at zero with a new lock, in a child process whose parent goes on counting its own spans."""
        self._start()

    @property
    def overflowed(self) -> int:
        """Spans that were counted in an overflow row."""
        return self._overflowed

    def count(self, spans: Sequence[SpanRecord]) -> None:
        """Count these spans; INTERNAL ones are skipped. Thread-safe; never raises on attribute values."""
        bounds = self._bounds_nano
        resource: Mapping[str, Any] | None = None
        with self._lock:
            for span in spans:
                if span[4] <= _INTERNAL:
                    continue
                if span[12] is not resource:
                    resource = span[12]
                    group = self._rows_of(resource)
                get = span[9].get
                key = (span[3], span[4], span[7], get(METHOD) or get(OLD_METHOD), get(ROUTE), _code(span[9]))
                try:
                    row = group.by_key.get(key)
                except TypeError:  # an attribute value that cannot be hashed
                    key = (span[3], span[4], span[7], _text(key[3]), _text(key[4]), key[5])
                    row = group.by_key.get(key)
                if row is None:
                    row = self._row_of(group, key)
                duration = max(0, span[6] - span[5])
                bucket = bisect_left(bounds, duration)
                row.buckets[bucket] += 1
                row.duration_nano_sum += duration
                if span[14]:
                    row.examples[bucket] = (span[0], span[1], duration, span[6])

    def _rows_of(self, resource: Mapping[str, Any]) -> _ResourceRows:
        group = self._by_resource.get(id(resource))
        if group is None:
            group = next((known for known in self._by_resource.values() if known.resource == resource), None)
        if group is None:  # the group holds the mapping, so its id stays its own
            group = self._by_resource[id(resource)] = _ResourceRows(resource)
        return group

    def _row_of(self, group: _ResourceRows, key: _Key) -> _Row:
        attributes = _attributes(group.resource, key)
        identity = tuple(attributes.items())
        row = group.rows.get(identity)
        if row is None:
            if self._series >= self._max_series:
                return self._overflow_row(group, key)
            self._series += 1
            row = _Row(attributes, _golden_labels(attributes), _is_error(key), len(self._bounds_nano) + 1)
            group.rows[identity] = row
        if len(group.by_key) < 2 * self._max_series:  # several raw values may mean one row
            group.by_key[key] = row
        return row

    def _overflow_row(self, group: _ResourceRows, key: _Key) -> _Row:
        self._overflowed += 1
        group.overflow_errors += _is_error(key)
        if group.overflow is None:
            labels = Labels(service_name=_service(group.resource), otel_metric_overflow="true")
            group.overflow = _Row({_OVERFLOW: True}, labels, False, len(self._bounds_nano) + 1)
        return group.overflow

    def golden(self) -> tuple[GoldenSignals, ...]:
        """Cumulative calls, errors and duration of each operation, summed over status and method."""
        sums: dict[Labels, list[int]] = {}
        with self._lock:
            for group in self._by_resource.values():
                for row in _all_rows(group):
                    calls = sum(row.buckets)
                    errors = calls if row.is_error else group.overflow_errors if row is group.overflow else 0
                    entry = sums.setdefault(row.golden_labels, [0, 0, 0])
                    entry[0] += calls
                    entry[1] += errors
                    entry[2] += row.duration_nano_sum
        return tuple(
            GoldenSignals(labels=labels, count=calls, errors=errors, duration_nano_sum=duration)
            for labels, (calls, errors, duration) in sums.items()
        )

    def metrics(self, time_unix_nano: int, start_time_unix_nano: int) -> tuple[ResourceMetrics, ...]:
        """The rows as cumulative OTLP metrics, one entry a resource; the same attribute objects each time.

        ``start_time_unix_nano`` is when counting began. A row that came later starts at the collection before its
        first one, where its count was zero: so ``rate`` and ``increase`` see its first spans.
        """
        with self._lock:
            since = self._collected_unix_nano or start_time_unix_nano
            self._collected_unix_nano = time_unix_nano
            return tuple(
                self._resource_metrics(group, time_unix_nano, since) for group in self._by_resource.values()
            )

    def _resource_metrics(self, group: _ResourceRows, now: int, since: int) -> ResourceMetrics:
        durations = tuple(self._point(row, now, since) for row in _all_rows(group))
        calls = tuple(
            NumberDataPoint(
                attributes=point.attributes,
                start_time_unix_nano=point.start_time_unix_nano,
                time_unix_nano=now,
                value=point.count,
            )
            for point in durations
        )
        metrics = (
            Metric(
                name=CALLS,
                description="Ended spans",
                unit="{call}",
                data=Sum(data_points=calls, aggregation_temporality=Temporality.CUMULATIVE, is_monotonic=True),
            ),
            Metric(
                name=DURATION,
                description="Duration of ended spans",
                unit="s",
                data=Histogram(data_points=durations, aggregation_temporality=Temporality.CUMULATIVE),
            ),
        )
        return ResourceMetrics(
            resource=Resource(attributes=group.resource), scope_metrics=(ScopeMetrics(scope=SCOPE, metrics=metrics),)
        )

    def _point(self, row: _Row, now: int, since: int) -> HistogramDataPoint:
        if row.start is None:
            row.start = since
        return HistogramDataPoint(
            attributes=row.attributes,
            start_time_unix_nano=row.start,
            time_unix_nano=now,
            count=sum(row.buckets),
            sum=row.duration_nano_sum / _NANO,
            bucket_counts=tuple(row.buckets),
            explicit_bounds=self._bounds_seconds,
            exemplars=tuple(_exemplar(example) for example in row.examples if example is not None),
        )


def _all_rows(group: _ResourceRows) -> Iterator[_Row]:
    yield from group.rows.values()
    if group.overflow is not None:
        yield group.overflow


def _code(attributes: Mapping[str, Any]) -> int:
    code = attributes.get(STATUS_CODE)
    if code is None:
        code = attributes.get(OLD_STATUS_CODE)
        if code is None:
            return 0
    return code if code.__class__ is int and 0 < code < 1000 else status_code_of(attributes)


def _exemplar(example: _Example) -> Exemplar:
    trace_id, span_id, duration_nano, end_unix_nano = example
    return Exemplar(
        filtered_attributes={},
        value=duration_nano / _NANO,
        time_unix_nano=end_unix_nano,
        span_id=span_id,
        trace_id=trace_id,
    )


def _attributes(resource: Mapping[str, Any], key: _Key) -> Mapping[str, Any]:
    name, kind, status, method, route, code = key
    attributes: dict[str, Any] = {
        "service.name": _service(resource),
        "span.name": _text(name),
        "span.kind": f"SPAN_KIND_{_enum_name(SpanKind, kind)}",
        "status.code": f"STATUS_CODE_{_enum_name(SpanStatus, status)}",
    }
    if method:
        attributes[METHOD] = _text(method)
    if route:
        attributes[ROUTE] = _text(route)
    if code:
        attributes[STATUS_CODE] = code
    return attributes


def _golden_labels(attributes: Mapping[str, Any]) -> Labels:
    names = ("service.name", "span.name", "span.kind", ROUTE)
    return Labels({name.replace(".", "_"): attributes[name] for name in names if name in attributes})


def _is_error(key: _Key) -> bool:
    code = key[5]
    return key[2] == SpanStatus.ERROR or (isinstance(code, int) and code >= 500)


def _service(resource: Mapping[str, Any]) -> str:
    return _text(resource.get("service.name") or "unknown_service")


def _enum_name(kinds: type[SpanKind | SpanStatus], number: object) -> str:
    try:
        return kinds(number).name  # type: ignore[arg-type]
    except ValueError:
        return "UNSPECIFIED"


def _text(value: object) -> str:
    try:
        return str(value)
    except ValueError:  # an int beyond the interpreter's limit of digits
        return "?"
