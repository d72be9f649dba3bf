"""`otel-ext bench overhead`: what the package costs over the bare SDK, as ratios taken side by side.

Two fresh processes run equal blocks in turn, one with the SDK and OTLP export to a local sink, one with `otel_ext`
added. CPU time of all their threads is compared block by block, so that a busy machine disturbs both alike.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import IO, TYPE_CHECKING

from otel_ext.cli.output import CommandError

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.table import Table
    from rich.text import Text

__all__ = ["AIMS", "Overhead", "StartUp", "measure_operation", "measure_start_up", "paired_ratio"]

AIMS = {"span": 1.10, "request": 1.03}
TITLES = {"span": "one bare span", "request": "one FastAPI request (3 spans)"}
START_UP_AIM_SECONDS = 0.3
START_UP_AIM_MIB = 40.0
_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """CPU per operation in microseconds (medians of the blocks), and the paired ratio with its quartiles."""

    operation: str
    bare_us: float
    extended_us: float
    ratio: float
    ratio_p25: float
    ratio_p75: float
    blocks: int
    aim: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StartUp:
    """What import and install() add to a process over the SDK's own set-up: differences of medians."""

    wall_seconds: float
    cpu_seconds: float
    resident_mib: float
    bare_wall_seconds: float
    bare_resident_mib: float
    interpreters: int


def paired_ratio(bare: Sequence[float], extended: Sequence[float]) -> tuple[float, float, float]:
    """Quartiles (25, 50, 75 %) of ``extended[i] / bare[i]``."""
    ratios = [after / before for before, after in zip(bare, extended, strict=True)]
    if len(ratios) == 1:
        return ratios[0], ratios[0], ratios[0]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return low, middle, high


class Worker:
    """One measured process that stays up and runs blocks on request."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        _answer(process)

    def cpu_seconds(self, operation: str, count: int) -> float:
        """Run ``count`` operations and return the CPU seconds they took."""
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(f"{operation} {count}\n")
        stdin.flush()
        return _answer(self._process)["cpu_seconds"]


def _answer(process: subprocess.Popen[str]) -> dict[str, float]:
    stdout: IO[str] | None = process.stdout
    assert stdout is not None
    line = stdout.readline()
    if not line:
        raise CommandError(f"a measured process ended with code {process.wait()}; its message is above")
    answer: dict[str, float] = json.loads(line)
    return answer


def _environment() -> dict[str, str]:
    """No OTEL_ settings of the caller, and this package importable where it is not installed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    path = [str(_HERE.parents[1]), *filter(None, [kept.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(path), "OTEL_EXT_HTTP_PORT": "0"}


@contextmanager
def _script(name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(  # noqa: S603 - our own scripts with this interpreter
        [sys.executable, "-P", str(_HERE / name), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=_environment(),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def otlp_sink() -> Iterator[str]:
    """The URL of a sink that runs meanwhile."""
    with _script("otlp_sink.py") as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"


def measure_operation(operation: str, endpoint: str, *, blocks: int, count: int, progress: Progress) -> Overhead:
    """Run ``blocks`` pairs of blocks of ``count`` operations; who begins alternates. One warm-up pair is dropped."""
    task = progress.add_task(TITLES[operation], total=blocks + 1)
    seconds: dict[str, list[float]] = {"bare": [], "extended": []}
    with ExitStack() as stack:
        workers = {
            variant: Worker(stack.enter_context(_script("overhead_worker.py", variant, endpoint, "serve")))
            for variant in seconds
        }
        for number in range(blocks + 1):
            for variant in sorted(seconds, reverse=number % 2 == 1):
                seconds[variant].append(workers[variant].cpu_seconds(operation, count))
            progress.advance(task)
    bare, extended = seconds["bare"][1:], seconds["extended"][1:]
    low, middle, high = paired_ratio(bare, extended)
    return Overhead(
        operation=operation,
        bare_us=statistics.median(bare) / count * 1e6,
        extended_us=statistics.median(extended) / count * 1e6,
        ratio=middle,
        ratio_p25=low,
        ratio_p75=high,
        blocks=blocks,
        aim=AIMS[operation],
    )


def measure_start_up(endpoint: str, *, interpreters: int, progress: Progress) -> StartUp:
    """Set up once in each of ``interpreters`` fresh interpreters a variant, in turn."""
    task = progress.add_task("import and install()", total=interpreters)
    costs: dict[str, list[dict[str, float]]] = {"bare": [], "extended": []}
    for _ in range(interpreters):
        for variant, answers in costs.items():
            with _script("overhead_worker.py", variant, endpoint, "start-up") as process:
                answers.append(_answer(process))
        progress.advance(task)

    def median(variant: str, what: str) -> float:
        return statistics.median(answer[what] for answer in costs[variant])

    return StartUp(
        wall_seconds=median("extended", "wall_seconds") - median("bare", "wall_seconds"),
        cpu_seconds=median("extended", "cpu_seconds") - median("bare", "cpu_seconds"),
        resident_mib=median("extended", "resident_mib") - median("bare", "resident_mib"),
        bare_wall_seconds=median("bare", "wall_seconds"),
        bare_resident_mib=median("bare", "resident_mib"),
        interpreters=interpreters,
    )


def run(*, blocks: int, spans: int, requests: int, interpreters: int, as_json: bool) -> None:
    """Measure everything and print it."""
    from rich.progress import Progress  # noqa: PLC0415 - only when the command runs

    from otel_ext.cli.output import error_console, print_json  # noqa: PLC0415

    with otlp_sink() as endpoint, Progress(console=error_console(), transient=True) as progress:
        start_up = measure_start_up(endpoint, interpreters=interpreters, progress=progress)
        overheads = [
            measure_operation("span", endpoint, blocks=blocks, count=spans, progress=progress),
            measure_operation("request", endpoint, blocks=blocks, count=requests, progress=progress),
        ]
    if as_json:
        print_json(
            {
                "overhead": [asdict(item) for item in overheads],
                "start_up": asdict(start_up),
                "python": platform.python_version(),
                "opentelemetry_sdk": metadata.version("opentelemetry-sdk"),
                "cpus": os.cpu_count(),
            }
        )
    else:
        _print_tables(overheads, start_up)


def _print_tables(overheads: Sequence[Overhead], start_up: StartUp) -> None:
    from otel_ext.cli.output import console  # noqa: PLC0415 - only when the command runs

    out = console()
    out.print("CPU of all threads: the SDK with OTLP export, and the same with otel_ext", style="bold")
    out.print(_overhead_table(overheads))
    out.print("Import and install(), over the SDK's own set-up", style="bold")
    out.print(_start_up_table(start_up))
    out.print(_where(overheads[0].blocks, start_up.interpreters), style="dim")


def _overhead_table(overheads: Sequence[Overhead]) -> Table:
    table = _table("", "bare SDK", "with otel_ext", "ratio", "p25 - p75", "aim")
    for item in overheads:
        table.add_row(
            TITLES[item.operation],
            f"{item.bare_us:.1f} µs",
            f"{item.extended_us:.1f} µs",
            _marked(f"{item.ratio:.3f}", met=item.ratio <= item.aim),
            f"{item.ratio_p25:.3f} - {item.ratio_p75:.3f}",
            f"≤ {item.aim:.2f}",
        )
    return table


def _start_up_table(start_up: StartUp) -> Table:
    table = _table("", "SDK alone", "added", "aim")
    wall, size = start_up.wall_seconds, start_up.resident_mib
    table.add_row(
        "wall clock",
        f"{start_up.bare_wall_seconds:.2f} s",
        _marked(f"{wall:.2f} s", met=wall <= START_UP_AIM_SECONDS),
        f"≤ {START_UP_AIM_SECONDS} s",
    )
    table.add_row(
        "memory",
        f"{start_up.bare_resident_mib:.0f} MiB",
        _marked(f"{size:.0f} MiB", met=size <= START_UP_AIM_MIB),
        f"≤ {START_UP_AIM_MIB:.0f} MiB",
    )
    table.add_row("CPU", "", f"{start_up.cpu_seconds:.2f} s", "")
    return table


def _table(*columns: str) -> Table:
    from rich.table import Table  # noqa: PLC0415 - only when the command runs

    table = Table(box=None, padding=(0, 2), header_style="dim")
    for column in columns:
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    return table


def _where(blocks: int, interpreters: int) -> str:
    return (
        f"medians of {blocks} pairs of blocks and of {interpreters} interpreters each; "
        f"Python {platform.python_version()}, SDK {metadata.version('opentelemetry-sdk')}, {os.cpu_count()} CPUs"
    )


def _marked(text: str, *, met: bool) -> Text:
    from rich.text import Text  # noqa: PLC0415 - only when the command runs

    return Text(text, "green" if met else "red")
