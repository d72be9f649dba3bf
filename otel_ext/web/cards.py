"""One SLO as a card: what is left of its budget, what was promised, how fast it burns, how much was measured.

Pure functions, called by the page. Imports model, markup and wording.
"""

from __future__ import annotations

from urllib.parse import quote

from otel_ext.model.slos import BurnRate, SloStatus
from otel_ext.web import wording
from otel_ext.web.encoding import rfc3339
from otel_ext.web.markup import Html, el

__all__ = ["slo_card"]

_STATES = {"met": "met", "at_risk": "at risk", "breached": "breached", "no_data": "no data"}
_FAST, _SLOW = 6.0, 1.0  # the workbook's second page threshold; the rate that spends a budget exactly in time


def slo_card(status: SloStatus, root: str) -> Html:
    """The card of one SLO."""
    slo = status.slo
    return el(
        "article",
        el(
            "h3",
            el("a", slo.name[:128], href=f"{root}/v1/observability/slos/{_path(slo.name)}"),
            el("span", _STATES.get(status.state, status.state), class_=f"chip {status.state}"),
        ),
        el("p", slo.description or _default_description(status), class_="about"),
        _budget(status),
        _bar(status.budget_remaining),
        el("dl", _facts(status)),
        _windows(status),
        el("p", _coverage(status), _exemplars(status, root), class_="coverage"),
        class_=f"card {status.state}",
    )


def _path(name: str) -> str:
    return quote(name, safe="", errors="replace")


def _budget(status: SloStatus) -> Html:
    left = status.budget_remaining
    if left is None:
        return el("p", el("b", wording.DASH), " no events in the window yet", class_="left")
    if left < 0:
        return el("p", el("b", wording.burn_text(1 - left)), " the error budget spent", class_="left")
    return el(
        "p", el("b", wording.percent_down(left, 0 if left >= 0.1 else 1)), " of the error budget left", class_="left"
    )


def _bar(left: float | None) -> Html:
    """The budget as an SVG bar: a style attribute would need a weaker content security policy."""
    width = round(100 * min(max(left or 0.0, 0.0), 1.0), 2)
    return el(
        "svg",
        el("rect", class_="track", width=100, height=6, rx=1.2),
        el("rect", class_="fill", width=width, height=6, rx=1.2),
        viewBox="0 0 100 6",
        preserveAspectRatio="none",
        class_="bar",
        role="img",
        aria_label=f"{width:g} % of the error budget left",
    )


def _facts(status: SloStatus) -> list[Html]:
    bad = status.total - status.good
    latency = status.slo.latency_ms
    promise = wording.objective_text(status)
    if latency is not None:
        promise += f" within {wording.duration(latency)}"
    pairs = (
        ("promised", f"{promise} over {status.slo.window_days} d"),
        ("measured", wording.sli_text(status)),
        ("bad events", f"{wording.number(bad)} of {wording.number(status.total)}"),
        _to_go(status.budget_remaining_events),
    )
    return [el("div", el("dt", name), el("dd", value)) for name, value in pairs]


def _to_go(events: int | None) -> tuple[str, str]:
    if events is None:
        return "left to spend", wording.DASH
    return ("overspent by" if events < 0 else "left to spend", f"{wording.number(abs(events))} bad")


def _default_description(status: SloStatus) -> str:
    latency = status.slo.latency_ms
    return "requests that succeed" if latency is None else f"requests that succeed within {wording.duration(latency)}"


def _windows(status: SloStatus) -> list[Html]:
    rates = sorted(status.burn_rates, key=lambda rate: rate.window_ms)
    cells = [el("div", el("dt", wording.window_text(rate.window_ms)), _burn(rate)) for rate in rates]
    heading = el("p", "burn rate over", class_="burning", title="1 spends the budget exactly by the end of the window")
    return [heading, el("dl", cells, class_="burn")]


def _burn(rate: BurnRate) -> Html:
    burn = rate.burn or 0.0
    heat = "fast" if burn >= _FAST else "slow" if burn > _SLOW else "calm"
    partial = rate.coverage < 0.995
    title = f"{rate.bad} bad of {rate.total}"
    if partial:
        title += f"; {wording.percent_down(rate.coverage, 1)} of the window was measured"
    return el("dd", wording.burn_text(rate.burn, sign=""), class_=f"{heat} partial" if partial else heat, title=title)


def _coverage(status: SloStatus) -> str:
    if status.newest_data_ms is None:
        return "waiting for the first event"
    if status.coverage >= 0.995:
        return f"the whole window of {status.slo.window_days} d was measured"
    measured_ms = wording.measured_ms(status)
    start = (rfc3339(status.ts_ms - measured_ms) or "").replace("T", " ")[:16]
    return f"data since {start} UTC: {wording.duration(measured_ms)} of {status.slo.window_days} d"


def _exemplars(status: SloStatus, root: str) -> Html | None:
    if not status.exemplar_trace_ids:
        return None
    links = [
        el("a", trace_id[:8], href=f"{root}/v1/observability/traces/{_path(trace_id)}")
        for trace_id in status.exemplar_trace_ids[:3]
    ]
    return el("span", "bad requests: ", [[link, " "] for link in links], class_="bad-requests")
