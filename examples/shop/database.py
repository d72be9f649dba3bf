"""The shop's SQLite database: a handful of statements behind plain methods.

Connections come from a small pool, because FastAPI runs plain `def` routes on many threads.
"""

from __future__ import annotations

import queue
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS product (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price_cents INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS cart (id INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS cart_item (cart_id INTEGER NOT NULL, product_id INTEGER NOT NULL, quantity INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS "order" (id INTEGER PRIMARY KEY, total_cents INTEGER NOT NULL, status TEXT NOT NULL);
"""

_PRODUCTS = [
    ("Tea, green, 100 g", 690),
    ("Tea, black, 100 g", 590),
    ("Coffee, whole beans, 500 g", 1290),
    ("Cup, stoneware", 1450),
    ("Teapot, cast iron", 5900),
    ("Kettle, gooseneck", 6400),
    ("Scale, 0.1 g", 3900),
    ("Grinder, hand", 8900),
    ("Filter papers, 100", 650),
    ("Honey, acacia", 890),
    ("Biscuits, oat", 390),
    ("Gift card", 2500),
]

# wait_for_disk() is constant within a statement, so SQLite calls it once however many rows there are.
_SELECT_PRODUCT = "SELECT id, name, price_cents FROM product WHERE wait_for_disk()"

Row = dict[str, Any]


class Database:
    """Products, carts and orders. Safe to call from any thread."""

    def __init__(self, path: Path, wait_for_disk: Callable[[], int]) -> None:
        self._path = path
        self._wait_for_disk = wait_for_disk
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        with self._connection() as connection:
            connection.executescript(_SCHEMA)
            if not connection.execute("SELECT 1 FROM product").fetchone():
                connection.executemany("INSERT INTO product (name, price_cents) VALUES (?, ?)", _PRODUCTS)

    def close(self) -> None:
        """Close the pooled connections."""
        while not self._idle.empty():
            self._idle.get_nowait().close()

    def products(self) -> list[Row]:
        """The whole catalogue."""
        return self._rows(f"{_SELECT_PRODUCT} ORDER BY id")

    def product(self, product_id: int) -> Row | None:
        """One product, or None."""
        return next(iter(self._rows(f"{_SELECT_PRODUCT} AND id = ?", product_id)), None)

    def create_cart(self) -> int:
        """A new empty cart's id."""
        return self._insert("INSERT INTO cart DEFAULT VALUES")

    def add_to_cart(self, cart_id: int, product_id: int, quantity: int) -> None:
        """Put a product into a cart."""
        self._insert("INSERT INTO cart_item VALUES (?, ?, ?)", cart_id, product_id, quantity)

    def cart_items(self, cart_id: int) -> list[Row]:
        """What a cart holds, with prices."""
        return self._rows(
            "SELECT product_id, name, quantity, price_cents * quantity AS total_cents"
            " FROM cart_item JOIN product ON product.id = product_id WHERE cart_id = ?",
            cart_id,
        )

    def create_order(self, total_cents: int) -> int:
        """A paid order that waits for the worker."""
        return self._insert('INSERT INTO "order" (total_cents, status) VALUES (?, ?)', total_cents, "paid")

    def ship_order(self, order_id: int) -> None:
        """The worker is done with it."""
        self._insert('UPDATE "order" SET status = ? WHERE id = ?', "shipped", order_id)

    def order(self, order_id: int) -> Row | None:
        """One order, or None."""
        return next(iter(self._rows('SELECT id, total_cents, status FROM "order" WHERE id = ?', order_id)), None)

    def orders(self, limit: int) -> list[Row]:
        """The newest orders."""
        return self._rows('SELECT id, total_cents, status FROM "order" ORDER BY id DESC LIMIT ?', limit)

    def _rows(self, sql: str, *arguments: object) -> list[Row]:
        with self._connection() as connection:
            return [dict(row) for row in connection.execute(sql, arguments).fetchall()]

    def _insert(self, sql: str, *arguments: object) -> int:
        with self._connection() as connection:
            return connection.execute(sql, arguments).lastrowid or 0

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = self._connect()
        try:
            with connection:  # one transaction: commit, or roll back on an exception
                yield connection
        finally:
            self._idle.put(connection)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, check_same_thread=False, timeout=10)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")  # a demo's orders may be lost with the machine
        connection.create_function("wait_for_disk", 0, self._wait_for_disk, deterministic=True)
        return connection
