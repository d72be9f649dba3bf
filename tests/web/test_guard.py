"""What every request passes through: host check, headers, errors, and no span of the user's."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.starlette import StarletteInstrumentor
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, Router

from otel_ext.config import HttpSettings, Settings
from otel_ext.errors import OtelExtError
from otel_ext.web.app import build_app
from otel_ext.web.guard import Guard, allowed_hosts
from tests.web.world import Client, World, client


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:4319", "localhost", "LOCALHOST:80", "[::1]", "[::1]:4319"])
def test_loopback_names_are_answered(world: World, host: str) -> None:
    assert client(world).get("/livez", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:4319",
        "127.0.0.1.evil.example",
        "localhost.evil.example:4319",
        "10.0.0.1",
        "localhost@evil",
        "::1",
        "0.0.0.0",
    ],
)
def test_foreign_names_are_refused_because_they_may_be_rebound(world: World, host: str) -> None:
    answer = client(world).get("/metrics", headers={"host": host})
    assert answer.status_code == 403
    assert "DNS rebinding" in answer.text
    assert "http_requests" not in answer.text


def test_a_request_without_a_host_is_no_browser(world: World) -> None:
    assert client(world).get("/livez", headers={"host": ""}).status_code == 200


@pytest.mark.parametrize(
    ("bound", "name", "status"),
    [
        ("127.0.0.2", "127.0.0.2:4319", 200),
        ("127.0.0.2", "example.org", 403),
        ("::1", "[::1]:4319", 200),
        ("localhost", "example.org", 403),
        ("0.0.0.0", "metrics.example.org", 200),
        ("192.0.2.7", "metrics.example.org", 200),
    ],
)
def test_the_check_follows_the_bound_address(bound: str, name: str, status: int) -> None:
    world = World(Settings(http=HttpSettings(host=bound)))
    assert client(world).get("/livez", headers={"host": name}).status_code == status


def test_hosts_of_an_address_that_others_can_reach_are_not_checked() -> None:
    assert allowed_hosts("0.0.0.0") is None
    assert allowed_hosts("127.1.2.3") == {"localhost", "127.0.0.1", "[::1]", "127.1.2.3"}


@pytest.mark.parametrize("path", ["/", "/livez", "/metrics", "/api/v1/query?query=1", "/nothing", "/static/page.js"])
def test_every_answer_has_the_security_headers_and_no_cors(web: Client, path: str) -> None:
    headers = web.get(path, headers={"origin": "https://evil.example"}).headers
    assert headers["content-security-policy"].startswith("default-src 'self';")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"]
    assert not [name for name in headers if name.startswith("access-control")]


def test_a_refused_host_has_the_headers_too(web: Client) -> None:
    assert "content-security-policy" in web.get("/", headers={"host": "evil.example"}).headers


def test_unknown_paths_and_methods_are_404_and_405(web: Client) -> None:
    assert web.get("/nothing").status_code == 404
    assert web.request("DELETE", "/api/v1/alerts").status_code == 405
    assert web.request("POST", "/livez").status_code == 405


def test_head_is_answered_like_get(web: Client) -> None:
    answer = web.request("HEAD", "/metrics")
    assert answer.status_code == 200


async def _broken(request: Request) -> Response:
    raise ValueError("broken " + request.query_params.get("what", ""))


def test_a_bug_of_ours_is_a_500_with_its_name_and_a_log_record(caplog: pytest.LogCaptureFixture) -> None:
    app = Guard(Router([Route("/broken", _broken)]), None)
    with caplog.at_level(logging.ERROR):
        answer = Client(app).get("/broken?what=here")
    assert answer.status_code == 500
    assert answer.json() == {"status": "error", "errorType": "internal", "error": "ValueError: broken here"}
    assert [record.name for record in caplog.records] == ["otel_ext.web.guard"]


async def _stated(request: Request) -> Response:
    raise OtelExtError("cannot")


def test_our_own_errors_are_answered_in_one_shape() -> None:
    answer = Client(Guard(Router([Route("/x", _stated)]), None)).get("/x")
    assert answer.json() == {"status": "error", "errorType": "internal", "error": "cannot"}


async def _enabled(request: Request) -> Response:
    return PlainTextResponse(str(is_instrumentation_enabled()))


def test_instrumentation_is_suppressed_within_a_request_and_back_after() -> None:
    assert Client(Guard(Router([Route("/x", _enabled)]), None)).get("/x").text == "False"
    assert is_instrumentation_enabled()


def test_our_requests_never_become_the_users_spans_when_frameworks_are_instrumented(world: World) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentors: list[Any] = [StarletteInstrumentor(), FastAPIInstrumentor()]
    for instrumentor in instrumentors:
        instrumentor.instrument(tracer_provider=provider)
    try:
        trace.set_tracer_provider(provider)
        web = client(world)
        for path in ("/", "/livez", "/metrics", "/api/v1/query?query=1", "/v1/observability/slos"):
            assert web.get(path).status_code == 200
    finally:
        for instrumentor in instrumentors:
            instrumentor.uninstrument()
    assert exporter.get_finished_spans() == ()


def test_mounted_into_another_app_its_errors_stay_ours_and_links_know_the_path(world: World) -> None:
    outer = Router([Mount("/_otel", app=build_app(world, mounted=True))])

    async def with_app(scope: Any, receive: Any, send: Any) -> None:
        scope["app"] = outer  # what Starlette and FastAPI leave for the apps they mount
        await outer(scope, receive, send)

    web = Client(with_app, host="shop.example")
    assert web.get("/_otel/livez").status_code == 200
    assert web.get("/_otel/nothing").status_code == 404
    assert web.json("/_otel/v1/observability/slos")["slos"]
    page = web.get("/_otel/").text
    assert 'src="/_otel/static/page.js"' in page
    assert web.get("/_otel/static/page.js").status_code == 200


def test_lifespan_and_websockets_are_answered(world: World) -> None:
    sent: list[Any] = []

    async def drive() -> None:
        messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

        async def receive() -> Any:
            return next(messages)

        async def send(message: Any) -> None:
            sent.append(message)

        app = build_app(world)
        await app({"type": "lifespan"}, receive, send)
        await app({"type": "websocket", "path": "/"}, receive, send)

    asyncio.run(drive())
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
        "websocket.close",
    ]
