"""`otel-ext status`, `alerts`, `slo list`, `slo status`: what a running process says of itself, over its HTTP port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from otel_ext.cli.output import CommandError, console, print_json
from otel_ext.cli.units import local_time, percent, window

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

__all__ = ["list_slos", "show_alerts", "show_slos", "show_status"]

TIMEOUT_SECONDS = 10.0
_API = "/v1/observability"
_STYLES = {
    "met": "green",
    "at_risk": "yellow",
    "breached": "red",
    "no_data": "dim",
    "pending": "yellow",
    "firing": "red",
    "resolved": "green",
    "pass": "green",
    "warn": "yellow",
    "fail": "red",
}
_BAR_WIDTH = 16

Json = Mapping[str, Any]


def show_status(url: str, *, as_json: bool) -> None:
    """Health, SLOs, alerts and the process's counters of itself."""
    parts = {name: _get(url, f"{_API}/{name}") for name in ("status", "health", "slos", "alerts", "anomalies")}
    if as_json:
        print_json(parts)
        return
    out = console()
    out.print(f"{url}, up {parts['status']['uptime_seconds']:,.0f} s")
    out.print(_health_table(parts["health"]))
    out.print(_slo_table(parts["slos"]["slos"]))
    out.print(_alert_table(parts["alerts"]["alerts"]))
    out.print(_counts_line(parts["anomalies"], parts["status"]["stats"]))
    for fact in parts["status"]["facts"]:
        out.print(f"note: {fact}")


def show_alerts(url: str, *, as_json: bool) -> None:
    """Alerts, the firing ones first."""
    answer = _get(url, f"{_API}/alerts")
    if as_json:
        print_json(answer)
    else:
        console().print(_alert_table(answer["alerts"]))


def list_slos(url: str, *, as_json: bool) -> None:
    """The definitions."""
    answer = _get(url, f"{_API}/slos")
    if as_json:
        print_json(answer)
        return
    table = _table("SLO", "objective", "latency", "window", "counts", "labels")
    for slo in answer["slos"]:
        table.add_row(
            slo["name"],
            percent(slo["objective"]),
            "" if slo["latency_ms"] is None else f"{slo['latency_ms']:g} ms",
            f"{slo['window_days']}d",
            _pairs(slo["match"]) or "every request",
            _pairs(slo["labels"]),
        )
    console().print(table)


def show_slos(url: str, name: str | None, *, as_json: bool) -> None:
    """Budgets and burn rates of all SLOs, or of one with its counts by window."""
    if name is None:
        answer = _get(url, f"{_API}/slos")
        if as_json:
            print_json(answer)
        else:
            console().print(_slo_table(answer["slos"]))
        return
    slo = _get(url, f"{_API}/slos/{quote(name, safe='')}")
    if as_json:
        print_json(slo)
    else:
        console().print(_slo_table([slo]), _burn_table(slo["burn_rates"]))


def _get(url: str, path: str) -> Any:
    import requests  # noqa: PLC0415 - only when a command asks a process

    address = url.rstrip("/") + path
    try:
        response = requests.get(address, timeout=TIMEOUT_SECONDS, headers={"Accept": "application/json"})
        answer = response.json()
    except requests.exceptions.JSONDecodeError:
        raise CommandError(f"{address} answered {response.status_code}, but not with JSON: is this otel_ext?") from None
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema):
        raise CommandError(
            f"{url!r} is not a URL; write for example --url http://127.0.0.1:4319", exit_code=2
        ) from None
    except requests.RequestException:
        raise CommandError(
            f"no process answers at {url}; start one with otel_ext, or name its URL with --url or OTEL_EXT_URL"
        ) from None
    if not response.ok:
        raise CommandError(_reason(answer) or f"{address} answered with status {response.status_code}")
    return answer


def _reason(answer: object) -> str:
    if not isinstance(answer, Mapping):
        return ""
    return str(answer.get("error") or answer.get("detail") or "")


def _slo_table(slos: Sequence[Json]) -> Table:
    from rich.text import Text  # noqa: PLC0415 - not for --json

    from otel_ext.cli.demo.timeline import budget_bar  # noqa: PLC0415

    table = _table("SLO", "state", "objective", "good", "events", "budget left", "", "burn rate", title="SLOs")
    for slo in slos:
        left, sli = slo["budget_remaining"], slo["sli"]
        table.add_row(
            slo["name"],
            _state(slo["state"]),
            percent(slo["objective"]),
            "" if sli is None else percent(sli),
            f"{slo['total']:,}",
            Text("" if left is None else f"{left * 100:,.1f} %"),
            budget_bar(left, _BAR_WIDTH),
            "  ".join(f"{window(r['window_seconds'])} {_times(r['burn_rate'])}" for r in slo["burn_rates"][:2]),
        )
    return table


def _burn_table(rates: Sequence[Json]) -> Table:
    table = _table("window", "burn rate", "bad", "events", "measured", title="Burn rates")
    for rate in rates:
        table.add_row(
            window(rate["window_seconds"]),
            _times(rate["burn_rate"]),
            f"{rate['bad']:,}",
            f"{rate['total']:,}",
            percent(rate["coverage"], digits=3),
        )
    return table


def _alert_table(alerts: Sequence[Json]) -> Table:
    order = ("firing", "pending", "resolved")
    table = _table("alert", "state", "since", "source", "value", "labels", "summary", title="Alerts")
    for alert in sorted(alerts, key=lambda item: (order.index(item["state"]), item["active_at"])):
        labels = {name: value for name, value in alert["labels"].items() if name != "alertname"}
        annotations = alert["annotations"]
        table.add_row(
            alert["name"],
            _state(alert["state"]),
            local_time(alert["resolved_at"] or alert["fired_at"] or alert["active_at"]),
            alert["source"],
            "" if alert["value"] is None else f"{alert['value']:.4g}",
            _pairs(labels),
            annotations.get("summary") or annotations.get("description") or "",
        )
    if not alerts:
        table.add_row("none", "", "", "", "", "", "")
    return table


def _health_table(health: Json) -> Table:
    table = _table("probe", "check", "state", "output", title="Health")
    for probe in ("liveness", "readiness"):
        report = health[probe]
        table.add_row(probe, "", _state(report["status"]), "")
        for name, results in report.get("checks", {}).items():
            for result in results:
                table.add_row("", name, _state(result["status"]), str(result.get("output", "")))
    return table


def _counts_line(anomalies: Json, stats: Json) -> str:
    counted = f"{stats.get('spans', 0):,} spans, {stats.get('logs', 0):,} log records"
    return f"{len(anomalies['open'])} open anomalies, {len(anomalies['ended'])} ended; {counted} taken in"


def _table(*columns: str, title: str | None = None) -> Table:
    from rich.table import Table  # noqa: PLC0415 - not for --json

    table = Table(
        box=None, padding=(0, 2, 0, 0), title=title, title_justify="left", title_style="bold", header_style="dim"
    )
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _state(state: str) -> Text:
    from rich.text import Text  # noqa: PLC0415 - not for --json

    return Text(state.replace("_", " "), _STYLES.get(state, ""))


def _times(burn: float | None) -> str:
    return "-" if burn is None else f"{burn:.1f}x"


def _pairs(values: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items())
