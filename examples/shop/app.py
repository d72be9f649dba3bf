"""A small shop: FastAPI, SQLite, a background worker, and not one line about SLOs, alerts or anomalies.

    cd examples/shop
    OTEL_EXT_CONFIG=otel-ext.yaml OTEL_SERVICE_NAME=shop opentelemetry-instrument uvicorn app:app

The spans and metrics of the routes and statements come from auto-instrumentation; what they are judged by stands
in `otel-ext.yaml` and `rules.yml`. `SHOP_DATABASE` names the SQLite file (default: a fresh temporary one).
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from database import Database, Row
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from faults import Faults, FaultSettings
from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation
from pydantic import BaseModel, Field
from worker import OrderWorker

logger = logging.getLogger("shop")
meter = metrics.get_meter("shop")
orders_counter = meter.create_counter("shop.orders", unit="{order}", description="Orders by what became of them")


class PaymentError(Exception):
    """The payment provider did not take the money."""


class CartItem(BaseModel):
    """The body of `POST /carts/{cart_id}/items`."""

    product_id: int
    quantity: int = Field(default=1, ge=1, le=100)


class Checkout(BaseModel):
    """The body of `POST /checkout`."""

    cart_id: int


def _database_path() -> Path:
    if named := os.environ.get("SHOP_DATABASE"):
        return Path(named)
    return Path(tempfile.mkdtemp(prefix="shop-")) / "shop.sqlite"


faults = Faults()
database = Database(_database_path(), faults.wait_for_disk)
worker = OrderWorker(database)


def _observe_waiting(_options: CallbackOptions) -> Iterator[Observation]:
    yield Observation(worker.waiting())


meter.create_observable_gauge(
    "shop.orders.waiting", [_observe_waiting], unit="{order}", description="Paid orders the worker has not taken yet"
)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """The worker lives as long as the server."""
    worker.start()
    yield
    worker.stop()
    database.close()


app = FastAPI(title="shop", lifespan=lifespan)


@app.exception_handler(PaymentError)
def payment_failed(_request: Request, error: PaymentError) -> JSONResponse:
    """A payment that failed is our fault as far as the customer can tell: 503."""
    orders_counter.add(1, {"outcome": "payment_failed"})
    logger.error("checkout failed: %s", error)
    return JSONResponse({"detail": str(error)}, status_code=503)


@app.get("/products")
def list_products() -> list[Row]:
    """The catalogue."""
    return database.products()


@app.get("/products/{product_id}")
def show_product(product_id: int) -> Row:
    """One product."""
    return _found(database.product(product_id), f"product {product_id}")


@app.post("/carts", status_code=201)
def create_cart() -> dict[str, int]:
    """An empty cart."""
    return {"cart_id": database.create_cart()}


@app.post("/carts/{cart_id}/items", status_code=201)
def add_item(cart_id: int, item: CartItem) -> list[Row]:
    """Put something into a cart."""
    _found(database.product(item.product_id), f"product {item.product_id}")
    database.add_to_cart(cart_id, item.product_id, item.quantity)
    return database.cart_items(cart_id)


@app.get("/carts/{cart_id}")
def show_cart(cart_id: int) -> list[Row]:
    """What is in a cart."""
    return database.cart_items(cart_id)


@app.post("/checkout", status_code=201)
def checkout(order: Checkout) -> dict[str, Any]:
    """Take the money and queue the order for the worker."""
    total_cents = sum(item["total_cents"] for item in database.cart_items(order.cart_id))
    _take_payment(total_cents)
    order_id = database.create_order(total_cents)
    worker.send(order_id)
    orders_counter.add(1, {"outcome": "paid"})
    logger.info("order %d placed: %.2f", order_id, total_cents / 100)
    return {"order_id": order_id, "total_cents": total_cents}


@app.get("/orders")
def list_orders(limit: int = 20) -> list[Row]:
    """The newest orders."""
    return database.orders(limit)


@app.get("/orders/{order_id}")
def show_order(order_id: int) -> Row:
    """One order."""
    return _found(database.order(order_id), f"order {order_id}")


@app.get("/_faults")
def show_faults() -> FaultSettings:
    """What is broken on purpose."""
    return faults.settings


@app.post("/_faults")
def set_faults(settings: FaultSettings) -> FaultSettings:
    """Break something, or with an empty body `{}` mend everything."""
    faults.apply(settings)
    logger.warning("faults are now %s", settings.model_dump())
    return settings


def _take_payment(total_cents: int) -> None:
    if faults.payment_fails():
        raise PaymentError(f"the payment provider refused {total_cents / 100:.2f}")


def _found(row: Row | None, what: str) -> Row:
    if row is None:
        raise HTTPException(404, f"there is no {what}")
    return row
