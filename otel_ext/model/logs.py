"""A log record as the local engines and stores see it: copied at emit time, never the SDK's object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["LogEntry"]


class LogEntry(NamedTuple):
    """One log record. Severity numbers are OTLP's (INFO 9, WARN 13, ERROR 17); ids are 0 when absent."""

    time_unix_nano: int
    severity_number: int
    severity_text: str
    body: str
    attributes: Mapping[str, Any]
    trace_id: int
    span_id: int
    logger: str
    event_name: str | None
    resource: Mapping[str, Any]
