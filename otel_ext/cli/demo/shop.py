"""The shop as a process of its own: uvicorn under ``opentelemetry-instrument``, nothing of it changed.

The demo owns the process: it is stopped when the demo ends, however it ends.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from otel_ext.cli.output import CommandError

__all__ = ["DEFAULT_CONSOLE_PORT", "ShopProcess", "free_port", "missing_extras", "shop_directory"]

DEFAULT_CONSOLE_PORT = 4319
START_TIMEOUT_SECONDS = 30.0
STOP_TIMEOUT_SECONDS = 5.0
_NEEDED = (
    "fastapi",
    "httpx",
    "opentelemetry-distro",
    "opentelemetry-instrumentation-fastapi",
    "opentelemetry-instrumentation-sqlite3",
)
_INSTRUMENT = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"


def missing_extras() -> list[str]:
    """The distributions of the extra ``demo`` that are not installed."""
    return [name for name in _NEEDED if not _is_installed(name)]


def _is_installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def shop_directory() -> Path:
    """Where the shop's files are: package data of the wheel, or ``examples/shop`` of a checkout.

    Raises:
        CommandError: neither is there.
    """
    package = Path(__file__).resolve().parents[2]
    for candidate in (package / "_shop", package.parent / "examples" / "shop"):
        if (candidate / "app.py").is_file():
            return candidate
    raise CommandError(f"the demo's shop is missing: neither {package}/_shop nor examples/shop has an app.py")


def free_port(preferred: int = 0) -> int:
    """A port of 127.0.0.1 nobody listens on: ``preferred`` if it is free."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise CommandError("no free port on 127.0.0.1")


class ShopProcess:
    """``start()`` returns when it listens; ``stop()`` must follow, whatever happens between."""

    def __init__(self, *, port: int, console_port: int, environment: Mapping[str, str]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.console_url = f"http://127.0.0.1:{console_port}"
        self._port = port
        self._console_port = console_port
        self._directory = Path(tempfile.mkdtemp(prefix="otel-ext-demo-"))
        self.log = self._directory / "shop.log"
        self._environment = {**environment, "SHOP_DATABASE": str(self._directory / "shop.sqlite")}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The shop's process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while the shop runs."""
        assert self._process is not None
        return self._process.returncode

    async def start(self) -> ShopProcess:
        """Start the shop and wait until it listens; stops it again when that fails."""
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(),
                cwd=shop_directory(),
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the demo, which then stops the shop
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        try:
            await self._wait_for(self._port, "the shop")
            await self._wait_for(self._console_port, "otel_ext inside the shop")
        except BaseException:
            await self.stop()
            raise
        return self

    def log_tail(self, lines: int = 15) -> str:
        """The last lines the shop wrote."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    async def stop(self) -> None:
        """Stop the shop: SIGTERM, after five seconds SIGKILL. Its temporary files go too."""
        process = self._process
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(STOP_TIMEOUT_SECONDS):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _command(self) -> list[str]:
        uvicorn = ["-m", "uvicorn", "app:app", "--host", "127.0.0.1", "--port", str(self._port)]
        return [sys.executable, "-c", _INSTRUMENT, sys.executable, *uvicorn, "--no-access-log"]

    async def _wait_for(self, port: int, who: str) -> None:
        try:
            async with asyncio.timeout(START_TIMEOUT_SECONDS):
                while not await _listens(port):
                    if self.exit_code is not None:
                        raise CommandError(f"the shop ended with code {self.exit_code}:\n{self.log_tail()}")
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise CommandError(
                f"{who} did not listen on port {port} within {START_TIMEOUT_SECONDS:.0f} s:\n{self.log_tail()}"
            ) from None


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _die_with_parent() -> None:
    """In the child, before exec: the kernel ends it when the demo is killed with SIGKILL (Linux)."""
    import ctypes  # noqa: PLC0415 - only where it is used

    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
