"""What one OTLP metric becomes: rows of its tables, remembered a point, and the writes of one collection.

A plan is owned by the store's OtlpIngest. ``Stream`` is the part of a plan that goes to one table: it knows what it
wrote last, so that series which are gone get a stale marker.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from otel_ext.model.labels import METRIC_NAME, Labels
from otel_ext.model.native_histograms import NativeHistogram
from otel_ext.storage.metrics.families import StoredExemplar
from otel_ext.storage.metrics.markers import STALE
from otel_ext.storage.metrics.otlp_histograms import bound_text, native_histogram
from otel_ext.storage.metrics.translation import TranslationStrategy, label_pairs

if TYPE_CHECKING:
    from otel_ext.storage.metrics.otlp import ColumnWriter, IngestCounts

__all__ = ["ExponentialPlan", "HistogramPlan", "MetricPlan", "NumberPlan", "PlanContext", "Stream"]

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

_NO_ROWS: I64 = np.zeros(0, dtype=np.int64)
_NANOS_PER_MS = 1_000_000
_MAX_ZERO_AGE_MS = 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanContext:
    """One collection, as the plans see it."""

    store: ColumnWriter
    ts_ms: int
    previous_ms: int | None
    zero_injection: bool
    translation: TranslationStrategy
    counts: IngestCounts

    def zero_ms(self, start_unix_nano: int | None) -> int | None:
        """Where the zero of a new series belongs: the previous collection, when the series began after it.

        A start inside this very collection is how observable instruments look, whose first value may hold history.
        """
        if not self.zero_injection or not start_unix_nano:
            return None
        start_ms = start_unix_nano // _NANOS_PER_MS
        if self.previous_ms is None:
            return start_ms if self.ts_ms - _MAX_ZERO_AGE_MS < start_ms < self.ts_ms else None
        return self.previous_ms if self.previous_ms <= start_ms < self.ts_ms else None


class Stream:
    """One table's share of a plan."""

    __slots__ = ("rows", "table", "written_ms", "zeros")

    def __init__(self, table: str) -> None:
        self.table = table
        self.rows = _NO_ROWS
        self.written_ms: int | None = None
        self.zeros: dict[int, int] = {}

    def write(
        self, context: PlanContext, rows: I64, values: F64, histograms: Mapping[int, NativeHistogram] | None = None
    ) -> None:
        """Write this collection's values after the zeros of new series; end the rows that are missing."""
        table = context.store.table(self.table)
        if self.zeros:
            self._write_zeros(context, histograms)
        written = rows if not histograms else np.fromiter(histograms, dtype=np.int64, count=len(histograms))
        if written is not self.rows and len(self.rows):
            gone = np.setdiff1d(self.rows, written)
            if len(gone):
                context.store.write(table, context.ts_ms, gone, np.full(len(gone), STALE))
        if len(written):
            context.store.write(table, context.ts_ms, rows, values, histograms)
        self.rows = written
        self.written_ms = context.ts_ms

    def _write_zeros(self, context: PlanContext, histograms: Mapping[int, NativeHistogram] | None) -> None:
        table = context.store.table(self.table)
        newest = table.newest_ms()
        zero_ms = min(self.zeros.values())
        rows = list(self.zeros)
        self.zeros = {}
        if newest is not None and newest > zero_ms:
            return
        if histograms is None:
            context.store.write(table, zero_ms, np.array(rows, dtype=np.int64), np.zeros(len(rows)))
        else:
            empty = {row: histograms[row].emptied() for row in rows if row in histograms}
            context.store.write(table, zero_ms, _NO_ROWS, np.zeros(0), empty)

    def end(self, context: PlanContext) -> None:
        """End every row when the metric was not collected at all."""
        if self.written_ms == context.ts_ms or not len(self.rows):
            return
        table = context.store.table(self.table)
        context.store.write(table, context.ts_ms, self.rows, np.full(len(self.rows), STALE))
        self.rows = _NO_ROWS

    def renumber(self, mapping: I64) -> None:
        moved = mapping[self.rows]
        self.rows = moved[moved >= 0]


class MetricPlan:
    """Base of the plans: the rows of each point, found by the identity of its attributes, else by their value."""

    def __init__(self, name: str, base: Mapping[str, str]) -> None:
        self.name = name
        self.base = base
        self.streams: tuple[Stream, ...] = ()
        self._by_id: dict[int, tuple[Any, Any]] = {}
        self._by_labels: dict[Labels, Any] = {}

    def write(self, context: PlanContext, points: Sequence[Any]) -> None:
        """Write the points of one collection."""
        raise NotImplementedError

    def end_missing(self, context: PlanContext) -> None:
        """Stale markers when the metric was absent from the collection."""
        for stream in self.streams:
            stream.end(context)

    def forget(self, table: str) -> None:
        """The table is gone: all rows are."""
        if any(stream.table == table for stream in self.streams):
            self._reset()
            for stream in self.streams:
                if stream.table == table:
                    stream.rows = _NO_ROWS

    def renumber(self, table: str, mapping: I64) -> None:
        """The table's rows moved."""
        for stream in self.streams:
            if stream.table == table:
                self._reset()
                stream.renumber(mapping)

    def _reset(self) -> None:
        self._by_id.clear()
        self._by_labels.clear()

    def _entry(self, context: PlanContext, point: Any) -> Any:
        labels = Labels({**label_pairs(point.attributes, context.translation), **self.base})
        entry = self._by_labels.get(labels)
        if entry is None:
            entry = self._by_labels[labels] = self._admit(context, labels, point)
            if point.attributes.get("otel.metric.overflow"):
                context.counts.overflowed += 1
        self._by_id[id(point.attributes)] = (point.attributes, entry)
        return entry

    def _admit(self, context: PlanContext, labels: Labels, point: Any) -> Any:
        raise NotImplementedError

    def _row(self, context: PlanContext, stream: Stream, labels: Labels, start_unix_nano: int | None) -> int:
        """The row of a series in a stream's table, -1 when the store refuses it; new rows get their zero."""
        table = context.store.table(stream.table)
        known = table.rows.get(labels)
        if known is not None:
            return known
        row = context.store.admit(table, labels)
        if row is None:
            context.counts.overflowed += 1
            return -1
        zero_ms = context.zero_ms(start_unix_nano)
        if zero_ms is not None:
            stream.zeros[row] = zero_ms
        return row

    def _entries(self, context: PlanContext, points: Sequence[Any]) -> list[Any]:
        by_id = self._by_id
        if len(by_id) > 2 * len(points) + 1000:
            self._reset()
        entries = []
        for point in points:
            known = by_id.get(id(point.attributes))
            if known is not None and known[0] is point.attributes:
                entries.append(known[1])
            else:
                entries.append(self._entry(context, point))
        return entries


class NumberPlan(MetricPlan):
    """Sums and gauges: one row a point."""

    def __init__(self, name: str, base: Mapping[str, str]) -> None:
        super().__init__(name, base)
        self.streams = (Stream(name),)
        self._last: tuple[list[int], I64, npt.NDArray[np.bool_] | None] = ([], _NO_ROWS, None)

    def _reset(self) -> None:
        super()._reset()
        self._last = ([], _NO_ROWS, None)

    def _admit(self, context: PlanContext, labels: Labels, point: Any) -> int:
        named = labels.with_labels({METRIC_NAME: self.name})
        return self._row(context, self.streams[0], named, point.start_time_unix_nano)

    def write(self, context: PlanContext, points: Sequence[Any]) -> None:
        entries: list[int] = self._entries(context, points)
        if entries != self._last[0]:
            rows = np.array(entries, dtype=np.int64)
            admitted = None if (rows >= 0).all() else rows >= 0
            self._last = (entries, rows if admitted is None else rows[admitted], admitted)
        values = np.fromiter((point.value for point in points), dtype=np.float64, count=len(points))
        _, rows, admitted = self._last
        self.streams[0].write(context, rows, values if admitted is None else values[admitted])
        self._keep_exemplars(context, points, entries)

    def _keep_exemplars(self, context: PlanContext, points: Sequence[Any], entries: list[int]) -> None:
        for point, row in zip(points, entries, strict=True):
            if point.exemplars and row >= 0:
                series = context.store.table(self.name).series[row]
                for exemplar in point.exemplars:
                    context.store.add_exemplar(series, _stored(exemplar, context))


class HistogramPlan(MetricPlan):
    """Explicit-bucket histograms: ``_bucket`` rows, ``_sum`` and ``_count``."""

    def __init__(self, name: str, base: Mapping[str, str]) -> None:
        super().__init__(name, base)
        self.streams = (Stream(f"{name}_bucket"), Stream(f"{name}_sum"), Stream(f"{name}_count"))
        self._last: tuple[list[_HistogramRows], list[I64]] = ([], [])

    def _reset(self) -> None:
        super()._reset()
        self._last = ([], [])

    def _admit(self, context: PlanContext, labels: Labels, point: Any) -> _HistogramRows:
        buckets, total, count = self.streams
        start = point.start_time_unix_nano
        bounds = tuple(point.explicit_bounds)
        texts = [*(bound_text(bound) for bound in bounds), "+Inf"]
        return _HistogramRows(
            bounds=bounds,
            buckets=[
                self._row(context, buckets, labels.with_labels({METRIC_NAME: buckets.table, "le": text}), start)
                for text in texts
            ],
            total=self._row(context, total, labels.with_labels({METRIC_NAME: total.table}), start),
            count=self._row(context, count, labels.with_labels({METRIC_NAME: count.table}), start),
        )

    def _entries(self, context: PlanContext, points: Sequence[Any]) -> list[Any]:
        entries = super()._entries(context, points)
        for index, (point, entry) in enumerate(zip(points, entries, strict=True)):
            if len(point.explicit_bounds) != len(entry.bounds) or tuple(point.explicit_bounds) != entry.bounds:
                self._by_labels.pop(Labels({**label_pairs(point.attributes, context.translation), **self.base}), None)
                entries[index] = self._entry(context, point)
        return entries

    def write(self, context: PlanContext, points: Sequence[Any]) -> None:
        entries: list[_HistogramRows] = self._entries(context, points)
        if len(entries) != len(self._last[0]) or any(a is not b for a, b in zip(entries, self._last[0], strict=True)):
            self._last = (entries, _histogram_rows(entries))
        columns = (
            _cumulative(points),
            np.fromiter((point.sum or 0.0 for point in points), dtype=np.float64, count=len(points)),
            np.fromiter((point.count for point in points), dtype=np.float64, count=len(points)),
        )
        for stream, rows, values in zip(self.streams, self._last[1], columns, strict=True):
            if len(rows) and int(rows.min()) < 0:
                stream.write(context, rows[rows >= 0], values[rows >= 0])
            else:
                stream.write(context, rows, values)
        self._keep_exemplars(context, points, entries)

    def _keep_exemplars(self, context: PlanContext, points: Sequence[Any], entries: list[_HistogramRows]) -> None:
        for point, entry in zip(points, entries, strict=True):
            for exemplar in point.exemplars:
                row = entry.buckets[int(np.searchsorted(entry.bounds, exemplar.value, side="left"))]
                if row >= 0:
                    series = context.store.table(self.streams[0].table).series[row]
                    context.store.add_exemplar(series, _stored(exemplar, context))


class ExponentialPlan(MetricPlan):
    """Exponential histograms: one native histogram a point."""

    def __init__(self, name: str, base: Mapping[str, str]) -> None:
        super().__init__(name, base)
        self.streams = (Stream(name),)

    def _admit(self, context: PlanContext, labels: Labels, point: Any) -> int:
        named = labels.with_labels({METRIC_NAME: self.name})
        return self._row(context, self.streams[0], named, point.start_time_unix_nano)

    def write(self, context: PlanContext, points: Sequence[Any]) -> None:
        histograms: dict[int, NativeHistogram] = {}
        for point, row in zip(points, self._entries(context, points), strict=True):
            if row < 0:
                continue
            histogram = native_histogram(point)
            if histogram is None:
                context.counts.dropped += 1
            else:
                histograms[row] = histogram
            for exemplar in point.exemplars:
                series = context.store.table(self.name).series[row]
                context.store.add_exemplar(series, _stored(exemplar, context))
        self.streams[0].write(context, _NO_ROWS, np.zeros(0), histograms)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _HistogramRows:
    bounds: tuple[float, ...]
    buckets: list[int]
    total: int
    count: int


def _histogram_rows(entries: Iterable[_HistogramRows]) -> list[I64]:
    known = list(entries)
    return [
        np.array([row for entry in known for row in entry.buckets], dtype=np.int64),
        np.array([entry.total for entry in known], dtype=np.int64),
        np.array([entry.count for entry in known], dtype=np.int64),
    ]


def _cumulative(points: Sequence[Any]) -> F64:
    widths = {len(point.bucket_counts) for point in points}
    if len(widths) == 1:
        counts = np.array([point.bucket_counts for point in points], dtype=np.float64)
        summed: F64 = np.cumsum(counts, axis=1).reshape(-1)
        return summed
    parts = [np.cumsum(np.array(point.bucket_counts, dtype=np.float64)) for point in points]
    return np.concatenate(parts) if parts else np.zeros(0)


def _stored(exemplar: Any, context: PlanContext) -> StoredExemplar:
    labels = label_pairs(exemplar.filtered_attributes or {}, context.translation)
    if exemplar.trace_id:
        labels["trace_id"] = f"{exemplar.trace_id:032x}"
    if exemplar.span_id:
        labels["span_id"] = f"{exemplar.span_id:016x}"
    return StoredExemplar(
        labels=Labels(labels), value=float(exemplar.value), ts_ms=exemplar.time_unix_nano // _NANOS_PER_MS
    )
