"""Which signals are forwarded, and by which protocol, from the standard variables alone."""

from __future__ import annotations

import os

import pytest

from otel_ext.export import otlp
from tests.support.otlp_sink import OtlpSink

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("enabled", "env", "expected"),
    [
        ("auto", {}, ()),
        ("auto", ENDPOINT, ("traces", "metrics", "logs")),
        ("auto", {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:1"}, ("metrics",)),
        ("auto", {**ENDPOINT, "OTEL_LOGS_EXPORTER": "none"}, ("traces", "metrics")),
        (True, {}, ("traces", "metrics", "logs")),
        (True, {"OTEL_TRACES_EXPORTER": "none"}, ("metrics", "logs")),
        (False, ENDPOINT, ()),
    ],
)
def test_what_is_forwarded(enabled: bool | str, env: dict[str, str], expected: tuple[str, ...]) -> None:
    signals: tuple[otlp.Signal, ...] = ("traces", "metrics", "logs")
    assert tuple(s for s in signals if otlp.forwards(s, enabled, env)) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("env", "transport"),
    [
        ({}, "grpc"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "http"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}, "grpc"),
    ],
)
def test_the_protocol_is_the_environments(env: dict[str, str], transport: str) -> None:
    exporter = otlp.span_exporter(env)
    assert f".{transport}." in type(exporter).__module__
    exporter.shutdown()


def test_all_exporters_of_both_protocols_can_be_had(monkeypatch: pytest.MonkeyPatch, otlp_sink: OtlpSink) -> None:
    for protocol in ("grpc", "http/protobuf"):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        for build in (otlp.span_exporter, otlp.metric_exporter, otlp.log_exporter):
            build(os.environ).shutdown()
