"""OTLP exporters for the providers we create, as the standard ``OTEL_EXPORTER_OTLP_*`` variables say.

Called once at start-up, on the installing thread. The exporters send from the SDK's own batch threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal, cast

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


_MODULES = {
    "traces": ("trace_exporter", "OTLPSpanExporter"),
    "metrics": ("metric_exporter", "OTLPMetricExporter"),
    "logs": ("_log_exporter", "OTLPLogExporter"),
}


def _build(signal: Signal, env: Mapping[str, str]) -> Any:
    """An exporter of the configured protocol: gRPC unless the environment says ``http/protobuf``.

    Imported here, when it is wanted: gRPC and protobuf are the heavy part of a start.
    """
    module, name = _MODULES[signal]
    transport = "http" if _over_http(signal, env) else "grpc"
    return getattr(import_module(f"opentelemetry.exporter.otlp.proto.{transport}.{module}"), name)()


def span_exporter(env: Mapping[str, str]) -> SpanExporter:
    """The OTLP span exporter that the environment describes."""
    return cast("SpanExporter", _build("traces", env))


def metric_exporter(env: Mapping[str, str]) -> MetricExporter:
    """The OTLP metric exporter that the environment describes, with the temporality it prefers."""
    return cast("MetricExporter", _build("metrics", env))


def log_exporter(env: Mapping[str, str]) -> LogRecordExporter:
    """The OTLP log exporter that the environment describes."""
    return cast("LogRecordExporter", _build("logs", env))
