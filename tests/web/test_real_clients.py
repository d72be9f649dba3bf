"""The port as Prometheus' own programs see it: a server that scrapes it, and promtool as a client of its API."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator

import httpx
import pytest

from otel_ext.clock import SystemClock
from otel_ext.web.app import build_app
from otel_ext.web.server import WebServer
from tests.support.processes import ProcessFactory, wait_until
from tests.support.servers import Prometheus
from tests.web.world import TRACE_ID, World

pytestmark = pytest.mark.real


@pytest.fixture
def served(world: World) -> Iterator[tuple[World, WebServer]]:
    """A service on a real port, whose last collection is of this moment: Prometheus refuses old exemplars."""
    world.clock.advance((SystemClock().now_ms() - world.clock.now_ms()) / 1000 - 10)
    world.step()
    world.step()
    server = WebServer(lambda: build_app(world))
    server.bind()
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield world, server
    assert server.stop(2)
    thread.join(2)


def test_prometheus_scrapes_every_series_with_its_exemplars(
    served: tuple[World, WebServer], processes: ProcessFactory
) -> None:
    world, server = served
    prometheus = Prometheus(processes=processes)
    prometheus.start()
    prometheus.scrape(server.port)
    wait_until(lambda: prometheus.targets() and prometheus.targets()[0]["health"] == "up", "a healthy target")
    assert prometheus.targets()[0]["lastError"] == ""
    found = {series["metric"]["__name__"]: series for series in prometheus.instant('{job="shop"}')}
    assert found["http_requests_total"]["metric"] == {
        "__name__": "http_requests_total",
        "http_route": "/",
        "instance": "one",
        "job": "shop",
    }
    assert found["http_requests_total"]["value"][1] == str(world.requests)
    here = {sample.name for family in world.metrics.latest_families() for sample in family.samples}
    assert here - {"job:http_requests:rate1m"} <= found.keys() | {"ALERTS", "ALERTS_FOR_STATE"}
    (series,) = _exemplars(prometheus)
    assert series["exemplars"][0]["labels"]["trace_id"] == format(TRACE_ID, "032x")


def _exemplars(prometheus: Prometheus) -> list[dict[str, list[dict[str, dict[str, str]]]]]:
    params: dict[str, str | int] = {"query": "http_latency_seconds_bucket", "start": 0, "end": 4_000_000_000}
    answer = httpx.get(f"{prometheus.url}/api/v1/query_exemplars", params=params, trust_env=False)
    return list(answer.json()["data"])


def promtool(*arguments: str) -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_promtool_queries_series_and_labels(served: tuple[World, WebServer]) -> None:
    world, server = served
    now = str(world.clock.now_ms() // 1000 + 1)
    instant = promtool("query", "instant", "--time", now, server.url, "http_requests_total")
    assert f'http_requests_total{{http_route="/", instance="one", job="shop"}} => {world.requests} @' in instant
    ranged = promtool(
        "query", "range", "--start", str(int(now) - 5), "--end", now, server.url, "sum(http_requests_total)"
    )
    assert f"{world.requests} @" in ranged
    series = promtool("query", "series", "--match", '{http_route="/",le=""}', server.url)
    assert '__name__="http_requests_total"' in series
    assert "http_requests_total" in promtool("query", "labels", server.url, "__name__")


def test_promtool_can_read_the_text_format(served: tuple[World, WebServer]) -> None:
    _, server = served
    page = httpx.get(f"{server.url}/metrics", headers={"accept": "text/plain"}, trust_env=False).content
    program = shutil.which("promtool") or pytest.skip("promtool is not installed")
    done = subprocess.run([program, "check", "metrics"], input=page, capture_output=True, timeout=60, check=False)
    assert "error while linting" not in done.stderr.decode()
