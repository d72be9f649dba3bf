"""Quantiles and fractions of classic histograms: ``le`` buckets as matrices [bucket, group].

Pure functions on arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from otel_ext.promql.frames import F64, I64, Bool
from otel_ext.promql.sums import ranked

__all__ = ["BucketLayout", "BucketMatrix", "bucket_layout", "bucket_matrix", "classic_fraction", "classic_quantile"]

_TOLERANCE = 1e-12  # relative difference of neighbouring counts that is taken for rounding
_CLEARLY = 1e-9
_MIN_NORMAL = 2.2250738585072014e-308


@dataclass(slots=True, kw_only=True)
class BucketMatrix:
    """Per group (column) its buckets in order of ``le``: upper bounds and cumulative counts, ``sizes`` of them."""

    uppers: F64
    counts: F64
    sizes: I64


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketLayout:
    """Where each element of a vector of buckets goes in the matrix; depends on labels alone, so it is kept."""

    order: I64
    slots: I64 | None  # which distinct bucket each sorted element is part of; None: all are distinct
    ranks: I64
    codes: I64
    uppers: F64
    sizes: I64


def bucket_layout(uppers: F64, codes: I64, groups: int) -> BucketLayout:
    """Sort elements into their groups; buckets of equal bounds share a place."""
    order = np.lexsort((uppers, codes))
    uppers, codes = uppers[order], codes[order]
    fresh = np.ones(len(order), dtype=np.bool_)
    fresh[1:] = (uppers[1:] != uppers[:-1]) | (codes[1:] != codes[:-1])
    slots = None
    if not fresh.all():
        slots = (np.cumsum(fresh) - 1).astype(np.int64)
        uppers, codes = uppers[fresh], codes[fresh]
    _, ranks, longest = ranked(codes, groups)
    matrix = np.full((longest, groups), np.nan)
    matrix[ranks, codes] = uppers
    sizes = np.bincount(codes, minlength=groups).astype(np.int64)
    return BucketLayout(order=order, slots=slots, ranks=ranks, codes=codes, uppers=matrix, sizes=sizes)


def bucket_matrix(layout: BucketLayout, counts: F64) -> BucketMatrix:
    """The counts of a vector in their places; counts of equal bounds are added up."""
    counts = counts[layout.order]
    if layout.slots is not None:
        counts = np.asarray(np.bincount(layout.slots, weights=counts), dtype=np.float64)
    matrix = np.full(layout.uppers.shape, np.nan)
    matrix[layout.ranks, layout.codes] = counts
    return BucketMatrix(uppers=layout.uppers, counts=matrix, sizes=layout.sizes)


def _monotonic(buckets: BucketMatrix) -> tuple[F64, Bool]:
    """Counts that never fall, and the groups where that took more than correcting a rounding error."""
    forced = np.zeros(len(buckets.sizes), dtype=np.bool_)
    if _rises_clearly(buckets):
        return buckets.counts, forced
    counts = buckets.counts.copy()
    previous = counts[0]
    for rank in range(1, len(counts)):
        current, inside = counts[rank], buckets.sizes > rank
        total = np.abs(previous) + np.abs(current)
        gap = np.abs(previous - current)
        tiny = (previous == 0) | (current == 0) | (total < _MIN_NORMAL)
        close = np.where(tiny, gap < _TOLERANCE * _MIN_NORMAL, gap / np.minimum(total, 1.7e308) < _TOLERANCE)
        falls = ~close & (current < previous) & inside
        forced |= falls
        previous = np.where(inside & ~close & ~falls, current, previous)
        counts[rank] = np.where(inside, previous, np.nan)
    return counts, forced


def _rises_clearly(buckets: BucketMatrix) -> bool:
    """Whether every step between neighbours is none at all, or upwards by more than rounding can explain."""
    before, after = buckets.counts[:-1], buckets.counts[1:]
    step = after - before
    return bool(((step == 0) | (step > _CLEARLY * after) | np.isnan(after)).all())


def classic_quantile(quantile: float, buckets: BucketMatrix) -> tuple[F64, Bool]:
    """The quantile of each group, linear within a bucket; and where counts had to be forced monotonic."""
    groups = len(buckets.sizes)
    forced = np.zeros(groups, dtype=np.bool_)
    if np.isnan(quantile):
        return np.full(groups, np.nan), forced
    if not 0 <= quantile <= 1:
        return np.full(groups, -np.inf if quantile < 0 else np.inf), forced
    columns = np.arange(groups)
    last = buckets.sizes - 1
    bounded = np.isposinf(buckets.uppers[last, columns])
    counts, forced = _monotonic(buckets)
    observations = counts[last, columns]
    rank = quantile * observations
    inside = np.arange(len(counts))[:, None] < last[None, :]
    reached = (counts >= rank[None, :]) & inside
    at = np.where(reached.any(axis=0), reached.argmax(axis=0), last)
    upper = buckets.uppers[at, columns]
    below = np.maximum(at - 1, 0)
    start = np.where(at > 0, buckets.uppers[below, columns], 0.0)
    skipped = np.where(at > 0, counts[below, columns], 0.0)
    within = start + (upper - start) * ((rank - skipped) / (counts[at, columns] - skipped))
    result = np.where((at == 0) & (upper <= 0), upper, within)
    result = np.where(at == last, buckets.uppers[np.maximum(last - 1, 0), columns], result)
    unusable = ~bounded | (buckets.sizes < 2) | (observations == 0) | np.isnan(observations)
    return np.where(unusable, np.nan, result), forced & bounded


def classic_fraction(lower: float, upper: float, buckets: BucketMatrix) -> F64:
    """The share of observations between two values in each group, linear within a bucket."""
    return np.array([_fraction(lower, upper, buckets, group) for group in range(len(buckets.sizes))])


def _fraction(lower: float, upper: float, buckets: BucketMatrix, group: int) -> float:
    size = int(buckets.sizes[group])
    uppers = buckets.uppers[:size, group].tolist()
    counts = buckets.counts[:size, group].tolist()
    if not size or not np.isposinf(uppers[-1]) or counts[-1] == 0 or np.isnan(lower) or np.isnan(upper):
        return float("nan")
    if lower >= upper:
        return 0.0
    ranks = [_rank(value, uppers, counts) for value in (lower, upper)]
    return float((ranks[1] - ranks[0]) / counts[-1])


def _rank(value: float, uppers: list[float], counts: list[float]) -> float:
    """How many observations are below a value."""
    rank, bound = 0.0, -np.inf
    for upper, count in zip(uppers, counts, strict=True):
        if bound >= value:
            return min(rank, counts[-1])
        if bound < value < upper:
            if np.isneginf(bound):
                return _first_bucket_rank(value, upper, count)
            return min(rank + (count - rank) * (value - bound) / (upper - bound), counts[-1])
        rank, bound = count, upper
    return counts[-1]


def _first_bucket_rank(value: float, upper: float, count: float) -> float:
    """The first bucket begins at zero when its bound is positive; otherwise nothing can be said within it."""
    if upper > 0:
        return count * value / upper if value > 0 else 0.0
    return count
