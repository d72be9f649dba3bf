"""The status page: one HTML document built from a :class:`PageView`, complete without JavaScript.

Pure functions, called in the web thread. The document refers to two files under ``static/`` and to nothing else.
Imports model, markup and wording.
"""

from __future__ import annotations

from collections.abc import Sequence

from otel_ext.model.alerts import Alert, AlertState
from otel_ext.model.anomalies import Anomaly
from otel_ext.model.labels import METRIC_NAME, Labels
from otel_ext.storage.traces import TraceSummary
from otel_ext.web import wording
from otel_ext.web.cards import slo_card
from otel_ext.web.encoding import rfc3339
from otel_ext.web.markup import Html, el, raw
from otel_ext.web.view import CheckRow, PageView, sentence, why

__all__ = ["render_page"]

_TEXT_LIMIT = 400
_ALERT_LIMIT = 50
_ROW_LIMIT = 12
_ALERT_ORDER = (AlertState.FIRING, AlertState.PENDING, AlertState.RESOLVED)
_MARKS = {"pass": "✓", "warn": "!", "fail": "✕"}
_LINKS = (
    ("metrics", "/metrics"),
    ("alerts", "/v1/observability/alerts"),
    ("SLOs", "/v1/observability/slos"),
    ("traces", "/v1/observability/traces"),
    ("logs", "/v1/observability/logs"),
    ("status", "/v1/observability/status"),
)


def render_page(view: PageView, root: str = "") -> str:
    """The whole document. ``root`` is the path under which the app is mounted, without a trailing slash."""
    said = sentence(view)
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{said.text} · {view.service}"),
        el("link", rel="icon", href=f"{root}/static/{said.tone}.svg", type="image/svg+xml", id="icon"),
        el("link", rel="stylesheet", href=f"{root}/static/page.css"),
        el("script", src=f"{root}/static/page.js", defer=True),
    )
    main = el(
        "main",
        el("section", el("h1", said.text), el("p", said.detail), class_=f"said {said.tone}", aria_live="polite"),
        _slos(view, root),
        _alerts(view, root),
        el("div", _anomalies(view), _checks(view), class_="pair"),
        _traces(view, root),
        _pipeline(view),
    )
    body = el("body", _top(view, root), main, _foot())
    return raw("<!doctype html>\n") + el("html", head, body, lang="en") + "\n"


def _top(view: PageView, root: str) -> Html:
    links = [el("a", name, href=root + path) for name, path in _LINKS]
    started = rfc3339(view.started_at_ms)
    up = f"up {wording.duration(max(0, view.now_ms - view.started_at_ms) // 1000 * 1000)}"
    return el(
        "header",
        el("strong", _cut(view.service)),
        el("span", up, id="up", title=f"since {started}"),
        el("span", "not refreshing", id="live", class_="live"),
        el("nav", links),
    )


def _foot() -> Html:
    text = "Decided in this process, from everything it saw. Recent data of one host."
    return el("footer", text)


def _section(title: str, count: str, *children: Html | Sequence[Html], name: str) -> Html:
    heading = el("h2", title, el("small", count) if count else None)
    return el("section", heading, list(children), id=name)


def _slos(view: PageView, root: str) -> Html:
    if not view.slos:
        return _section("SLOs", "", _nothing("No SLO is defined."), name="slos")
    order = {"breached": 0, "at_risk": 1, "met": 2, "no_data": 3}
    ranked = sorted(view.slos, key=lambda status: order.get(status.state, 4))
    cards = [slo_card(status, root) for status in ranked]
    return _section("SLOs", "", el("div", cards, class_="cards"), name="slos")


def _alerts(view: PageView, root: str) -> Html:
    shown = [alert for state in _ALERT_ORDER for alert in view.in_state(state)]
    if not shown:
        return _section("Alerts", "", _nothing("Nothing is pending or firing."), name="alerts")
    counts = ", ".join(f"{len(view.in_state(state))} {state}" for state in _ALERT_ORDER if view.in_state(state))
    rows = [_alert(alert, view.now_ms, root) for alert in shown[:_ALERT_LIMIT]]
    return _section("Alerts", counts, el("ul", rows, class_="rows"), name="alerts")


def _alert(alert: Alert, now_ms: int, root: str) -> Html:
    since = {
        AlertState.FIRING: alert.fired_at_ms,
        AlertState.RESOLVED: alert.resolved_at_ms,
    }.get(alert.state) or alert.active_at_ms
    labels = alert.labels.without("alertname")
    links = [
        el("a", f"trace {found[:8]}", href=f"{root}/v1/observability/traces/{found}") for found in _trace_ids(alert)[:3]
    ]
    return el(
        "li",
        el("span", str(alert.state), class_=f"chip {alert.state}"),
        el("div", el("b", _cut(alert.labels.get("alertname", alert.rule.name))), _labels(labels), class_="what"),
        [el("p", _cut(text), class_="why") for text in why(alert)],
        el("p", "for example ", [[link, " "] for link in links], class_="why") if links else None,
        _when(since, now_ms),
    )


def _trace_ids(alert: Alert) -> list[str]:
    found = alert.evidence.get("exemplar_trace_ids", alert.evidence.get("trace_ids", ()))
    if not isinstance(found, list | tuple):
        return []
    return [text for text in map(str, found) if text and all(char in "0123456789abcdef" for char in text)]


def _anomalies(view: PageView) -> Html:
    ended = [anomaly for anomaly in view.recent_anomalies if anomaly.ended_at_ms is not None]
    shown = [*view.open_anomalies, *ended][:_ROW_LIMIT]
    if not shown:
        return _section("Anomalies", "", _nothing("Every watched series is within its band."), name="anomalies")
    rows = [_anomaly(anomaly, view.now_ms) for anomaly in shown]
    count = f"{len(view.open_anomalies)} open" if view.open_anomalies else "none open"
    return _section("Anomalies", count, el("ul", rows, class_="rows"), name="anomalies")


def _anomaly(anomaly: Anomaly, now_ms: int) -> Html:
    state = "open" if anomaly.ended_at_ms is None else "ended"
    band = f"{wording.number(anomaly.lower)} to {wording.number(anomaly.upper)}"
    numbers = f"{wording.number(anomaly.actual)} where {band} was expected"
    name = anomaly.series.get(METRIC_NAME) or anomaly.watch
    return el(
        "li",
        el("span", state, class_=f"chip {state}"),
        el("div", el("b", _cut(name)), _labels(anomaly.series.without(METRIC_NAME)), class_="what"),
        el("p", numbers, f" · {_cut(anomaly.reason)}" if anomaly.reason else None, class_="why"),
        _when(anomaly.started_at_ms, now_ms),
    )


def _checks(view: PageView) -> Html:
    if not view.checks:
        return _section("Health", "", _nothing("No check is registered."), name="health")
    rows = [_check(check) for check in view.checks]
    failed = sum(1 for check in view.checks if check.state == "fail")
    count = f"{failed} failing" if failed else "all pass"
    return _section("Health", count, el("ul", rows, class_="rows checks"), name="health")


def _check(check: CheckRow) -> Html:
    mark = el("span", _MARKS.get(check.state, "?"), class_=f"mark {check.state}", title=check.state)
    what = el("div", el("b", _cut(check.name)), el("small", check.probe), class_="what")
    return el("li", mark, what, el("p", _cut(check.detail), class_="why") if check.detail else None)


def _traces(view: PageView, root: str) -> Html:
    if not view.traces:
        return _section("Slow and failed requests", "", _nothing("None among the traces kept."), name="traces")
    header = el("tr", [el("th", text) for text in ("request", "duration", "spans", "started", "trace")])
    rows = [_trace(trace, view.now_ms, root) for trace in view.traces[:_ROW_LIMIT]]
    table = el("div", el("table", el("thead", header), el("tbody", rows)), class_="scroll")
    return _section("Slow and failed requests", "", table, name="traces")


def _trace(trace: TraceSummary, now_ms: int, root: str) -> Html:
    failed = el("span", "failed", class_="chip firing") if trace.error_count else None
    return el(
        "tr",
        el("td", el("b", _cut(trace.root_operation)), el("small", _cut(trace.root_service)), failed),
        el("td", wording.duration(trace.duration_ms), class_="number"),
        el("td", trace.span_count, class_="number"),
        el("td", wording.ago(round(trace.start_ms), now_ms)),
        el("td", el("a", trace.trace_id[:8], href=f"{root}/v1/observability/traces/{trace.trace_id}")),
    )


def _pipeline(view: PageView) -> Html:
    facts = el("ul", [el("li", _cut(fact)) for fact in view.facts], class_="facts") if view.facts else None
    counters = [
        el("div", el("dt", name.replace("_", " ")), el("dd", _counter(value))) for name, value in view.counters.items()
    ]
    children = [part for part in (facts, el("dl", counters)) if part is not None]
    return _section("Pipeline", f"{len(view.facts)} stated" if view.facts else "", children, name="pipeline")


def _counter(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return wording.number(value)
    return _cut(str(value))


def _labels(labels: Labels) -> Html | None:
    if not labels:
        return None
    return el("span", [el("code", _cut(f"{name}={value}")) for name, value in labels.items()], class_="labels")


def _when(ts_ms: int, now_ms: int) -> Html:
    return el("time", wording.ago(ts_ms, now_ms), datetime=rfc3339(ts_ms), title=rfc3339(ts_ms))


def _nothing(text: str) -> Html:
    return el("p", text, class_="nothing")


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_LIMIT else f"{text[: _TEXT_LIMIT - 1]}…"
