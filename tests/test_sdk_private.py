"""The contract with the SDK's private members: what we reach for is there, and its absence is survived."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, InMemoryLogRecordExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.export import MetricsData as SdkMetricsData
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Status, StatusCode

from otel_ext import sdk_private
from otel_ext.model import metrics as model
from tests.ingest.test_metrics import FAR, Sent


def ended_span() -> ReadableSpan:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    span = provider.get_tracer("app").start_span("x", attributes={"a": 1})
    span.set_status(Status(StatusCode.ERROR, "boom"))
    span.end()
    return exporter.get_finished_spans()[0]


def test_the_parts_of_an_ended_span_are_the_public_ones_shared_not_copied() -> None:
    span = ended_span()
    assert sdk_private.span_parts(span)[:9] == sdk_private._public_span_parts(span)[:9]
    assert sdk_private.span_parts(span)[8] is sdk_private.span_parts(span)[8], "the private way does not copy"
    assert sdk_private.span_parts(span)[8] == {"a": 1}


def test_a_span_without_the_private_members_is_read_by_its_public_ones() -> None:
    span = ended_span()
    names = ("context", "parent", "status", "kind", "start_time", "end_time", "attributes", "events", "links")
    public = SimpleNamespace(**{name: getattr(span, name) for name in names})
    assert sdk_private.span_parts(public)[:9] == sdk_private.span_parts(span)[:9]


def test_tracers_that_were_handed_out_are_found() -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    made = provider.get_tracer("one"), provider.get_tracer("two")
    assert set(map(id, sdk_private.tracers(provider))) == set(map(id, made))
    assert sdk_private.tracers(object()) == ()


def test_the_pipelines_of_each_signal_are_found_and_their_exporters_replaced() -> None:
    spans = BatchSpanProcessor(InMemorySpanExporter())
    tracer_provider = TracerProvider(shutdown_on_exit=False)
    tracer_provider.add_span_processor(spans)
    logs = BatchLogRecordProcessor(InMemoryLogRecordExporter())
    logger_provider = LoggerProvider(shutdown_on_exit=False)
    logger_provider.add_log_record_processor(logs)
    reader = PeriodicExportingMetricReader(Sent(), FAR)
    meter_provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    for provider, pipeline in ((tracer_provider, spans), (logger_provider, logs), (meter_provider, reader)):
        assert sdk_private.signal_pipelines(provider) == (pipeline,)
        replaced: list[Any] = []
        assert sdk_private.replace_exporter(pipeline, lambda exporter: replaced.append(exporter) or exporter)  # noqa: B023
        assert len(replaced) == 1
        provider.shutdown()
    assert sdk_private.signal_pipelines(object()) == ()
    assert not sdk_private.replace_exporter(object(), lambda exporter: exporter)


def test_items_that_fall_out_of_a_full_queue_are_told() -> None:
    processor = BatchSpanProcessor(
        InMemorySpanExporter(), max_queue_size=2, max_export_batch_size=2, schedule_delay_millis=1e9
    )
    dropped: list[int] = []
    assert sdk_private.on_queue_full(processor, dropped.append)
    processor._batch_processor._should_export_batch = lambda *_: False  # type: ignore[method-assign]
    for _ in range(5):
        processor.on_end(ended_span())
    assert sdk_private.queued_items(processor) == 2
    assert sum(dropped) == 3
    processor.shutdown()
    assert not sdk_private.on_queue_full(object(), dropped.append)
    assert sdk_private.queued_items(object()) == 0


def test_the_exit_handlers_of_all_providers_can_be_taken_over() -> None:
    for provider in (TracerProvider(), MeterProvider(), LoggerProvider()):
        assert sdk_private.release_exit_handler(provider)
        assert not sdk_private.release_exit_handler(provider)
        provider.shutdown()


def test_a_childs_reader_gets_a_lock_that_nobody_holds() -> None:
    reader = PeriodicExportingMetricReader(Sent(), FAR)
    reader._export_lock.acquire()
    assert sdk_private.renew_export_lock(reader)
    assert reader._export_lock.acquire(blocking=False)
    assert not sdk_private.renew_export_lock(InMemoryMetricReader())
    reader._export_lock.release()
    reader.shutdown()


def test_what_the_sdk_collects_has_the_shape_of_our_model() -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    meter = provider.get_meter("app", "1.0")
    meter.create_counter("c", unit="s").add(1, {"k": "v"})
    meter.create_histogram("h").record(2.0)
    meter.create_gauge("g").set(3.0)
    data = reader.get_metrics_data()
    assert isinstance(data, SdkMetricsData)
    for resource in data.resource_metrics:
        assert has_fields(resource, model.ResourceMetrics)
        for scope in resource.scope_metrics:
            assert has_fields(scope, model.ScopeMetrics)
            assert has_fields(scope.scope, model.InstrumentationScope)
            for metric in scope.metrics:
                assert has_fields(metric, model.Metric)
                ours = getattr(model, type(metric.data).__name__)
                assert has_fields(metric.data, ours)
                points = {"Histogram": model.HistogramDataPoint}.get(type(metric.data).__name__, model.NumberDataPoint)
                assert all(has_fields(point, points) for point in metric.data.data_points)
    provider.shutdown()


def has_fields(value: Any, model_type: type) -> bool:
    return all(hasattr(value, name) for name in model_type.__dataclass_fields__)
