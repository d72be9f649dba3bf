"""The process's verdicts as metrics and as log events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from otel_ext.export.derived import VerdictEvents, VerdictInstruments, window_text
from otel_ext.model.alerts import Alert, AlertRule, AlertSource, AlertState, Transition
from otel_ext.model.anomalies import Anomaly
from otel_ext.model.labels import Labels
from otel_ext.model.slos import BurnRate, Slo, SloStatus

SLO = Slo(name="checkout", objective="99.9", labels={"team": "shop"})
RULE = AlertRule(key="slo/checkout/page", name="SloBurnRate", source=AlertSource.SLO)
ALERT = Alert(
    rule=RULE,
    labels=Labels(alertname="SloBurnRate", slo="checkout", severity="page"),
    annotations={},
    evidence={},
    state=AlertState.FIRING,
    value=14.4,
    active_at_ms=1000,
    fired_at_ms=1000,
    resolved_at_ms=None,
    updated_at_ms=1000,
)
ANOMALY = Anomaly(
    watch="latency",
    series=Labels(http_route="/x"),
    kind="spike",
    actual=9.0,
    expected=1.0,
    lower=0.5,
    upper=2.0,
    score=0.9,
    started_at_ms=1000,
    ended_at_ms=None,
    reason="9 s where 1 s is usual",
)


class Known:
    def statuses(self) -> Sequence[SloStatus]:
        burns = (
            BurnRate(window_ms=3_600_000, bad=1, total=10, burn=100.0, coverage=0.1),
            BurnRate(window_ms=300_000, bad=0, total=0, burn=None, coverage=0.0),
        )
        return (
            SloStatus(
                slo=SLO,
                ts_ms=1000,
                good=9,
                total=10,
                state="breached",
                sli=0.9,
                budget_remaining=-99.0,
                budget_remaining_events=-1,
                burn_rates=burns,
                coverage=0.1,
                newest_data_ms=1000,
            ),
        )

    def counts(self) -> Mapping[str, tuple[int, int]]:
        return {"checkout": (9, 10)}

    def alerts(self) -> Sequence[Alert]:
        return (ALERT,)

    def anomalies(self) -> Sequence[Anomaly]:
        return (ANOMALY,)

    def ingested(self) -> Mapping[str, int]:
        return {"spans": 10}


def series(reader: InMemoryMetricReader) -> dict[tuple[str, tuple[tuple[str, Any], ...]], float]:
    data = reader.get_metrics_data()
    return {
        (metric.name, tuple(sorted((point.attributes or {}).items()))): point.value  # type: ignore[union-attr]
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }


def test_verdicts_are_metrics_while_connected_and_nothing_before_and_after() -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    instruments = VerdictInstruments(provider)
    assert series(reader) == {}
    instruments.connect(Known())
    own = (("slo", "checkout"), ("team", "shop"))
    assert series(reader) == {
        ("otel_ext.slo.events", own): 10,
        ("otel_ext.slo.events.good", own): 9,
        ("otel_ext.slo.objective", own): 0.999,
        ("otel_ext.slo.burn_rate", (*own, ("window", "1h"))): 100.0,
        ("otel_ext.slo.error_budget.remaining", own): -99.0,
        ("otel_ext.ingest.items", (("kind", "spans"),)): 10,
        ("otel_ext.alert.active", (("alertname", "SloBurnRate"), ("state", "firing"))): 1,
        ("otel_ext.alert.active", (("alertname", "SloBurnRate"), ("state", "pending"))): 0,
        ("otel_ext.anomaly.active", (("watch", "latency"),)): 1,
    }
    instruments.disconnect()
    assert series(reader) == {}
    provider.shutdown()


def events() -> tuple[VerdictEvents, InMemoryLogRecordExporter]:
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    return VerdictEvents(provider), exporter


def test_a_transition_is_an_event_with_the_trace_of_its_example() -> None:
    emitter, exporter = events()
    emitter.alert(
        Transition(alert=ALERT, previous=AlertState.PENDING, ts_ms=5000, reason="seen for 0s"), example=(0xAB, 0xCD)
    )
    record = exporter.get_finished_logs()[0].log_record
    assert record.event_name == "otel_ext.alert.state_change"
    assert (record.timestamp, record.severity_number.value) == (5_000_000_000, 17)  # type: ignore[union-attr]
    assert (record.trace_id, record.span_id) == (0xAB, 0xCD)
    attributes = dict(record.attributes or {})
    assert attributes["otel_ext.alert.state"] == "firing"
    assert attributes["otel_ext.alert.previous_state"] == "pending"
    assert attributes["otel_ext.alert.label.slo"] == "checkout"


def test_a_transition_without_example_has_no_trace() -> None:
    emitter, exporter = events()
    emitter.alert(Transition(alert=ALERT, previous=AlertState.PENDING, ts_ms=5000, reason=""), example=None)
    assert not exporter.get_finished_logs()[0].log_record.trace_id


def test_an_anomaly_that_begins_and_one_that_ends_are_different_events() -> None:
    emitter, exporter = events()
    emitter.anomaly(ANOMALY, 5000, None)
    record = exporter.get_finished_logs()[0].log_record
    assert (record.event_name, record.body) == ("otel_ext.anomaly.detected", "9 s where 1 s is usual")
    assert dict(record.attributes or {})["otel_ext.anomaly.series.http_route"] == "/x"


def test_windows_are_written_as_prometheus_writes_durations() -> None:
    assert [window_text(ms) for ms in (300_000, 3_600_000, 259_200_000, 90_000, 1500)] == [
        "5m",
        "1h",
        "3d",
        "90s",
        "1500ms",
    ]
