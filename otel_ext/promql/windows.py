"""Range vectors: for each step the samples of each series in a left-open window, packed so that gaps are gone.

``RangeVector`` is made by the evaluator from store blocks or from a subquery's matrix; range functions consume it
window by window. One evaluation, one thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from otel_ext.promql.frames import F64, I64, Bool, Objects, StepVector
from otel_ext.storage.metrics.markers import histogram_mask, valid_mask
from otel_ext.storage.metrics.series_set import SeriesSet
from otel_ext.storage.metrics.view import SeriesBlock

__all__ = ["BlockSource", "MatrixSource", "RangeSource", "RangeVector", "Window"]


@dataclass(slots=True, kw_only=True)
class Window:
    """Samples of ``n`` series in ``(start_ms, end_ms]``, oldest first: series i has ``counts[i]`` of them.

    ``values[k, i]`` and ``ts_ms[k, i]`` (one column for all series when they share their instants) are valid for
    ``k < counts[i]``. ``dense``: every series has all samples. ``histograms`` as in StepVector.
    """

    values: F64
    ts_ms: I64
    counts: I64
    dense: bool
    start_ms: int
    end_ms: int
    histograms: Objects | None = None

    @property
    def n(self) -> int:
        return int(self.values.shape[1])

    @property
    def length(self) -> int:
        return int(self.values.shape[0])

    def valid(self) -> Bool:
        """Where samples are. Shape of ``values``."""
        mask: Bool = np.arange(self.length)[:, None] < self.counts[None, :]
        return mask

    def times(self) -> F64:
        """Sample times in seconds, broadcastable over ``values``."""
        seconds: F64 = self.ts_ms / 1000.0
        return seconds

    def first_ts(self) -> I64:
        """The first sample's time of each series with one."""
        return np.broadcast_to(self.ts_ms[0], (self.n,)) if self.length else np.zeros(self.n, dtype=np.int64)

    def last(self) -> I64:
        """The position of each series' last sample (0 where it has none)."""
        return np.maximum(self.counts - 1, 0)

    def last_ts(self) -> I64:
        """The last sample's time of each series with one."""
        if not self.length:
            return np.zeros(self.n, dtype=np.int64)
        if self.ts_ms.shape[1] == 1:
            shared: I64 = self.ts_ms[self.last(), 0]
            return shared
        own: I64 = self.ts_ms[self.last(), np.arange(self.n)]
        return own

    def last_values(self) -> F64:
        """The last float of each series with one."""
        if not self.length:
            return np.full(self.n, np.nan)
        if self.dense:
            newest: F64 = self.values[-1]
            return newest
        own: F64 = self.values[self.last(), np.arange(self.n)]
        return own

    def with_histograms(self) -> Bool:
        """Series that have a histogram in the window. Shape [n]."""
        if self.histograms is None or not self.length:
            return np.zeros(self.n, dtype=np.bool_)
        mask: Bool = (self.histograms != None).any(axis=0)  # noqa: E711  elementwise
        return mask

    def only(self, at: I64) -> Window:
        """The window of the series at these positions."""
        return Window(
            values=self.values[:, at],
            ts_ms=self.ts_ms if self.ts_ms.shape[1] == 1 else self.ts_ms[:, at],
            counts=self.counts[at],
            dense=self.dense,
            start_ms=self.start_ms,
            end_ms=self.end_ms,
            histograms=None if self.histograms is None else self.histograms[:, at],
        )


def packed(
    values: F64, ts_ms: I64, valid: Bool | None, start_ms: int, end_ms: int, histograms: Objects | None
) -> Window:
    """A window without the entries that are not valid (None: all are)."""
    length, n = values.shape
    if valid is None or valid.all():
        counts = np.full(n, length, dtype=np.int64)
        return Window(
            values=values, ts_ms=ts_ms[:, None], counts=counts, dense=True, start_ms=start_ms, end_ms=end_ms,
            histograms=histograms,
        )  # fmt: skip
    counts = valid.sum(axis=0)
    longest = int(counts.max()) if n else 0
    order = np.argsort(~valid, axis=0, kind="stable")[:longest]
    return Window(
        values=np.take_along_axis(values, order, axis=0),
        ts_ms=ts_ms[order],
        counts=counts,
        dense=bool((counts == longest).all()),
        start_ms=start_ms,
        end_ms=end_ms,
        histograms=None if histograms is None else np.take_along_axis(histograms, order, axis=0),
    )


class BlockSource:
    """Windows over one block of the store."""

    def __init__(self, block: SeriesBlock) -> None:
        self.block = block

    @property
    def series(self) -> SeriesSet:
        return self.block.series

    def window(self, start_ms: int, end_ms: int, at: I64 | None = None) -> Window:
        """The samples in ``(start_ms, end_ms]`` of the series ``at`` these positions (all by default)."""
        first, end = self.block.span(start_ms, end_ms)
        values = self.block.window(first, end, at)
        ts_ms = self.block.ts_ms[first:end]
        if not np.isnan(values).any():
            return packed(values, ts_ms, None, start_ms, end_ms, None)
        histograms = self.block.histograms(first, values, at) if histogram_mask(values).any() else None
        return packed(values, ts_ms, valid_mask(values), start_ms, end_ms, histograms)

    def count(self, start_ms: int, end_ms: int) -> int:
        """Samples a window touches, an upper bound."""
        first, end = self.block.span(start_ms, end_ms)
        return (end - first) * self.block.series.n


class MatrixSource:
    """Windows over the steps of a subquery."""

    def __init__(self, vector: StepVector, ts_ms: I64) -> None:
        self.vector = vector
        self.ts_ms = ts_ms

    @property
    def series(self) -> SeriesSet:
        return self.vector.series

    def window(self, start_ms: int, end_ms: int, at: I64 | None = None) -> Window:
        """As BlockSource.window."""
        first, end = (int(p) for p in np.searchsorted(self.ts_ms, [start_ms, end_ms], side="right"))
        vector = self.vector if at is None else self.vector.take(at)
        valid = None if vector.present is None else vector.present[first:end]
        histograms = None if vector.histograms is None else vector.histograms[first:end]
        return packed(vector.values[first:end], self.ts_ms[first:end], valid, start_ms, end_ms, histograms)

    def count(self, start_ms: int, end_ms: int) -> int:
        """As BlockSource.count."""
        first, end = (int(p) for p in np.searchsorted(self.ts_ms, [start_ms, end_ms], side="right"))
        return (end - first) * self.vector.series.n


RangeSource = BlockSource | MatrixSource


@dataclass(slots=True, kw_only=True)
class RangeVector:
    """A range vector at T steps: window t is ``(ends[t] - range_ms, ends[t]]``."""

    sources: list[RangeSource]
    ends: I64
    range_ms: int
    metric_name: str  # of the selector, for annotations
    drop_name: bool = False  # the subquery's series lost their names already (delayed removal)

    @property
    def steps(self) -> int:
        return len(self.ends)

    def windows(self, source: RangeSource) -> Iterator[tuple[int, Window]]:
        """Step numbers with their windows; steps that look at the same instant share one."""
        previous: tuple[int, Window] | None = None
        for step, end_ms in enumerate(self.ends.tolist()):
            if previous is None or previous[0] != end_ms:
                previous = (end_ms, source.window(end_ms - self.range_ms, end_ms))
            yield step, previous[1]
