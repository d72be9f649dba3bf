"""The background worker: takes paid orders from a queue and ships them.

Each order is one CONSUMER span that continues the trace of the checkout that placed it. Consumer spans count
in SLOs just as requests do, so "orders are shipped" is a promise the process can judge.
"""

from __future__ import annotations

import logging
import queue
import threading
from dataclasses import dataclass, field

from database import Database
from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

logger = logging.getLogger("shop.worker")
tracer = trace.get_tracer("shop")

_MESSAGING = {"messaging.system": "shop", "messaging.destination.name": "orders"}


@dataclass(frozen=True)
class PaidOrder:
    """A message: the order, and the trace context of the checkout."""

    order_id: int
    headers: dict[str, str] = field(default_factory=dict)


class OrderWorker:
    """One thread that ships orders until it is stopped; what is queued by then is still shipped."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._orders: queue.SimpleQueue[PaidOrder | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="shop-worker", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ship what is queued and end."""
        self._orders.put(None)
        self._thread.join(timeout=5)

    def waiting(self) -> int:
        """How many orders are queued."""
        return self._orders.qsize()

    def send(self, order_id: int) -> None:
        """Queue a paid order; called by the checkout."""
        with tracer.start_as_current_span(
            "send orders", kind=SpanKind.PRODUCER, attributes={**_MESSAGING, "messaging.operation.type": "send"}
        ):
            headers: dict[str, str] = {}
            propagate.inject(headers)
            self._orders.put(PaidOrder(order_id, headers))

    def _run(self) -> None:
        while (order := self._orders.get()) is not None:
            self._process(order)

    def _process(self, order: PaidOrder) -> None:
        attributes: dict[str, AttributeValue] = {
            **_MESSAGING,
            "messaging.operation.type": "process",
            "shop.order.id": order.order_id,
        }
        context = propagate.extract(order.headers)
        with tracer.start_as_current_span("process orders", context, SpanKind.CONSUMER, attributes):
            self._database.ship_order(order.order_id)
            logger.info("order %d shipped", order.order_id)
