"""SeriesBlock: the read side of one table for one selector, without copies until a window is asked for.

Made under the store's lock, read without it from any thread: columns up to the snapshot never change, and the row
state may only move in the direction that sends a reader from the fast path to the general one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from otel_ext.storage.metrics.markers import MISSING, histogram_mask, valid_mask
from otel_ext.storage.metrics.matchers import Matcher
from otel_ext.storage.metrics.series_set import SeriesSet
from otel_ext.storage.metrics.table import Chunk, Table

__all__ = ["SeriesBlock"]

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]


class SeriesBlock:
    """Series of one metric name that pass a selector, and their columns, which are counted from 0 within the block."""

    __slots__ = ("_chunks", "_drops", "_drops_unknown", "_first_seq", "_state", "_whole", "rows", "series", "ts_ms")

    series: SeriesSet

    def __init__(self, table: Table, matchers: tuple[Matcher, ...]) -> None:
        self.series, self.rows = table.select(matchers)
        self._chunks: list[tuple[Chunk, int]] = [(chunk, chunk.columns) for chunk in table.chunks]
        self._first_seq = table.chunks[0].first_seq if table.chunks else 0
        self._state = table.state
        self._drops = tuple(table.drops)
        self._drops_unknown = table.drops_unknown
        self._whole = len(self.rows) == len(table.series)
        parts = [chunk.ts_ms[:columns] for chunk, columns in self._chunks]
        self.ts_ms: I64 = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)

    @property
    def series_count(self) -> int:
        return self.series.n

    def span(self, after_ms: int, until_ms: int) -> tuple[int, int]:
        """Columns ``[first, end)`` whose instants lie in the left-open interval ``(after_ms, until_ms]``."""
        first, end = np.searchsorted(self.ts_ms, [after_ms, until_ms], side="right")
        return int(first), int(end)

    def column(self, position: int, at: I64 | None = None) -> F64:
        """One column for the series ``at`` these positions (all by default), markers included. Shape [n]."""
        offset = 0
        for chunk, columns in self._chunks:
            if position < offset + columns:
                found: F64 = self._gather(chunk, position - offset, position - offset + 1, at)[0]
                return found
            offset += columns
        raise IndexError(position)

    def window(self, first: int, end: int, at: I64 | None = None) -> F64:
        """Columns ``[first, end)``, markers included. Shape [end - first, n]; do not write into it."""
        parts: list[F64] = []
        offset = 0
        for chunk, columns in self._chunks:
            low, high = max(first - offset, 0), min(end - offset, columns)
            if low < high:
                parts.append(self._gather(chunk, low, high, at))
            offset += columns
        if len(parts) == 1:
            return parts[0]
        count = self.series.n if at is None else len(at)
        return np.concatenate(parts) if parts else np.empty((0, count))

    def _gather(self, chunk: Chunk, low: int, high: int, at: I64 | None) -> F64:
        width = chunk.values.shape[1]
        if at is None and self._whole and self.series.n <= width:
            whole: F64 = chunk.values[low:high, : self.series.n]
            return whole
        rows = self.rows if at is None else self.rows[at]
        if not len(rows) or int(rows.max()) < width:
            return chunk.values[low:high].take(rows, axis=1)
        out = np.full((high - low, len(rows)), MISSING)
        known = rows < width
        out[:, known] = chunk.values[low:high].take(rows[known], axis=1)
        return out

    def histograms(self, first: int, window: F64, at: I64 | None = None) -> Objects | None:
        """The native histograms of a window that starts at column ``first``; None when it has none. Shape of it."""
        marked = histogram_mask(window)
        if not marked.any():
            return None
        found: Objects = np.full(window.shape, None, dtype=object)
        rows = self.rows if at is None else self.rows[at]
        for position, index in zip(*(axis.tolist() for axis in np.nonzero(marked)), strict=True):
            found[position, index] = self._histogram(first + position, int(rows[index]))
        return found

    def _histogram(self, position: int, row: int) -> Any:
        for chunk, columns in self._chunks:
            if position < columns:
                return chunk.histograms[position, row]
            position -= columns
        raise IndexError(position)

    def unbroken(self, first: int, end: int) -> Bool:
        """Series known to have a float in every column of ``[first, end)``. Shape [n]; may miss some."""
        state, rows = self._state, self.rows
        mask: Bool = (state.run_start[rows] <= self._first_seq + first) & (
            state.last_seq[rows] >= self._first_seq + end - 1
        )
        return mask

    def monotonic(self, first: int) -> Bool:
        """Series known not to have decreased after column ``first``. Shape [n]; may miss some."""
        mask: Bool = self._state.last_drop[self.rows] <= self._first_seq + first
        return mask

    def drops(self, first: int, end: int) -> list[tuple[I64, F64]] | None:
        """Decreases after column ``first`` and before ``end``, oldest first: series that fell, their values before.

        Complete for unbroken series; None when they are not known one by one.
        """
        low, high = self._first_seq + first, self._first_seq + end
        if self._drops_unknown > low:
            return None
        found = []
        for seq, rows, before in self._drops:
            if low < seq < high:
                at = np.searchsorted(self.rows, rows)
                mine = self.rows[np.minimum(at, len(self.rows) - 1)] == rows
                found.append((at[mine].astype(np.int64), before[mine]))
        return found

    def latest(self, first: int, end: int) -> tuple[F64, I64, Bool, Objects | None]:
        """Each series' newest sample in columns ``[first, end)``: value, its column, whether there is one, histograms.

        A stale marker as the newest entry means no sample. Shapes [n].
        """
        n = self.series.n
        values = np.full(n, np.nan)
        columns = np.full(n, -1, dtype=np.int64)
        if end <= first:
            return values, columns, np.zeros(n, dtype=np.bool_), None
        newest = self.column(end - 1)
        if not np.isnan(newest).any():
            return newest, np.full(n, end - 1, dtype=np.int64), np.ones(n, dtype=np.bool_), None
        unresolved = np.arange(n, dtype=np.int64)
        for position in range(end - 1, first - 1, -1):
            column = self.column(position, unresolved)
            written = column.view(np.uint64) != np.float64(MISSING).view(np.uint64)
            values[unresolved[written]] = column[written]
            columns[unresolved[written]] = position
            unresolved = unresolved[~written]
            if not len(unresolved):
                break
        present = (columns >= 0) & valid_mask(values)
        return values, columns, present, self._latest_histograms(values, columns)

    def _latest_histograms(self, values: F64, columns: I64) -> Objects | None:
        marked = np.flatnonzero(histogram_mask(values) & (columns >= 0))
        if not len(marked):
            return None
        found: Objects = np.full(len(values), None, dtype=object)
        for index in marked.tolist():
            found[index] = self._histogram(int(columns[index]), int(self.rows[index]))
        return found
