"""One metric name's samples: a matrix whose rows are series and whose columns are instants, in chunks of columns.

The store owns every table and changes it under its lock. Readers take a ``TableView`` under that lock and read it
without: columns once written are never rewritten, arrays that must grow are replaced, not resized in place.
"""

from __future__ import annotations

import bisect
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from otel_ext.model.labels import METRIC_NAME, Labels
from otel_ext.storage.metrics.markers import HISTOGRAM, MISSING, valid_mask
from otel_ext.storage.metrics.matchers import Matcher, MatchType
from otel_ext.storage.metrics.series_set import LabelColumn, SeriesSet

__all__ = ["CHUNK_COLUMNS", "HISTOGRAM_BYTES", "LABEL_BYTES", "Chunk", "Table"]

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

CHUNK_COLUMNS = 64
LABEL_BYTES = 700  # a Labels object with its dictionary, tuple and hash entry, estimated for the memory cap
HISTOGRAM_BYTES = 1_000  # a native histogram with some ten buckets
_SELECTIONS = 256
_RARELY = 20  # decreases of fewer than one row in this many are remembered one by one
_SPREAD = 2  # a chunk is closed when the rows have become this many times those it began with
_NEVER = int(np.iinfo(np.int64).max)  # no run: a gap, a NaN or a histogram is the last that was written


@dataclass(slots=True, kw_only=True)
class Chunk:
    """Up to CHUNK_COLUMNS instants of all rows there were when they were written."""

    first_seq: int
    ts_ms: I64
    values: F64  # [column, row]
    columns: int = 0
    born_width: int = 1  # rows there were when it was begun
    histograms: dict[tuple[int, int], Any] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        return int(self.ts_ms.nbytes + self.values.nbytes)

    def trimmed(self) -> Chunk:
        """A copy without room for further columns, and without the histograms of columns it does not have."""
        return replace(
            self,
            ts_ms=self.ts_ms[: self.columns].copy(),
            values=self.values[: self.columns].copy(),
            histograms={at: found for at, found in self.histograms.items() if at[0] < self.columns},
        )

    def with_column(self, column: int, ts_ms: int | None, width: int) -> Chunk:
        """A copy at least this wide; with an empty column put in before ``column`` unless ``ts_ms`` is None."""
        kept, added = self.columns, 0 if ts_ms is None else 1
        grown = np.full((max(len(self.ts_ms), kept + added), max(width, self.values.shape[1])), MISSING)
        stamps = np.zeros(len(grown), dtype=np.int64)
        old_width = self.values.shape[1]
        grown[:column, :old_width], stamps[:column] = self.values[:column], self.ts_ms[:column]
        rest = slice(column + added, kept + added)
        grown[rest, :old_width], stamps[rest] = self.values[column:kept], self.ts_ms[column:kept]
        if ts_ms is not None:
            stamps[column] = ts_ms
        moved = {(at + added if at >= column else at, row): found for (at, row), found in self.histograms.items()}
        return Chunk(first_seq=self.first_seq, ts_ms=stamps, values=grown, columns=kept + added, histograms=moved)


class LabelIndex:
    """Codes of one label name for every row of a table."""

    __slots__ = ("codes", "index", "values")

    def __init__(self, rows: int) -> None:
        self.values: list[str] = [""]
        self.index: dict[str, int] = {"": 0}
        self.codes = np.zeros(max(rows, 8), dtype=np.int64)

    def set(self, row: int, value: str) -> None:
        if row >= len(self.codes):
            grown = np.zeros(max(row + 1, len(self.codes) * 2), dtype=np.int64)
            grown[: len(self.codes)] = self.codes
            self.codes = grown
        code = self.index.get(value)
        if code is None:
            code = self.index[value] = len(self.values)
            self.values.append(value)
        self.codes[row] = code

    def at(self, rows: int) -> I64:
        """The codes of the first ``rows`` rows."""
        codes = self.codes[:rows]
        if len(codes) < rows:
            codes = np.concatenate([codes, np.zeros(rows - len(codes), dtype=np.int64)])
        return codes

    def matching(self, matcher: Matcher, rows: int) -> npt.NDArray[np.bool_]:
        """Which rows a matcher lets pass."""
        codes = self.at(rows)
        if matcher.type in (MatchType.EQUAL, MatchType.NOT_EQUAL):
            equal: npt.NDArray[np.bool_] = codes == self.index.get(matcher.value, -1)
            return equal if matcher.type is MatchType.EQUAL else ~equal
        allowed = np.fromiter((matcher.matches(value) for value in self.values), np.bool_, len(self.values))
        passing: npt.NDArray[np.bool_] = allowed[codes]
        return passing


class RowState:
    """Per row: where its unbroken run of samples began and ended, and its last decrease (column numbers)."""

    __slots__ = ("last_drop", "last_seq", "run_start")

    def __init__(self, capacity: int) -> None:
        self.run_start = np.full(capacity, _NEVER, dtype=np.int64)
        self.last_seq = np.full(capacity, -1, dtype=np.int64)
        self.last_drop = np.full(capacity, -1, dtype=np.int64)

    def grown(self, capacity: int) -> RowState:
        return self._copied(RowState(capacity), slice(None))

    def taken(self, rows: I64) -> RowState:
        state = RowState(max(len(rows), 8))
        for name in self.__slots__:
            getattr(state, name)[: len(rows)] = getattr(self, name)[rows]
        return state

    def _copied(self, target: RowState, rows: slice) -> RowState:
        for name in self.__slots__:
            source = getattr(self, name)[rows]
            getattr(target, name)[: len(source)] = source
        return target


class Table:
    """All series of one metric name."""

    __slots__ = (
        "_index", "_selections", "allocated", "chunks", "drops", "drops_unknown", "name", "next_seq", "rows", "series",
        "state", "structure",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows: dict[Labels, int] = {}
        self.series: list[Labels] = []
        self.chunks: list[Chunk] = []
        self.state = RowState(8)
        self.next_seq = 0
        self.allocated = 0  # bytes of the chunks
        self.drops: list[tuple[int, I64, F64]] = []  # column number, rows that fell there, their values before
        self.drops_unknown = -1  # up to this column ``drops`` is incomplete
        self.structure = 0  # changes with every new row: cached selections end
        self._index: dict[str, LabelIndex] = {}
        self._selections: OrderedDict[tuple[Matcher, ...], tuple[int, SeriesSet, I64]] = OrderedDict()

    # ---- writing ----

    def row(self, labels: Labels) -> int:
        """The row of this series, made when it is new."""
        known = self.rows.get(labels)
        if known is not None:
            return known
        row = len(self.series)
        self.rows[labels] = row
        self.series.append(labels)
        for name, value in labels.items_sorted:
            index = self._index.get(name)
            if index is None:
                index = self._index[name] = LabelIndex(row + 1)
            index.set(row, value)
        if row >= len(self.state.last_seq):
            self.state = self.state.grown(max(8, 2 * len(self.state.last_seq)))
        self.structure += 1
        return row

    def open_column(self, ts_ms: int) -> tuple[Chunk, int]:
        """The column of this instant, which must not be older than the newest; grown to hold every row."""
        chunk = self.chunks[-1] if self.chunks else None
        if chunk is not None and chunk.columns and chunk.ts_ms[chunk.columns - 1] == ts_ms:
            chunk = self._widened(chunk)
            return chunk, chunk.columns - 1
        if chunk is None or chunk.columns == len(chunk.ts_ms) or len(self.series) > _SPREAD * chunk.born_width:
            chunk = self._new_chunk()
        chunk = self._widened(chunk)
        column = chunk.columns
        chunk.values[column] = MISSING
        chunk.ts_ms[column] = ts_ms
        chunk.columns += 1
        self.next_seq += 1
        return chunk, column

    def _new_chunk(self) -> Chunk:
        width = max(1, len(self.series))
        columns = 8
        if self.chunks:
            columns = min(CHUNK_COLUMNS, max(8, 2 * self.chunks[-1].columns))
            self.chunks[-1] = self.chunks[-1].trimmed()
        self.chunks.append(_empty_chunk(self.next_seq, columns, width))
        self._recount()
        return self.chunks[-1]

    def _widened(self, chunk: Chunk) -> Chunk:
        """The newest chunk with room for every row; when they have become many more, a new one for the last column."""
        width, rows = chunk.values.shape[1], len(self.series)
        if rows <= width:
            return chunk
        if rows > _SPREAD * chunk.born_width and chunk.columns > 1:
            return self._split_last_column(chunk)
        grown = np.empty((len(chunk.ts_ms), max(rows, width + width // 8 + 1)))
        grown[: chunk.columns, :width] = chunk.values[: chunk.columns]
        grown[: chunk.columns, width:] = MISSING
        self.chunks[-1] = replace(chunk, values=grown)
        self._recount()
        return self.chunks[-1]

    def _split_last_column(self, chunk: Chunk) -> Chunk:
        last = chunk.columns - 1
        fresh = _empty_chunk(chunk.first_seq + last, len(chunk.ts_ms), len(self.series))
        fresh.values[0] = MISSING
        fresh.values[0, : chunk.values.shape[1]] = chunk.values[last]
        fresh.ts_ms[0] = chunk.ts_ms[last]
        fresh.columns = 1
        fresh.histograms = {(0, row): found for (column, row), found in chunk.histograms.items() if column == last}
        self.chunks[-1] = replace(chunk, columns=last).trimmed()
        self.chunks.append(fresh)
        self._recount()
        return fresh

    def _recount(self) -> None:
        self.allocated = sum(chunk.nbytes + HISTOGRAM_BYTES * len(chunk.histograms) for chunk in self.chunks)

    def write(self, ts_ms: int, rows: I64, values: F64, histograms: Sequence[tuple[int, Any]] = ()) -> None:
        """Write floats (``STALE`` allowed) and histograms at one instant. Rows are distinct."""
        newest = self.newest_ms()
        if newest is not None and ts_ms < newest:
            self._write_late(ts_ms, rows, values, histograms)
            return
        chunk, column = self.open_column(ts_ms)
        seq = chunk.first_seq + column
        if len(rows):
            self._note_runs(rows, values, seq, chunk, column)
            chunk.values[column, rows] = values
        if histograms:
            at = np.fromiter((row for row, _ in histograms), dtype=np.int64, count=len(histograms))
            for row, histogram in histograms:
                chunk.histograms[column, row] = histogram
            self.allocated += HISTOGRAM_BYTES * len(histograms)
            chunk.values[column, at] = HISTOGRAM
            self.state.last_seq[at] = seq
            self.state.run_start[at] = _NEVER

    def _write_late(self, ts_ms: int, rows: I64, values: F64, histograms: Sequence[tuple[int, Any]]) -> None:
        """Write at an instant before the newest; what readers may hold is replaced, never changed."""
        at = bisect.bisect_left(self.chunks, ts_ms, key=lambda chunk: int(chunk.ts_ms[chunk.columns - 1]))
        old = self.chunks[at]
        column = int(np.searchsorted(old.ts_ms[: old.columns], ts_ms))
        fresh = bool(old.ts_ms[column] != ts_ms)
        chunk = self.chunks[at] = old.with_column(column, ts_ms if fresh else None, len(self.series))
        self.state = self.state.grown(len(self.state.last_seq))
        self._forget_drops()
        if fresh:
            self._shift(at, old.first_seq + column)
        written = np.concatenate([rows, np.array([row for row, _ in histograms], dtype=np.int64)])
        chunk.values[column, rows] = values
        for row, histogram in histograms:
            chunk.values[column, row] = HISTOGRAM
            chunk.histograms[column, row] = histogram
        state = self.state
        state.run_start[written] = _NEVER
        state.last_drop[written] = self.next_seq
        state.last_seq[written] = np.maximum(state.last_seq[written], old.first_seq + column)
        self._recount()

    def _forget_drops(self) -> None:
        self.drops, self.drops_unknown = [], self.next_seq

    def _shift(self, chunk: int, seq: int) -> None:
        """Make room for a column of this number: later columns count one more, runs across it are broken."""
        for later in range(chunk + 1, len(self.chunks)):
            self.chunks[later] = replace(self.chunks[later], first_seq=self.chunks[later].first_seq + 1)
        self.next_seq += 1
        state = self.state
        state.run_start[(state.run_start < seq) & (state.last_seq >= seq)] = _NEVER
        state.run_start[(state.run_start >= seq) & (state.run_start < _NEVER)] += 1
        state.last_seq[state.last_seq >= seq] += 1
        state.last_drop[state.last_drop >= seq] += 1

    def _note_runs(self, rows: I64, values: F64, seq: int, chunk: Chunk, column: int) -> None:
        state = self.state
        real = ~np.isnan(values) if np.isnan(values).any() else None
        continued = state.last_seq[rows] == seq - 1
        if column > 0:
            before = chunk.values[column - 1, rows]
        elif len(self.chunks) > 1:
            before = _padded(self.chunks[-2], self.chunks[-2].columns - 1, rows)
        else:
            before = np.full(len(rows), MISSING)
        dropped = values < before
        self._note_drops(seq, rows, dropped, before)
        broken = ~continued | (state.run_start[rows] == _NEVER)
        if broken.any():
            state.run_start[rows[broken]] = seq
        state.last_seq[rows] = seq
        if real is not None:
            state.run_start[rows[~real]] = _NEVER

    def _note_drops(self, seq: int, rows: I64, dropped: npt.NDArray[np.bool_], before: F64) -> None:
        """Remember decreases, as counters reset now and then; for what falls all the time only that it did."""
        if bool((self.state.last_seq[rows] == seq).any()):
            self.drops_unknown = seq  # a second value of the same instant
        count = int(dropped.sum())
        if not count:
            return
        fallen = rows[dropped]
        self.state.last_drop[fallen] = seq
        if count > max(4, len(rows) // _RARELY):
            self.drops_unknown = seq
        else:
            self.drops.append((seq, fallen, before[dropped]))

    # ---- reading ----

    def select(self, matchers: tuple[Matcher, ...]) -> tuple[SeriesSet, I64]:
        """Series that pass all matchers (on labels other than the name) with their row numbers; cached."""
        cached = self._selections.get(matchers)
        if cached is not None and cached[0] == self.structure:
            self._selections.move_to_end(matchers)
            return cached[1], cached[2]
        rows = self._matching_rows(matchers)
        taken = SeriesSet(
            len(rows),
            {name: LabelColumn(index.values, index.at(len(self.series))[rows]) for name, index in self._index.items()},
        )
        self._selections[matchers] = (self.structure, taken, rows)
        if len(self._selections) > _SELECTIONS:
            self._selections.popitem(last=False)
        return taken, rows

    def _matching_rows(self, matchers: tuple[Matcher, ...]) -> I64:
        mask = np.ones(len(self.series), dtype=np.bool_)
        for matcher in matchers:
            index = self._index.get(matcher.name)
            if index is None:
                if not matcher.matches(self.name if matcher.name == METRIC_NAME else ""):
                    mask[:] = False
                continue
            mask &= index.matching(matcher, len(self.series))
        return np.flatnonzero(mask).astype(np.int64)

    # ---- retention ----

    def sample_count(self) -> int:
        """Samples held, stale markers not counted."""
        return sum(int(valid_mask(chunk.values[: chunk.columns]).sum()) for chunk in self.chunks)

    def drop_oldest_chunk(self) -> int:
        """Forget the oldest chunk; the number of samples that went with it."""
        chunk = self.chunks.pop(0)
        first = self.chunks[0].first_seq if self.chunks else self.next_seq
        self.drops = [entry for entry in self.drops if entry[0] >= first]
        self._recount()
        return int(valid_mask(chunk.values[: chunk.columns]).sum())

    def ended_rows(self) -> int:
        """Rows that would be freed with the oldest chunk."""
        if len(self.chunks) < 2:
            return 0
        return int((self.state.last_seq[: len(self.series)] < self.chunks[1].first_seq).sum())

    def dead_rows(self) -> I64:
        """Rows that have no sample left."""
        first = self.chunks[0].first_seq if self.chunks else self.next_seq
        return np.flatnonzero(self.state.last_seq[: len(self.series)] < first).astype(np.int64)

    def newest_ms(self) -> int | None:
        """The instant of the newest column."""
        return int(self.chunks[-1].ts_ms[self.chunks[-1].columns - 1]) if self.chunks else None

    def compact(self, *, at_once: bool = False) -> I64 | None:
        """Renumber the rows when a quarter of them is dead (or any, ``at_once``).

        Returns each old row's new number, -1 for dead ones; None when nothing was done.
        """
        dead = self.dead_rows()
        if len(dead) <= (0 if at_once else max(16, len(self.series) // 4)):
            return None
        keep = np.setdiff1d(np.arange(len(self.series), dtype=np.int64), dead)
        mapping = np.full(len(self.series), -1, dtype=np.int64)
        mapping[keep] = np.arange(len(keep))
        self.chunks = [_repacked(chunk, keep, mapping) for chunk in self.chunks]
        self._recount()
        self.state = self.state.taken(keep)
        self._forget_drops()
        survivors = [self.series[row] for row in keep.tolist()]
        self.rows, self.series, self._index = {}, [], {}
        self._selections.clear()
        for labels in survivors:
            self.row(labels)
        return mapping


def _padded(chunk: Chunk, column: int, rows: I64) -> F64:
    """One column's values at these rows, MISSING for rows the chunk does not know."""
    width = chunk.values.shape[1]
    if not len(rows) or int(rows.max()) < width:
        found: F64 = chunk.values[column, rows]
        return found
    out = np.full(len(rows), MISSING)
    known = rows < width
    out[known] = chunk.values[column, rows[known]]
    return out


def _repacked(chunk: Chunk, keep: I64, mapping: I64) -> Chunk:
    values = np.empty((len(chunk.ts_ms), max(1, len(keep))))
    for column in range(chunk.columns):
        values[column, : len(keep)] = _padded(chunk, column, keep)
        values[column, len(keep) :] = MISSING
    histograms = {
        (column, int(mapping[row])): histogram
        for (column, row), histogram in chunk.histograms.items()
        if mapping[row] >= 0
    }
    return replace(chunk, values=values, histograms=histograms, born_width=max(1, min(chunk.born_width, len(keep))))


def _empty_chunk(first_seq: int, columns: int, width: int) -> Chunk:
    return Chunk(
        first_seq=first_seq,
        ts_ms=np.zeros(columns, dtype=np.int64),
        values=np.empty((columns, width)),
        born_width=width,
    )
