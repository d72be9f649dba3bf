"""The load generator: real HTTP requests at a steady rate, and an exact count of what came back.

Open loop: requests start on schedule, however slow the answers are, as visitors do. Bounded: with ``max_in_flight``
requests unanswered the next one is not sent, and counted as shed. All state belongs to one event loop.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import httpx

__all__ = [
    "CHECKOUT",
    "LIST_PRODUCTS",
    "SHOW_PRODUCT",
    "LoadGenerator",
    "LoadTally",
    "Observation",
    "Operation",
    "SecondOfLoad",
    "quantile",
]

REQUEST_TIMEOUT_SECONDS = 30.0
RECENT_SECONDS = 5.0
SLOW_SECONDS = 0.3  # the shop's promise about its catalogue


def quantile(values: Iterable[float], q: float) -> float:
    """The value below which a share ``q`` of the values lies (nearest rank); 0 when there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else 0.0


class Operation(NamedTuple):
    """A kind of request: ``route`` is the template under which the server counts it."""

    method: str
    route: str

    @property
    def span_name(self) -> str:
        """The name that HTTP instrumentation gives the server's span."""
        return f"{self.method} {self.route}"


LIST_PRODUCTS = Operation("GET", "/products")
SHOW_PRODUCT = Operation("GET", "/products/{product_id}")
CREATE_CART = Operation("POST", "/carts")
ADD_ITEM = Operation("POST", "/carts/{cart_id}/items")
SHOW_CART = Operation("GET", "/carts/{cart_id}")
CHECKOUT = Operation("POST", "/checkout")
LIST_ORDERS = Operation("GET", "/orders")
FAULTS = Operation("POST", "/_faults")

# Of ten requests six browse the catalogue and two pay.
MIX = (
    SHOW_PRODUCT,
    CHECKOUT,
    LIST_PRODUCTS,
    SHOW_PRODUCT,
    SHOW_CART,
    SHOW_PRODUCT,
    CHECKOUT,
    LIST_PRODUCTS,
    SHOW_PRODUCT,
    LIST_ORDERS,
)
CARTS = 5
PRODUCTS = 12


class Observation(NamedTuple):
    """One answered request, as the client saw it."""

    at_seconds: float
    operation: Operation
    status: int
    latency_seconds: float


class SecondOfLoad(NamedTuple):
    """What was answered within one second of the load: what the charts are drawn from."""

    second: int
    requests: int
    errors: int
    p95_seconds: float


@dataclass(slots=True)
class LoadTally:
    """Everything the load generator knows. ``answered`` counts by operation and status code."""

    answered: Counter[tuple[Operation, int]] = field(default_factory=Counter)
    slow: Counter[Operation] = field(default_factory=Counter)
    unanswered: Counter[Operation] = field(default_factory=Counter)
    shed: int = 0
    in_flight: int = 0
    recent: deque[Observation] = field(default_factory=deque)
    seconds: list[SecondOfLoad] = field(default_factory=list)

    def add(self, observation: Observation) -> None:
        """Count an answer."""
        self.answered[observation.operation, observation.status] += 1
        if observation.latency_seconds > SLOW_SECONDS:
            self.slow[observation.operation] += 1
        if self.recent and int(self.recent[-1].at_seconds) < int(observation.at_seconds):
            self._summarize(int(self.recent[-1].at_seconds))
        self.recent.append(observation)
        while self.recent[0].at_seconds < observation.at_seconds - RECENT_SECONDS:
            self.recent.popleft()

    def _summarize(self, second: int) -> None:
        answers = [item for item in self.recent if int(item.at_seconds) == second]
        self.seconds.append(
            SecondOfLoad(
                second,
                len(answers),
                sum(item.status >= 500 for item in answers),
                quantile([item.latency_seconds for item in answers], 0.95),
            )
        )

    def total(self, operation: Operation) -> int:
        """Answers of an operation."""
        return sum(count for (counted, _), count in self.answered.items() if counted == operation)

    def server_errors(self, operation: Operation) -> int:
        """Answers of an operation with a status of 500 and above."""
        return sum(
            count for (counted, status), count in self.answered.items() if counted == operation and status >= 500
        )

    @property
    def answers(self) -> int:
        """All answers."""
        return sum(self.answered.values())

    @property
    def errors(self) -> int:
        """All answers with a status of 500 and above."""
        return sum(count for (_, status), count in self.answered.items() if status >= 500)


class LoadGenerator:
    """Sends :data:`MIX` to the shop. ``run()`` until ``stop()``, then ``drain()``."""

    def __init__(self, client: httpx.AsyncClient, *, rate: float, max_in_flight: int = 200) -> None:
        self.tally = LoadTally()
        self.rate = rate
        self._client = client
        self._max_in_flight = max_in_flight
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._carts: list[int] = []

    @property
    def elapsed_seconds(self) -> float:
        """Seconds since the first request of the load was due."""
        return self._loop.time() - self._began

    async def prepare(self) -> None:
        """Fill a few carts; these requests are counted like all others."""
        for number in range(CARTS):
            cart = await self.request(CREATE_CART, "/carts")
            self._carts.append(cart.json()["cart_id"])
            body = {"product_id": number + 1, "quantity": number + 1}
            await self.request(ADD_ITEM, f"/carts/{self._carts[-1]}/items", body)

    async def set_faults(self, faults: Mapping[str, float]) -> None:
        """Break or mend the shop."""
        await self.request(FAULTS, "/_faults", faults)

    async def request(self, operation: Operation, path: str, body: Mapping[str, float] | None = None) -> httpx.Response:
        """Send one request and count its answer."""
        began = self._loop.time()
        try:
            response = await self._client.request(operation.method, path, json=body)
        except BaseException:
            self.tally.unanswered[operation] += 1
            raise
        ended = self._loop.time()
        self.tally.add(Observation(ended - self._began, operation, response.status_code, ended - began))
        return response

    async def run(self) -> None:
        """Send requests on schedule until :meth:`stop`."""
        self._began = due = self._loop.time()
        for operation, path, body in self._script():
            due += 1 / self.rate
            if await self._stopped_before(due):
                return
            if self.tally.in_flight >= self._max_in_flight:
                self.tally.shed += 1
                continue
            task = asyncio.create_task(self._send(operation, path, body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Send nothing more."""
        self._stopping.set()

    async def drain(self) -> None:
        """Wait for the answers that are still due."""
        await asyncio.gather(*self._tasks)

    async def _stopped_before(self, due: float) -> bool:
        try:
            async with asyncio.timeout_at(due):
                await self._stopping.wait()
        except TimeoutError:
            return False
        return True

    async def _send(self, operation: Operation, path: str, body: Mapping[str, float] | None) -> None:
        import httpx  # noqa: PLC0415 - an extra, and only the demo needs it

        self.tally.in_flight += 1
        try:
            await self.request(operation, path, body)
        except httpx.HTTPError:
            pass  # counted as unanswered
        finally:
            self.tally.in_flight -= 1

    def _script(self) -> Iterator[tuple[Operation, str, Mapping[str, float] | None]]:
        products, carts = cycle(range(1, PRODUCTS + 1)), cycle(self._carts)
        for operation in cycle(MIX):
            if operation is SHOW_PRODUCT:
                yield operation, f"/products/{next(products)}", None
            elif operation is SHOW_CART:
                yield operation, f"/carts/{next(carts)}", None
            elif operation is CHECKOUT:
                yield operation, "/checkout", {"cart_id": next(carts)}
            else:
                yield operation, operation.route, None
