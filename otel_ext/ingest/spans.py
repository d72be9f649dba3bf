"""The SpanProcessor: every ended span, sampled or only recorded, goes to the queue as a slim tuple.

``on_end`` runs on the thread (or event loop) that ends the span and converts it there: the span is in the cache
then, and a queue of SDK spans would weigh ten times as much (3 KB each).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from otel_ext.guard import report
from otel_ext.model.spans import SpanEvent, SpanLink, SpanRecord
from otel_ext.sdk_private import span_parts

__all__ = ["LocalSpanProcessor", "SpanConverter"]


class SpanConverter:
    """Makes slim :class:`SpanRecord` values of ended SDK spans; keeps resources converted by identity."""

    def __init__(self) -> None:
        self._resource: Any = None
        self._resource_attributes: Mapping[str, Any] = {}

    def to_record(self, span: ReadableSpan) -> SpanRecord:
        """One ended span as a tuple; attributes are shared with the span, which the SDK froze."""
        parts = span_parts(span)
        trace_id, span_id, parent_id, kind, start, end, status, message, attributes, events, links, sampled = parts
        resource = span.resource
        if resource is not self._resource:
            self._resource, self._resource_attributes = resource, dict(resource.attributes)
        scope = span.instrumentation_scope
        return SpanRecord(
            trace_id,
            span_id,
            parent_id,
            span.name,
            kind + 1,  # OTLP counts from UNSPECIFIED = 0, the API from INTERNAL = 0
            start or 0,
            end or 0,
            status,
            message,
            attributes,
            _events(events) if events else (),
            _links(links) if links else (),
            self._resource_attributes,
            "" if scope is None else scope.name,
            sampled == 1,
        )


class LocalSpanProcessor(SpanProcessor):
    """Hands every ended span on; does nothing before :meth:`connect` and after :meth:`shutdown`.

    A processor cannot be taken off a provider, so one is added once and connected again by a later install.
    """

    def __init__(self) -> None:
        self._put: Callable[[SpanRecord], None] | None = None
        self._convert = SpanConverter().to_record
        self._forked: Callable[[], None] = _nothing
        self._pid = 0

    def connect(self, put: Callable[[SpanRecord], None], forked: Callable[[], None], *, started: bool = True) -> None:
        """Hand spans to ``put`` from now on.

        Args:
            put: takes the ended span as a slim tuple; must return at once.
            forked: called before the first span of a process that has not started: a forked child (also where
                the server forks without Python's fork hooks, as uWSGI does), or this one with ``started=False``.
            started: whether this process needs no call of ``forked``.
        """
        self._pid = os.getpid() if started else 0
        self._forked = forked
        self._put = put

    def on_end(self, span: ReadableSpan) -> None:
        """Queue an ended span. Never raises."""
        put = self._put
        if put is None:
            return
        try:
            if os.getpid() != self._pid:
                self._pid = os.getpid()
                self._forked()
            put(self._convert(span))
        except Exception as error:  # noqa: BLE001 (the boundary: nothing may reach the application)
            report("SpanProcessor.on_end", error)

    def shutdown(self) -> None:
        """Stop taking spans. Safe to call twice."""
        self._put = None

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 (the SDK's signature)
        """Nothing is held here; the handle's ``force_flush`` drains the queue."""
        return True


def _nothing() -> None:
    return None


def _events(events: Sequence[Any]) -> Sequence[SpanEvent]:
    return tuple(SpanEvent(e.name, e.timestamp, dict(e.attributes or {})) for e in events)


def _links(links: Sequence[Any]) -> Sequence[SpanLink]:
    return tuple(SpanLink(k.context.trace_id, k.context.span_id, dict(k.attributes or {})) for k in links)
