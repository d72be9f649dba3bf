"""The shop of examples/shop under `opentelemetry-instrument` and uvicorn, in a process of its own, and how to ask it.

``Shop`` starts it with settings of a test; ``shop.load`` talks to the shop as customers do; ``shop.local`` asks the
process itself what it thinks.
"""

from __future__ import annotations

import random
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.support.load import Call, LoadGenerator
from tests.support.processes import ROOT, ProcessFactory, TestProcess, clean_environment, free_port, wait_until

__all__ = ["SHOP_FOLDER", "LocalApi", "Shop", "program", "shopping", "wait_listening"]

SHOP_FOLDER = ROOT / "examples" / "shop"


def program(name: str) -> Path:
    """A command installed beside this interpreter."""
    return Path(sys.executable).with_name(name)


def wait_listening(port: int, process: TestProcess, *, seconds: float = 40.0) -> None:
    """Wait until something accepts connections: no request, so nothing is counted."""

    def accepts() -> bool:
        if process.poll() is not None:
            raise AssertionError(f"{process.name} ended before it listened\n{process.report()}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except OSError:
            return False
        return True

    try:
        wait_until(accepts, f"{process.name} to listen on port {port}", seconds=seconds)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{process.report()}") from error


@dataclass(frozen=True, slots=True)
class LocalApi:
    """The process's own HTTP port, asked over HTTP as anybody would."""

    port: int

    @property
    def url(self) -> str:
        """Base URL."""
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **params: Any) -> Any:
        """GET a JSON route."""
        answer = httpx.get(self.url + path, params=params, timeout=10, trust_env=False)
        answer.raise_for_status()
        return answer.json()

    def text(self, path: str, **headers: str) -> str:
        """GET a route as text."""
        answer = httpx.get(self.url + path, headers=headers, timeout=10, trust_env=False)
        answer.raise_for_status()
        return answer.text

    def slo(self, name: str) -> dict[str, Any]:
        """One SLO's status."""
        return dict(self.get(f"/v1/observability/slos/{name}"))

    def counts(self, name: str) -> tuple[int, int]:
        """(good, total) of one SLO."""
        status = self.slo(name)
        return status["good"], status["total"]

    def alerts(self, **labels: str) -> list[dict[str, Any]]:
        """Pending and firing alerts that carry ``labels``."""
        found = self.get("/api/v1/alerts")["data"]["alerts"]
        return [alert for alert in found if labels.items() <= alert["labels"].items()]

    def firing(self, **labels: str) -> list[dict[str, Any]]:
        """Firing alerts that carry ``labels``."""
        return [alert for alert in self.alerts(**labels) if alert["state"] == "firing"]

    def instant(self, expr: str, time_seconds: float | None = None) -> list[dict[str, Any]]:
        """``data.result`` of an instant query."""
        params = {"query": expr} if time_seconds is None else {"query": expr, "time": time_seconds}
        return list(self.get("/api/v1/query", **params)["data"]["result"])


@dataclass(kw_only=True)
class Shop:
    """A shop process; ``start()`` it, or use it as a context manager.

    Args:
        processes: starts it, and ends it with the test.
        settings: text of its otel-ext.yaml; None takes the example's own.
        env: more environment variables, for example where to forward to.
        server: command line after `opentelemetry-instrument`; ``{port}`` is filled in.
    """

    processes: ProcessFactory
    settings: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    server: Sequence[str] = ("uvicorn", "app:app", "--port={port}", "--log-level=warning")
    port: int = field(default_factory=free_port)
    local_port: int = field(default_factory=free_port)
    process: TestProcess = field(init=False)

    def start(self) -> Shop:
        """Start it and wait until it takes connections on both ports."""
        self.launch()
        wait_listening(self.port, self.process)
        wait_until(lambda: httpx.get(f"{self.local.url}/livez", trust_env=False).status_code == 200, self._no_port())
        return self

    def launch(self) -> None:
        """Start it without waiting."""
        command = [program("opentelemetry-instrument"), program(self.server[0])]
        command += [part.format(port=self.port) for part in self.server[1:]]
        self.process = self.processes("shop", command, env=self._environment(), cwd=SHOP_FOLDER)

    @property
    def url(self) -> str:
        """Where customers go."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def local(self) -> LocalApi:
        """Where the process tells about itself."""
        return LocalApi(self.local_port)

    def load(self, *, threads: int = 4) -> LoadGenerator:
        """A load generator for it."""
        return LoadGenerator(url=self.url, threads=threads)

    def _no_port(self) -> str:
        return f"the process's own port; it wrote: {self.process.report()}"

    def _environment(self) -> dict[str, str]:
        config = SHOP_FOLDER / "otel-ext.yaml"
        if self.settings is not None:
            config = self.processes.folder / f"otel-ext-{self.port}.yaml"
            config.write_text(self.settings)
        ours = {
            "OTEL_SERVICE_NAME": "shop",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_EXT_CONFIG": str(config),
            "OTEL_EXT_HTTP_PORT": str(self.local_port),
            "SHOP_DATABASE": str(self.processes.folder / f"shop-{self.port}.sqlite"),
            **self.env,
        }
        return clean_environment(**ours)


_LIST = Call(method="GET", route="/products", path="/products")
_CHECKOUT = Call(method="POST", route="/checkout", path="/checkout", json={"cart_id": 1})


def shopping(count: int, *, seed: int = 1) -> Iterator[Call]:
    """``count`` calls as customers make them, the same for the same seed; some look for things that are not there."""
    chance = random.Random(seed)
    product = "/products/{product_id}"
    for _ in range(count):
        number = chance.randint(1, 12)
        yield chance.choice(
            [
                _LIST,
                Call(method="GET", route=product, path=f"/products/{number}"),
                Call(method="GET", route=product, path=f"/products/{number + 100}"),
                Call(method="POST", route="/carts", path="/carts"),
                Call(method="GET", route="/orders", path="/orders"),
                Call(method="GET", route="", path=f"/nowhere/{number}"),
                _CHECKOUT,
                _CHECKOUT,
            ]
        )


def checkouts(count: int) -> list[Call]:
    """``count`` checkouts of a cart."""
    return [_CHECKOUT] * count


def break_shop(*, error_ratio: float = 0.0, slow_database_ms: int = 0) -> Call:
    """The call that breaks the shop on purpose; without arguments it mends it."""
    faults = {"error_ratio": error_ratio, "slow_database_ms": slow_database_ms}
    return Call(method="POST", route="/_faults", path="/_faults", json=faults)
