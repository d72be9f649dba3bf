"""OTLP exporters for the providers we create, as the standard ``OTEL_EXPORTER_OTLP_*`` variables say.

Called once at start-up, on the installing thread. The exporters send from the SDK's own batch threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from opentelemetry.sdk._logs.export import LogRecordExporter
from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.trace.export import SpanExporter

__all__ = ["Signal", "forwards", "log_exporter", "metric_exporter", "span_exporter"]

Signal = Literal["traces", "metrics", "logs"]

_NONE = "none"


def forwards(signal: Signal, enabled: bool | Literal["auto"], env: Mapping[str, str]) -> bool:
    """Whether a provider that we create forwards this signal.

    ``auto`` forwards where an endpoint is set, for all signals or this one; ``OTEL_<SIGNAL>_EXPORTER=none`` is
    respected always.
    """
    if env.get(f"OTEL_{signal.upper()}_EXPORTER", "").strip().lower() == _NONE or not enabled:
        return False
    if enabled is True:
        return True
    names = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
    return any(env.get(name, "").strip() for name in names)


def _over_http(signal: Signal, env: Mapping[str, str]) -> bool:
    protocol = env.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL") or env.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    return (protocol or "grpc").strip().lower().startswith("http")


def span_exporter(env: Mapping[str, str]) -> SpanExporter:
    """The OTLP span exporter of the configured protocol (gRPC unless the environment says ``http/protobuf``)."""
    exporter: Any
    if _over_http("traces", env):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as exporter  # noqa: PLC0415
    else:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as exporter  # noqa: PLC0415
    made: SpanExporter = exporter()
    return made


def metric_exporter(env: Mapping[str, str]) -> MetricExporter:
    """The OTLP metric exporter of the configured protocol, with the temporality the environment prefers."""
    exporter: Any
    if _over_http("metrics", env):
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as exporter  # noqa: PLC0415
    else:
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as exporter  # noqa: PLC0415
    made: MetricExporter = exporter()
    return made


def log_exporter(env: Mapping[str, str]) -> LogRecordExporter:
    """The OTLP log exporter of the configured protocol."""
    exporter: Any
    if _over_http("logs", env):
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as exporter  # noqa: PLC0415
    else:
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as exporter  # noqa: PLC0415
    made: LogRecordExporter = exporter()
    return made
