"""histogram_* functions: classic buckets by group as arrays, native histograms one by one.

Pure functions over one FunctionCall.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from otel_ext.model.native_histograms import NativeHistogram
from otel_ext.promql.annotations import Annotations
from otel_ext.promql.classic_histograms import (
    BucketLayout,
    BucketMatrix,
    bucket_layout,
    bucket_matrix,
    classic_fraction,
    classic_quantile,
)
from otel_ext.promql.formatting import parse_go_float
from otel_ext.promql.frames import F64, I64, Bool, StepVector, concat
from otel_ext.promql.function_call import FunctionCall, Implementation
from otel_ext.promql.native_quantiles import native_fraction, native_quantile, native_variance
from otel_ext.promql.selections import check_quantile
from otel_ext.storage.metrics.series_set import SeriesSet

__all__ = ["HISTOGRAMS"]

_LE = "le"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Buckets:
    """The classic buckets among the series of a vector: groups without ``le``, bounds and group of each."""

    groups: SeriesSet
    codes: I64
    uppers: F64
    bad: tuple[str, ...]  # values of le that are not numbers


def _buckets_of(series: SeriesSet) -> _Buckets:
    return series.memo("classic buckets", lambda: _make_buckets(series))


def _make_buckets(series: SeriesSet) -> _Buckets:
    column = series.columns.get(_LE)
    if column is None:
        uppers = np.full(series.n, np.nan)
        bad: tuple[str, ...] = ("",) if series.n else ()
    else:
        bounds = [parse_go_float(value) for value in column.values]
        table = np.array([math.nan if bound is None else bound for bound in bounds])
        uppers = table[column.codes]
        used = set(column.codes.tolist())
        bad = tuple(value for code, value in enumerate(column.values) if bounds[code] is None and code in used)
    groups, codes = series.without(_LE).group((), without=True)
    return _Buckets(groups=groups, codes=codes, uppers=uppers, bad=bad)


Classic = Callable[[int, BucketMatrix], F64]
Native = Callable[[int, NativeHistogram], float]


def _both_kinds(call: FunctionCall, vector: StepVector, classic: Classic, native: Native) -> StepVector:
    """A function of classic and native histograms alike."""
    shape = vector.values.shape
    native_mask = vector.histogram_mask()
    floats = vector.mask() & ~native_mask
    collisions = np.zeros(shape, dtype=np.bool_)
    parts: list[StepVector] = []
    if floats.any():
        buckets = _buckets_of(vector.series)
        _warn_bad_bounds(call.annotations, buckets, floats)
        floats &= ~np.isnan(buckets.uppers)[None, :]
        if native_mask.any():
            collisions = _collisions(call.annotations, buckets.codes, floats, native_mask)
        parts.append(_classic(vector, buckets, floats & ~collisions, classic))
    if native_mask.any():
        parts.append(_native(vector, native_mask & ~collisions, native))
    return call.renamed(concat(parts, vector.steps))


def _warn_bad_bounds(annotations: Annotations, buckets: _Buckets, floats: Bool) -> None:
    if buckets.bad and (floats & np.isnan(buckets.uppers)[None, :]).any():
        for value in buckets.bad:
            annotations.warn(f'bucket label "le" is missing or has a malformed value of {value!r}')


def _collisions(annotations: Annotations, codes: I64, floats: Bool, natives: Bool) -> Bool:
    """Elements of groups that hold both kinds at a step; they are left out with a warning."""
    groups = int(codes.max()) + 1
    seen = np.zeros((2, floats.shape[0], groups), dtype=np.bool_)
    for kind, mask in enumerate((floats, natives)):
        at_step, at_series = np.nonzero(mask)
        seen[kind, at_step, codes[at_series]] = True
    both = seen[0] & seen[1]
    if both.any():
        annotations.warn("vector contains a mix of classic and native histograms")
    found: Bool = both[:, codes]
    return found


def _classic(vector: StepVector, buckets: _Buckets, mask: Bool, compute: Classic) -> StepVector:
    groups = buckets.groups.n
    values = np.full((vector.steps, groups), np.nan)
    present = np.zeros((vector.steps, groups), dtype=np.bool_)
    for step in range(vector.steps):
        at = np.flatnonzero(mask[step]).astype(np.int64)
        if not len(at):
            continue
        layout = _layout(vector.series, buckets, at)
        present[step, layout.codes] = True
        values[step] = compute(step, bucket_matrix(layout, vector.values[step, at]))
    result = StepVector(series=buckets.groups, values=values, present=present)
    return result.take(np.flatnonzero(present.any(axis=0)).astype(np.int64))


def _layout(series: SeriesSet, buckets: _Buckets, at: I64) -> BucketLayout:
    """The layout of these series; kept when it is all of them."""
    groups = buckets.groups.n
    if len(at) == series.n:
        return series.memo("bucket layout", lambda: bucket_layout(buckets.uppers, buckets.codes, groups))
    return bucket_layout(buckets.uppers[at], buckets.codes[at], groups)


def _native(vector: StepVector, mask: Bool, compute: Native) -> StepVector:
    values = np.full(vector.values.shape, np.nan)
    assert vector.histograms is not None
    for step, index in zip(*(axis.tolist() for axis in np.nonzero(mask)), strict=True):
        values[step, index] = compute(step, vector.histograms[step, index])
    result = StepVector(series=vector.series, values=values, present=mask, drop_name=vector.drop_name)
    return result.take(np.flatnonzero(mask.any(axis=0)).astype(np.int64))


def _histogram_quantile(call: FunctionCall) -> StepVector:
    quantiles, vector = call.scalar(0), call.vector(1)
    check_quantile(quantiles, call.annotations)

    def classic(step: int, buckets: BucketMatrix) -> F64:
        values, forced = classic_quantile(float(quantiles[step]), buckets)
        if forced.any():
            call.annotations.info(
                "input to histogram_quantile needed to be fixed for monotonicity "
                "(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)"
            )
        return values

    def native(step: int, histogram: NativeHistogram) -> float:
        return native_quantile(float(quantiles[step]), histogram, call.annotations)

    return _both_kinds(call, vector, classic, native)


def _histogram_fraction(call: FunctionCall) -> StepVector:
    lowers, uppers, vector = call.scalar(0), call.scalar(1), call.vector(2)

    def classic(step: int, buckets: BucketMatrix) -> F64:
        return classic_fraction(float(lowers[step]), float(uppers[step]), buckets)

    def native(step: int, histogram: NativeHistogram) -> float:
        return native_fraction(float(lowers[step]), float(uppers[step]), histogram, call.annotations)

    return _both_kinds(call, vector, classic, native)


def _of_native(compute: Callable[[NativeHistogram], float]) -> Implementation:
    """A function of native histograms alone; floats are left out."""

    def apply(call: FunctionCall) -> StepVector:
        vector = call.vector(0)
        mask = vector.histogram_mask()
        if not mask.any():
            return concat([], vector.steps)
        return call.renamed(_native(vector, mask, lambda _, histogram: compute(histogram)))

    return apply


def _average(histogram: NativeHistogram) -> float:
    if histogram.count == 0:
        return math.nan if histogram.sum == 0 or math.isnan(histogram.sum) else math.copysign(math.inf, histogram.sum)
    return histogram.sum / histogram.count


def _deviation(histogram: NativeHistogram) -> float:
    variance = native_variance(histogram)
    return math.sqrt(variance) if variance >= 0 else math.nan


HISTOGRAMS: Mapping[str, Implementation] = {
    "histogram_avg": _of_native(_average),
    "histogram_count": _of_native(lambda histogram: histogram.count),
    "histogram_fraction": _histogram_fraction,
    "histogram_quantile": _histogram_quantile,
    "histogram_stddev": _of_native(_deviation),
    "histogram_stdvar": _of_native(native_variance),
    "histogram_sum": _of_native(lambda histogram: histogram.sum),
}
