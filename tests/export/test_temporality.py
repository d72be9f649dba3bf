"""Cumulative into delta: summing what was sent gives what was measured, always."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View

from otel_ext.export.temporality import DeltaConverter

ATTRIBUTES = st.sampled_from([{"route": "/a"}, {"route": "/b"}, {}])


def points(data: Any, name: str) -> list[Any]:
    found = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics if m.name == name]
    return list(found[0].data.data_points) if found else []


def key(point: Any) -> tuple[Any, ...]:
    return tuple(sorted((point.attributes or {}).items()))


@given(st.lists(st.lists(st.tuples(ATTRIBUTES, st.floats(0.001, 20_000)), max_size=8), max_size=6))
def test_deltas_add_up_to_what_was_measured(rounds: list[list[tuple[dict[str, str], float]]]) -> None:
    reader = InMemoryMetricReader()
    views = [View(instrument_name="e", aggregation=ExponentialBucketHistogramAggregation(max_size=8))]
    provider = MeterProvider(metric_readers=[reader], views=views, shutdown_on_exit=False)
    meter = provider.get_meter("app")
    counter, histogram, exponential = (
        meter.create_counter("c"),
        meter.create_histogram("h"),
        meter.create_histogram("e"),
    )
    converter = DeltaConverter()
    counts: dict[tuple[Any, ...], int] = {}
    exponential_counts: dict[tuple[Any, ...], int] = {}
    added: dict[tuple[Any, ...], int] = {}
    for measurements in rounds:
        for attributes, value in measurements:
            counter.add(1, attributes)
            histogram.record(value, attributes)
            exponential.record(value, attributes)
        collected = reader.get_metrics_data()
        if collected is None:
            continue
        sent = converter.convert(collected)
        for point in points(sent, "c"):
            added[key(point)] = added.get(key(point), 0) + point.value
        for point in points(sent, "h"):
            assert sum(point.bucket_counts) == point.count > 0
            assert all(count >= 0 for count in point.bucket_counts)
            counts[key(point)] = counts.get(key(point), 0) + point.count
        for point in points(sent, "e"):
            assert sum(point.positive.bucket_counts) + point.zero_count == point.count > 0
            assert all(count >= 0 for count in point.positive.bucket_counts)
            exponential_counts[key(point)] = exponential_counts.get(key(point), 0) + point.count
    expected: dict[tuple[Any, ...], int] = {}
    for measurements in rounds:
        for attributes, _ in measurements:
            expected[tuple(sorted(attributes.items()))] = expected.get(tuple(sorted(attributes.items())), 0) + 1
    assert added == counts == exponential_counts == expected
    provider.shutdown()


def test_deltas_equal_those_of_the_sdk() -> None:
    delta = {Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA}
    theirs, ours = InMemoryMetricReader(preferred_temporality=delta), InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[theirs, ours], shutdown_on_exit=False)
    meter = provider.get_meter("app")
    counter, histogram, up_down = (
        meter.create_counter("c"),
        meter.create_histogram("h"),
        meter.create_up_down_counter("u"),
    )
    converter = DeltaConverter()
    for value in (1, 5, 5, 300):
        counter.add(value)
        histogram.record(value)
        up_down.add(-1)
        left, collected = theirs.get_metrics_data(), ours.get_metrics_data()
        assert collected is not None
        right = converter.convert(collected)
        for name in ("c", "u"):
            assert [p.value for p in points(left, name)] == [p.value for p in points(right, name)]
        assert [(p.count, p.sum, list(p.bucket_counts)) for p in points(left, "h")] == [
            (p.count, p.sum, list(p.bucket_counts)) for p in points(right, "h")
        ]
    provider.shutdown()


def test_series_without_change_are_not_sent() -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    provider.get_meter("app").create_counter("c").add(1)
    converter = DeltaConverter()
    first, second = reader.get_metrics_data(), reader.get_metrics_data()
    assert first is not None
    assert second is not None
    assert points(converter.convert(first), "c") != []
    assert converter.convert(second).resource_metrics == []
    provider.shutdown()
