"""Leaving: within two seconds whatever the collector does, and a killed process hurts nobody."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.otlp_sink import OtlpSink
from tests.support.processes import (
    ProcessFactory,
    clean_environment,
    refused_port,
    run_python,
    silent_port,
    wait_until,
)
from tests.support.shop import Shop, shopping

pytestmark = pytest.mark.real

SECONDS = 2.0
COLLECTORS = {"refused": refused_port, "silent": silent_port}


@pytest.fixture(params=sorted(COLLECTORS))
def dead_collector(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Environment that sends all three signals to a collector that is not there, or never answers."""
    with COLLECTORS[request.param]() as port:
        yield {
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_METRICS_EXPORTER": "otlp",
            "OTEL_LOGS_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_served_shop_exits_in_time(
    processes: ProcessFactory, dead_collector: dict[str, str], number: signal.Signals
) -> None:
    shop = Shop(processes=processes, env=dead_collector).start()
    shop.load().run(shopping(100))
    wait_until(lambda: shop.local.instant("http_server_duration_milliseconds_count"), "the first collection")
    started = time.monotonic()
    shop.process.signal(number)
    shop.process.wait(seconds=10)
    assert time.monotonic() - started < SECONDS, shop.process.report()
    assert "Traceback" not in shop.process.output()


SCRIPT = """
import time, otel_ext
from opentelemetry import trace
handle = otel_ext.install(http=False, service="script")
tracer = trace.get_tracer("script")
for _ in range(500):
    with tracer.start_as_current_span("work", kind=trace.SpanKind.SERVER):
        pass
handle.force_flush(timeout_seconds=0.1)
print(handle.slo("requests").total, time.time(), flush=True)
"""


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_script_exits_in_time_and_says_what_it_left_behind(dead_collector: dict[str, str], protocol: str) -> None:
    env = clean_environment(**{**dead_collector, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol})
    done = run_python(SCRIPT, env=env)
    ended = time.time()
    assert done.returncode == 0, done.stderr
    total, printed_at = done.stdout.split()
    assert total == "500"
    assert ended - float(printed_at) < SECONDS
    assert "traces" in done.stderr


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_script_with_a_live_collector_loses_nothing_at_exit(otlp_sink: OtlpSink, protocol: str) -> None:
    endpoint = otlp_sink.grpc_endpoint if protocol == "grpc" else otlp_sink.http_endpoint
    env = clean_environment(OTEL_EXPORTER_OTLP_PROTOCOL=protocol, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
    done = run_python(SCRIPT, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(otlp_sink.spans()) == 500
    assert {one.protocol for one in otlp_sink.spans()} == {protocol}
    totals = [point.as_int for one in otlp_sink.metrics("otel_ext.slo.events") for point in one.record.sum.data_points]
    assert max(totals) == 500


def test_a_killed_process_leaves_its_port_and_its_state_usable(processes: ProcessFactory, tmp_path: Path) -> None:
    settings = f"slos:\n  - {{name: everything, objective: 99}}\nstate_dir: {tmp_path / 'state'}\n"
    first = Shop(processes=processes, settings=settings).start()
    with first.load().running(shopping(50), per_second=100):
        wait_until(lambda: first.local.counts("everything")[1] > 30, "some events")
        first.process.signal(signal.SIGKILL)
        first.process.wait(seconds=5)
    again = Shop(processes=processes, settings=settings, port=first.port, local_port=first.local_port).start()
    load = again.load()
    load.run(shopping(50))
    wait_until(lambda: again.local.counts("everything")[1] >= len(load.sent), "the new events")
    assert again.local.text("/readyz")
