"""Attaching to the SDK's providers: to those that exist, else to ones we create; never replacing one.

Hooks cannot be taken off a provider, so each provider gets one of each, once in its life, and a later install
connects the same hooks to its own pipeline. State: the hooks by provider, owned by this module, changed under the
install lock only.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry._logs import get_logger_provider, set_logger_provider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_ext import sdk_private
from otel_ext.config import Settings
from otel_ext.export import otlp
from otel_ext.export.derived import VerdictEvents, VerdictInstruments
from otel_ext.export.forwarding import Forwarding
from otel_ext.export.temporality import CumulativeExporter
from otel_ext.ingest.logs import LocalLogRecordProcessor
from otel_ext.ingest.metrics import LocalMetricReader, SharedMetricReader, attach_reader
from otel_ext.ingest.sampler import record_all, stop_recording_all
from otel_ext.ingest.spans import LocalSpanProcessor
from otel_ext.model.alerts import Alert
from otel_ext.model.anomalies import Anomaly
from otel_ext.model.slos import SloStatus
from otel_ext.pipeline import Pipeline

__all__ = ["Attachment", "forwarding", "service_identity"]

forwarding = Forwarding()
"""The forwarding pipelines of this process; they live as long as the providers do."""

_span_hooks: weakref.WeakKeyDictionary[Any, LocalSpanProcessor] = weakref.WeakKeyDictionary()
_log_hooks: weakref.WeakKeyDictionary[Any, LocalLogRecordProcessor] = weakref.WeakKeyDictionary()
_instruments: weakref.WeakKeyDictionary[Any, VerdictInstruments] = weakref.WeakKeyDictionary()


def _is_unset(provider: Any) -> bool:
    """Whether nobody has set this global provider yet (the API hands out a proxy until somebody does)."""
    return "Proxy" in type(provider).__name__


def _names_service(env: Mapping[str, str]) -> bool:
    return bool(env.get("OTEL_SERVICE_NAME")) or "service.name=" in env.get("OTEL_RESOURCE_ATTRIBUTES", "")


class Attachment:
    """The three providers of the process with our hooks on them.

    ``created`` names the signals whose provider was not there; ``facts`` is what could not be had.
    """

    def __init__(self, settings: Settings, env: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._env = os.environ if env is None else env
        self.facts: list[str] = []
        self.created: list[str] = []
        if self._env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
            self.facts.append("OTEL_SDK_DISABLED is true: the SDK hands out no spans, metrics or logs to see")
        self._resource: Resource | None = None
        self.tracer_provider: Any = self._tracer_provider()
        self.meter_provider: Any = self._meter_provider()
        self.logger_provider: Any = self._logger_provider()

    # -- providers ---------------------------------------------------------------------------------------------

    def _own_resource(self) -> Resource:
        if self._resource is None:
            named = self._settings.service is None or _names_service(self._env)
            self._resource = Resource.create({} if named else {SERVICE_NAME: self._settings.service or ""})
        return self._resource

    def _forwards(self, signal: otlp.Signal) -> bool:
        return otlp.forwards(signal, self._settings.forward.enabled, self._env)

    def _tracer_provider(self) -> Any:
        provider: Any = trace.get_tracer_provider()
        if _is_unset(provider):
            provider = TracerProvider(resource=self._own_resource(), shutdown_on_exit=False)
            self._add_span_hook(provider)  # ours first: an exporter's processor that raises skips those behind it
            if self._forwards("traces"):
                provider.add_span_processor(BatchSpanProcessor(otlp.span_exporter(self._env)))
            trace.set_tracer_provider(provider)
            self._watch("traces", provider, created=True)
        elif provider not in _span_hooks and hasattr(provider, "add_span_processor"):
            self._add_span_hook(provider)
            named = service_identity(provider)[0]
            if self._settings.service not in (None, named):
                self.facts.append(
                    f"service {self._settings.service!r} is not used: the tracer provider exists already and is named "
                    f"{named!r}; set OTEL_SERVICE_NAME={self._settings.service}"
                )
            self._watch("traces", provider)
        elif provider not in _span_hooks:
            self.facts.append("the tracer provider is not of the SDK: spans cannot be seen, SLOs count nothing")
        return provider

    def _add_span_hook(self, provider: Any) -> None:
        _span_hooks[provider] = LocalSpanProcessor()
        provider.add_span_processor(_span_hooks[provider])

    def _meter_provider(self) -> Any:
        provider: Any = metrics.get_meter_provider()
        if _is_unset(provider):
            reader = self._own_reader()
            provider = MeterProvider(metric_readers=[reader], resource=self._own_resource(), shutdown_on_exit=False)
            metrics.set_meter_provider(provider)
            self._watch("metrics", provider, created=True)
        elif provider not in _instruments and hasattr(provider, "add_metric_reader"):
            self._watch("metrics", provider)
        return provider

    def _own_reader(self) -> LocalMetricReader | SharedMetricReader:
        if not self._forwards("metrics"):
            return LocalMetricReader()
        exporter = otlp.metric_exporter(self._env)
        return SharedMetricReader(CumulativeExporter(exporter) if _prefers_delta(exporter) else exporter)

    def _logger_provider(self) -> Any:
        provider: Any = get_logger_provider()
        if _is_unset(provider):
            provider = LoggerProvider(resource=self._own_resource(), shutdown_on_exit=False)
            self._add_log_hook(provider)
            if self._forwards("logs"):
                provider.add_log_record_processor(BatchLogRecordProcessor(otlp.log_exporter(self._env)))
            set_logger_provider(provider)
            self._watch("logs", provider, created=True)
        elif provider not in _log_hooks and hasattr(provider, "add_log_record_processor"):
            self._add_log_hook(provider)
            self._watch("logs", provider)
        elif provider not in _log_hooks:
            self.facts.append("the logger provider is not of the SDK: logs cannot be seen")
        return provider

    def _add_log_hook(self, provider: Any) -> None:
        _log_hooks[provider] = LocalLogRecordProcessor()
        provider.add_log_record_processor(_log_hooks[provider])

    def _watch(self, signal: otlp.Signal, provider: Any, *, created: bool = False) -> None:
        """Count what the provider forwards, and bound its shutdown at exit where it has something to wait for."""
        if created:
            self.created.append(signal)
        if forwarding.watch(signal, provider) and (created or sdk_private.release_exit_handler(provider)):
            forwarding.shut_down_at_exit(signal, provider)

    # -- connecting --------------------------------------------------------------------------------------------

    def connect(self, pipeline: Pipeline, *, started: bool) -> None:
        """Let data flow into this pipeline, and its verdicts out."""
        span_hook = _span_hooks.get(self.tracer_provider)
        if span_hook is not None:
            span_hook.connect(pipeline.queue.put, pipeline.start, started=started)
            if self._settings.sampling.record_all:
                record_all(self.tracer_provider)
        log_hook = _log_hooks.get(self.logger_provider)
        if log_hook is not None:
            log_hook.connect(pipeline.queue.put, pipeline.start, started=started)
            pipeline.events = VerdictEvents(self.logger_provider)
        if hasattr(self.meter_provider, "add_metric_reader"):
            if self.meter_provider not in _instruments:
                _instruments[self.meter_provider] = VerdictInstruments(self.meter_provider)
            _instruments[self.meter_provider].connect(PipelineVerdicts(pipeline))
        pipeline.source, _, fact = attach_reader(self.meter_provider)
        for text in (*self.facts, fact):
            if text is not None:
                pipeline.state(text)

    def disconnect(self) -> None:
        """Stop all flow and give the service its own sampler back. The providers stay and go on forwarding."""
        for hook in (_span_hooks.get(self.tracer_provider), _log_hooks.get(self.logger_provider)):
            if hook is not None:
                hook.shutdown()
        instruments = _instruments.get(self.meter_provider)
        if instruments is not None:
            instruments.disconnect()
        stop_recording_all(self.tracer_provider)


class PipelineVerdicts:
    """A pipeline as :class:`otel_ext.export.derived.Verdicts`: asks for its engines anew, a fork replaces them."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def statuses(self) -> Sequence[SloStatus]:
        """Every SLO as it stood at the last tick."""
        return self._pipeline.slo.statuses()

    def counts(self) -> Mapping[str, tuple[int, int]]:
        """Good and total events of every SLO since the start of the process."""
        return self._pipeline.engines.sli.counts()

    def alerts(self) -> Sequence[Alert]:
        """Pending, firing and recently resolved alerts."""
        return self._pipeline.alerts.alerts()

    def anomalies(self) -> Sequence[Anomaly]:
        """Open anomalies."""
        return self._pipeline.anomalies.open()

    def ingested(self) -> Mapping[str, int]:
        """Items that came in or were given up, by kind."""
        return self._pipeline.engines.ingest_totals()


def _prefers_delta(exporter: MetricExporter) -> bool:
    preferred = getattr(exporter, "_preferred_temporality", None) or {}
    return AggregationTemporality.DELTA in preferred.values()


def service_identity(provider: Any) -> tuple[str, str]:
    """``service.name`` and ``service.instance.id`` of a provider's resource; empty where it has none."""
    attributes = getattr(getattr(provider, "resource", None), "attributes", None) or {}
    return str(attributes.get("service.name", "")), str(attributes.get("service.instance.id", ""))
