"""The process's own verdicts as telemetry: SLO counters, burn rates and budgets as metrics, transitions as events.

The instruments are observable: they cost nothing per request and read the engines' snapshots when a reader
collects. Events are emitted from the notify thread, never from the pipeline (a user's log processor may do I/O).
Names follow the conventions' rules for vendors: our own root, nothing in ``otel.*``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.metrics import CallbackOptions, Observation

from otel_ext.guard import guard
from otel_ext.model.alerts import Alert, AlertState, Transition
from otel_ext.model.anomalies import Anomaly
from otel_ext.model.slos import SloStatus

__all__ = ["PREFIX", "Verdicts", "VerdictInstruments", "VerdictEvents"]

PREFIX = "otel_ext"
"""Root of every name this package gives to telemetry, and its instrumentation scope."""

SpanIds = tuple[int, int]
"""Trace id and span id of an example."""

_SEVERITY = {"page": SeverityNumber.ERROR, "critical": SeverityNumber.ERROR, "ticket": SeverityNumber.WARN}


class Verdicts(Protocol):
    """What the instruments report: frozen snapshots, got without a lock."""

    def statuses(self) -> Sequence[SloStatus]:
        """Every SLO as it stood at the last tick."""

    def counts(self) -> Mapping[str, tuple[int, int]]:
        """Good and total events of every SLO since the start of the process."""

    def alerts(self) -> Sequence[Alert]:
        """Pending, firing and recently resolved alerts."""

    def anomalies(self) -> Sequence[Anomaly]:
        """Open anomalies."""

    def ingested(self) -> Mapping[str, int]:
        """Items that came in or were given up, by kind."""


class VerdictInstruments:
    """The observable instruments on a meter provider; silent but between :meth:`connect` and :meth:`disconnect`.

    An instrument cannot be taken off its meter, so a provider gets one of these in its life.
    """

    def __init__(self, provider: Any) -> None:
        self._verdicts: Verdicts | None = None
        meter = provider.get_meter(PREFIX)
        counters: tuple[tuple[str, str, str, Callable[[Verdicts], Iterable[Observation]]], ...] = (
            (f"{PREFIX}.slo.events", "{event}", "Events that count for an SLO", _events),
            (f"{PREFIX}.slo.events.good", "{event}", "Good events of an SLO", _good_events),
            (f"{PREFIX}.ingest.items", "{item}", "Spans and logs seen, and bodies given up", _ingest),
        )
        gauges: tuple[tuple[str, str, str, Callable[[Verdicts], Iterable[Observation]]], ...] = (
            (f"{PREFIX}.slo.objective", "1", "Objective of an SLO as a ratio", _objectives),
            (f"{PREFIX}.slo.burn_rate", "1", "Error budget burn rate over a window", _burn_rates),
            (f"{PREFIX}.slo.error_budget.remaining", "1", "Share of the error budget that is left", _budgets),
            (f"{PREFIX}.alert.active", "{alert}", "Alerts by name and state", _alerts),
            (f"{PREFIX}.anomaly.active", "{anomaly}", "Open anomalies by watch", _anomalies),
        )
        for name, unit, text, read in counters:
            meter.create_observable_counter(name, callbacks=[self._callback(read)], unit=unit, description=text)
        for name, unit, text, read in gauges:
            meter.create_observable_gauge(name, callbacks=[self._callback(read)], unit=unit, description=text)

    def _callback(
        self, read: Callable[[Verdicts], Iterable[Observation]]
    ) -> Callable[[CallbackOptions], list[Observation]]:
        def observe(_: CallbackOptions) -> list[Observation]:
            verdicts = self._verdicts
            if verdicts is None:
                return []
            with guard("verdict instrument"):  # an exception here would spoil the user's own collection
                return list(read(verdicts))
            return []

        return observe

    def connect(self, verdicts: Verdicts) -> None:
        """Report these verdicts from now on."""
        self._verdicts = verdicts

    def disconnect(self) -> None:
        """Report nothing from now on."""
        self._verdicts = None


def _slo_attributes(status: SloStatus) -> dict[str, str]:
    return {**status.slo.labels, "slo": status.slo.name}


def _events(verdicts: Verdicts) -> Iterable[Observation]:
    counts = verdicts.counts()
    return (Observation(counts[s.slo.name][1], _slo_attributes(s)) for s in verdicts.statuses() if s.slo.name in counts)


def _good_events(verdicts: Verdicts) -> Iterable[Observation]:
    counts = verdicts.counts()
    return (Observation(counts[s.slo.name][0], _slo_attributes(s)) for s in verdicts.statuses() if s.slo.name in counts)


def _ingest(verdicts: Verdicts) -> Iterable[Observation]:
    return (Observation(count, {"kind": kind}) for kind, count in verdicts.ingested().items())


def _objectives(verdicts: Verdicts) -> Iterable[Observation]:
    return (Observation(float(s.slo.target), _slo_attributes(s)) for s in verdicts.statuses())


def _burn_rates(verdicts: Verdicts) -> Iterable[Observation]:
    for status in verdicts.statuses():
        for rate in status.burn_rates:
            if rate.burn is not None:
                yield Observation(rate.burn, {**_slo_attributes(status), "window": window_text(rate.window_ms)})


def _budgets(verdicts: Verdicts) -> Iterable[Observation]:
    for status in verdicts.statuses():
        if status.budget_remaining is not None:
            yield Observation(status.budget_remaining, _slo_attributes(status))


def _alerts(verdicts: Verdicts) -> Iterable[Observation]:
    totals: dict[tuple[str, str], int] = {}
    for alert in verdicts.alerts():
        for state in (AlertState.PENDING, AlertState.FIRING):
            key = (alert.rule.name, state.value)
            totals[key] = totals.get(key, 0) + (alert.state is state)
    return (Observation(count, {"alertname": name, "state": state}) for (name, state), count in totals.items())


def _anomalies(verdicts: Verdicts) -> Iterable[Observation]:
    totals: dict[str, int] = {}
    for anomaly in verdicts.anomalies():
        totals[anomaly.watch] = totals.get(anomaly.watch, 0) + 1
    return (Observation(count, {"watch": watch}) for watch, count in totals.items())


def window_text(window_ms: int) -> str:
    """A window as Prometheus writes durations: ``5m``, ``1h``, ``3d``."""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if window_ms % size == 0:
            return f"{window_ms // size}{unit}"
    return f"{window_ms}ms"


class VerdictEvents:
    """Alert and anomaly transitions as OTel log events (a log record with an event name and trace context)."""

    def __init__(self, provider: Any) -> None:
        self._logger = provider.get_logger(PREFIX)

    def alert(self, transition: Transition, example: SpanIds | None) -> None:
        """Emit ``otel_ext.alert.state_change`` with the example's trace context."""
        alert = transition.alert
        attributes = {
            f"{PREFIX}.alert.rule.name": alert.rule.name,
            f"{PREFIX}.alert.rule.source": alert.rule.source.value,
            f"{PREFIX}.alert.state": alert.state.value,
            f"{PREFIX}.alert.previous_state": transition.previous.value,
            f"{PREFIX}.alert.fingerprint": alert.fingerprint,
            f"{PREFIX}.alert.value": alert.value,
            f"{PREFIX}.alert.reason": transition.reason,
            **{f"{PREFIX}.alert.label.{name}": value for name, value in alert.labels.items()},
        }
        severity = SeverityNumber.INFO
        if alert.state is AlertState.FIRING:
            severity = _SEVERITY.get(alert.labels.get("severity", ""), SeverityNumber.WARN)
        body = f"{alert.rule.name}: {transition.previous} to {alert.state}"
        self._emit(f"{PREFIX}.alert.state_change", transition.ts_ms, severity, body, attributes, example)

    def anomaly(self, anomaly: Anomaly, ts_ms: int, example: SpanIds | None) -> None:
        """Emit ``otel_ext.anomaly.detected``, or ``.ended`` for an anomaly that is over."""
        ended = anomaly.ended_at_ms is not None
        attributes = {
            f"{PREFIX}.anomaly.watch": anomaly.watch,
            f"{PREFIX}.anomaly.kind": anomaly.kind,
            f"{PREFIX}.anomaly.score": anomaly.score,
            f"{PREFIX}.anomaly.actual": anomaly.actual,
            f"{PREFIX}.anomaly.expected": anomaly.expected,
            f"{PREFIX}.anomaly.lower": anomaly.lower,
            f"{PREFIX}.anomaly.upper": anomaly.upper,
            **{f"{PREFIX}.anomaly.series.{name}": value for name, value in anomaly.series.items()},
        }
        name = f"{PREFIX}.anomaly.{'ended' if ended else 'detected'}"
        severity = SeverityNumber.INFO if ended else SeverityNumber.WARN
        self._emit(name, ts_ms, severity, anomaly.reason, attributes, example)

    def _emit(
        self,
        event_name: str,
        ts_ms: int,
        severity: SeverityNumber,
        body: str,
        attributes: Mapping[str, Any],
        example: SpanIds | None,
    ) -> None:
        self._logger.emit(
            LogRecord(
                timestamp=ts_ms * 1_000_000,
                observed_timestamp=ts_ms * 1_000_000,
                context=_context(example),
                severity_number=severity,
                body=body,
                attributes=attributes,
                event_name=event_name,
            )
        )


def _context(example: SpanIds | None) -> Any:
    if example is None:
        return None
    span_context = trace.SpanContext(example[0], example[1], is_remote=False, trace_flags=trace.TraceFlags(1))
    return trace.set_span_in_context(trace.NonRecordingSpan(span_context))
