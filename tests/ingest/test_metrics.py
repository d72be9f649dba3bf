"""Readers: one collection for two, cumulative for us, and no further cost where another reader can be shared."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    InMemoryMetricReader,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)

from otel_ext.export.temporality import CumulativeExporter
from otel_ext.ingest.metrics import SECOND_READER_COST, LocalMetricReader, SharedMetricReader, attach_reader

FAR = 10_000_000.0  # milliseconds: no periodic export during a test
DELTA = {
    Counter: AggregationTemporality.DELTA,
    Histogram: AggregationTemporality.DELTA,
    ObservableCounter: AggregationTemporality.DELTA,
}


class Sent(MetricExporter):
    def __init__(self, preferred_temporality: Any = None) -> None:
        super().__init__(preferred_temporality=preferred_temporality)
        self.batches: list[MetricsData] = []

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: Any) -> MetricExportResult:
        self.batches.append(metrics_data)
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        pass


def values(data: Any) -> list[float]:
    return [
        p.value for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics for p in m.data.data_points
    ]


def test_one_reader_feeds_us_and_the_exporter_each_in_its_own_time() -> None:
    exporter = Sent()
    reader = SharedMetricReader(exporter, FAR)
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    counter = provider.get_meter("app").create_counter("orders")
    counter.add(2)
    assert values(reader.collect_locally()) == [2]
    counter.add(3)
    assert values(reader.collect_locally()) == [5]
    assert exporter.batches == [], "a local collection exports nothing"
    provider.force_flush()
    assert values(exporter.batches[0]) == [5]
    provider.shutdown()


def test_a_delta_backend_gets_deltas_while_we_stay_cumulative() -> None:
    exporter = Sent(DELTA)
    reader = SharedMetricReader(CumulativeExporter(exporter), FAR)
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    counter = provider.get_meter("app").create_counter("orders")
    for added in (2, 3):
        counter.add(added)
        reader.collect_locally()
        provider.force_flush()
    assert values(reader.collect_locally()) == [5]
    assert [values(batch) for batch in exporter.batches] == [[2], [3]]
    provider.shutdown()


def test_an_existing_cumulative_reader_is_borrowed_at_no_cost_for_measurements() -> None:
    exporter = Sent()
    provider = MeterProvider(metric_readers=[PeriodicExportingMetricReader(exporter, FAR)], shutdown_on_exit=False)
    source, added, fact = attach_reader(provider)
    provider.get_meter("app").create_counter("orders").add(4)
    assert source is not None
    assert values(source()) == [4]
    assert (added, fact, exporter.batches) == (None, None, [])
    provider.shutdown()


def test_beside_a_delta_reader_ours_is_added_and_its_cost_is_stated() -> None:
    theirs = InMemoryMetricReader(preferred_temporality=DELTA)
    provider = MeterProvider(metric_readers=[theirs], shutdown_on_exit=False)
    counter = provider.get_meter("app").create_counter("orders")
    source, added, fact = attach_reader(provider)
    assert source is not None
    assert isinstance(added, LocalMetricReader)
    assert fact == SECOND_READER_COST
    counter.add(1)
    assert values(source()) == [1]
    counter.add(1)
    assert values(source()) == [2]
    assert values(theirs.get_metrics_data()) == [2], "their delta is whole"
    provider.shutdown()


def test_a_provider_without_readers_gets_ours() -> None:
    provider = MeterProvider(shutdown_on_exit=False)
    source, added, _ = attach_reader(provider)
    provider.get_meter("app").create_counter("orders").add(7)
    assert added is not None
    assert source is not None
    assert values(source()) == [7]
    provider.shutdown()


def test_a_provider_that_is_no_sdk_provider_is_stated() -> None:
    source, added, fact = attach_reader(object())
    assert (source, added) == (None, None)
    assert fact is not None
    assert "not of the SDK" in fact
