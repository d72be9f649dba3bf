"""Asks the process over its own HTTP port, and turns the JSON into :mod:`otel_ext.cli.demo.verdicts`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from otel_ext.cli.demo.verdicts import AlertVerdict, AnomalyVerdict, SloVerdict, Verdicts
from otel_ext.cli.units import percent, window

if TYPE_CHECKING:
    import httpx

__all__ = ["Observer", "alert_verdict", "anomaly_verdict", "slo_verdict"]

CALLS_QUERY = 'sum by (span_name) (traces_span_metrics_calls_total{span_kind="SPAN_KIND_SERVER"})'
_API = "/v1/observability"


class Observer:
    """Keeps one :class:`Verdicts` up to date, a poll at a time."""

    def __init__(self, client: httpx.AsyncClient, verdicts: Verdicts) -> None:
        self._client = client
        self._verdicts = verdicts

    async def poll(self) -> None:
        """Ask once. A failed poll is counted, and what was known stays."""
        import httpx  # noqa: PLC0415 - an extra, and only the demo needs it

        try:
            slos = await self._get(f"{_API}/slos")
            alerts = await self._get(f"{_API}/alerts")
            anomalies = await self._get(f"{_API}/anomalies")
        except httpx.HTTPError:
            self._verdicts.failed_polls += 1
            return
        self._verdicts.polls += 1
        self._verdicts.slos = tuple(map(slo_verdict, slos["slos"]))
        for alert in map(alert_verdict, alerts["alerts"]):
            self._verdicts.alerts[alert.key] = alert
        for anomaly in map(anomaly_verdict, [*anomalies["open"], *anomalies["ended"]]):
            self._verdicts.anomalies[anomaly.key] = anomaly

    async def calls(self) -> dict[str, int]:
        """Requests by span name, as the process's own span metrics count them; empty when it does not answer."""
        import httpx  # noqa: PLC0415 - an extra, and only the demo needs it

        try:
            answer = await self._get("/api/v1/query", query=CALLS_QUERY)
        except httpx.HTTPError:
            self._verdicts.failed_polls += 1
            return {}
        return {sample["metric"]["span_name"]: int(float(sample["value"][1])) for sample in answer["data"]["result"]}

    async def _get(self, path: str, **parameters: str) -> Any:
        response = await self._client.get(path, params=parameters)
        response.raise_for_status()
        return response.json()


def slo_verdict(answer: Mapping[str, Any]) -> SloVerdict:
    """From one entry of ``/v1/observability/slos``."""
    rates = sorted(answer["burn_rates"], key=lambda rate: rate["window_seconds"])
    return SloVerdict(
        name=answer["name"],
        objective=percent(answer["objective"]),
        latency_ms=answer["latency_ms"],
        state=answer["state"],
        good=answer["good"],
        total=answer["total"],
        budget_remaining=answer["budget_remaining"],
        burn_rates=tuple((window(rate["window_seconds"]), rate["burn_rate"]) for rate in rates),
    )


def alert_verdict(answer: Mapping[str, Any]) -> AlertVerdict:
    """From one entry of ``/v1/observability/alerts``; an alert that comes back is another one."""
    annotations = answer["annotations"]
    active_at_ms = _unix_ms(answer["active_at"])
    assert active_at_ms is not None
    return AlertVerdict(
        key=f"{answer['fingerprint']}@{answer['active_at']}",
        name=answer["name"],
        subject=_subject(answer["labels"]),
        source=answer["source"],
        severity=answer["labels"].get("severity", ""),
        state=answer["state"],
        summary=annotations.get("summary") or annotations.get("description") or "",
        active_at_ms=active_at_ms,
        fired_at_ms=_unix_ms(answer["fired_at"]),
        resolved_at_ms=_unix_ms(answer["resolved_at"]),
    )


def _subject(labels: Mapping[str, str]) -> str:
    """The SLO, or the signal of an operation, that an alert or anomaly is about."""
    if "slo" in labels:
        return labels["slo"]
    return f"{labels.get('span_name', '')} {labels.get('signal', '').replace('_', ' ')}".strip()


def anomaly_verdict(answer: Mapping[str, Any]) -> AnomalyVerdict:
    """From one entry of ``/v1/observability/anomalies``."""
    labels = answer["labels"]
    started_at_ms = _unix_ms(answer["started_at"])
    assert started_at_ms is not None
    return AnomalyVerdict(
        series=_subject(labels) or answer["metric"] or answer["watch"],
        kind=answer["kind"],
        reason=answer["reason"],
        score=answer["score"] or 0.0,
        started_at_ms=started_at_ms,
        ended_at_ms=_unix_ms(answer["ended_at"]),
    )


def _unix_ms(text: str | None) -> int | None:
    return None if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)
