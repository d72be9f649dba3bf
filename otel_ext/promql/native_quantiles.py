"""Quantiles, fractions and moments of native histograms.

Exponential buckets are interpolated on a logarithmic scale, the zero bucket and custom buckets linearly. Pure
functions of one histogram.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from otel_ext.model.native_histograms import Bucket, NativeHistogram
from otel_ext.promql.annotations import Annotations

__all__ = ["native_fraction", "native_quantile", "native_variance"]


def native_quantile(quantile: float, histogram: NativeHistogram, annotations: Annotations) -> float:
    """The quantile; -Inf or +Inf outside 0..1, NaN for an empty histogram."""
    if not 0 <= quantile <= 1 or histogram.count == 0:
        return -math.inf if quantile < 0 else math.inf if quantile > 1 else math.nan
    forward = math.isnan(histogram.sum) or quantile < 0.5
    rank = (quantile if forward else 1 - quantile) * histogram.count
    buckets = list(histogram.buckets())
    bucket, count = _reach(buckets if forward else reversed(buckets), rank)
    if bucket is None:  # observations, but none in a bucket
        return _beyond(histogram, 0.0, annotations) if rank > 0 else math.nan
    bucket, known = _narrowed(bucket, histogram)
    if known is not None:
        return known
    count = min(count, histogram.count)
    if count < rank:
        return _beyond(histogram, bucket.upper, annotations)
    if math.isnan(histogram.sum):
        annotations.info("input to histogram_quantile has NaN observations, result is skewed higher")
    within = rank - (count - bucket.count) if forward else count - rank
    return _interpolated(bucket, within / bucket.count, linear=histogram.custom)


def _reach(buckets: Iterable[Bucket], rank: float) -> tuple[Bucket | None, float]:
    """The bucket where the running count meets the rank, and that count."""
    count, found = 0.0, None
    for bucket in buckets:
        if bucket.count == 0:
            continue
        found = bucket
        count += bucket.count
        if count >= rank:
            break
    return found, count


def _narrowed(bucket: Bucket, histogram: NativeHistogram) -> tuple[Bucket, float | None]:
    """The bucket without the part that cannot hold observations; or the answer, where it is a bound itself."""
    if histogram.custom:
        if math.isinf(bucket.lower):
            if bucket.upper <= 0:
                return bucket, bucket.upper
            return replace(bucket, lower=0.0), None
        if math.isinf(bucket.upper):
            return bucket, bucket.lower
    elif bucket.lower < 0 < bucket.upper:
        if not histogram.negative and histogram.positive:
            return replace(bucket, lower=0.0), None
        if not histogram.positive and histogram.negative:
            return replace(bucket, upper=0.0), None
    return bucket, None


def _beyond(histogram: NativeHistogram, highest: float, annotations: Annotations) -> float:
    """The rank lies behind all buckets: observations that were NaN."""
    if math.isnan(histogram.sum):
        annotations.info("input to histogram_quantile has NaN observations, result is NaN")
        return math.nan
    return highest


def _interpolated(bucket: Bucket, fraction: float, *, linear: bool) -> float:
    if linear or bucket.lower <= 0 <= bucket.upper:
        return bucket.lower + (bucket.upper - bucket.lower) * fraction
    log_lower, log_upper = math.log2(abs(bucket.lower)), math.log2(abs(bucket.upper))
    if bucket.lower > 0:
        return _exp2(log_lower + (log_upper - log_lower) * fraction)
    return -_exp2(log_upper + (log_lower - log_upper) * (1 - fraction))


def _exp2(exponent: float) -> float:
    try:
        return math.exp2(exponent)
    except OverflowError:
        return math.inf


def native_fraction(lower: float, upper: float, histogram: NativeHistogram, annotations: Annotations) -> float:
    """The share of observations between two values."""
    if histogram.count == 0 or math.isnan(lower) or math.isnan(upper):
        return math.nan
    if lower >= upper:
        return 0.0
    if math.isnan(histogram.sum):
        annotations.info("input to histogram_fraction has NaN observations, which are excluded from all fractions")
    low, high = (_rank(value, histogram) for value in (lower, upper))
    return (high - low) / histogram.count


def _rank(value: float, histogram: NativeHistogram) -> float:
    """How many observations are below a value."""
    rank = 0.0
    for bucket in histogram.buckets():
        narrowed = _fraction_bounds(bucket, histogram)
        if narrowed.lower >= value:
            return rank
        if narrowed.upper > value:
            return rank + bucket.count * _share_below(value, narrowed, linear=histogram.custom)
        rank += bucket.count
    return rank


def _fraction_bounds(bucket: Bucket, histogram: NativeHistogram) -> Bucket:
    if histogram.custom:
        return replace(bucket, lower=0.0) if math.isinf(bucket.lower) and bucket.upper > 0 else bucket
    return _narrowed(bucket, histogram)[0]


def _share_below(value: float, bucket: Bucket, *, linear: bool) -> float:
    if math.isinf(bucket.lower):
        return 1.0  # nothing is known within a bucket without a lower bound
    if math.isinf(bucket.upper):
        return 0.0
    if linear or bucket.lower <= 0 <= bucket.upper:
        return (value - bucket.lower) / (bucket.upper - bucket.lower)
    log_lower, log_upper, log_value = (math.log2(abs(bound)) for bound in (bucket.lower, bucket.upper, value))
    if value > 0:
        return (log_value - log_lower) / (log_upper - log_lower)
    return 1 - (log_value - log_upper) / (log_lower - log_upper)


def native_variance(histogram: NativeHistogram) -> float:
    """The population variance, each bucket's observations at its middle (geometric for exponential buckets)."""
    if histogram.count == 0:
        return math.nan
    mean = histogram.sum / histogram.count
    variance = compensation = 0.0
    for bucket in histogram.buckets():
        if bucket.count == 0:
            continue
        delta = _middle(bucket, custom=histogram.custom) - mean
        added = bucket.count * delta * delta
        total = variance + added
        if math.isinf(total):
            compensation = 0.0
        elif abs(variance) >= abs(added):
            compensation += (variance - total) + added
        else:
            compensation += (added - total) + variance
        variance = total
    return (variance + compensation) / histogram.count


def _middle(bucket: Bucket, *, custom: bool) -> float:
    if custom:
        return (bucket.upper + bucket.lower) / 2
    if bucket.lower <= 0 <= bucket.upper:
        return 0.0
    middle = math.sqrt(abs(bucket.upper)) * math.sqrt(abs(bucket.lower))
    return -middle if bucket.upper < 0 else middle
