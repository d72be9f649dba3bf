"""The sampler wrapper: local engines see all spans, exporters what the delegate samples."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased

from otel_ext.ingest.sampler import RecordAllSampler, record_all, sampler_from_argument, stop_recording_all
from otel_ext.ingest.spans import LocalSpanProcessor
from otel_ext.model.spans import SpanRecord


class Collected(SpanExporter):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        pass


def run(sampler: Sampler, spans: int) -> tuple[list[SpanRecord], list[ReadableSpan]]:
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    seen: list[SpanRecord] = []
    hook = LocalSpanProcessor()
    hook.connect(seen.append, lambda: None)
    exporter = Collected()
    provider.add_span_processor(hook)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    early = provider.get_tracer("early")  # handed out before the sampler is wrapped
    assert record_all(provider)
    for index in range(spans):
        tracer = early if index % 2 else provider.get_tracer(f"late {index % 3}")
        with tracer.start_as_current_span("request", attributes={"index": index}):
            pass
    provider.shutdown()
    return seen, exporter.spans


def test_at_ten_percent_sampling_all_spans_are_seen_and_ten_percent_exported() -> None:
    seen, exported = run(ParentBased(TraceIdRatioBased(0.1)), 2000)
    assert len(seen) == 2000
    assert 100 < len(exported) < 320
    assert {record.span_id for record in seen if record.sampled} == {s.context.span_id for s in exported}


def test_attributes_given_at_creation_are_kept_on_unsampled_spans() -> None:
    seen, exported = run(ALWAYS_OFF, 10)
    assert exported == []
    assert [span.attributes["index"] for span in seen] == list(range(10))


def test_an_unsampled_remote_parent_is_respected() -> None:
    provider = TracerProvider(sampler=ParentBased(ALWAYS_ON), shutdown_on_exit=False)
    record_all(provider)
    parent = trace.SpanContext(1, 2, is_remote=True, trace_flags=trace.TraceFlags(0))
    context = trace.set_span_in_context(trace.NonRecordingSpan(parent))
    span = provider.get_tracer("app").start_span("request", context=context)
    assert span.is_recording()
    assert not span.get_span_context().trace_flags.sampled
    assert span.get_span_context().trace_id == 1


def test_wrapping_twice_wraps_once_and_can_be_undone() -> None:
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    tracer = provider.get_tracer("app")
    record_all(provider)
    record_all(provider)
    assert isinstance(provider.sampler, RecordAllSampler)
    assert provider.sampler.delegate is ALWAYS_OFF
    stop_recording_all(provider)
    assert provider.sampler is ALWAYS_OFF
    assert not tracer.start_span("request").is_recording()


def test_a_provider_without_a_sampler_is_left_alone() -> None:
    assert not record_all(object())


@pytest.mark.parametrize(("argument", "text"), [("0.1", "0.1"), (None, "1.0"), ("", "1.0"), ("many", "AlwaysOn")])
def test_the_entry_point_takes_the_ratio_of_the_environment(argument: str | None, text: str) -> None:
    description = sampler_from_argument(argument).get_description()
    assert description.startswith("RecordAll{ParentBased")
    assert text in description
