"""The load generator's own counts, against a real server that counts too."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from otel_ext.cli.demo.load import CHECKOUT, LIST_PRODUCTS, LoadGenerator, LoadTally, Observation, quantile


class CountingServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: Counter[tuple[str, int]] = Counter()
        self.lock = threading.Lock()
        self.blocked = threading.Event()
        self.blocked.set()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: CountingServer

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.blocked.wait()
        with self.server.lock:
            number = sum(self.server.seen.values())
            status = 503 if self.path == "/checkout" and number % 3 == 0 else 200
            self.server.seen[self.path, status] += 1
        body = b'{"cart_id": 1}'
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[CountingServer]:
    started = CountingServer()
    thread = threading.Thread(target=started.serve_forever)
    thread.start()
    yield started
    started.blocked.set()
    started.shutdown()
    thread.join()
    started.server_close()


def test_what_the_generator_counts_is_what_the_server_counted(server: CountingServer) -> None:
    async def drive() -> LoadTally:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.server_port}", trust_env=False) as client:
            load = LoadGenerator(client, rate=400)
            await load.prepare()
            running = asyncio.create_task(load.run())
            while load.tally.answers < 120:
                await asyncio.sleep(0.01)
            load.stop()
            await running
            await load.drain()
            return load.tally

    tally = asyncio.run(drive())

    assert tally.answers == sum(server.seen.values())
    assert tally.answered[CHECKOUT, 503] == server.seen["/checkout", 503] == tally.server_errors(CHECKOUT)
    assert tally.answered[LIST_PRODUCTS, 200] == server.seen["/products", 200] == tally.total(LIST_PRODUCTS)
    assert (tally.in_flight, tally.shed, sum(tally.unanswered.values())) == (0, 0, 0)


def test_requests_beyond_the_bound_are_shed_and_counted(server: CountingServer) -> None:
    async def drive() -> LoadTally:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.server_port}", trust_env=False) as client:
            load = LoadGenerator(client, rate=400, max_in_flight=3)
            await load.prepare()
            server.blocked.clear()
            running = asyncio.create_task(load.run())
            while load.tally.shed < 5:
                assert load.tally.in_flight <= 3
                await asyncio.sleep(0.005)
            load.stop()
            server.blocked.set()
            await running
            await load.drain()
            return load.tally

    tally = asyncio.run(drive())

    assert tally.answers == sum(server.seen.values())


def test_a_request_without_an_answer_is_counted_apart() -> None:
    async def drive() -> LoadTally:
        async with httpx.AsyncClient(base_url="http://127.0.0.1:1", trust_env=False) as client:
            load = LoadGenerator(client, rate=10)
            with pytest.raises(httpx.ConnectError):
                await load.request(LIST_PRODUCTS, "/products")
            return load.tally

    tally = asyncio.run(drive())

    assert tally.unanswered == {LIST_PRODUCTS: 1}
    assert tally.answers == 0


def test_each_finished_second_is_summarized_once() -> None:
    tally = LoadTally()
    for at, status, latency in [(0.1, 200, 0.01), (0.9, 503, 0.2), (1.2, 200, 0.03), (2.0, 200, 0.04)]:
        tally.add(Observation(at, LIST_PRODUCTS, status, latency))

    assert [(s.second, s.requests, s.errors, s.p95_seconds) for s in tally.seconds] == [
        (0, 2, 1, 0.2),
        (1, 1, 0, 0.03),
    ]


def test_only_the_last_seconds_stay_recent() -> None:
    tally = LoadTally()
    for at in range(20):
        tally.add(Observation(float(at), LIST_PRODUCTS, 200, 0.01))

    assert [item.at_seconds for item in tally.recent] == [14.0, 15.0, 16.0, 17.0, 18.0, 19.0]


def test_a_quantile_is_one_of_the_values() -> None:
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile(range(100), 0.95) == 95
    assert quantile([], 0.95) == 0.0
