"""What every request passes through: host check, no instrumentation, one error boundary, security headers.

Owns no state that changes; runs in the web thread (or in the user's, when mounted). The only broad ``except`` of the
web lives here. Imports errors and the OpenTelemetry API.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, TypeAlias

from opentelemetry.instrumentation.utils import suppress_instrumentation
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response

from otel_ext.errors import NotFoundError, OtelExtError, QueryError, QueryTimeoutError
from otel_ext.web.encoding import json_bytes
from otel_ext.web.parameters import BadParameterError, BodyTooLargeError

__all__ = ["ASGIApp", "Guard", "JsonResponse", "allowed_hosts", "error_response"]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = logging.getLogger(__name__)

_SECURITY_HEADERS = (
    (b"content-security-policy", b"default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_SCOPE_OF_SERVER = ("type", "asgi", "http_version", "scheme", "client", "server", "extensions")
_SCOPE_OF_REQUEST = ("method", "path", "raw_path", "query_string", "root_path", "headers")
_OURS = frozenset((*_SCOPE_OF_SERVER, *_SCOPE_OF_REQUEST))
# (exception, status, Prometheus' errorType), most special first
_ERRORS: tuple[tuple[type[OtelExtError], int, str], ...] = (
    (BadParameterError, 400, "bad_data"),
    (BodyTooLargeError, 413, "bad_data"),
    (QueryTimeoutError, 503, "timeout"),
    (QueryError, 422, "execution"),
    (NotFoundError, 404, "not_found"),
    (OtelExtError, 500, "internal"),
)


class JsonResponse(Response):
    """A response whose body holds no NaN."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        return json_bytes(content)


def error_response(status: int, error_type: str, message: str) -> Response:
    """An error in the shape of Prometheus' API, which all JSON routes share."""
    return JsonResponse({"status": "error", "errorType": error_type, "error": message}, status_code=status)


def allowed_hosts(bound_host: str) -> frozenset[str] | None:
    """The ``Host`` names a server bound to that address answers to; ``None`` accepts every name.

    A page of a foreign site can resolve its own name to 127.0.0.1 and read what listens there (DNS rebinding). Its
    requests still carry its name, so a loopback server refuses names that are not loopback.
    """
    host = bound_host.strip("[]").lower()
    if host not in {"localhost", "::1"} and not host.startswith("127."):
        return None
    return _LOOPBACK_NAMES | {f"[{host}]" if ":" in host else host}


class Guard:
    """Wraps the router. ``hosts`` comes from :func:`allowed_hosts`."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            with suppress_instrumentation():
                await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A framework that mounts us leaves its app and error handlers in the scope; ours must answer.
        own = {key: value for key, value in scope.items() if key in _OURS}
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message = {**message, "headers": _with_security(message.get("headers", ()))}
            await send(message)

        refused = self._refuse(scope)
        try:
            await (refused or self._app)(own, receive, send_guarded)
        except Exception as error:
            if started:
                raise
            await _answer(error)(own, receive, send_guarded)

    def _refuse(self, scope: Scope) -> Response | None:
        if self._hosts is None:
            return None
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
        if not host or _without_port(host) in self._hosts:  # browsers always send Host; HTTP/1.0 probes may not
            return None
        return PlainTextResponse(
            f"Host {host[:200]!r} is refused: this server listens on a loopback address and answers only to "
            f"{', '.join(sorted(self._hosts))} (protection against DNS rebinding).\n"
            "Open it as http://127.0.0.1:<port>/, or bind it to another address to serve other names.\n",
            status_code=403,
        )


def _without_port(host: str) -> str:
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdigit() else host.lower()


def _with_security(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    given = list(headers)
    names = {name.lower() for name, _ in given}
    return given + [header for header in _SECURITY_HEADERS if header[0] not in names]


def _answer(error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return PlainTextResponse(f"{error.detail}\n", status_code=error.status_code, headers=error.headers)
    if isinstance(error, OtelExtError):
        _, status, error_type = next(row for row in _ERRORS if isinstance(error, row[0]))
        return error_response(status, error_type, str(error))
    _log.error("a request failed: %s: %s", type(error).__name__, error, exc_info=error)
    return error_response(500, "internal", f"{type(error).__name__}: {error}")


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
