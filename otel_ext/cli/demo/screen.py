"""Shows the demo while it runs: a live screen on a terminal, lines elsewhere. A task of the demo's own loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from rich.console import Console
from rich.live import Live

from otel_ext.cli.demo.report import PlainReporter
from otel_ext.cli.demo.state import DemoState
from otel_ext.cli.demo.view import render

__all__ = ["screen"]

FRAME_SECONDS = 0.2


@asynccontextmanager
async def screen(console: Console, state: DemoState, *, plain: bool) -> AsyncIterator[None]:
    """Keep showing ``state`` until the block ends; the last picture stays on the terminal."""
    task = asyncio.create_task(_lines(console, state) if plain else _picture(console, state))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    if not plain:
        console.print(render(state, console.width, 100))


async def _lines(console: Console, state: DemoState) -> None:
    reporter = PlainReporter(console)
    reporter.begin(state)
    try:
        while True:
            reporter.update(state)
            await asyncio.sleep(FRAME_SECONDS)
    finally:
        reporter.update(state)


async def _picture(console: Console, state: DemoState) -> None:
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(render(state, console.width, console.height), refresh=True)
            await asyncio.sleep(FRAME_SECONDS)
