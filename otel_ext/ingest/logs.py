"""The LogRecordProcessor: copies a log record at emit time and queues it.

``on_emit`` runs inside the logging handler's lock: it must be microseconds and must not log. Records of this
package and of the OpenTelemetry SDK itself are left out, so that no log feeds itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord

from otel_ext.guard import report
from otel_ext.model.logs import LogEntry

__all__ = ["LocalLogRecordProcessor"]

MAX_BODY = 8192
MIN_SEVERITY = 5  # DEBUG: what is below stays as cheap as the application made it
_OWN_LOGGERS = ("otel_ext", "opentelemetry")


class LocalLogRecordProcessor(LogRecordProcessor):
    """Hands a copy of every log record on; does nothing before :meth:`connect` and after :meth:`shutdown`."""

    def __init__(self) -> None:
        self._put: Callable[[LogEntry], None] | None = None
        self._forked: Callable[[], None] = _nothing
        self._pid = 0

    def connect(self, put: Callable[[LogEntry], None], forked: Callable[[], None], *, started: bool = True) -> None:
        """As :meth:`otel_ext.ingest.spans.LocalSpanProcessor.connect`, for log entries."""
        self._pid = os.getpid() if started else 0
        self._forked = forked
        self._put = put

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Queue a copy of the record. Never raises."""
        put = self._put
        if put is None:
            return
        try:
            if os.getpid() != self._pid:
                self._pid = os.getpid()
                self._forked()
            entry = to_entry(log_record)
            if entry is not None:
                put(entry)
        except Exception as error:  # noqa: BLE001 (the boundary: nothing may reach the application)
            report("LogRecordProcessor.on_emit", error)

    def enabled(
        self,
        *,
        context: Any = None,  # noqa: ARG002 (the SDK's signature)
        instrumentation_scope: Any = None,
        severity_number: Any = None,
        event_name: str | None = None,  # noqa: ARG002
        **_: Any,
    ) -> bool:
        """Whether a record would be kept: the user's "is this log enabled" guards stay cheap."""
        if self._put is None:
            return False
        if instrumentation_scope is not None and instrumentation_scope.name.startswith(_OWN_LOGGERS):
            return False
        return severity_number is None or severity_number.value == 0 or severity_number.value >= MIN_SEVERITY

    def shutdown(self) -> None:
        """Stop taking records. Safe to call twice."""
        self._put = None

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 (the SDK's signature)
        """Nothing is held here."""
        return True


def _nothing() -> None:
    return None


def to_entry(log_record: ReadWriteLogRecord) -> LogEntry | None:
    """A frozen copy of what later processors may still change; ``None`` for our own and the SDK's records."""
    scope = log_record.instrumentation_scope
    logger = "" if scope is None else scope.name
    if logger.startswith(_OWN_LOGGERS):
        return None
    record = log_record.log_record
    severity = record.severity_number
    body = record.body
    text = body if isinstance(body, str) else "" if body is None else str(body)
    return LogEntry(
        record.timestamp or record.observed_timestamp or time.time_ns(),
        0 if severity is None else severity.value,
        record.severity_text or "",
        text[:MAX_BODY],
        dict(record.attributes) if record.attributes else {},
        record.trace_id or 0,
        record.span_id or 0,
        logger,
        record.event_name,
        log_record.resource.attributes if log_record.resource is not None else {},
    )
