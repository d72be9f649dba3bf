"""rate, increase, delta, irate, idelta: differences over a window with counter resets and extrapolation.

Series that the store knows to be unbroken and free of resets in the window are done from their first and last columns
alone; all others from the packed window. Pure functions over one FunctionCall.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from otel_ext.model.labels import METRIC_NAME
from otel_ext.model.native_histograms import NativeHistogram
from otel_ext.promql.frames import F64, I64, Bool, StepVector
from otel_ext.promql.function_call import FunctionCall, Implementation, StepResult
from otel_ext.promql.histogram_rates import histogram_instant_rate, histogram_rate
from otel_ext.promql.range_functions import MixedWindow, apply_window, mixed_warning, windowed
from otel_ext.promql.windows import BlockSource, RangeSource, RangeVector, Window
from otel_ext.storage.metrics.series_set import SeriesSet

__all__ = ["RATES", "Span", "extrapolation_factor"]

_COUNTER_SUFFIXES = ("_total", "_sum", "_count", "_bucket")
_THRESHOLD = 1.1  # gaps up to this many average distances at the borders are extrapolated over


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Where the samples of each series lie in their window; times in milliseconds, arrays [n] or scalars."""

    first_ms: I64 | int
    last_ms: I64 | int
    intervals: I64 | int  # samples less one
    start_ms: int
    end_ms: int


def extrapolation_factor(span: Span, *, first: F64 | float, change: F64 | float, counter: bool) -> F64:
    """By what the difference of last and first sample is multiplied to stand for the whole window.

    ``first`` and ``change`` (a counter's) bound the extrapolation to where the counter was zero.
    """
    to_start = (np.asarray(span.first_ms) - span.start_ms) / 1000.0
    to_end = (span.end_ms - np.asarray(span.last_ms)) / 1000.0
    sampled = (np.asarray(span.last_ms) - np.asarray(span.first_ms)) / 1000.0
    average = sampled / span.intervals
    threshold = average * _THRESHOLD
    to_start = np.where(to_start >= threshold, average / 2, to_start)
    to_end = np.where(to_end >= threshold, average / 2, to_end)
    if counter:
        bounded = (np.asarray(change) > 0) & (np.asarray(first) >= 0)
        to_zero = np.minimum(sampled * (np.asarray(first) / change), to_start)
        to_start = to_zero if bounded.all() else np.where(bounded, to_zero, to_start)
    return np.asarray((sampled + to_start + to_end) / sampled)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Extrapolated:
    """rate, increase or delta."""

    counter: bool
    per_second: bool

    def __call__(self, call: FunctionCall) -> StepVector:
        ranged = call.range(0)

        def compute(source: RangeSource, end_ms: int, step: int) -> StepResult:
            result = self._step(call, ranged, source, end_ms, step)
            if self.counter:
                _note_non_counters(call, source, result)
            return result

        return call.over_steps(ranged, compute)

    def _step(self, call: FunctionCall, ranged: RangeVector, source: RangeSource, end_ms: int, step: int) -> StepResult:
        start_ms = end_ms - ranged.range_ms
        if isinstance(source, BlockSource):
            first, end = source.block.span(start_ms, end_ms)
            if end - first < 2:
                if end == first:
                    return np.full(source.series.n, np.nan), np.zeros(source.series.n, dtype=np.bool_), None
            else:
                easy = source.block.unbroken(first, end)
                drops = source.block.drops(first, end) if self.counter else []
                if drops is None:
                    easy &= source.block.monotonic(first)
                if easy.all():
                    values = self._from_borders(source, (first, end), (start_ms, end_ms), _lost(drops, len(easy)))
                    return values, None, None
                if easy.sum() * 2 > len(easy):
                    lost = _lost(drops, len(easy))
                    return self._split(call, ranged, source, (easy, lost), (first, end), (start_ms, end_ms), step)
        return self._general(call, ranged, source.window(start_ms, end_ms), step)

    def _split(
        self,
        call: FunctionCall,
        ranged: RangeVector,
        source: BlockSource,
        borders: tuple[Bool, F64 | None],
        span: tuple[int, int],
        bounds: tuple[int, int],
        step: int,
    ) -> StepResult:
        easy, lost = borders
        fast, slow = np.flatnonzero(easy).astype(np.int64), np.flatnonzero(~easy).astype(np.int64)
        values = np.full(len(easy), np.nan)
        present = np.ones(len(easy), dtype=np.bool_)
        values[fast] = self._from_borders(source, span, bounds, None if lost is None else lost[fast], fast)
        values[slow], mask, found = self._general(call, ranged, source.window(*bounds, slow), step)
        if mask is not None:
            present[slow] = mask
        if found is None:
            return values, present, None
        histograms = np.full(len(easy), None, dtype=object)
        histograms[slow] = found
        return values, present, histograms

    def _from_borders(
        self,
        source: BlockSource,
        span: tuple[int, int],
        bounds: tuple[int, int],
        lost: F64 | None,
        at: I64 | None = None,
    ) -> F64:
        block, (first, end) = source.block, span
        oldest = block.column(first, at)
        change = block.column(end - 1, at) - oldest
        if lost is not None:
            change += lost
        where = Span(
            first_ms=int(block.ts_ms[first]),
            last_ms=int(block.ts_ms[end - 1]),
            intervals=end - first - 1,
            start_ms=bounds[0],
            end_ms=bounds[1],
        )
        return self._scaled(change, oldest, where)

    def _scaled(self, change: F64, first: F64, span: Span) -> F64:
        factor = extrapolation_factor(span, first=first, change=change, counter=self.counter)
        if self.per_second:
            factor = factor / ((span.end_ms - span.start_ms) / 1000.0)
        return np.asarray(change * factor)

    def _general(self, call: FunctionCall, ranged: RangeVector, window: Window, step: int) -> StepResult:
        return apply_window(window, step, self._floats, self._mixed, (ranged.metric_name, call.annotations))

    def _floats(self, window: Window, _: int) -> tuple[F64, Bool]:
        change = window.last_values() - window.values[0]
        if self.counter and window.length > 1:
            before, after = window.values[:-1], window.values[1:]
            resets = after < before
            if not window.dense:
                resets &= window.valid()[1:]
            if resets.any():
                change = change + np.where(resets, before, 0.0).sum(axis=0)
        span = Span(
            first_ms=window.first_ts(),
            last_ms=window.last_ts(),
            intervals=np.maximum(window.counts - 1, 1),
            start_ms=window.start_ms,
            end_ms=window.end_ms,
        )
        return self._scaled(change, window.values[0], span), window.counts > 1

    def _mixed(self, window: MixedWindow) -> float | NativeHistogram | None:
        if window.floats:
            mixed_warning(window)
            return None
        if len(window.histograms) < 2:
            return None
        change = histogram_rate(window, counter=self.counter)
        if change is None:
            return None
        span = Span(
            first_ms=window.histograms[0][0],
            last_ms=window.histograms[-1][0],
            intervals=len(window.histograms) - 1,
            start_ms=window.start_ms,
            end_ms=window.end_ms,
        )
        # unlike floats, histograms are extrapolated beyond their zero point (as in the reference version)
        factor = float(extrapolation_factor(span, first=0.0, change=0.0, counter=False))
        if self.per_second:
            factor /= (window.end_ms - window.start_ms) / 1000.0
        return change.scaled(factor).compacted()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Instant:
    """irate or idelta: the last two samples."""

    rate: bool

    def __call__(self, call: FunctionCall) -> StepVector:
        return windowed(call, call.range(0), self._floats, self._mixed)

    def _floats(self, window: Window, _: int) -> tuple[F64, Bool]:
        enough = window.counts > 1
        columns = np.arange(window.n)
        last = window.last()
        before = np.maximum(last - 1, 0)
        newest, older = window.values[last, columns], window.values[before, columns]
        change = newest - older
        if self.rate:
            change = np.where(newest < older, newest, change)
            stamps = np.broadcast_to(window.ts_ms, window.values.shape)
            change = change / ((stamps[last, columns] - stamps[before, columns]) / 1000.0)
        return change, enough

    def _mixed(self, window: MixedWindow) -> float | NativeHistogram | None:
        samples = window.merged()
        if len(samples) < 2:
            return None
        (older_ms, older), (newest_ms, newest) = samples[-2:]
        if isinstance(older, float) and isinstance(newest, float):
            change = newest if self.rate and newest < older else newest - older
            return change / ((newest_ms - older_ms) / 1000.0) if self.rate else change
        if isinstance(older, float) or isinstance(newest, float):
            mixed_warning(window)
            return None
        difference = histogram_instant_rate(window, older, newest, rate=self.rate)
        if difference is None or not self.rate:
            return difference
        return difference.divided((newest_ms - older_ms) / 1000.0)


def _lost(drops: list[tuple[I64, F64]] | None, n: int) -> F64 | None:
    """What each series counted before the resets of a window; None when there were none."""
    if not drops:
        return None
    lost = np.zeros(n)
    for at, before in drops:
        lost[at] += before
    return lost


def _note_non_counters(call: FunctionCall, source: RangeSource, result: StepResult) -> None:
    """An info for float results of metrics whose names do not look like counters."""
    suspects = source.series.memo("not named like counters", lambda: _unlike_counters(source.series))
    if not suspects.any():
        return
    _, present, histograms = result
    floats = suspects if present is None else suspects & present
    if histograms is not None:
        floats = floats & (histograms == None)  # noqa: E711  elementwise
    if floats.any():
        name = source.series.label(int(floats.argmax()), METRIC_NAME)
        call.annotations.info(
            f"metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {name!r}"
        )


def _unlike_counters(series: SeriesSet) -> Bool:
    column = series.columns.get(METRIC_NAME)
    if column is None:
        return np.zeros(series.n, dtype=np.bool_)
    unlike = np.array([bool(name) and not name.endswith(_COUNTER_SUFFIXES) for name in column.values])
    found: Bool = unlike[column.codes]
    return found


RATES: Mapping[str, Implementation] = {
    "delta": _Extrapolated(counter=False, per_second=False),
    "idelta": _Instant(rate=False),
    "increase": _Extrapolated(counter=True, per_second=False),
    "irate": _Instant(rate=True),
    "rate": _Extrapolated(counter=True, per_second=True),
}
