"""NativeHistogram: sums, resolutions, zero buckets and resets equal what the observations themselves give."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ext.model.native_histograms import (
    CUSTOM_SCHEMA,
    CounterResetHint,
    IncompatibleBoundsError,
    IncompatibleSchemaError,
    NativeHistogram,
    exponential_bound,
)

observations = st.lists(st.floats(0.01, 1000) | st.floats(-1000, -0.01) | st.just(0.0), max_size=30)
schemas = st.integers(-2, 4)


def bucket_index(value: float, schema: int) -> int:
    index = math.ceil(math.log2(value) * 2.0**schema)
    while exponential_bound(index, schema) < value:
        index += 1
    while exponential_bound(index - 1, schema) >= value:
        index -= 1
    return index


def histogram_of(values: list[float], schema: int, zero_threshold: float = 0.001) -> NativeHistogram:
    positive: dict[int, float] = {}
    negative: dict[int, float] = {}
    for value in values:
        if abs(value) > zero_threshold:
            side = positive if value > 0 else negative
            index = bucket_index(abs(value), schema)
            side[index] = side.get(index, 0.0) + 1
    return NativeHistogram(
        schema=schema,
        zero_threshold=zero_threshold,
        zero_count=float(sum(abs(value) <= zero_threshold for value in values)),
        count=float(len(values)),
        sum=math.fsum(values),
        positive=positive,
        negative=negative,
    )


def same_counts(left: NativeHistogram, right: NativeHistogram) -> bool:
    return (left.schema, left.count, left.zero_count, dict(left.positive), dict(left.negative)) == (
        right.schema, right.count, right.zero_count, dict(right.positive), dict(right.negative),
    )  # fmt: skip


@given(observations, observations, schemas, schemas)
def test_a_sum_is_the_histogram_of_all_observations_in_the_coarser_schema(
    left: list[float], right: list[float], one: int, two: int
) -> None:
    total = histogram_of(left, one) + histogram_of(right, two)
    assert same_counts(total.compacted(), histogram_of(left + right, min(one, two)))


@given(observations, observations, schemas)
def test_a_difference_undoes_a_sum(left: list[float], right: list[float], schema: int) -> None:
    both = histogram_of(left + right, schema) - histogram_of(right, schema)
    assert same_counts(both.compacted(), histogram_of(left, schema))


@given(observations, schemas, st.integers(0, 3))
def test_a_coarser_schema_is_the_histogram_made_in_it(values: list[float], schema: int, down: int) -> None:
    assert same_counts(histogram_of(values, schema).at_schema(schema - down), histogram_of(values, schema - down))


@given(observations, schemas, st.floats(0.002, 2000))
def test_a_wider_zero_bucket_swallows_whole_buckets(values: list[float], schema: int, threshold: float) -> None:
    wide = histogram_of(values, schema).with_zero_threshold(threshold)
    assert wide.zero_threshold >= threshold
    assert same_counts(wide, histogram_of(values, schema, wide.zero_threshold))


@given(observations, observations, schemas)
def test_more_observations_are_no_reset_and_fewer_are(before: list[float], more: list[float], schema: int) -> None:
    old, new = histogram_of(before, schema), histogram_of(before + more, schema)
    assert not new.reset_since(old)
    assert old.reset_since(new) is bool(more)


def test_layouts_that_become_finer_are_resets() -> None:
    coarse, fine = histogram_of([1.5, 3.0], 0), histogram_of([1.5, 3.0], 1)
    assert fine.reset_since(coarse)
    assert not coarse.reset_since(fine)
    assert histogram_of([5.0], 0, 0.001).reset_since(histogram_of([5.0], 0, 0.01))


def test_hints_speak_for_themselves() -> None:
    histogram = histogram_of([1.0], 0)
    assert histogram.with_hint(CounterResetHint.RESET).reset_since(histogram)
    assert not histogram_of([], 0).with_hint(CounterResetHint.NOT_RESET).reset_since(histogram)
    gauge = histogram.with_hint(CounterResetHint.GAUGE)
    assert (histogram + gauge).counter_reset_hint is CounterResetHint.GAUGE


def test_custom_buckets_combine_only_with_their_like() -> None:
    custom = NativeHistogram(schema=CUSTOM_SCHEMA, count=3, positive={0: 1, 1: 2}, custom_bounds=(1.0, 2.0))
    assert (custom + custom).positive == {0: 2, 1: 4}
    with pytest.raises(IncompatibleSchemaError):
        custom + histogram_of([1.0], 0)
    with pytest.raises(IncompatibleBoundsError):
        custom - NativeHistogram(schema=CUSTOM_SCHEMA, custom_bounds=(1.0, 3.0))
    assert [(b.lower, b.upper, b.count) for b in custom.buckets()] == [(-math.inf, 1.0, 1), (1.0, 2.0, 2)]


def test_scaling_and_division_follow_ieee_754() -> None:
    histogram = histogram_of([1.0, 2.0, 0.0], 0)
    assert histogram.scaled(2).count == 6
    assert histogram.scaled(-1).counter_reset_hint is CounterResetHint.GAUGE
    by_zero = histogram.divided(0)
    assert (by_zero.count, by_zero.sum, dict(by_zero.positive)) == (math.inf, math.inf, {})


def test_text_is_that_of_prometheus() -> None:
    histogram = NativeHistogram(
        schema=0, count=6, sum=5.5, zero_count=1, zero_threshold=0.5, positive={0: 1, 1: 2}, negative={1: 2}
    )
    assert str(histogram) == "{count:6, sum:5.5, [-2,-1):2, [-0.5,0.5]:1, (0.5,1]:1, (1,2]:2}"


def test_equality_ignores_empty_buckets_and_hints() -> None:
    left = NativeHistogram(count=1, sum=math.nan, positive={0: 1, 1: 0})
    right = NativeHistogram(count=1, sum=math.nan, positive={0: 1}, counter_reset_hint=CounterResetHint.GAUGE)
    assert left == right
    assert hash(left) == hash(left.with_hint(CounterResetHint.RESET)) or math.isnan(left.sum)
    assert left != NativeHistogram(count=1, sum=0, positive={0: 1})
