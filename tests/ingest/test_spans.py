"""The span hook: what it hands on, and what it never does to the application."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

from otel_ext import guard
from otel_ext.ingest.spans import LocalSpanProcessor
from otel_ext.model.spans import SpanRecord


@pytest.fixture
def swallow() -> Iterator[None]:
    """Errors of hooks stay in, as in an application."""
    guard.set_reraise(False)
    yield
    guard.set_reraise(True)


def provider_with(hook: LocalSpanProcessor) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(hook)
    return provider


def test_every_ended_span_is_handed_on() -> None:
    seen: list[SpanRecord] = []
    hook = LocalSpanProcessor()
    hook.connect(seen.append, lambda: None)
    tracer = provider_with(hook).get_tracer("app")
    for index in range(3):
        with tracer.start_as_current_span(f"span {index}"):
            pass
    assert [span.name for span in seen] == ["span 0", "span 1", "span 2"]


def test_a_span_that_started_before_the_hook_was_added_is_handed_on() -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    span = provider.get_tracer("app").start_span("early")
    seen: list[SpanRecord] = []
    hook = LocalSpanProcessor()
    hook.connect(seen.append, lambda: None)
    provider.add_span_processor(hook)
    span.end()
    assert len(seen) == 1


def test_nothing_is_handed_on_after_shutdown_though_the_sdk_goes_on_calling() -> None:
    seen: list[SpanRecord] = []
    hook = LocalSpanProcessor()
    hook.connect(seen.append, lambda: None)
    provider = provider_with(hook)
    provider.shutdown()
    provider.get_tracer("app").start_span("late").end()
    hook.shutdown()
    assert seen == []
    assert hook.force_flush()


def test_an_exception_never_reaches_the_application(swallow: None, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: Any) -> None:
        raise RuntimeError("broken on purpose")

    hook = LocalSpanProcessor()
    hook.connect(fail, lambda: None)
    seen: list[SpanRecord] = []
    behind = LocalSpanProcessor()
    behind.connect(seen.append, lambda: None)
    provider = provider_with(hook)
    provider.add_span_processor(behind)
    before = guard.hook_errors().get("SpanProcessor.on_end", 0)
    with pytest.raises(KeyError), provider.get_tracer("app").start_as_current_span("request"):
        raise KeyError("the application's own error")
    assert len(seen) == 1, "processors behind ours still run"
    assert guard.hook_errors()["SpanProcessor.on_end"] == before + 1
    if before == 0:
        assert "broken on purpose" in capsys.readouterr().err


def test_a_process_that_was_forked_without_hooks_is_noticed_at_its_first_span() -> None:
    seen: list[str] = []
    hook = LocalSpanProcessor()
    hook.connect(lambda span: seen.append(span.name), lambda: seen.append("forked"))
    tracer = provider_with(hook).get_tracer("app")
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        tracer.start_span("child").end()
        tracer.start_span("child").end()
        os.write(writer, ",".join(seen).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(reader, 100) == b"forked,child,child"
    os.close(reader)
    os.close(writer)


def test_a_process_that_has_not_started_is_started_by_its_first_span() -> None:
    seen: list[str] = []
    hook = LocalSpanProcessor()
    hook.connect(lambda span: seen.append(span.name), lambda: seen.append("start"), started=False)
    provider_with(hook).get_tracer("app").start_span("first").end()
    assert seen == ["start", "first"]


def test_spans_may_end_on_many_threads_at_once() -> None:
    seen: list[SpanRecord] = []
    hook = LocalSpanProcessor()
    hook.connect(seen.append, lambda: None)
    tracer = provider_with(hook).get_tracer("app")

    def work() -> None:
        for _ in range(200):
            tracer.start_span("work").end()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 1600


def record_of(**start: Any) -> tuple[SpanRecord, SpanContext]:
    seen: list[SpanRecord] = []
    hook = LocalSpanProcessor()
    hook.connect(seen.append, lambda: None)
    tracer = provider_with(hook).get_tracer("app.http")
    with tracer.start_as_current_span("parent") as parent:
        span = tracer.start_span("GET /items", **start)
        span.add_event("exception", {"exception.type": "ValueError"})
        span.set_status(Status(StatusCode.ERROR, "boom"))
        span.end(end_time=start.get("start_time", 0) + 5 if "start_time" in start else None)
        parent_id = parent.get_span_context().span_id
    assert seen[0].parent_span_id == parent_id
    return seen[0], span.get_span_context()


def test_a_record_holds_what_the_span_held() -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    other = provider.get_tracer("x").start_span("other").get_span_context()
    record, context = record_of(
        kind=SpanKind.SERVER,
        attributes={"http.route": "/items", "n": 3},
        links=[Link(other, {"k": "v"})],
        start_time=10,
    )
    assert (record.trace_id, record.span_id) == (context.trace_id, context.span_id)
    assert (record.name, record.kind, record.status, record.status_message) == ("GET /items", 2, 2, "boom")
    assert (record.start_unix_nano, record.end_unix_nano, record.duration_nano) == (10, 15, 5)
    assert dict(record.attributes) == {"http.route": "/items", "n": 3}
    assert record.events[0].attributes["exception.type"] == "ValueError"
    assert (record.links[0].trace_id, record.links[0].attributes["k"]) == (other.trace_id, "v")
    assert record.scope == "app.http"
    assert record.resource["telemetry.sdk.language"] == "python"
    assert record.sampled


def test_a_span_that_ends_before_it_starts_lasts_nothing() -> None:
    seen: list[SpanRecord] = []
    hook = LocalSpanProcessor()
    hook.connect(seen.append, lambda: None)
    provider_with(hook).get_tracer("app").start_span("back", start_time=100).end(end_time=50)
    assert seen[0].duration_nano == 0
