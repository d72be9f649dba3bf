"""Functions of a window's shape: deriv, predict_linear, double_exponential_smoothing, changes, resets.

Pure functions of a Window; the table of implementations is at the end.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from otel_ext.errors import QueryError
from otel_ext.model.native_histograms import NativeHistogram
from otel_ext.promql.frames import F64, I64, Bool, StepVector
from otel_ext.promql.function_call import FunctionCall, Implementation
from otel_ext.promql.range_functions import MixedWindow, floats_with_info, windowed
from otel_ext.promql.sums import kahan_columns
from otel_ext.promql.windows import Window

__all__ = ["SERIES"]


def _regression(window: Window, origin_ms: I64 | int) -> tuple[F64, F64]:
    """Slope a second and the value at ``origin_ms`` of the least squares line of each series."""
    counts = window.counts
    n = counts.astype(np.float64)
    x = np.broadcast_to((window.ts_ms - origin_ms) / 1000.0, window.values.shape)
    y = window.values
    sum_x, sum_y = kahan_columns(x, counts), kahan_columns(y, counts)
    sum_xy, sum_x2 = kahan_columns(x * y, counts), kahan_columns(x * x, counts)
    covariance = sum_xy - sum_x * sum_y / n
    variance = sum_x2 - sum_x * sum_x / n
    slope = covariance / variance
    intercept = sum_y / n - slope * sum_x / n
    constant = ((y == y[0]) | ~window.valid()).all(axis=0)
    infinite = constant & np.isinf(y[0])
    slope = np.where(constant, np.where(infinite, np.nan, 0.0), slope)
    return slope, np.where(constant, np.where(infinite, np.nan, y[0]), intercept)


def _deriv(window: Window, _: int) -> tuple[F64, Bool]:
    slope, _intercept = _regression(window, window.first_ts())
    return slope, window.counts > 1


def _call_deriv(call: FunctionCall) -> StepVector:
    return windowed(call, call.range(0), _deriv, floats_with_info(_deriv))


def _predict_linear(call: FunctionCall) -> StepVector:
    ahead = call.scalar(1)

    def floats(window: Window, step: int) -> tuple[F64, Bool]:
        slope, intercept = _regression(window, int(call.evaluator.steps[step]))
        return slope * ahead[step] + intercept, window.counts > 1

    return windowed(call, call.range(0), floats, floats_with_info(floats))


def _double_exponential_smoothing(call: FunctionCall) -> StepVector:
    smoothing, trend = call.scalar(1), call.scalar(2)
    for name, factors in (("smoothing", smoothing), ("trend", trend)):
        for factor in factors.tolist():
            if not 0 < factor < 1:
                raise QueryError(f"invalid {name} factor. Expected: 0 < {name[0]}f < 1, got: {factor:f}")

    def floats(window: Window, step: int) -> tuple[F64, Bool]:
        return _smoothed(window, float(smoothing[step]), float(trend[step])), window.counts > 1

    return windowed(call, call.range(0), floats, floats_with_info(floats))


def _smoothed(window: Window, smoothing: float, trend: float) -> F64:
    values = window.values
    level: F64 = values[0]
    if window.length < 2:
        return level
    previous = np.zeros(window.n)
    slope = values[1] - values[0]
    for position in range(1, window.length):
        active = window.counts > position
        stepped = slope if position == 1 else trend * (level - previous) + (1 - trend) * slope
        raised = smoothing * values[position] + (1 - smoothing) * (level + stepped)
        previous, level = np.where(active, level, previous), np.where(active, raised, level)
        slope = np.where(active, stepped, slope)
    return level


def _pairs(window: Window, differs: Bool) -> F64:
    if not window.dense:
        differs = differs & window.valid()[1:]
    return np.asarray(differs.sum(axis=0), dtype=np.float64)


def _changes(window: Window, _: int) -> tuple[F64, None]:
    before, after = window.values[:-1], window.values[1:]
    return _pairs(window, (after != before) & ~(np.isnan(after) & np.isnan(before))), None


def _resets(window: Window, _: int) -> tuple[F64, None]:
    return _pairs(window, window.values[1:] < window.values[:-1]), None


def _mixed_changes(window: MixedWindow) -> float:
    samples = [sample for _, sample in window.merged()]
    return float(sum(_changed(*pair) for pair in itertools.pairwise(samples)))


def _changed(before: float | NativeHistogram, after: float | NativeHistogram) -> bool:
    if isinstance(before, NativeHistogram) or isinstance(after, NativeHistogram):
        return type(before) is not type(after) or before != after
    return after != before and not (np.isnan(after) and np.isnan(before))


def _mixed_resets(window: MixedWindow) -> float:
    samples = [sample for _, sample in window.merged()]
    return float(sum(_was_reset(*pair) for pair in itertools.pairwise(samples)))


def _was_reset(before: float | NativeHistogram, after: float | NativeHistogram) -> bool:
    if isinstance(before, NativeHistogram) and isinstance(after, NativeHistogram):
        return after.reset_since(before)
    if isinstance(before, NativeHistogram) or isinstance(after, NativeHistogram):
        return True
    return after < before


def _call_changes(call: FunctionCall) -> StepVector:
    return windowed(call, call.range(0), _changes, _mixed_changes)


def _call_resets(call: FunctionCall) -> StepVector:
    return windowed(call, call.range(0), _resets, _mixed_resets)


SERIES: Mapping[str, Implementation] = {
    "changes": _call_changes,
    "deriv": _call_deriv,
    "double_exponential_smoothing": _double_exponential_smoothing,
    "predict_linear": _predict_linear,
    "resets": _call_resets,
}
