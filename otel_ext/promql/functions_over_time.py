"""The ``*_over_time`` family: reductions of a window to one value a series.

Pure functions of a Window; the table of implementations is at the end.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from otel_ext.model.native_histograms import NativeHistogram
from otel_ext.promql.aggregate_histograms import mean_histogram, sum_histograms
from otel_ext.promql.frames import F64, Bool, StepVector
from otel_ext.promql.function_call import FunctionCall, Implementation
from otel_ext.promql.range_functions import (
    FloatFunction,
    MixedFunction,
    MixedWindow,
    floats_with_info,
    mixed_warning,
    windowed,
)
from otel_ext.promql.selections import check_quantile, quantile_columns
from otel_ext.promql.sums import kahan_columns, mean_columns, variance_columns
from otel_ext.promql.windows import Window

__all__ = ["OVER_TIME"]

Floats = tuple[F64, Bool | None]


def _masked(window: Window) -> F64:
    """Values with NaN where a series has no sample."""
    return window.values if window.dense else np.where(window.valid(), window.values, np.nan)


def _sum(window: Window, _: int) -> Floats:
    return kahan_columns(window.values, window.counts), None


def _avg(window: Window, _: int) -> Floats:
    return mean_columns(window.values, window.counts), None


def _max(window: Window, _: int) -> Floats:
    return np.fmax.reduce(_masked(window), axis=0), None


def _min(window: Window, _: int) -> Floats:
    return np.fmin.reduce(_masked(window), axis=0), None


def _count(window: Window, _: int) -> Floats:
    return window.counts.astype(np.float64), None


def _present(window: Window, _: int) -> Floats:
    return np.ones(window.n), None


def _last(window: Window, _: int) -> Floats:
    return window.last_values(), None


def _stdvar(window: Window, _: int) -> Floats:
    return variance_columns(window.values, window.counts), None


def _stddev(window: Window, _: int) -> Floats:
    return np.sqrt(variance_columns(window.values, window.counts)), None


def _median(matrix: F64, window: Window) -> F64:
    return quantile_columns(np.full(window.n, 0.5), matrix, window.counts)


def _mad(window: Window, _: int) -> Floats:
    return _median(np.abs(window.values - _median(window.values, window)), window), None


def _ts_of_last(window: Window, _: int) -> Floats:
    return window.last_ts() / 1000.0, None


def _ts_of_extreme(window: Window, *, largest: bool) -> F64:
    """The time of the last of equal extremes; a NaN only while nothing else was seen."""
    best, stamps = np.full(window.n, np.nan), np.zeros(window.n)
    times = np.broadcast_to(window.times(), window.values.shape)
    for position in range(window.length):
        value = window.values[position]
        better = (value >= best) if largest else (value <= best)
        take = (window.counts > position) & (better | np.isnan(best))
        best, stamps = np.where(take, value, best), np.where(take, times[position], stamps)
    return stamps


def _ts_of_max(window: Window, _: int) -> Floats:
    return _ts_of_extreme(window, largest=True), None


def _ts_of_min(window: Window, _: int) -> Floats:
    return _ts_of_extreme(window, largest=False), None


def _combined(window: MixedWindow, *, mean: bool) -> NativeHistogram | None:
    if window.floats:
        mixed_warning(window)
        return None
    histograms = [histogram for _, histogram in window.histograms]
    return (mean_histogram if mean else sum_histograms)(histograms, window.annotations)


def _mixed_sum(window: MixedWindow) -> NativeHistogram | None:
    return _combined(window, mean=False)


def _mixed_avg(window: MixedWindow) -> NativeHistogram | None:
    return _combined(window, mean=True)


def _mixed_count(window: MixedWindow) -> float:
    return float(len(window.floats) + len(window.histograms))


def _mixed_present(_: MixedWindow) -> float:
    return 1.0


def _mixed_last(window: MixedWindow) -> float | NativeHistogram:
    return window.merged()[-1][1]


def _mixed_ts_of_last(window: MixedWindow) -> float:
    return window.merged()[-1][0] / 1000.0


def _quantile_over_time(call: FunctionCall) -> StepVector:
    quantiles = call.scalar(0)
    check_quantile(quantiles, call.annotations)

    def floats(window: Window, step: int) -> Floats:
        return quantile_columns(np.full(window.n, quantiles[step]), window.values, window.counts), None

    return windowed(call, call.range(1), floats, floats_with_info(floats))


def _simple(floats: FloatFunction, mixed: MixedFunction, *, keep_name: bool = False) -> Implementation:
    def apply(call: FunctionCall) -> StepVector:
        return windowed(call, call.range(0), floats, mixed, keep_name=keep_name)

    return apply


def _floats_only(floats: FloatFunction) -> Implementation:
    return _simple(floats, floats_with_info(floats))


OVER_TIME: Mapping[str, Implementation] = {
    "avg_over_time": _simple(_avg, _mixed_avg),
    "count_over_time": _simple(_count, _mixed_count),
    "last_over_time": _simple(_last, _mixed_last, keep_name=True),
    "mad_over_time": _floats_only(_mad),
    "max_over_time": _floats_only(_max),
    "min_over_time": _floats_only(_min),
    "present_over_time": _simple(_present, _mixed_present),
    "quantile_over_time": _quantile_over_time,
    "stddev_over_time": _floats_only(_stddev),
    "stdvar_over_time": _floats_only(_stdvar),
    "sum_over_time": _simple(_sum, _mixed_sum),
    "ts_of_last_over_time": _simple(_ts_of_last, _mixed_ts_of_last),
    "ts_of_max_over_time": _floats_only(_ts_of_max),
    "ts_of_min_over_time": _floats_only(_ts_of_min),
}
