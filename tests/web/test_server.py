"""The server on a real socket: bound at once, silent towards the application's uvicorn, gone when told to go."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest

from otel_ext.web.server import PortTakenError, WebServer


async def _answer(send: Callable[[dict[str, Any]], Awaitable[None]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})


async def hello(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await _answer(send, scope["path"].encode())


def serve(server: WebServer) -> threading.Thread:
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def server() -> Iterator[WebServer]:
    made = WebServer(lambda: hello)
    made.bind()
    thread = serve(made)
    yield made
    assert made.stop(2.0)
    thread.join(2.0)
    assert not thread.is_alive()


def get(url: str) -> httpx.Response:
    return httpx.get(url, trust_env=False, timeout=10)


def ask(url: str) -> None:
    """A client that does not mind being cut off."""
    with contextlib.suppress(httpx.TransportError):
        get(url)


def test_the_url_is_known_after_bind_and_answers_after_run(server: WebServer) -> None:
    assert server.port > 0
    assert server.url == f"http://127.0.0.1:{server.port}"
    assert get(f"{server.url}/livez").text == "/livez"


def test_requests_wait_for_the_app_instead_of_being_refused() -> None:
    server = WebServer(lambda: hello)
    server.bind()
    with httpx.Client(trust_env=False, timeout=10) as client:
        answers: list[int] = []
        asking = threading.Thread(target=lambda: answers.append(client.get(server.url).status_code))
        asking.start()
        serve(server)
        asking.join(10)
    assert answers == [200]
    assert server.stop(2.0)


def test_a_taken_port_is_an_error_that_says_what_to_do(server: WebServer) -> None:
    second = WebServer(lambda: hello, port=server.port)
    with pytest.raises(PortTakenError, match=rf"port {server.port} on 127.0.0.1 is taken .* for example 9465"):
        second.bind()


def test_a_taken_port_falls_back_to_a_free_one_and_says_so(server: WebServer) -> None:
    second = WebServer(lambda: hello, port=server.port)
    fact = second.bind(fall_back=True)
    assert second.port != server.port
    assert fact == f"HTTP port {server.port} on 127.0.0.1 is taken by another process; serving on {second.url} instead"
    assert second.stop()


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
def test_an_address_that_is_not_ours_is_an_error_also_with_fall_back(host: str) -> None:
    with pytest.raises(PortTakenError, match=f"'{host}' port 4319 cannot be bound"):
        WebServer(lambda: hello, host, 4319).bind(fall_back=True)


def test_the_port_is_free_again_after_stop() -> None:
    first = WebServer(lambda: hello)
    first.bind()
    thread = serve(first)
    get(first.url)
    assert first.stop(2.0)
    thread.join(2)
    again = WebServer(lambda: hello, port=first.port)
    again.bind()
    assert again.stop()


def test_ipv6_urls_have_brackets() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    server = WebServer(lambda: hello, "::1")
    try:
        server.bind()
    except PortTakenError as error:
        pytest.skip(f"no IPv6 loopback here: {error}")
    assert server.url == f"http://[::1]:{server.port}"
    serve(server)
    assert get(server.url).status_code == 200
    assert server.stop(2.0)


def test_a_wildcard_address_is_opened_as_loopback() -> None:
    server = WebServer(lambda: hello, "0.0.0.0")
    server.bind()
    assert server.url == f"http://127.0.0.1:{server.port}"
    assert server.stop()


def test_stop_is_quick_with_open_keep_alive_connections() -> None:
    server = WebServer(lambda: hello)
    server.bind()
    serve(server)
    clients = [httpx.Client(trust_env=False) for _ in range(5)]
    for client in clients:
        client.get(server.url)
    began = time.monotonic()
    assert server.stop(0.5)
    assert time.monotonic() - began < 0.5
    for client in clients:
        client.close()


def test_stop_is_quick_while_a_request_waits() -> None:
    entered = threading.Event()

    async def slow(scope: dict[str, Any], receive: Any, send: Any) -> None:
        entered.set()
        await asyncio.sleep(60)

    server = WebServer(lambda: slow)
    server.bind()
    thread = serve(server)
    asking = threading.Thread(target=ask, args=(server.url,))
    asking.start()
    assert entered.wait(10)
    assert server.stop(0.5)
    thread.join(2)
    asking.join(2)
    assert not asking.is_alive()


def test_stop_gives_up_on_a_computation_in_time_and_it_ends_by_itself() -> None:
    entered, release = threading.Event(), threading.Event()

    async def computing(scope: dict[str, Any], receive: Any, send: Any) -> None:
        entered.set()
        release.wait(10)
        await _answer(send, b"late")

    server = WebServer(lambda: computing)
    server.bind()
    thread = serve(server)
    asking = threading.Thread(target=ask, args=(server.url,))
    asking.start()
    assert entered.wait(10)
    began = time.monotonic()
    assert not server.stop(0.2)
    assert time.monotonic() - began < 0.5
    release.set()
    thread.join(5)
    asking.join(5)
    assert not thread.is_alive()


def test_stop_before_run_and_twice_and_run_after_stop_are_harmless() -> None:
    server = WebServer(lambda: hello)
    server.bind()
    assert server.stop()
    assert server.stop()
    server.run()


def test_run_without_bind_is_a_mistake() -> None:
    with pytest.raises(RuntimeError, match="needs bind"):
        WebServer(lambda: hello).run()


def test_the_applications_uvicorn_keeps_its_loggers(server: WebServer, caplog: pytest.LogCaptureFixture) -> None:
    access = logging.getLogger("uvicorn.access")
    handler = logging.NullHandler()
    access.addHandler(handler)
    try:
        with caplog.at_level(logging.DEBUG):
            second = WebServer(lambda: hello)
            second.bind()
            serve(second)
            get(second.url)
            assert second.stop(2.0)
        assert handler in access.handlers
        assert access.propagate
        assert not [record for record in caplog.records if record.name.startswith("uvicorn")]
    finally:
        access.removeHandler(handler)


def test_a_broken_request_is_answered_and_logged_under_our_name(
    server: WebServer, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        raw.sendall(b"this is not HTTP\r\n\r\n")
        assert raw.recv(1000).startswith(b"HTTP/1.1 400")
    assert {record.name for record in caplog.records if "Invalid HTTP" in record.message} == {"otel_ext.web.server"}


def test_our_answers_do_not_say_what_serves_them(server: WebServer) -> None:
    assert "server" not in get(server.url).headers


def test_the_serving_thread_imports_nothing() -> None:
    """The application's main thread may be importing the same packages, and would find them half made."""
    code = """
import sys, threading, urllib.request
from otel_ext.config import load_settings
from otel_ext.pipeline import Pipeline
from otel_ext.web.service import WebService
pipeline = Pipeline(load_settings({"http_port": 0}, env={}).settings)
service = WebService(pipeline)
pipeline.add_service(service)
real, late = __import__, []
def watch(name, globals=None, locals=None, fromlist=(), level=0):
    before = set(sys.modules)
    module = real(name, globals, locals, fromlist, level)
    if threading.current_thread() is not threading.main_thread():
        late.extend(set(sys.modules) - before)
    return module
import builtins
builtins.__import__ = watch
pipeline.start()
for path in ("/livez", "/", "/metrics", "/api/v1/query?query=1", "/v1/observability/status"):
    urllib.request.urlopen(service.url + path).read()
pipeline.cycle(tick=True)
pipeline.stop()
print(sorted({name.partition(".")[0] for name in late} - set(sys.stdlib_module_names)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"

