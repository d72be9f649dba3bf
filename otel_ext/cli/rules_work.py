"""What `otel-ext check rules`, `test rules` and `replay` do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from otel_ext.cli.output import CommandError, console, error_console, print_json
from otel_ext.errors import RuleError
from otel_ext.promql import parse
from otel_ext.promql.nodes import MatrixSelector
from otel_ext.rules import RuleFile, load_rule_file
from otel_ext.rules.backtest import AlertPeriod, ReplayReport, replay
from otel_ext.rules.durations import format_duration, parse_duration_ms
from otel_ext.rules.replay_data import Recording, read_recording, recording_from_prometheus
from otel_ext.rules.selectors import selectors_of
from otel_ext.rules.unittest import run_test_file

__all__ = ["check_files", "replay_files", "run_tests"]

_TIMEOUT_SECONDS = 60.0
_LOOKBACK_MS = 300_000


def check_files(files: Sequence[Path]) -> int:
    """Load each file and print what it holds or what is wrong; returns the exit code."""
    out, failed = console(), False
    for path in files:
        out.print(f"Checking {path}")
        try:
            loaded = load_rule_file(path, parse=parse)
        except RuleError as error:
            failed = True
            error_console().print("  FAILED:")
            for line in str(error).splitlines():
                error_console().print(f"    {line}", soft_wrap=True)
            continue
        for text in _duplicates(loaded):
            out.print(f"  WARNING: {text}", soft_wrap=True)
        count = sum(len(group.rules) for group in loaded.groups)
        out.print(f"  SUCCESS: {count} rules found")
    return 1 if failed else 0


def _duplicates(file: RuleFile) -> list[str]:
    rules = [(rule.name, tuple(sorted(rule.labels.items()))) for group in file.groups for rule in group.rules]
    return [
        f"{count} rules have the name {name!r} and the labels {dict(labels)}: might this yield the same series twice?"
        for (name, labels), count in Counter(rules).items()
        if count > 1
    ]


def run_tests(files: Sequence[Path], *, run: str = "") -> int:
    """Run each file and print its verdict as promtool does; returns the exit code."""
    out, errors, failed = console(), error_console(), False
    for path in files:
        out.print(f"Unit Testing:  {path}")
        report = run_test_file(path, run=run)
        for warning in report.warnings:
            errors.print(f"  WARNING: {warning}", soft_wrap=True)
        if report.passed:
            out.print("  SUCCESS")
            continue
        failed = True
        errors.print("  FAILED:")
        for failure in report.failures:
            errors.print("".join(f"    {line}\n" for line in failure.splitlines()), soft_wrap=True)
    return 1 if failed else 0


def replay_files(
    rules: Sequence[Path], data: str, *, start: str = "", end: str = "", interval: str = "1m", as_json: bool = False
) -> None:
    """Replay and print.

    Raises:
        CommandError: a time or duration cannot be read, or the server does not answer.
        RuleError, ReplayDataError: a file cannot be read.
    """
    files = [load_rule_file(path, parse=parse) for path in rules]
    start_ms, end_ms = _time_ms("--from", start), _time_ms("--to", end)
    try:
        interval_ms = parse_duration_ms(interval)
    except ValueError as error:
        raise CommandError(f"--interval: {error}", exit_code=2) from error
    recording = _recording(data, files, start_ms, end_ms)
    report = replay(files, recording, start_ms=start_ms, end_ms=end_ms, default_interval_ms=interval_ms or 60_000)
    if as_json:
        print_json(_as_json(report))
    else:
        _print(report)


def _time_ms(option: str, text: str) -> int | None:
    if not text:
        return None
    try:
        return round(float(text) * 1000)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(
            f"{option} {text!r} is not a time; write for example 1700000000 or 2023-11-14T22:13:20Z", exit_code=2
        ) from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _recording(data: str, files: Sequence[RuleFile], start_ms: int | None, end_ms: int | None) -> Recording:
    if not data.startswith(("http://", "https://")):
        return read_recording(data)
    if start_ms is None or end_ms is None:
        raise CommandError("a Prometheus server needs --from and --to", exit_code=2)
    selectors = {selector.name for file in files for selector in _selectors(file) if selector.name}
    back_ms = max((_reach_ms(rule.expr) for file in files for group in file.groups for rule in group.rules), default=0)
    span_ms = end_ms - start_ms + back_ms + _LOOKBACK_MS
    recorded = {rule.record for file in files for group in file.groups for rule in group.rules}
    result: list[Mapping[str, Any]] = []
    for name in sorted(selectors - recorded):
        query = f'{{__name__="{name}"}}[{format_duration(span_ms)}]'
        result += _ask(data, query, end_ms)
    return recording_from_prometheus(result)


def _selectors(file: RuleFile) -> list[Any]:
    return [found for group in file.groups for rule in group.rules for found in selectors_of(parse(rule.expr))]


def _reach_ms(expr: str) -> int:
    """An upper bound of how far back an expression looks: all its ranges and offsets together."""
    return _reach_of(parse(expr))


def _reach_of(node: object) -> int:
    own = node.range_ms if isinstance(node, MatrixSelector) else int(getattr(node, "range_ms", 0) or 0)
    own += max(0, int(getattr(node, "offset_ms", 0) or 0))
    slots = getattr(type(node), "__dataclass_fields__", {})
    children = node if isinstance(node, tuple) else [getattr(node, name) for name in slots]
    return own + sum(_reach_of(child) for child in children)


def _ask(url: str, query: str, time_ms: int) -> list[Mapping[str, Any]]:
    import requests  # noqa: PLC0415 - only when a server is asked

    address = f"{url.rstrip('/')}/api/v1/query"
    try:
        answer = requests.post(address, data={"query": query, "time": time_ms / 1000}, timeout=_TIMEOUT_SECONDS).json()
    except (requests.RequestException, ValueError) as error:
        raise CommandError(f"{address} does not answer as a Prometheus: {type(error).__name__}") from error
    if answer.get("status") != "success":
        raise CommandError(f"{address}: {answer.get('error', 'no result')} (query {query})")
    return list(answer["data"]["result"])


def _text(ts_ms: int | None) -> str:
    return "" if ts_ms is None else datetime.fromtimestamp(ts_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _print(report: ReplayReport) -> None:
    from rich.table import Table  # noqa: PLC0415 - `--json` does not pay for it

    out = console()
    table = Table("alert", "labels", "active (UTC)", "fired", "ended", "value")
    for period in report.periods:
        labels = ", ".join(f"{name}={value}" for name, value in period.labels.items() if name != "alertname")
        fired = _text(period.fired_at_ms) or "never"
        ended = _text(period.ended_at_ms) or "still there"
        table.add_row(period.alertname, labels, _text(period.active_at_ms), fired, ended, f"{period.value:g}")
    if report.periods:
        out.print(table)
    out.print(
        f"{len(report.fired)} alerts fired, {len(report.periods) - len(report.fired)} stayed pending; "
        f"{report.evaluations} evaluations over {report.samples} samples "
        f"from {_text(report.start_ms)} to {_text(report.end_ms)}"
    )
    for failure in report.failures:
        out.print(f"rule {failure.rule} failed {failure.count} times: {failure.last_error}", soft_wrap=True)
    if report.silent:
        out.print(f"without any result: {', '.join(report.silent)}", soft_wrap=True)


def _as_json(report: ReplayReport) -> dict[str, object]:
    return {
        "start_ms": report.start_ms,
        "end_ms": report.end_ms,
        "evaluations": report.evaluations,
        "samples": report.samples,
        "alerts": [_period_json(period) for period in report.periods],
        "failures": [{"rule": f.rule, "count": f.count, "last_error": f.last_error} for f in report.failures],
        "silent": list(report.silent),
    }


def _period_json(period: AlertPeriod) -> dict[str, object]:
    return {
        "alertname": period.alertname,
        "labels": dict(period.labels),
        "annotations": dict(period.annotations),
        "active_at_ms": period.active_at_ms,
        "fired_at_ms": period.fired_at_ms,
        "ended_at_ms": period.ended_at_ms,
        "value": period.value,
    }
