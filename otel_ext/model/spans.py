"""An ended span as the local engines and stores see it: a slim tuple, never the SDK's object."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["SpanEvent", "SpanKind", "SpanLink", "SpanRecord", "SpanStatus"]


class SpanKind(enum.IntEnum):
    """Span kinds with OTLP's numbers."""

    UNSPECIFIED = 0
    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


class SpanStatus(enum.IntEnum):
    """Status codes with OTLP's numbers."""

    UNSET = 0
    OK = 1
    ERROR = 2


class SpanEvent(NamedTuple):
    """Something that happened during a span (``exception`` carries ``exception.*`` attributes)."""

    name: str
    time_unix_nano: int
    attributes: Mapping[str, Any]


class SpanLink(NamedTuple):
    """A pointer to another span."""

    trace_id: int
    span_id: int
    attributes: Mapping[str, Any]


class SpanRecord(NamedTuple):
    """One ended span. ``attributes`` are shared with the span and frozen: read, never write.

    ``kind`` and ``status`` are plain ints with the values of :class:`SpanKind` and :class:`SpanStatus`
    (an enum member costs a call on the hot path). A span may end before it starts when its user
    supplied times: ``duration_nano`` is then 0.
    """

    trace_id: int
    span_id: int
    parent_span_id: int | None
    name: str
    kind: int
    start_unix_nano: int
    end_unix_nano: int
    status: int
    status_message: str | None
    attributes: Mapping[str, Any]
    events: Sequence[SpanEvent]
    links: Sequence[SpanLink]
    resource: Mapping[str, Any]
    scope: str
    sampled: bool

    @property
    def duration_nano(self) -> int:
        """Nanoseconds from start to end, never negative."""
        return max(0, self.end_unix_nano - self.start_unix_nano)
