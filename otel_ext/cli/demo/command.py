"""The demo from start to end: start the shop, send the load, break things on schedule, watch, compare, stop.

One asyncio event loop owns everything here; it starts no threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from importlib import metadata
from typing import TYPE_CHECKING

from otel_ext.cli.demo.phases import PHASES, schedule
from otel_ext.cli.demo.shop import ShopProcess, free_port, missing_extras, shop_directory
from otel_ext.cli.output import CommandError, console
from otel_ext.cli.units import parse_seconds
from otel_ext.clock import SystemClock

if TYPE_CHECKING:
    import httpx

    from otel_ext.cli.demo.load import LoadGenerator
    from otel_ext.cli.demo.observer import Observer
    from otel_ext.cli.demo.state import DemoState
    from otel_ext.cli.demo.summary import Comparison

__all__ = ["run", "shop_environment"]

SHORTEST_SECONDS = 8.0
POLL_SECONDS = 0.5
SETTLE_SECONDS = 8.0
_SIGNALS = ("TRACES", "METRICS", "LOGS")
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", *(f"OTEL_EXPORTER_OTLP_{name}_ENDPOINT" for name in _SIGNALS))
# What would make the shop another one than the demo tells of.
_NOT_INHERITED = (
    "OTEL_CONFIG_FILE",
    "OTEL_SDK_DISABLED",
    "OTEL_SERVICE_NAME",
    "OTEL_SEMCONV_STABILITY_OPT_IN",
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS",
)


def run(*, duration: str, rate: float, port: int, plain: bool, stay: bool = False) -> None:
    """The command.

    Raises:
        CommandError: something is missing, or the counts differ (exit code 1).
    """
    seconds = parse_seconds(duration)
    if seconds < SHORTEST_SECONDS:
        raise CommandError(f"--duration {duration}: at least {SHORTEST_SECONDS:.0f}s, for example 90s", exit_code=2)
    _require_everything()
    try:
        equal = asyncio.run(_Demo(seconds=seconds, rate=rate, port=port, plain=plain, stay=stay).play())
    except asyncio.CancelledError:
        raise CommandError("stopped", exit_code=143) from None
    if not equal:
        raise CommandError("the load generator's counts and the engines' differ")


def _require_everything() -> None:
    if missing := missing_extras():
        raise CommandError(f"the demo needs {', '.join(missing)}: pip install 'otel-ext[demo]'")
    hooks = {entry.value.partition(".")[0] for entry in metadata.entry_points(group="opentelemetry_pre_instrument")}
    if "otel_ext" not in hooks:
        raise CommandError(
            "opentelemetry-instrument does not know otel_ext: the package is on the path but not installed; "
            "install it, for example: pip install -e '.[demo]'"
        )


def shop_environment(inherited: Mapping[str, str], console_port: int) -> dict[str, str]:
    """The shop's variables: what was inherited, without what would change the demo, and its own settings.

    Without an OTLP endpoint the SDK's exporters are switched off, or they would look for one on localhost.
    """
    kept = {
        name: value
        for name, value in inherited.items()
        if not name.startswith("OTEL_EXT_") and name not in _NOT_INHERITED
    }
    if not any(kept.get(name, "").strip() for name in _ENDPOINTS):
        kept |= {f"OTEL_{name}_EXPORTER": "none" for name in _SIGNALS}
    return kept | {
        "OTEL_EXT_CONFIG": str(shop_directory() / "otel-ext.yaml"),
        "OTEL_EXT_HTTP_PORT": str(console_port),
        "OTEL_EXT_BANNER": "false",
        "PYTHONUNBUFFERED": "1",
    }


class _Demo:
    """One performance."""

    def __init__(self, *, seconds: float, rate: float, port: int, plain: bool, stay: bool) -> None:
        self._scheduled = schedule(seconds, PHASES)
        self._rate = rate
        self._console_port = free_port(port)
        self._console = console()
        self._plain = plain or not self._console.is_terminal
        self._stay = stay

    async def play(self) -> bool:
        """Play it; True when all counts were equal."""
        import httpx  # noqa: PLC0415 - an extra, checked before

        _cancel_on(signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM))
        environment = shop_environment(os.environ, self._console_port)
        limits = httpx.Limits(max_connections=None)
        with self._console.status("starting the shop", spinner="dots") if not self._plain else contextlib.nullcontext():
            shop = await ShopProcess(port=free_port(), console_port=self._console_port, environment=environment).start()
        try:
            async with (
                httpx.AsyncClient(base_url=shop.url, timeout=30, limits=limits, trust_env=False) as shop_client,
                httpx.AsyncClient(base_url=shop.console_url, timeout=5, trust_env=False) as console_client,
            ):
                return await self._perform(shop, shop_client, console_client)
        finally:
            await shop.stop()

    async def _perform(
        self, shop: ShopProcess, shop_client: httpx.AsyncClient, console_client: httpx.AsyncClient
    ) -> bool:
        from otel_ext.cli.demo.load import LoadGenerator  # noqa: PLC0415 - rich and the views only when they are drawn
        from otel_ext.cli.demo.observer import Observer  # noqa: PLC0415
        from otel_ext.cli.demo.report import print_summary  # noqa: PLC0415
        from otel_ext.cli.demo.screen import screen  # noqa: PLC0415
        from otel_ext.cli.demo.state import DemoState  # noqa: PLC0415

        load = LoadGenerator(shop_client, rate=self._rate)
        await load.prepare()
        state = DemoState(
            scheduled=self._scheduled,
            rate=self._rate,
            console_url=shop.console_url,
            shop_url=shop.url,
            shop_pid=shop.pid,
            forwarding_to=next(filter(None, map(os.environ.get, _ENDPOINTS)), None),
            origin_ms=SystemClock().now_ms(),
            tally=load.tally,
        )
        observer = Observer(console_client, state.verdicts)
        async with screen(self._console, state, plain=self._plain):
            await self._play_phases(shop, load, state, observer)
            comparisons = await _settle(load, state, observer)
        print_summary(self._console, state, comparisons)
        if self._stay:
            self._console.print(f"  The shop goes on: {shop.url}/products, {shop.console_url}. Ctrl-C ends it.")
            await asyncio.Event().wait()
        return all(comparison.equal for comparison in comparisons)

    async def _play_phases(self, shop: ShopProcess, load: LoadGenerator, state: DemoState, observer: Observer) -> None:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(_watch(shop, load, state, observer))
            group.create_task(load.run())
            for item in self._scheduled:
                await load.set_faults(item.phase.faults)
                await asyncio.sleep(max(0.0, item.end_seconds - load.elapsed_seconds))
            load.stop()
            await load.drain()
            watching.cancel()


async def _watch(shop: ShopProcess, load: LoadGenerator, state: DemoState, observer: Observer) -> None:
    """Poll until cancelled; an error when the shop has died."""
    while True:
        if shop.exit_code is not None:
            raise CommandError(f"the shop ended with code {shop.exit_code}:\n{shop.log_tail()}")
        await observer.poll()
        state.elapsed_seconds = load.elapsed_seconds
        state.note_burn_rates()
        await asyncio.sleep(POLL_SECONDS)


async def _settle(load: LoadGenerator, state: DemoState, observer: Observer) -> list[Comparison]:
    """Compare until all counts are equal: the last spans end, and are counted, a moment after their answers."""
    from otel_ext.cli.demo.summary import all_equal, compare, compare_routes  # noqa: PLC0415

    state.ended = True
    deadline = load.elapsed_seconds + SETTLE_SECONDS
    while True:
        await observer.poll()
        calls = await observer.calls()
        comparisons = compare(load.tally, state.verdicts) + compare_routes(load.tally, calls)
        if all_equal(comparisons) or load.elapsed_seconds > deadline:
            return comparisons
        await asyncio.sleep(POLL_SECONDS)


def _cancel_on(*signals: signal.Signals) -> None:
    """End as cleanly on SIGTERM and on a closed terminal as on Ctrl-C."""
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in signals:
        with contextlib.suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, task.cancel)
