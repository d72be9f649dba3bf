"""MetricStore: every series of the process, one table a metric name, behind one short lock.

Appended to by the pipeline thread; read from any thread (readers take views under the lock and evaluate without it).
Holds the caps: samples older than the retention go, then the oldest chunks until the store is under its byte limit.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from otel_ext.model.labels import METRIC_NAME, Labels
from otel_ext.model.metrics import CollectedMetrics
from otel_ext.model.native_histograms import NativeHistogram
from otel_ext.storage.metrics.exemplars import ExemplarStore
from otel_ext.storage.metrics.exposition import families_of
from otel_ext.storage.metrics.families import MetricFamily, MetricMetadata, MetricStoreStats, StoredExemplar
from otel_ext.storage.metrics.markers import STALE
from otel_ext.storage.metrics.matchers import Matcher, MatchType
from otel_ext.storage.metrics.otlp import OtlpIngest
from otel_ext.storage.metrics.table import LABEL_BYTES, Table
from otel_ext.storage.metrics.translation import TranslationStrategy
from otel_ext.storage.metrics.view import SeriesBlock

__all__ = ["MetricStore"]

_TABLE_BYTES = 4_000
_SERIES_SHARE = 0.375  # of the byte limit: where ended series begin to be evicted, below where new ones are refused
_EXPIRIES = 64  # how often within the retention what is too old is looked for


class MetricStore:
    """Columnar samples of the recent past.

    ``retention_ms`` bounds age, ``max_bytes`` bounds memory (estimated; the oldest chunk of columns goes first and
    is counted, a new series is refused and counted when there is nothing left to forget). ``zero_injection`` writes
    a zero before the first value of a counter or histogram that began since the previous collection.
    """

    def __init__(
        self,
        *,
        retention_ms: int,
        max_bytes: int,
        translation: TranslationStrategy = TranslationStrategy.UNDERSCORE_ESCAPING_WITH_SUFFIXES,
        zero_injection: bool = True,
        scope_labels: bool = False,
        resource_labels: Sequence[str] = (),
    ) -> None:
        self.retention_ms = retention_ms
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._tables: dict[str, Table] = {}
        self._exemplars = ExemplarStore()
        self._otlp = OtlpIngest(
            translation=translation,
            zero_injection=zero_injection,
            scope_labels=scope_labels,
            resource_labels=tuple(resource_labels),
        )
        self._series = 0
        self._newest_ms = -(1 << 62)
        self._expired_ms = 0
        self._evicted_series = 0
        self._evicted_samples = 0
        self._dropped_points = 0
        self._overflow_series = 0

    # ---- appending (one thread at a time) ----

    def append_otlp(self, collected: CollectedMetrics, source: str = "sdk") -> None:
        """Store one collection as one column; series of this source that are gone get a stale marker."""
        with self._lock:
            counts = self._otlp.append(self, collected, source)
            self._dropped_points += counts.dropped
            self._overflow_series += counts.overflowed
            self._enforce(collected.ts_ms)

    def append(self, ts_ms: int, samples: Iterable[tuple[Labels, float | NativeHistogram]]) -> None:
        """Store samples of one instant (rule results); the last of equal labels wins."""
        with self._lock:
            for name, group in _by_name(samples).items():
                self._append_group(self.table(name), ts_ms, group)
            self._enforce(ts_ms)

    def mark_stale(self, ts_ms: int, labels: Iterable[Labels]) -> None:
        """End these series at this instant."""
        self.append(ts_ms, ((series, STALE) for series in labels))

    def _append_group(self, table: Table, ts_ms: int, group: Mapping[Labels, float | NativeHistogram]) -> None:
        floats: dict[int, float] = {}
        histograms: dict[int, NativeHistogram] = {}
        for labels, value in group.items():
            row = self.admit(table, labels)
            if row is None:
                self._overflow_series += 1
            elif isinstance(value, NativeHistogram):
                histograms[row] = value
            else:
                floats[row] = value
        if floats or histograms:
            rows, values = np.array(list(floats), dtype=np.int64), np.array(list(floats.values()))
            self.write(table, ts_ms, rows, values, histograms)

    def table(self, name: str) -> Table:
        """The table of a metric name, made when new. For appenders that hold the lock."""
        table = self._tables.get(name)
        if table is None:
            table = self._tables[name] = Table(name)
        return table

    def admit(self, table: Table, labels: Labels) -> int | None:
        """The row of this series; None when it is new and the store is full of series."""
        row = table.rows.get(labels)
        if row is not None:
            return row
        if self._series * LABEL_BYTES > self.max_bytes // 2:
            return None
        self._series += 1
        return table.row(labels)

    def write(
        self,
        table: Table,
        ts_ms: int,
        rows: npt.NDArray[np.int64],
        values: npt.NDArray[np.float64],
        histograms: Mapping[int, NativeHistogram] | None = None,
    ) -> None:
        """Write one column of a table; too old an instant is dropped and counted."""
        if ts_ms < self._newest_ms - self.retention_ms:
            self._dropped_points += len(rows)
            return
        table.write(ts_ms, rows, values, list((histograms or {}).items()))
        self._newest_ms = max(self._newest_ms, ts_ms)

    def _enforce(self, now_ms: int) -> None:
        """Hold the limits, between two writes: row numbers may change here."""
        newest_ms = max(now_ms, self._newest_ms)
        if newest_ms - self._expired_ms > self.retention_ms // _EXPIRIES:
            self._expired_ms = newest_ms
            self._expire(newest_ms - self.retention_ms)
        while self._series * LABEL_BYTES > self.max_bytes * _SERIES_SHARE and self._evict_ended():
            pass
        while self._bytes() > self.max_bytes:
            oldest = min(
                (table for table in self._tables.values() if table.chunks),
                key=lambda table: int(table.chunks[0].ts_ms[0]),
                default=None,
            )
            if oldest is None:
                return
            self._evict_oldest_chunk(oldest)

    def _expire(self, horizon_ms: int) -> None:
        for table in list(self._tables.values()):
            expired = False
            while table.chunks and table.chunks[0].ts_ms[table.chunks[0].columns - 1] <= horizon_ms:
                table.drop_oldest_chunk()
                expired = True
            if expired:
                self._settle(table)

    def _evict_ended(self) -> bool:
        """Evict where series have ended, to make room for new ones; False when all of them live."""
        ending = max(self._tables.values(), key=lambda table: table.ended_rows(), default=None)
        if ending is None or not ending.ended_rows():
            return False
        self._evict_oldest_chunk(ending)
        return True

    def _evict_oldest_chunk(self, table: Table) -> None:
        self._evicted_samples += table.drop_oldest_chunk()
        self._evicted_series += self._settle(table, at_once=True)

    def _settle(self, table: Table, *, at_once: bool = False) -> int:
        """Free rows and tables that have no sample left; the number of series freed."""
        before = len(table.series)
        if not table.chunks:
            self._tables.pop(table.name, None)
            self._otlp.forget(table.name)
            freed = before
        else:
            mapping = table.compact(at_once=at_once)
            if mapping is not None:
                self._otlp.renumber(table.name, mapping)
            freed = before - len(table.series)
        self._series -= freed
        self._exemplars.forget_beyond(self._series)
        return freed

    def _bytes(self) -> int:
        chunks = sum(table.allocated for table in self._tables.values())
        return chunks + self._series * LABEL_BYTES + len(self._tables) * _TABLE_BYTES

    # ---- reading (any thread) ----

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[SeriesBlock]:
        """Blocks of series, one a metric name, that pass all matchers and may have samples in ``[start, end]``."""
        with self._lock:
            tables, rest = self._candidates(tuple(matchers))
            blocks = [SeriesBlock(table, rest) for table in tables if _overlaps(table, start_ms, end_ms)]
        return [block for block in blocks if block.series.n]

    def _candidates(self, matchers: tuple[Matcher, ...]) -> tuple[list[Table], tuple[Matcher, ...]]:
        on_name = [matcher for matcher in matchers if matcher.name == METRIC_NAME]
        rest = tuple(matcher for matcher in matchers if matcher.name != METRIC_NAME)
        exact = next((matcher for matcher in on_name if matcher.type is MatchType.EQUAL), None)
        if exact is not None:
            found = self._tables.get(exact.value)
            names = [found] if found is not None else []
        else:
            names = list(self._tables.values())
        return [table for table in names if all(matcher.matches(table.name) for matcher in on_name)], rest

    def series(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Labels]:
        """Label sets with a sample in ``[start, end]``, sorted."""
        found: list[Labels] = []
        for block in self.select(matchers, start_ms, end_ms):
            first, end = block.span(start_ms - 1, end_ms)
            _, columns, _, _ = block.latest(first, end)
            found.extend(block.series.labels[index] for index in np.flatnonzero(columns >= 0).tolist())
        return sorted(found, key=lambda labels: labels.items_sorted)

    def label_names(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[str]:
        """Names of labels on the matching series, sorted."""
        return sorted({name for labels in self.series(matchers, start_ms, end_ms) for name in labels})

    def label_values(self, name: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[str]:
        """Values of one label on the matching series, sorted."""
        return sorted({labels[name] for labels in self.series(matchers, start_ms, end_ms) if name in labels})

    def metadata(self) -> Mapping[str, MetricMetadata]:
        """Type, unit and help by metric family name."""
        with self._lock:
            return dict(self._otlp.metadata)

    def latest_families(self) -> list[MetricFamily]:
        """The newest value of every live series, grouped for exposition."""
        with self._lock:
            metadata = dict(self._otlp.metadata)
            blocks = [SeriesBlock(table, ()) for table in self._tables.values()]
        return families_of(blocks, metadata, self._exemplars.newest)

    def exemplars(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> list[tuple[Labels, tuple[StoredExemplar, ...]]]:
        """Exemplars of the matching series in ``[start, end]``, oldest first within a series."""
        with self._lock:
            return self._exemplars.select(matchers, start_ms, end_ms)

    def add_exemplar(self, series: Labels, exemplar: StoredExemplar) -> None:
        """Keep an exemplar of a series. For appenders that hold the lock."""
        self._exemplars.add(series, exemplar)

    def tables(self) -> Iterator[Table]:
        """Every table. For appenders that hold the lock."""
        return iter(self._tables.values())

    def stats(self) -> MetricStoreStats:
        """Counters and sizes; walks the columns, so not for every tick."""
        with self._lock:
            return MetricStoreStats(
                series=self._series,
                samples=sum(table.sample_count() for table in self._tables.values()),
                bytes=self._bytes(),
                evicted_series=self._evicted_series,
                evicted_samples=self._evicted_samples,
                dropped_points=self._dropped_points,
                overflow_series=self._overflow_series,
            )


def _by_name(samples: Iterable[tuple[Labels, Any]]) -> dict[str, dict[Labels, Any]]:
    groups: dict[str, dict[Labels, Any]] = {}
    for labels, value in samples:
        groups.setdefault(labels.metric_name, {})[labels] = value
    return groups


def _overlaps(table: Table, start_ms: int, end_ms: int) -> bool:
    if not table.chunks:
        return False
    newest = table.chunks[-1]
    return bool(table.chunks[0].ts_ms[0] <= end_ms and newest.ts_ms[newest.columns - 1] >= start_ms)
