"""The ground the other real tests stand on: what the bare SDK sends arrives in each server and in the sink."""

from __future__ import annotations

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

from tests.support.otlp_sink import Behaviour, OtlpSink, Signal
from tests.support.processes import wait_until
from tests.support.servers import Alertmanager, Jaeger, Prometheus

pytestmark = pytest.mark.real


def _send_span(exporter: SpanExporter, name: str) -> str:
    provider = TracerProvider(resource=Resource.create({"service.name": "ground"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("ground").start_as_current_span(name, attributes={"answer": 42}) as span:
        trace_id = f"{span.get_span_context().trace_id:032x}"
    provider.shutdown()
    return trace_id


def test_a_span_sent_over_http_is_found_in_jaeger(jaeger: Jaeger) -> None:
    trace_id = _send_span(HttpSpanExporter(endpoint=jaeger.otlp_traces_endpoint), "over http")
    found = wait_until(lambda: jaeger.trace(trace_id), "the trace in Jaeger")
    assert [span["operationName"] for span in found["spans"]] == ["over http"]


def test_a_span_sent_over_grpc_is_found_in_jaeger(jaeger: Jaeger) -> None:
    trace_id = _send_span(GrpcSpanExporter(endpoint=jaeger.otlp_grpc_endpoint, insecure=True), "over grpc")
    assert wait_until(lambda: jaeger.trace(trace_id), "the trace in Jaeger")["traceID"] == trace_id


def test_a_counter_pushed_over_otlp_is_found_in_prometheus(prometheus_otlp: Prometheus) -> None:
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=prometheus_otlp.otlp_metrics_endpoint))
    provider = MeterProvider([reader], Resource.create({"service.name": "ground"}), shutdown_on_exit=False)
    provider.get_meter("ground").create_counter("ground.things", unit="{thing}").add(7, {"kind": "real"})
    provider.shutdown()
    found = wait_until(lambda: prometheus_otlp.instant("ground_things_total"), "the counter in Prometheus")
    assert [one["value"][1] for one in found] == ["7"]
    assert found[0]["metric"]["job"] == "ground"


def test_prometheus_says_that_a_target_is_down(prometheus: Prometheus, otlp_sink: OtlpSink) -> None:
    prometheus.scrape(otlp_sink.http_port)
    address = f"127.0.0.1:{otlp_sink.http_port}"

    def is_down() -> bool:
        return [(one["labels"]["instance"], one["health"]) for one in prometheus.targets()] == [(address, "down")]

    wait_until(is_down, "the only target to be down")


def test_alertmanager_has_no_alerts_yet(alertmanager: Alertmanager) -> None:
    assert alertmanager.alerts(alertname="NeverSent") == []


def test_the_sink_takes_spans_over_both_protocols(otlp_sink: OtlpSink) -> None:
    _send_span(HttpSpanExporter(endpoint=f"{otlp_sink.http_endpoint}/v1/traces"), "one")
    _send_span(GrpcSpanExporter(endpoint=otlp_sink.grpc_endpoint, insecure=True), "two")
    came = otlp_sink.wait_for(Signal.TRACES, lambda one: True, count=2)
    assert [(one.record.name, one.protocol) for one in came] == [("one", "http/protobuf"), ("two", "grpc")]
    assert came[0].attributes == {"answer": 42}
    assert came[0].resource["service.name"] == "ground"


def test_the_sink_refuses_when_told_to(otlp_sink: OtlpSink) -> None:
    otlp_sink.behave(Behaviour.REFUSE)
    _send_span(HttpSpanExporter(endpoint=f"{otlp_sink.http_endpoint}/v1/traces"), "refused")
    assert (otlp_sink.spans(), otlp_sink.requests) == ([], 1)
