"""Servers with several workers, without a line of code: the workers' counts add up to what the load generator did."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
import pytest

from tests.support.load import Call, LoadGenerator
from tests.support.processes import ROOT, ProcessFactory, TestProcess, clean_environment, free_port, wait_until
from tests.support.shop import LocalApi, program, wait_listening

pytestmark = pytest.mark.real

FOLDER = ROOT / "tests" / "real"
WHOAMI = Call(method="GET", route="/whoami", path="/whoami")
SERVERS = {
    "uvicorn": ["uvicorn", "worker_app:asgi", "--workers=2", "--port={port}"],
    "gunicorn": ["gunicorn", "worker_app:wsgi", "--workers=2", "--bind=127.0.0.1:{port}"],
    "gunicorn-preload": ["gunicorn", "worker_app:wsgi", "--workers=2", "--preload", "--bind=127.0.0.1:{port}"],
}


@dataclass
class Served:
    """A server with two workers."""

    process: TestProcess
    port: int
    load: LoadGenerator
    asked: int = 0

    def find_workers(self) -> dict[int, LocalApi]:
        """Ask who answers until both workers did; each request is counted in ``asked``."""
        found: dict[int, LocalApi] = {}

        def both() -> bool:
            answer = httpx.get(f"http://127.0.0.1:{self.port}/whoami", trust_env=False, timeout=10).json()
            self.asked += 1
            if answer["url"]:
                found[answer["pid"]] = LocalApi(int(answer["url"].rstrip("/").rpartition(":")[2]))
            return len(found) == 2

        wait_until(both, "both workers to answer", seconds=40)
        return found


@pytest.fixture(params=sorted(SERVERS))
def served(request: pytest.FixtureRequest, processes: ProcessFactory) -> Served:
    port = free_port()
    command: Sequence[str] = [part.format(port=port) for part in SERVERS[request.param]]
    env = clean_environment(
        OTEL_SERVICE_NAME="workers",
        OTEL_TRACES_EXPORTER="none",
        OTEL_METRICS_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
        OTEL_EXT_HTTP_PORT="0",
        OTEL_EXT_COLLECT_INTERVAL="1s",
    )
    full = [program("opentelemetry-instrument"), program(command[0]), *command[1:]]
    process = processes(request.param, full, env=env, cwd=FOLDER)
    wait_listening(port, process)
    return Served(process, port, LoadGenerator(url=f"http://127.0.0.1:{port}", threads=8))


def test_the_workers_counts_add_up(served: Served) -> None:
    workers = served.find_workers()
    served.load.run([WHOAMI] * 400)
    assert served.load.counts() == {("GET", "/whoami", 200): 400}
    expected = 400 + served.asked

    def total() -> int:
        return sum(worker.counts("requests")[1] for worker in workers.values())

    wait_until(lambda: total() >= expected, f"{expected} requests counted by both workers")
    assert total() == expected
    assert all(worker.counts("requests")[1] > 0 for worker in workers.values())


def test_the_server_stops_in_time(served: Served) -> None:
    served.find_workers()
    served.load.run([WHOAMI] * 50)
    started = time.monotonic()
    served.process.signal(signal.SIGTERM)
    served.process.wait(seconds=20)
    # uvicorn's and gunicorn's own supervisors look after their workers about once a second
    assert time.monotonic() - started < 5, served.process.report()
    assert "Traceback" not in served.process.output()


def test_two_workers_on_one_configured_port_share_it_out_and_say_so(processes: ProcessFactory) -> None:
    port, local_port = free_port(), free_port()
    env = clean_environment(
        OTEL_SERVICE_NAME="workers",
        OTEL_TRACES_EXPORTER="none",
        OTEL_METRICS_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
        OTEL_EXT_HTTP_PORT=str(local_port),
    )
    command = [program("opentelemetry-instrument"), program("gunicorn"), "worker_app:wsgi", "--workers=2"]
    process = processes("gunicorn", [*command, f"--bind=127.0.0.1:{port}"], env=env, cwd=FOLDER)
    wait_listening(port, process)
    workers = Served(process, port, LoadGenerator(url=f"http://127.0.0.1:{port}")).find_workers()
    ports = {worker.port for worker in workers.values()}
    assert len(ports) == 2
    assert local_port in ports
    (other,) = ports - {local_port}
    facts = " ".join(LocalApi(other).get("/v1/observability/status")["facts"])
    assert f"port {local_port}" in facts or f":{local_port}" in facts
    wait_until(lambda: f":{other}" in process.output(), "the worker to say on stderr which port it took")


def test_the_interpreter_is_the_one_under_test() -> None:
    assert program("opentelemetry-instrument").exists(), f"install the test extra beside {sys.executable}"
