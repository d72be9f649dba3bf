"""What the demo prints line by line: events when standard output is no terminal, and the summary at the end."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from otel_ext.cli.demo.load import quantile
from otel_ext.cli.demo.shop import shop_directory
from otel_ext.cli.demo.state import DemoState
from otel_ext.cli.demo.summary import Comparison, Detection, all_equal, detections
from otel_ext.cli.demo.timeline import budget_text

__all__ = ["PlainReporter", "print_summary"]

STATUS_EVERY_SECONDS = 10.0
SHORT_SECONDS = 60.0


class PlainReporter:
    """Writes a line for everything that is new since the last call."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phase = ""
        self._told: set[tuple[object, ...]] = set()
        self._next_status_seconds = STATUS_EVERY_SECONDS

    def begin(self, state: DemoState) -> None:
        """Say what runs where."""
        self._console.print(f"shop    {state.shop_url} (pid {state.shop_pid}), {state.rate:g} requests/s")
        self._console.print(f"console {state.console_url}")
        if state.forwarding_to:
            self._console.print(f"forward {state.forwarding_to}")

    def update(self, state: DemoState) -> None:
        """Say what is new."""
        if state.current.phase.name != self._phase:
            self._phase = state.current.phase.name
            self._line(state.current.start_seconds, "phase", f"{self._phase}: {state.current.phase.story}")
        self._alerts(state)
        self._anomalies(state)
        if state.elapsed_seconds >= self._next_status_seconds:
            self._next_status_seconds += STATUS_EVERY_SECONDS
            self._status(state)

    def _alerts(self, state: DemoState) -> None:
        moments = [
            (moment, name, alert)
            for alert in state.verdicts.ordered_alerts()
            if alert.source != "anomaly"  # told as what they are
            for name, moment in (
                ("pending", alert.active_at_ms),
                ("firing", alert.fired_at_ms),
                ("resolved", alert.resolved_at_ms),
            )
            if moment is not None and not (name == "pending" and moment == alert.fired_at_ms)
        ]
        for moment, name, alert in sorted(moments, key=lambda item: item[0]):
            if self._is_new(("alert", alert.key, name, moment)):
                phase, since = state.since_phase(moment)
                text = f"{alert.title} {name}, {since:.1f} s into {phase.phase.name}"
                if name != "resolved" and alert.summary:
                    text += f": {alert.summary}"
                self._line(state.seconds(moment), "alert", text)

    def _anomalies(self, state: DemoState) -> None:
        for anomaly in state.verdicts.ordered_anomalies():
            if self._is_new(anomaly.key):
                self._line(state.seconds(anomaly.started_at_ms), "anomaly", f"{anomaly.series}: {anomaly.reason}")

    def _status(self, state: DemoState) -> None:
        tally = state.tally
        p95 = quantile([item.latency_seconds for item in tally.recent], 0.95)
        budgets = [
            f"{slo.name} {budget_text(slo.budget_remaining)}"
            for slo in state.verdicts.slos
            if slo.budget_remaining is not None
        ]
        load = f"{tally.answers:,} answers, {tally.errors:,} errors, p95 {p95 * 1000:.0f} ms"
        self._line(state.elapsed_seconds, "status", f"{load}; budgets: {', '.join(budgets)}")

    def _is_new(self, key: tuple[object, ...]) -> bool:
        if key in self._told:
            return False
        self._told.add(key)
        return True

    def _line(self, seconds: float, kind: str, text: str) -> None:
        self._console.print(f"{seconds:6.1f} s  {kind:8} {text}", soft_wrap=True)


def print_summary(console: Console, state: DemoState, comparisons: Sequence[Comparison]) -> None:
    """Counts side by side, detection times, and where to go from here."""
    console.print()
    console.print(_count_table(comparisons))
    equal = all_equal(comparisons)
    verdict = (
        Text.assemble(("✔ ", "green"), "every count is equal: the process saw each of its requests, and said so")
        if equal
        else Text.assemble(("✘ ", "red"), "counts differ: this should not happen, please report it")
    )
    console.print(Padding(verdict, (0, 0, 1, 2)))
    for detection in detections(state):
        console.print(Padding(_detection_line(detection), (0, 0, 0, 2)))
    if state.duration_seconds < SHORT_SECONDS:
        console.print(
            Padding(Text("alerts need a longer demo: the windows are 10 to 15 s, try 90s", "dim"), (0, 0, 0, 2))
        )
    console.print(Padding(_next_steps(), (1, 0, 1, 2)))


def _count_table(comparisons: Sequence[Comparison]) -> Table:
    table = Table(
        title="  Load generator against engines",
        title_justify="left",
        title_style="bold",
        box=None,
        padding=(0, 1, 0, 2),
    )
    table.add_column("what was sent", overflow="ellipsis", no_wrap=True)
    table.add_column("sent", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, min_width=1)
    table.add_column("counted", justify="right", no_wrap=True)
    table.add_column("by", style="dim", overflow="ellipsis", no_wrap=True, max_width=25)
    for item in comparisons:
        mark = Text("=", "green") if item.equal else Text("≠", "bold red")
        counted = "-" if item.counted is None else f"{item.counted:,}"
        table.add_row(item.what, f"{item.sent:,}", mark, counted, item.engine)
    return table


def _detection_line(detection: Detection) -> Text:
    text = Text.assemble((detection.phase, "bold"), ": ")
    if detection.alert is None or detection.fired_after_seconds is None:
        return text.append("no alert fired", "yellow")
    text.append(f"{detection.alert.title} fired {detection.fired_after_seconds:.1f} s after the fault")
    if detection.resolved_after_seconds is not None and detection.resolved_after_seconds >= 0:
        text.append(f", resolved {detection.resolved_after_seconds:.1f} s after it was mended")
    return text


def _next_steps() -> Text:
    return Text.assemble(
        ("Your own service: ", "bold"),
        "opentelemetry-instrument uvicorn app:app\n",
        ("or in code:       ", "bold"),
        "import otel_ext; otel_ext.install()\n",
        ("The shop's files: ", "bold"),
        f"{shop_directory()}",
    )
