"""`otel-ext bench promql`: a group of 100 rules over fresh data, its ingest and memory, beside a real Prometheus.

The same series, samples and expressions go to both; Prometheus gets them as a block written by promtool and answers
over HTTP. CPU is the process's own; wall is the best of the rounds, because other work on the machine only adds.
"""

from __future__ import annotations

import resource
import shutil
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from otel_ext.cli.output import console, print_json

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from otel_ext.model.labels import Labels
    from otel_ext.storage.metrics import MetricStore

__all__ = ["Workload", "register", "rules_of", "workload"]

INTERVAL_MS = 5_000
WINDOW_SAMPLES = 60
HOUR_MS = 3_600_000
START_MS = 1_760_000_000_000
BOUNDS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf")
CODES = ("200", "201", "204", "404", "500")
WALL_AIM_MS, INGEST_AIM_MS, BYTES_AIM, CPU_AIM = 100.0, 30.0, 12.0, 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """``size`` counters and ``size`` buckets, and their cumulative values by column."""

    size: int
    series: tuple[Labels, ...]
    columns: npt.NDArray[np.float64]  # [column, series]

    def ts_ms(self, column: int) -> int:
        """The instant of a column."""
        return START_MS + column * INTERVAL_MS

    @property
    def last_ms(self) -> int:
        """The instant of the newest column: where the rules are evaluated."""
        return self.ts_ms(len(self.columns) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCost:
    """One evaluation of the whole group, in milliseconds."""

    size: int
    cold_wall_ms: float
    wall_ms: float
    cpu_ms: float
    ingest_ms: float
    bytes_a_sample: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusCost:
    """The same group in a Prometheus."""

    version: str
    size: int
    wall_ms: float
    cpu_ms: float


def register(parent: typer.Typer) -> None:
    """Add the command to the group `bench`."""
    parent.command("promql")(_command)


def _command(
    sizes: Annotated[list[int] | None, typer.Option("--size", help="Counters, and as many buckets again.")] = None,
    rounds: Annotated[int, typer.Option(help="Evaluations of the group.", min=1)] = 7,
    prometheus: Annotated[bool, typer.Option(help="Run an installed Prometheus on the same data.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """A 100-rule group over 1k + 1k and 10k + 10k series with 60-sample windows: CPU, wall, ingest, memory."""
    ours, theirs = [], []
    for size in sizes or [1_000, 10_000]:
        data = workload(size, WINDOW_SAMPLES + 10)
        ours.append(measure(data, rounds))
        if prometheus and shutil.which("prometheus") and shutil.which("promtool"):
            from otel_ext.cli import bench_prometheus  # noqa: PLC0415

            theirs.append(bench_prometheus.measure(data, rules_of(size)))
    if as_json:
        print_json({"otel_ext": [asdict(cost) for cost in ours], "prometheus": [asdict(cost) for cost in theirs]})
        return
    for cost in ours:
        console().print(_line(cost))
    for real in theirs:
        own = next(cost for cost in ours if cost.size == real.size)
        console().print(
            f"Prometheus {real.version}, {real.size:,} + {real.size:,} series: {real.cpu_ms:,.0f} ms CPU, "
            f"{real.wall_ms:,.0f} ms wall: {real.cpu_ms / own.cpu_ms:.1f} times our CPU (aim: {CPU_AIM:.0f})"
        )
    if not theirs:
        console().print("no Prometheus beside it: prometheus and promtool are not installed, or --no-prometheus")


def _line(cost: GroupCost) -> str:
    return (
        f"{cost.size:,} + {cost.size:,} series, 100 rules: {cost.wall_ms:.1f} ms wall (aim: {WALL_AIM_MS:.0f}), "
        f"{cost.cpu_ms:.1f} ms CPU, first time {cost.cold_wall_ms:.0f} ms; "
        f"a collection of {2 * cost.size:,} series {cost.ingest_ms:.1f} ms (aim: {INGEST_AIM_MS:.0f} for 10,000); "
        f"{cost.bytes_a_sample:.1f} bytes a sample at 1 h (aim: {BYTES_AIM:.0f})"
    )


def workload(size: int, columns: int) -> Workload:
    """Counters and histograms in the middle of their life, with a reset here and there; the same for equal sizes."""
    import numpy as np  # noqa: PLC0415

    from otel_ext.model.labels import Labels  # noqa: PLC0415

    random = np.random.default_rng(size)
    services = max(1, size // 120)
    identity = {"job": "shop/api", "instance": "a"}
    counters = [
        Labels(
            identity, __name__="requests_total", service=f"s{n % services}", code=CODES[n % len(CODES)], route=f"/r/{n}"
        )
        for n in range(size)
    ]
    buckets = [
        Labels(
            identity, __name__="latency_seconds_bucket", service=f"s{n // len(BOUNDS) % services}",
            route=f"/r/{n // len(BOUNDS)}", le=BOUNDS[n % len(BOUNDS)],
        )
        for n in range(size // len(BOUNDS) * len(BOUNDS))
    ]  # fmt: skip
    steps = random.poisson(5, (columns, size)).astype(np.float64)
    observed = random.poisson(1, (columns, len(buckets) // len(BOUNDS), len(BOUNDS))).cumsum(axis=2)
    values = np.concatenate([steps, observed.reshape(columns, -1)], axis=1).cumsum(axis=0)
    values[:, :size] += 10_000
    values[columns // 2 :, : size // 100] -= values[columns // 2, : size // 100]  # one counter in a hundred restarts
    return Workload(size=size, series=(*counters, *buckets), columns=values)


def rules_of(size: int) -> list[str]:
    """100 expressions as rule files have them, each with a selector of its own."""
    rules = [f'sum by (service, code) (rate(requests_total{{route!="/x/{n}"}}[5m]))' for n in range(40)]
    rules += [
        f'sum by (service) (rate(requests_total{{code=~"5..",route!="/y/{n}"}}[5m])) '
        f'/ sum by (service) (rate(requests_total{{route!="/z/{n}"}}[5m])) > 0.{n:02d}'
        for n in range(20)
    ]
    rules += [
        f'histogram_quantile(0.99, sum by (le, service) (rate(latency_seconds_bucket{{route!="/q/{n}"}}[5m])))'
        for n in range(20)
    ]
    rules += [
        f'sum by (service) (rate(requests_total{{code="404",route!="/{n}/{size}"}}[5m])) '
        '* on (service) group_left sum by (service) (latency_seconds_bucket{le="+Inf"})'
        for n in range(20)
    ]
    return rules


def measure(data: Workload, rounds: int) -> GroupCost:
    """Fill a store, evaluate the group cold and then ``rounds`` times."""
    from otel_ext.promql import QueryEngine  # noqa: PLC0415

    store = _filled(data)
    engine, rules = QueryEngine(store), rules_of(data.size)

    def evaluate() -> tuple[float, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        for expr in rules:
            engine.instant(expr, data.last_ms)
        return (time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3

    cold, _ = evaluate()
    costs = [evaluate() for _ in range(rounds)]
    return GroupCost(
        size=data.size,
        cold_wall_ms=cold,
        wall_ms=min(wall for wall, _ in costs),
        cpu_ms=statistics.median(cpu for _, cpu in costs),
        ingest_ms=_ingest(data),
        bytes_a_sample=_bytes_a_sample(data),
    )


def _filled(data: Workload) -> MetricStore:
    from otel_ext.storage.metrics import MetricStore  # noqa: PLC0415

    store = MetricStore(retention_ms=HOUR_MS, max_bytes=4 << 30)
    for column, values in enumerate(data.columns.tolist()):
        store.append(data.ts_ms(column), zip(data.series, values, strict=True))
    return store


def _ingest(data: Workload) -> float:
    """Milliseconds a repeated OTLP collection of all series takes, median."""
    from otel_ext.model import metrics as otlp  # noqa: PLC0415
    from otel_ext.storage.metrics import MetricStore  # noqa: PLC0415

    attributes = [dict(labels.without("__name__", "job", "instance")) for labels in data.series]
    resource_ = otlp.Resource(attributes={"service.name": "api", "service.instance.id": "a"})
    scope = otlp.InstrumentationScope(name="bench")
    store = MetricStore(retention_ms=HOUR_MS, max_bytes=4 << 30)
    costs = []
    for column, values in enumerate(data.columns[:12].tolist()):
        points = [
            otlp.NumberDataPoint(attributes=pairs, start_time_unix_nano=None, time_unix_nano=0, value=value)
            for pairs, value in zip(attributes, values, strict=True)
        ]
        total = otlp.Sum(data_points=points, aggregation_temporality=otlp.Temporality.CUMULATIVE, is_monotonic=True)
        metric = otlp.Metric(name="requests", description="", unit="", data=total)
        scopes = (otlp.ScopeMetrics(scope=scope, metrics=(metric,)),)
        collected = otlp.MetricsData(resource_metrics=(otlp.ResourceMetrics(resource=resource_, scope_metrics=scopes),))
        started = time.perf_counter()
        store.append_otlp(otlp.CollectedMetrics(ts_ms=data.ts_ms(column), data=collected))
        costs.append((time.perf_counter() - started) * 1e3)
    return statistics.median(costs[2:])


def _bytes_a_sample(data: Workload) -> float:
    """What the process grows by for an hour of samples, labels and indexes included, a sample."""
    from otel_ext.model.labels import Labels  # noqa: PLC0415
    from otel_ext.storage.metrics import MetricStore  # noqa: PLC0415

    plain = [dict(labels) for labels in data.series]
    before = _resident_bytes()
    store = MetricStore(retention_ms=HOUR_MS, max_bytes=4 << 30)
    series = [Labels(pairs) for pairs in plain]
    samples = 0
    values = data.columns[-1].tolist()
    for column in range(HOUR_MS // INTERVAL_MS):
        store.append(data.ts_ms(column), zip(series, values, strict=True))
        samples += len(series)
    return max(_resident_bytes() - before, 0) / samples


def _resident_bytes() -> int:
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    except OSError:  # no /proc: the highest value so far, in KiB (bytes on macOS)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
