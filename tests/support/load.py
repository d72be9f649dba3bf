"""A load generator that remembers exactly what it did: per route and status, with every latency.

Threads with one keep-alive connection each send requests over real HTTP. The counts are the truth that the process
under test is compared with, so a request that got no answer is counted apart, under status 0.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

__all__ = ["Call", "LoadGenerator", "Sent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to make: ``route`` is the template the server knows it by, ``path`` what is sent."""

    method: str
    route: str
    path: str
    json: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request that was made. ``status`` 0: no answer came. Times are Unix seconds and seconds."""

    method: str
    route: str
    status: int
    ended_at: float
    seconds: float


@dataclass(kw_only=True)
class LoadGenerator:
    """Sends calls to ``url`` and keeps a record of each."""

    url: str
    threads: int = 4
    sent: list[Sent] = field(default_factory=list)

    def run(self, calls: Iterable[Call]) -> list[Sent]:
        """Send all calls, spread over the threads, and return what was sent in this run."""
        queue = iter(list(calls))
        lock = threading.Lock()

        def next_call() -> Call | None:
            with lock:
                return next(queue, None)

        return self._run_threads(lambda client: self._drain(client, next_call))

    @contextmanager
    def running(self, calls: Iterable[Call], *, per_second: float) -> Iterator[None]:
        """Repeat the calls at a steady rate for as long as the context lasts."""
        stop = threading.Event()
        repeated = itertools.cycle(list(calls))
        lock = threading.Lock()
        pause = self.threads / per_second

        def one_thread(client: httpx.Client) -> list[Sent]:
            mine = []
            while not stop.wait(pause):
                with lock:
                    call = next(repeated)
                mine.append(self._send(client, call))
            return mine

        thread = threading.Thread(target=self._run_threads, args=(one_thread,), name="load")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def counts(self) -> Counter[tuple[str, str, int]]:
        """How many requests by (method, route, status)."""
        return Counter((one.method, one.route, one.status) for one in list(self.sent))

    def total(self, keep: Callable[[Sent], bool] = lambda _sent: True) -> int:
        """How many requests satisfy ``keep``."""
        return sum(1 for one in list(self.sent) if keep(one))

    def latencies(self, *, after: float = 0.0, before: float = float("inf")) -> list[float]:
        """Sorted latencies in seconds of the requests that ended between two Unix times."""
        return sorted(one.seconds for one in list(self.sent) if after <= one.ended_at < before)

    def _run_threads(self, work: Callable[[httpx.Client], list[Sent]]) -> list[Sent]:
        def with_client(_index: int) -> list[Sent]:
            with httpx.Client(base_url=self.url, timeout=30, trust_env=False) as client:
                return work(client)

        with ThreadPoolExecutor(self.threads, thread_name_prefix="load") as pool:
            results = list(pool.map(with_client, range(self.threads)))
        return list(itertools.chain.from_iterable(results))

    def _drain(self, client: httpx.Client, next_call: Callable[[], Call | None]) -> list[Sent]:
        mine = []
        while (call := next_call()) is not None:
            mine.append(self._send(client, call))
        return mine

    def _send(self, client: httpx.Client, call: Call) -> Sent:
        started = time.perf_counter()
        try:
            status = client.request(call.method, call.path, json=call.json).status_code
        except httpx.TransportError:
            status = 0
        seconds = time.perf_counter() - started
        one = Sent(method=call.method, route=call.route, status=status, ended_at=time.time(), seconds=seconds)
        self.sent.append(one)
        return one
