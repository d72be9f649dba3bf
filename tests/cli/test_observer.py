"""The demo reads exactly what the HTTP API writes."""

from __future__ import annotations

from otel_ext.cli.demo.observer import alert_verdict, anomaly_verdict, slo_verdict
from otel_ext.model.alerts import Alert, AlertRule, AlertSource, AlertState
from otel_ext.model.anomalies import Anomaly
from otel_ext.model.labels import Labels
from otel_ext.model.slos import BurnRate, Slo, SloStatus
from otel_ext.web.records import alert_json, anomaly_json, slo_json

NOW_MS = 1_795_000_000_123


def test_an_slo_survives_the_wire() -> None:
    status = SloStatus(
        slo=Slo(name="checkout", objective="99.9", latency_ms=300), ts_ms=NOW_MS, good=98, total=100, state="at_risk",
        sli=0.98, budget_remaining=-19.0, budget_remaining_events=-2,
        burn_rates=(
            BurnRate(window_ms=300_000, bad=2, total=100, burn=20.0, coverage=0.1),
            BurnRate(window_ms=3_600_000, bad=0, total=0, burn=None, coverage=0.0),
        ),
        coverage=0.01, newest_data_ms=NOW_MS,
    )  # fmt: skip

    verdict = slo_verdict(slo_json(status))

    assert (verdict.name, verdict.objective, verdict.latency_ms) == ("checkout", "99.9 %", 300)
    assert (verdict.good, verdict.bad, verdict.total, verdict.budget_remaining) == (98, 2, 100, -19.0)
    assert verdict.burn_rates == (("5m", 20.0), ("1h", None))
    assert verdict.worst_burn == 20.0


def test_an_alert_survives_the_wire() -> None:
    rule = AlertRule(key="rules/shop/CheckoutErrors", name="CheckoutErrors", source=AlertSource.RULE)
    alert = Alert(
        rule=rule, labels=Labels({"alertname": "CheckoutErrors", "severity": "page"}),
        annotations={"summary": "31% of checkouts fail"}, evidence={}, state=AlertState.FIRING, value=0.31,
        active_at_ms=NOW_MS, fired_at_ms=NOW_MS + 3000, resolved_at_ms=None, updated_at_ms=NOW_MS + 3000,
    )  # fmt: skip

    verdict = alert_verdict(alert_json(alert))

    assert (verdict.name, verdict.source, verdict.severity, verdict.state) == (
        "CheckoutErrors",
        "rule",
        "page",
        "firing",
    )
    assert (verdict.active_at_ms, verdict.fired_at_ms, verdict.resolved_at_ms) == (NOW_MS, NOW_MS + 3000, None)
    assert verdict.summary == "31% of checkouts fail"


def test_an_anomaly_survives_the_wire() -> None:
    anomaly = Anomaly(
        watch="latency", series=Labels({"signal": "mean_latency", "span_name": "GET /products"}),
        kind="level", actual=0.4, expected=0.01, lower=0.0, upper=0.05, score=0.99, started_at_ms=NOW_MS,
        ended_at_ms=None, reason="0.4 s, expected 0 to 0.05 s",
    )  # fmt: skip

    verdict = anomaly_verdict(anomaly_json(anomaly))

    assert verdict.series == "GET /products mean latency"
    assert (verdict.started_at_ms, verdict.ended_at_ms, verdict.reason) == (NOW_MS, None, "0.4 s, expected 0 to 0.05 s")
