"""Both backends die in the middle of an incident and come back: the process decides and serves as if nothing were.

The shop is under steady load the whole time. While Jaeger and Prometheus are dead an SLO alert must fire locally, the
counts must stay exact and customers must not notice; afterwards forwarding goes on and says what was lost.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.load import LoadGenerator
from tests.support.processes import ProcessFactory, wait_until
from tests.support.servers import Jaeger, Prometheus
from tests.support.shop import Shop, break_shop, checkouts, shopping

pytestmark = pytest.mark.real

REQUESTS_PER_SECOND = 40
PHASE_SECONDS = 8.0
SETTINGS = """\
slos:
  - {name: everything, objective: "99.999"}
collect_interval: 1s
"""


@dataclass
class Outage:
    """What was seen in each phase."""

    shop: Shop
    load: LoadGenerator
    jaeger: Jaeger
    prometheus: Prometheus
    healthy: tuple[float, float] = (0.0, 0.0)
    dead: tuple[float, float] = (0.0, 0.0)
    ticks_while_dead: int = 0
    alert_while_dead: dict[str, Any] = field(default_factory=dict)
    stats_at_end_of_outage: dict[str, Any] = field(default_factory=dict)

    def stats(self) -> dict[str, Any]:
        """The process's own counters."""
        return dict(self.shop.local.get("/v1/observability/status")["stats"])

    def forward(self, signal: str) -> dict[str, Any]:
        """What became of the items of one signal."""
        return next(dict(one) for one in self.stats()["forward"] if one["signal"] == signal)

    def expected(self) -> tuple[int, int]:
        """(good, total) by what the load generator saw."""
        shipped = self.load.total(lambda one: one.route == "/checkout" and one.status == 201)
        bad = self.load.total(lambda one: one.status >= 500)
        return len(self.load.sent) - bad + shipped, len(self.load.sent) + shipped


def _for_a_phase(load: LoadGenerator) -> tuple[float, float]:
    """Let the load run for a phase of time, not of requests; gives its begin and end."""
    begin = time.time()
    wait_until(lambda: time.time() - begin > PHASE_SECONDS, "the phase to end", seconds=PHASE_SECONDS + 5)
    assert load.latencies(after=begin)
    return begin, time.time()


@pytest.fixture(scope="module")
def outage(session_processes: ProcessFactory) -> Iterator[Outage]:
    jaeger = Jaeger(processes=session_processes)
    prometheus = Prometheus(processes=session_processes, otlp=True)
    jaeger.start()
    prometheus.start()
    env = {
        "OTEL_SERVICE_NAME": "shop-outage",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": jaeger.otlp_traces_endpoint,
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": prometheus.otlp_metrics_endpoint,
        "OTEL_EXPORTER_OTLP_TIMEOUT": "2",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "OTEL_BSP_SCHEDULE_DELAY": "300",
        "OTEL_BSP_MAX_QUEUE_SIZE": "512",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "256",
    }
    shop = Shop(processes=session_processes, settings=SETTINGS, env=env).start()
    found = Outage(shop, shop.load(), jaeger, prometheus)
    found.load.run(shopping(100))
    with found.load.running(shopping(500), per_second=REQUESTS_PER_SECOND):
        found.healthy = _for_a_phase(found.load)
        jaeger.kill()
        prometheus.kill()
        ticks = found.stats()["ticks"]
        found.load.run([break_shop(error_ratio=0.5)])
        found.dead = _for_a_phase(found.load)
        found.alert_while_dead = wait_until(
            lambda: shop.local.firing(alertname="SloBurnRate", severity="page"), "the SLO alert during the outage"
        )[0]
        found.load.run([break_shop()])
        found.ticks_while_dead = found.stats()["ticks"] - ticks
        found.stats_at_end_of_outage = found.stats()
        jaeger.start()
        prometheus.start()
        _for_a_phase(found.load)
    yield found
    for process in (shop.process, jaeger.process, prometheus.process):
        assert process is not None
        process.kill()


def test_every_request_was_answered(outage: Outage) -> None:
    assert outage.load.total(lambda one: one.status == 0) == 0


def test_the_verdict_does_not_wait_for_backends(outage: Outage) -> None:
    begin, end = outage.dead
    assert outage.alert_while_dead["state"] == "firing"
    assert outage.ticks_while_dead >= int(end - begin) - 1


def test_local_counts_are_exact_after_the_outage(outage: Outage) -> None:
    good, total = outage.expected()
    wait_until(lambda: outage.shop.local.counts("everything")[1] >= total, f"{total} events locally")
    assert outage.shop.local.counts("everything") == (good, total)


def test_customers_notice_nothing(outage: Outage) -> None:
    healthy = outage.load.latencies(after=outage.healthy[0], before=outage.healthy[1])
    dead = outage.load.latencies(after=outage.dead[0], before=outage.dead[1])
    for quantile, allowance in ((50, 0.02), (95, 0.06)):
        before, during = (statistics.quantiles(one, n=100)[quantile - 1] for one in (healthy, dead))
        assert during < 2 * before + allowance, (quantile, before, during)
    assert len(dead) > 0.8 * len(healthy)


def test_the_process_says_during_the_outage_what_it_could_not_send(outage: Outage) -> None:
    traces, metrics = (
        next(one for one in outage.stats_at_end_of_outage["forward"] if one["signal"] == signal)
        for signal in ("traces", "metrics")
    )
    assert traces["failed"] + traces["dropped"] > 0
    assert traces["last_error"]
    assert metrics["failed"] > 0


def test_every_span_is_accounted_for(outage: Outage) -> None:
    outage.load.run(checkouts(1))

    def balanced() -> bool:
        stats, traces = outage.stats(), outage.forward("traces")
        known = traces["exported"] + traces["failed"] + traces["dropped"] + traces["queued"]
        return bool(known == stats["spans_sampled"] and traces["queued"] == 0)

    wait_until(balanced, "exported + failed + dropped spans to be all sampled spans")


def test_jaeger_gets_spans_again(outage: Outage) -> None:
    before = outage.forward("traces")["exported"]
    outage.load.run(checkouts(3))
    wait_until(lambda: outage.forward("traces")["exported"] >= before + 3, "forwarding to resume")
    newest = outage.shop.local.get("/v1/observability/traces", operation="POST /checkout", limit=1)["traces"][0]
    wait_until(lambda: outage.jaeger.trace(newest["trace_id"]), "a new trace in Jaeger")


def test_prometheus_catches_up_with_every_count(outage: Outage) -> None:
    _, total = outage.shop.local.counts("everything")
    expr = 'otel_ext_slo_events_total{job="shop-outage"}'

    def caught_up() -> bool:
        result = outage.prometheus.instant(expr)
        return bool(result) and int(result[0]["value"][1]) >= total

    wait_until(caught_up, f"{total} events in Prometheus")
