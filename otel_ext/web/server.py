"""The HTTP server: a socket bound at once, and uvicorn's HTTP/1.1 protocol on it in the thread that calls ``run()``.

Owns one listening socket and one event loop. ``bind()``, ``stop()`` and ``close()`` are called by the owner of the
thread, ``run()`` by the thread. Everything is imported and built before ``run()``: a thread of ours must not import
what the application's main thread may be importing (its own uvicorn would find the package half made).
uvicorn's own ``Server`` is not used: it would take over the logging of a uvicorn that serves the application in the
same process (loggers ``uvicorn.error`` and ``uvicorn.access``) and wakes ten times a second.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import anyio._backends._asyncio  # noqa: F401 (anyio would import it when first asked, in the serving thread)
import uvicorn.loops.asyncio  # noqa: F401 (the same of uvicorn)
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from otel_ext.errors import OtelExtError

__all__ = ["PortTakenError", "WebServer"]

AppFactory: TypeAlias = Callable[[], Callable[..., Awaitable[None]]]

_log = logging.getLogger(__name__)

_BACKLOG = 128
_CONNECTIONS = 128
_KEEP_ALIVE_SECONDS = 75
_HEADER_BYTES = 64 * 1024


class PortTakenError(OtelExtError):
    """The address cannot be bound. The message names host, port, reason and what to do."""


class WebServer:
    """Serves one ASGI app on one socket.

    Args:
        app_factory: builds the app; called by ``bind()``.
        host: address to bind, ``127.0.0.1`` by default.
        port: port to bind; 0 takes a free one.
    """

    def __init__(self, app_factory: AppFactory, host: str = "127.0.0.1", port: int = 0) -> None:
        self._app_factory = app_factory
        self._host = host.strip("[]")
        self._port = port
        self._socket: socket.socket | None = None
        self._protocol: tuple[ServerState, Callable[[], asyncio.Protocol]] | None = None
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running = False
        self._stop_requested = False
        self._stopping: asyncio.Event | None = None
        self._ended = threading.Event()

    @property
    def url(self) -> str:
        """``http://127.0.0.1:9464``: the address that was bound, without a trailing slash."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104  # what to open, not bind
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def port(self) -> int:
        """The port that was bound; before ``bind()`` the one that was asked for."""
        return self._port

    @property
    def host(self) -> str:
        """The address to bind, without brackets."""
        return self._host

    def bind(self, *, fall_back: bool = False) -> str | None:
        """Take the port now, so that the URL is known and a taken port is noticed where somebody can hear it.

        Returns:
            ``None``, or with ``fall_back`` the sentence that says which free port was taken instead.

        Raises:
            PortTakenError: the port is taken (without ``fall_back``), or the address cannot be bound at all.
        """
        self._protocol = _protocol_factory(self._app_factory())
        wanted = self._port
        try:
            self._listen(wanted)
        except OSError as error:
            reason = _describe(self._host, wanted, error)
            if not fall_back or wanted == 0 or error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise PortTakenError(f"{reason}; choose another port, for example 9465, or 0 for a free one") from error
            self._bind_free(reason)
            return f"{reason}; serving on {self.url} instead"
        return None

    def _bind_free(self, reason: str) -> None:
        try:
            self._listen(0)
        except OSError as error:
            raise PortTakenError(f"{reason}; a free port cannot be had either: {error.strerror}") from error

    def _listen(self, port: int) -> None:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            if sys.platform == "win32":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            else:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # after a restart, not beside another
            sock.bind((self._host, port))
            sock.listen(_BACKLOG)
            sock.setblocking(False)
        except BaseException:
            sock.close()
            raise
        self._socket = sock
        self._port = sock.getsockname()[1]

    def run(self) -> None:
        """Serve until ``stop()``; blocks. Call it in a thread of its own, after ``bind()``."""
        with self._lock:
            sock = self._socket
            if self._stop_requested:
                return
            if sock is None:
                raise RuntimeError("WebServer.run() needs bind() first")
            self._running = True
        try:
            asyncio.run(self._serve(sock))
        finally:
            self.close()
            self._ended.set()

    def stop(self, timeout: float = 0.5) -> bool:
        """Stop serving: open connections are cut, a running query is not waited for longer than ``timeout`` seconds.

        Returns whether ``run()`` has ended. Safe to call twice, before ``run()`` and from any thread.
        """
        with self._lock:
            self._stop_requested = True
            if self._loop is not None and self._stopping is not None:
                self._loop.call_soon_threadsafe(self._stopping.set)
            if not self._running:
                self.close()
                return True
        return self._ended.wait(timeout)

    def close(self) -> None:
        """Give the listening socket back without stopping anything: for a child process after ``fork()``."""
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()

    async def _serve(self, sock: socket.socket) -> None:
        if self._protocol is None:
            raise RuntimeError("WebServer.run() needs bind() first")
        state, make_protocol = self._protocol
        loop = asyncio.get_running_loop()
        server = await loop.create_server(make_protocol, sock=sock)
        stopping = self._arm(loop)
        try:
            await stopping.wait()
        finally:
            with self._lock:
                self._stopping = None
            server.close()
            _cut(state)

    def _arm(self, loop: asyncio.AbstractEventLoop) -> asyncio.Event:
        """From here on ``stop()`` reaches the loop; one that came earlier takes effect at once."""
        stopping = asyncio.Event()
        with self._lock:
            self._loop, self._stopping = loop, stopping
            if self._stop_requested:
                stopping.set()
        return stopping


def _describe(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"HTTP port {port} on {host} is taken by another process"
    if error.errno == errno.EACCES:
        return f"HTTP port {port} on {host} may not be bound by this user"
    return f"HTTP address {host!r} port {port} cannot be bound ({error.strerror or error})"


def _protocol_factory(app: Any) -> tuple[ServerState, Callable[[], asyncio.Protocol]]:
    """uvicorn's h11 protocol for our app, kept away from the loggers that belong to the application's uvicorn."""
    class QuietConfig(Config):
        def configure_logging(self) -> None:
            """The loggers named uvicorn.* are the application's; ``access_log=False`` would silence them."""

    class Protocol(H11Protocol):
        def __init__(self, **arguments: Any) -> None:
            super().__init__(**arguments)
            self.logger = _log
            self.access_log = False

    config = QuietConfig(
        app,
        log_config=None,
        loop="asyncio",
        http=Protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        h11_max_incomplete_event_size=_HEADER_BYTES,
    )
    config.load()
    state = ServerState()
    return state, lambda: Protocol(config=config, server_state=state, app_state={})


def _cut(state: ServerState) -> None:
    """Close every connection now: a keep-alive client would hold the exit for minutes."""
    for connection in tuple(state.connections):
        transport = getattr(connection, "transport", None)
        if transport is not None:
            transport.abort()
    for task in tuple(state.tasks):
        task.cancel()
