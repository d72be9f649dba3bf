"""The log hook: copies at emit time, keeps out what would feed itself, never raises into logging."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace import TracerProvider

from otel_ext import guard
from otel_ext.ingest.logs import MAX_BODY, LocalLogRecordProcessor
from otel_ext.model.logs import LogEntry


@pytest.fixture
def provider() -> Iterator[tuple[LoggerProvider, list[LogEntry]]]:
    seen: list[LogEntry] = []
    hook = LocalLogRecordProcessor()
    hook.connect(seen.append, lambda: None)
    made = LoggerProvider(shutdown_on_exit=False)
    made.add_log_record_processor(hook)
    yield made, seen
    made.shutdown()


def test_stdlib_logging_arrives_with_its_trace(provider: tuple[LoggerProvider, list[LogEntry]]) -> None:
    made, seen = provider
    logger = logging.getLogger("shop.checkout")
    handler = LoggingHandler(logger_provider=made)
    logger.addHandler(handler)
    try:
        with TracerProvider(shutdown_on_exit=False).get_tracer("app").start_as_current_span("request") as span:
            logger.warning("card %s declined", "visa", extra={"order": 7})
    finally:
        logger.removeHandler(handler)
    entry = seen[0]
    assert (entry.body, entry.severity_number, entry.logger) == ("card visa declined", 13, "shop.checkout")
    assert entry.attributes["order"] == 7
    assert (entry.trace_id, entry.span_id) == (span.get_span_context().trace_id, span.get_span_context().span_id)


def test_a_record_is_copied_before_later_processors_change_it(
    provider: tuple[LoggerProvider, list[LogEntry]],
) -> None:
    made, seen = provider
    attributes: dict[str, Any] = {"user": "ann"}
    record = LogRecord(body="hello", attributes=attributes, severity_number=SeverityNumber.INFO, timestamp=5)
    made.get_logger("app").emit(record)
    attributes["user"] = "changed"
    record.body = "changed"
    assert (seen[0].body, seen[0].attributes["user"], seen[0].time_unix_nano) == ("hello", "ann", 5)


@pytest.mark.parametrize("scope", ["otel_ext", "otel_ext.pipeline", "opentelemetry.sdk.trace.export"])
def test_our_own_and_the_sdks_logs_are_left_out(scope: str, provider: tuple[LoggerProvider, list[LogEntry]]) -> None:
    made, seen = provider
    made.get_logger(scope).emit(LogRecord(body="x", severity_number=SeverityNumber.ERROR))
    assert seen == []


def test_bodies_that_are_long_or_no_text_are_bounded_text(provider: tuple[LoggerProvider, list[LogEntry]]) -> None:
    made, seen = provider
    logger = made.get_logger("app")
    logger.emit(LogRecord(body="x" * 100_000))
    logger.emit(LogRecord(body={"a": [1, None]}))
    logger.emit(LogRecord())
    assert [len(seen[0].body), seen[1].body, seen[2].body] == [MAX_BODY, "{'a': [1, None]}", ""]


def test_the_users_cheap_guards_stay_cheap(provider: tuple[LoggerProvider, list[LogEntry]]) -> None:
    made, _ = provider
    logger = made.get_logger("app")
    assert logger.enabled(severity_number=SeverityNumber.INFO)
    assert logger.enabled()
    assert not logger.enabled(severity_number=SeverityNumber.TRACE)
    assert not made.get_logger("otel_ext").enabled(severity_number=SeverityNumber.ERROR)


def test_an_exception_never_reaches_the_logging_call() -> None:
    def fail(_: LogEntry) -> None:
        raise RuntimeError("broken on purpose")

    hook = LocalLogRecordProcessor()
    hook.connect(fail, lambda: None)
    made = LoggerProvider(shutdown_on_exit=False)
    made.add_log_record_processor(hook)
    guard.set_reraise(False)
    try:
        made.get_logger("app").emit(LogRecord(body="x"))
    finally:
        guard.set_reraise(True)
    assert guard.hook_errors()["LogRecordProcessor.on_emit"] >= 1


def test_nothing_is_taken_after_shutdown(provider: tuple[LoggerProvider, list[LogEntry]]) -> None:
    made, seen = provider
    made.shutdown()
    made.get_logger("app").emit(LogRecord(body="late"))
    assert seen == []
