"""The live screen of the demo: one time axis, and everything that happens drawn on it.

Pure: from :class:`DemoState` and a size to a rich renderable.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from otel_ext.cli.demo.load import quantile
from otel_ext.cli.demo.state import DemoState
from otel_ext.cli.demo.timeline import (
    budget_bar,
    budget_style,
    budget_text,
    burn_line,
    phase_bar,
    phase_names,
    spans,
    sparkline,
)
from otel_ext.cli.demo.verdicts import AlertVerdict, AnomalyVerdict, SloVerdict

__all__ = ["STATE_STYLES", "render"]

STATE_STYLES = {
    "met": "green",
    "at_risk": "yellow",
    "breached": "red",
    "no_data": "dim",
    "pending": "yellow",
    "firing": "red",
    "resolved": "green",
}
MIN_AXIS_WIDTH = 16


@dataclass(frozen=True, slots=True)
class _Frame:
    """The three columns of every line: label, axis, remark."""

    label: int
    axis: int
    remark: int
    gauge: int

    @classmethod
    def of(cls, width: int) -> _Frame:
        label, remark, gauge = (30, 34, 8) if width >= 116 else (24, 30, 6) if width >= 96 else (20, 28, 4)
        return cls(label=label, axis=max(MIN_AXIS_WIDTH, width - label - remark - 6), remark=remark, gauge=gauge)

    def heading(self, text: str) -> Text:
        rest = self.label + self.axis + self.remark + 2 - len(text)
        return Text.assemble(("  " + text + " ", "bold"), ("─" * max(0, rest), "grey30"), no_wrap=True, overflow="crop")

    def line(self, label: Text | str, axis: Text, remark: Text | str = "") -> Text:
        text = Text("  ", no_wrap=True, overflow="crop")
        text.append_text(_cut(label, self.label))
        text.append(" ")
        text.append_text(axis)
        text.append("  ")
        text.append_text(_cut(remark, self.remark))
        return text


def _cut(content: Text | str, width: int) -> Text:
    text = content.copy() if isinstance(content, Text) else Text(content)
    text.truncate(width, overflow="ellipsis", pad=True)
    return text


def render(state: DemoState, width: int, height: int) -> RenderableType:
    """The whole screen, in at most ``height`` lines where that is possible."""
    frame = _Frame.of(width)
    head = [*_header(state, width), *_phases(state, frame)]
    load = _load(state, frame)
    slos = [frame.heading("What the process concludes about itself"), *_slos(state, frame)]
    rows = max(4, height - len(head) - len(load) - len(slos) - 5)
    alerts, anomalies = _alerts(state, frame), _anomalies(state, frame)
    room = max(2, min(len(anomalies), rows // 3)) if anomalies else 1
    body = [
        *head,
        *load,
        *slos,
        Text(),
        *(alerts[-(rows - room) :] or [_quiet("no alert is pending or firing")]),
        Text(),
        *(anomalies[-room:] or [_quiet("no series behaves unusually")]),
    ]
    return Group(*body)


def _header(state: DemoState, width: int) -> list[Text]:
    title = Text.assemble(("  otel-ext demo", "bold"), (f"   a shop that judges itself, pid {state.shop_pid}", "dim"))
    console = Text(state.console_url, f"underline cyan link {state.console_url}")
    gap = width - title.cell_len - console.cell_len - 4
    if gap < 2:
        return [Text(), title, Text("  ") + console, Text()]
    title.append(" " * gap)
    title.append_text(console)
    return [Text(), title, Text()]


def _phases(state: DemoState, frame: _Frame) -> list[Text]:
    left = max(0.0, state.duration_seconds - state.elapsed_seconds)
    clock = Text.assemble((_clock(state.elapsed_seconds), "bold"), (f" of {_clock(state.duration_seconds)}", "dim"))
    story = Text(f"▸ {state.current.phase.story}", state.current.phase.style)
    if state.ended or left <= 0:
        story = Text("▸ the load has ended, counts are compared", "dim")
    return [
        frame.line("", phase_names(state.scheduled, state.elapsed_seconds, frame.axis)),
        frame.line(clock, phase_bar(state.scheduled, state.elapsed_seconds, frame.axis)),
        Text(" " * (frame.label + 3)) + story,
        Text(),
    ]


def _load(state: DemoState, frame: _Frame) -> list[Text]:
    tally = state.tally
    recent = [item.latency_seconds for item in tally.recent]
    errors = sum(item.status >= 500 for item in tally.recent)
    rate = Text(f"{tally.answers:,} sent · {state.rate:g}/s · {tally.in_flight} open")
    latency = Text(f"p50 {_ms(quantile(recent, 0.5))} · p95 {_ms(quantile(recent, 0.95))}")
    ratio = errors / len(recent) if recent else 0.0
    errors_text = Text(f"{ratio:.1%} now · {tally.errors:,} in all", "red" if ratio else "")

    def chart(points: Iterable[tuple[float, float]], top: float, style: str) -> Text:
        return sparkline(points, duration_seconds=state.duration_seconds, width=frame.axis, top=top, style=style)

    seconds = tally.seconds
    highest = max((second.p95_seconds for second in seconds), default=0.1)
    return [
        frame.heading("What the load generator sees"),
        frame.line("requests", chart(((s.second, s.requests) for s in seconds), state.rate * 1.25, "blue"), rate),
        frame.line(
            "latency p95", chart(((s.second, s.p95_seconds) for s in seconds), highest * 1.05, "yellow"), latency
        ),
        frame.line(
            "server errors", chart(((s.second, s.errors) for s in seconds), state.rate * 0.2, "red"), errors_text
        ),
        Text(),
    ]


def _slos(state: DemoState, frame: _Frame) -> list[Text]:
    lines = [_slo_line(state, slo, frame) for slo in state.verdicts.slos]
    return lines or [_quiet("waiting for the first verdict")]


def _slo_line(state: DemoState, slo: SloVerdict, frame: _Frame) -> Text:
    label = Text.assemble(("● ", STATE_STYLES.get(slo.state, "")), slo.name)
    axis = burn_line(state.burns.get(slo.name, ()), duration_seconds=state.duration_seconds, width=frame.axis)
    left = slo.budget_remaining
    remark = budget_bar(left, frame.gauge)
    remark.append(" ")
    if left is None:
        return frame.line(label, axis, remark.append("no events yet", "dim"))
    remark.append(budget_text(left), budget_style(left))
    burn = slo.burn_rates[0][1] if slo.burn_rates else None
    if burn:
        remark.append(f", burns {burn:,.0f}x", "red" if burn >= 1 else "dim")
    return frame.line(label, axis, remark)


def _alerts(state: DemoState, frame: _Frame) -> list[Text]:
    """All but the alerts of anomalies, which have lines of their own."""
    alerts = [alert for alert in state.verdicts.ordered_alerts() if alert.source != "anomaly"]
    return [_alert_line(state, alert, frame) for alert in alerts]


def _alert_line(state: DemoState, alert: AlertVerdict, frame: _Frame) -> Text:
    now = state.elapsed_seconds
    style = STATE_STYLES.get(alert.state, "")
    name = f"{alert.subject} burns" if alert.source == "slo" else alert.name
    label = Text.assemble(({"firing": "▲ ", "pending": "△ "}.get(alert.state, "✔ "), style), name)
    fired = None if alert.fired_at_ms is None else state.seconds(alert.fired_at_ms)
    ended = now if alert.resolved_at_ms is None else state.seconds(alert.resolved_at_ms)
    parts = [(state.seconds(alert.active_at_ms), ended if fired is None else fired, "░", "yellow")]
    if fired is not None:
        parts.append((fired, ended, "█", "red"))
    if alert.resolved_at_ms is not None:
        parts.append((ended, ended, "✔", "green"))
    axis = spans(parts, duration_seconds=state.duration_seconds, width=frame.axis)
    return frame.line(label, axis, _alert_remark(state, alert, frame))


def _alert_remark(state: DemoState, alert: AlertVerdict, frame: _Frame) -> Text:
    moment = alert.resolved_at_ms if alert.state == "resolved" else alert.fired_at_ms or alert.active_at_ms
    phase, since = state.since_phase(moment or alert.active_at_ms)
    when = f" {max(0.0, since):.1f} s into {phase.phase.name}"
    if len(alert.state) + len(when) > frame.remark:
        when = f" +{max(0.0, since):.1f} s {phase.phase.name}"
    return Text.assemble((alert.state, f"bold {STATE_STYLES.get(alert.state, '')}"), (when, "dim"))


def _anomalies(state: DemoState, frame: _Frame) -> list[Text]:
    return [_anomaly_line(state, anomaly, frame) for anomaly in state.verdicts.ordered_anomalies()]


def _anomaly_line(state: DemoState, anomaly: AnomalyVerdict, frame: _Frame) -> Text:
    open_ = anomaly.ended_at_ms is None
    label = Text.assemble(("◆ " if open_ else "◇ ", "magenta"), anomaly.series)
    end = state.elapsed_seconds if anomaly.ended_at_ms is None else state.seconds(anomaly.ended_at_ms)
    parts = [(state.seconds(anomaly.started_at_ms), end, "▓", "magenta")]
    axis = spans(parts, duration_seconds=state.duration_seconds, width=frame.axis)
    remark = anomaly.reason.partition(" is ")[2] or anomaly.reason  # the label says of what
    return frame.line(label, axis, Text(remark, "dim"))


def _quiet(text: str) -> Text:
    return Text(f"  {text}", "dim italic")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"
