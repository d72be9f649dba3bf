"""`otel-ext query` and `otel-ext test promql`: PromQL at a running process, over a file of samples, or from scripts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otel_ext.cli.output import CommandError, console, print_json

if TYPE_CHECKING:
    from otel_ext.promql import QueryResult
    from otel_ext.storage.metrics import MetricStore

__all__ = ["query", "register", "test_promql"]

TIMEOUT_SECONDS = 30.0
_DEFAULT_URL = "http://127.0.0.1:4319"

Expression = Annotated[str, typer.Argument(metavar="EXPR", help="PromQL, like 'rate(requests_total[5m])'.")]
Url = Annotated[str, typer.Option("--url", envvar="OTEL_EXT_URL", help="Where the process answers.", metavar="URL")]
SampleFile = Annotated[
    Path | None,
    typer.Option("--file", help="Samples in OpenMetrics or Prometheus text instead of a process.", metavar="FILE"),
]
At = Annotated[float | None, typer.Option("--time", help="Unix seconds; the newest sample otherwise.", metavar="T")]
Start = Annotated[float | None, typer.Option("--start", help="Unix seconds; makes it a range query.", metavar="T")]
End = Annotated[float | None, typer.Option("--end", help="Unix seconds, the end of the range.", metavar="T")]
Step = Annotated[float, typer.Option("--step", help="Seconds between the points of a range.", min=0.001)]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's JSON.")]
Scripts = Annotated[list[Path], typer.Argument(metavar="FILE...", help="promqltest scripts.")]


def register(parent: typer.Typer) -> None:
    """Add the commands to the application."""
    parent.command("query")(query)
    test_group(parent).command("promql")(test_promql)


def test_group(parent: typer.Typer) -> typer.Typer:
    """The group `test` of the application, made by whichever module comes first."""
    for known in parent.registered_groups:
        if known.name == "test" and known.typer_instance is not None:
            return known.typer_instance
    group = typer.Typer(help="Run test files.", no_args_is_help=True, add_completion=False, rich_markup_mode=None)
    parent.add_typer(group, name="test")
    return group


def query(
    expr: Expression,
    url: Url = _DEFAULT_URL,
    file: SampleFile = None,
    time: At = None,
    start: Start = None,
    end: End = None,
    step: Step = 15.0,
    as_json: AsJson = False,
) -> None:
    """Evaluate PromQL at a running process, or over a file of samples."""
    if file is None:
        data, notes = _ask(url, expr, {"time": time, "start": start, "end": end, "step": step})
    else:
        data, notes = _evaluate(file, expr, (time, start, end, step))
    if as_json:
        print_json(data)
        return
    for line in result_lines(data):
        console().print(line, soft_wrap=True)
    for note in notes:
        console().print(f"note: {note}", soft_wrap=True)


def _ask(url: str, expr: str, times: dict[str, float | None]) -> tuple[dict[str, Any], list[str]]:
    import requests  # noqa: PLC0415 - only when a command asks a process

    ranged = times["start"] is not None
    names = ("start", "end", "step") if ranged else ("time",)
    parameters = {"query": expr} | {name: str(times[name]) for name in names if times[name] is not None}
    path = "query_range" if ranged else "query"
    try:
        answer = requests.get(f"{url}/api/v1/{path}", params=parameters, timeout=TIMEOUT_SECONDS).json()
    except (requests.RequestException, ValueError) as error:
        raise CommandError(f"no answer from {url}: {error}; is the process running there? (--url)") from error
    if answer.get("status") != "success":
        raise CommandError(str(answer.get("error", answer)))
    return answer["data"], [*answer.get("warnings", []), *answer.get("infos", [])]


def _evaluate(
    file: Path, expr: str, times: tuple[float | None, float | None, float | None, float]
) -> tuple[dict[str, Any], list[str]]:
    from otel_ext.promql import QueryEngine, prometheus_json  # noqa: PLC0415

    store, newest_ms = _load(file)
    engine = QueryEngine(store)
    at, start, end, step = times
    result: QueryResult
    if start is not None:
        until = newest_ms if end is None else round(end * 1000)
        result = engine.range(expr, round(start * 1000), until, round(step * 1000))
    else:
        result = engine.instant(expr, newest_ms if at is None else round(at * 1000))
    return prometheus_json(result), [*result.warnings, *result.infos]


def _load(file: Path) -> tuple[MetricStore, int]:
    """A store of the file's samples and the time of the newest; samples without a time stand at 0."""
    from prometheus_client.openmetrics import parser as openmetrics  # noqa: PLC0415
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415

    from otel_ext.model.labels import METRIC_NAME, Labels  # noqa: PLC0415
    from otel_ext.storage.metrics import MetricStore  # noqa: PLC0415

    try:
        text = file.read_text()
        parse = openmetrics.text_string_to_metric_families if "# EOF" in text else text_string_to_metric_families
        samples = [sample for family in parse(text) for sample in family.samples]
    except (OSError, ValueError) as error:
        raise CommandError(f"{file}: cannot be read as OpenMetrics or Prometheus text: {error}") from error
    by_time: dict[int, list[tuple[Labels, float]]] = {}
    for sample in samples:
        ts_ms = round(float(sample.timestamp) * 1000) if sample.timestamp is not None else 0
        by_time.setdefault(ts_ms, []).append((Labels({**sample.labels, METRIC_NAME: sample.name}), sample.value))
    store = MetricStore(retention_ms=1 << 50, max_bytes=1 << 50)
    for ts_ms in sorted(by_time):
        store.append(ts_ms, by_time[ts_ms])
    return store, max(by_time, default=0)


def result_lines(data: dict[str, Any]) -> list[str]:
    """A result as lines: labels and value; for a range, labels and then a line a point."""
    kind, result = data["resultType"], data["result"]
    if kind in ("scalar", "string"):
        return [str(result[1])]
    if kind == "vector":
        return [f"{_labels(row['metric'])} {_value(row)}" for row in result] or ["no series"]
    lines: list[str] = []
    for row in result:
        lines.append(_labels(row["metric"]))
        lines += [f"  {ts} {value}" for ts, value in row.get("values", [])]
        lines += [f"  {ts} {_histogram(value)}" for ts, value in row.get("histograms", [])]
    return lines or ["no series"]


def _labels(metric: dict[str, str]) -> str:
    from otel_ext.model.labels import Labels  # noqa: PLC0415

    return repr(Labels(metric))


def _value(row: dict[str, Any]) -> str:
    return str(row["value"][1]) if "value" in row else _histogram(row["histogram"][1])


def _histogram(histogram: dict[str, Any]) -> str:
    return f"histogram of {histogram['count']} observations, sum {histogram['sum']}"


def test_promql(files: Scripts) -> None:
    """Run promqltest scripts (load, eval, clear); one line a failure, then `N passed, N failed`."""
    from otel_ext.promql.script_file import ScriptError  # noqa: PLC0415
    from otel_ext.promql.testscript import run_script  # noqa: PLC0415

    passed = failed = 0
    for file in files:
        try:
            report = run_script(file)
        except (OSError, ScriptError) as error:
            failed += 1
            console().print(f"{file}: {error}" if isinstance(error, OSError) else str(error), soft_wrap=True)
            continue
        for failure in report.failures:
            console().print(str(failure), soft_wrap=True)
        passed += report.passed
        failed += len(report.failures)
    console().print(f"{passed} passed, {failed} failed")
    if failed:
        raise typer.Exit(1)
