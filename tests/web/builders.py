"""Values for the tests of the web: SLO statuses, alerts, anomalies and a page view, with defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from otel_ext.model.alerts import Alert, AlertRule, AlertSource, AlertState
from otel_ext.model.anomalies import Anomaly
from otel_ext.model.labels import Labels
from otel_ext.model.slos import BurnRate, Slo, SloStatus
from otel_ext.storage.traces import TraceSummary
from otel_ext.web.view import PageView

NOW_MS = 1_795_371_200_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


def slo_status(
    name: str = "checkout",
    *,
    objective: str = "99.9",
    good: int = 9_990,
    total: int = 10_000,
    state: str = "met",
    burns: Mapping[int, float | None] | None = None,
    coverage: float = 1.0,
    latency_ms: float | None = None,
    description: str = "",
    exemplars: tuple[str, ...] = (),
) -> SloStatus:
    slo = Slo(name=name, objective=objective, latency_ms=latency_ms, description=description)
    allowed = slo.budget * total
    rates = {HOUR_MS: 1.0} if burns is None else burns
    return SloStatus(
        slo=slo,
        ts_ms=NOW_MS,
        good=good,
        total=total,
        state=state,
        sli=good / total if total else None,
        budget_remaining=float(1 - (total - good) / allowed) if total else None,
        budget_remaining_events=int(allowed - (total - good)) if total else None,
        burn_rates=tuple(
            BurnRate(window_ms=window, bad=1, total=10, burn=burn, coverage=coverage) for window, burn in rates.items()
        ),
        coverage=coverage,
        newest_data_ms=NOW_MS if total else None,
        exemplar_trace_ids=exemplars,
    )


def alert(
    name: str = "HighLatency",
    *,
    state: AlertState = AlertState.FIRING,
    source: AlertSource = AlertSource.RULE,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    evidence: Mapping[str, object] | None = None,
    value: float = 1.5,
    active_at_ms: int = NOW_MS - 10 * MINUTE_MS,
) -> Alert:
    return Alert(
        rule=AlertRule(key=f"test/{name}", name=name, source=source),
        labels=Labels({"alertname": name, **(labels or {})}),
        annotations=annotations or {},
        evidence=evidence or {},
        state=state,
        value=value,
        active_at_ms=active_at_ms,
        fired_at_ms=None if state is AlertState.PENDING else active_at_ms + MINUTE_MS,
        resolved_at_ms=NOW_MS - MINUTE_MS if state is AlertState.RESOLVED else None,
        updated_at_ms=NOW_MS,
    )


def anomaly(metric: str = "latency", *, ended_at_ms: int | None = None, **changes: Any) -> Anomaly:
    values: dict[str, Any] = {
        "watch": "latency",
        "series": Labels({"__name__": metric, "span_name": "GET /search"}),
        "kind": "high",
        "actual": 1.9,
        "expected": 0.1,
        "lower": 0.05,
        "upper": 0.2,
        "score": 0.99,
        "started_at_ms": NOW_MS - 5 * MINUTE_MS,
        "ended_at_ms": ended_at_ms,
        "reason": "9 times the upper bound",
    }
    return Anomaly(**{**values, **changes})


def trace(
    trace_id: str = "4bf92f3577b34da6a3ce929d0e0e4736", *, operation: str = "GET /", errors: int = 0
) -> TraceSummary:
    return TraceSummary(
        trace_id=trace_id,
        root_service="shop",
        root_operation=operation,
        missing_root=False,
        start_ms=NOW_MS - MINUTE_MS,
        duration_ms=412.3,
        span_count=3,
        error_count=errors,
        services=("shop",),
    )


def page_view(slos: Sequence[SloStatus] = (), **changes: Any) -> PageView:
    return PageView(**{"service": "shop", "now_ms": NOW_MS, "started_at_ms": NOW_MS - HOUR_MS, "slos": slos, **changes})
