"""The trace store: the spans of recent traces, bounded by bytes and age, searchable.

The pipeline thread appends; the web thread and the handle search. One short lock guards the indexes: a search
copies references under it and filters outside. Imports only the model.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from otel_ext.model.spans import SpanKind, SpanRecord, SpanStatus

__all__ = ["Trace", "TraceStats", "TraceStore", "TraceSummary"]

_ERROR = int(SpanStatus.ERROR)
_SPAN_BYTES = 600
_ATTRIBUTE_BYTES = 80
_EVENT_BYTES = 400
_LINK_BYTES = 250
_TRACE_BYTES = 500
_THINNING_WINDOW_MS = 1_000
_MAX_THINNING = 0xFFFF
_TRACE_SHARE = 4
"""One trace may fill at most this fraction (1/4) of the store: a worker that loops in one trace evicts nobody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """All spans kept of one trace, by start time.

    ``root`` is the span without parent, or ``None`` when it was not seen (it ended elsewhere, is still running or
    was dropped). ``orphans`` counts spans whose parent is named but not kept; ``truncated`` counts spans of this
    trace that the store refused because the trace was too large.
    """

    trace_id: str
    spans: tuple[SpanRecord, ...]
    root: SpanRecord | None
    orphans: int
    truncated: int
    summary: TraceSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSummary:
    """A trace in one line. ``start_ms`` is Unix time; ``duration_ms`` runs from first start to last end.

    ``root_service`` and ``root_operation`` name the root, or the earliest span when the root is missing.
    """

    trace_id: str
    root_service: str
    root_operation: str
    missing_root: bool
    start_ms: float
    duration_ms: float
    span_count: int
    error_count: int
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceStats:
    """What the store holds and what it gave up. ``bytes_used`` is an estimate; dropped numbers only grow.

    ``keeps_one_in`` is 1 while every trace is taken; under a load that pushes traces out within ``min_history_ms``
    one of so many traces is taken, and every failed span.
    """

    traces: int
    spans: int
    bytes_used: int
    max_bytes: int
    spans_seen: int
    spans_dropped: int
    traces_dropped: int
    oldest_ms: int | None
    keeps_one_in: int


class _Entry(list[SpanRecord]):
    """Spans of one trace while they gather (one object a trace, not two); mutated under the store's lock only."""

    __slots__ = ("bytes_used", "truncated", "updated_ms")

    bytes_used: int
    truncated: int
    updated_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Query:
    """The conditions of one search that are decided on a span or on a trace."""

    service: str | None
    operation: str | None
    min_nano: float | None
    max_nano: float | None
    error: bool | None
    attributes: Mapping[str, str]
    start_nano: int | None
    end_nano: int | None


class TraceStore:
    """Keeps the newest traces within ``max_bytes`` (an estimate) and ``max_age_ms`` since a trace's last span.

    When full, the trace that was least recently added to goes first, with all its spans; drops are counted.
    A span that arrives after its trace was dropped starts the trace anew.

    Under a load that would push traces out before they are ``min_history_ms`` old (at 10,000 spans a second 16 MB
    hold two seconds), a store that is half full thins: it takes one of 2, 4, 8, ... traces, chosen by their ids and
    so whole ones. Failed spans are taken always.
    """

    def __init__(
        self, *, max_bytes: int = 64_000_000, max_age_ms: int = 3_600_000, min_history_ms: int = 60_000
    ) -> None:
        if max_bytes <= 0 or max_age_ms <= 0:
            raise ValueError(
                f"TraceStore(max_bytes={max_bytes!r}, max_age_ms={max_age_ms!r}): both must be above 0, "
                "for example max_bytes=64_000_000, max_age_ms=3_600_000"
            )
        self._max_bytes = max_bytes
        self._max_age_ms = max_age_ms
        self._min_history_ms = min_history_ms
        self._thinning = 0  # a mask: only traces whose id has none of these bits are taken
        self._window_start_ms = 0
        self._window_added = self._added = 0  # bytes
        self._max_trace_bytes = max_bytes // _TRACE_SHARE
        self._lock = threading.Lock()
        self._traces: OrderedDict[int, _Entry] = OrderedDict()
        self._operations: dict[str, dict[str, dict[int, None]]] = {}
        self._last_resource: Mapping[str, Any] | None = None
        self._last_service = ""
        self._bytes = 0
        self._spans = 0
        self._seen = 0
        self._spans_dropped = 0
        self._traces_dropped = 0

    @property
    def memory(self) -> int:
        """Estimated bytes held; O(1)."""
        return self._bytes

    def append(self, spans: Sequence[SpanRecord], ts_ms: int) -> None:
        """Add ended spans at Unix time ``ts_ms``; called by the pipeline thread."""
        with self._lock:
            added, before = 0, self._bytes
            thinning = self._thinning
            for span in spans:
                if span[0] & thinning and span[7] != _ERROR:
                    continue
                entry = self._entry(span.trace_id, ts_ms)
                size = _estimate(span)
                if entry.bytes_used + size > self._max_trace_bytes:
                    entry.truncated += 1
                    continue
                entry.append(span)
                entry.bytes_used += size
                self._bytes += size
                self._index(span)
                added += 1
            self._added += self._bytes - before
            self._spans += added
            self._spans_dropped += len(spans) - added
            self._seen += len(spans)
            self._evict(ts_ms)
            self._thin(ts_ms)

    def get(self, trace_id: str) -> Trace | None:
        """The trace with this id (hexadecimal, with or without leading zeros), or ``None``."""
        try:
            key = int(trace_id, 16)
        except ValueError:
            return None
        with self._lock:
            entry = self._traces.get(key)
            if entry is None:
                return None
            spans, truncated = tuple(entry), entry.truncated
        return _build_trace(key, spans, truncated)

    def search(
        self,
        *,
        service: str | None = None,
        operation: str | None = None,
        min_duration_ms: float | None = None,
        max_duration_ms: float | None = None,
        error: bool | None = None,
        attributes: Mapping[str, str] | None = None,
        start_ms: float | None = None,
        end_ms: float | None = None,
        limit: int = 20,
    ) -> list[TraceSummary]:
        """Traces that match all conditions, the most recently updated first, at most ``limit``.

        ``service``, ``operation``, ``attributes`` and ``error=True`` must hold on one and the same span.
        ``error=False`` wants a trace without any failed span. Durations are those of the matching span when a
        service or an operation is given, of the whole trace otherwise. ``start_ms`` and ``end_ms`` (Unix
        milliseconds) bound the start of the trace, both inclusive. Attribute values compare as text
        (``"true"``, ``"503"``) with the span's own attributes, then its resource's.
        """
        query = _Query(
            service=service,
            operation=operation,
            min_nano=None if min_duration_ms is None else min_duration_ms * 1e6,
            max_nano=None if max_duration_ms is None else max_duration_ms * 1e6,
            error=error,
            attributes=attributes or {},
            start_nano=None if start_ms is None else _nano(start_ms),
            end_nano=None if end_ms is None else _nano(end_ms),
        )
        found: list[TraceSummary] = []
        for trace_id, entry in self._candidates(service, operation):
            if len(found) >= limit:
                break
            spans = tuple(entry)
            if _matches(query, spans):
                found.append(_summarise(trace_id, spans))
        return found

    def services(self) -> list[str]:
        """Names of the services that have spans here, sorted."""
        with self._lock:
            return sorted(self._operations)

    def operations(self, service: str) -> list[str]:
        """Span names kept for a service, sorted; empty for an unknown one."""
        with self._lock:
            return sorted(self._operations.get(service, ()))

    def stats(self) -> TraceStats:
        """Counts of what is held and of what was dropped."""
        with self._lock:
            oldest = next(iter(self._traces.values())).updated_ms if self._traces else None
            return TraceStats(
                traces=len(self._traces),
                spans=self._spans,
                bytes_used=self._bytes,
                max_bytes=self._max_bytes,
                spans_seen=self._seen,
                spans_dropped=self._spans_dropped,
                traces_dropped=self._traces_dropped,
                oldest_ms=oldest,
                keeps_one_in=self._thinning + 1,
            )

    def _entry(self, trace_id: int, ts_ms: int) -> _Entry:
        """The spans of a trace, moved behind all others when they were last added to at another time."""
        entry = self._traces.get(trace_id)
        if entry is None:
            entry = self._traces[trace_id] = _Entry()
            entry.bytes_used = _TRACE_BYTES
            entry.truncated = 0
            self._bytes += _TRACE_BYTES
        elif entry.updated_ms != ts_ms:
            self._traces.move_to_end(trace_id)
        entry.updated_ms = ts_ms
        return entry

    def _index(self, span: SpanRecord) -> None:
        if span.resource is not self._last_resource:
            self._last_resource = span.resource
            self._last_service = _service(span)
        by_name = self._operations.get(self._last_service)
        if by_name is None:
            by_name = self._operations[self._last_service] = {}
        holders = by_name.get(span.name)
        if holders is None:
            holders = by_name[span.name] = {}
        holders[span.trace_id] = None

    def _evict(self, ts_ms: int) -> None:
        while self._bytes > self._max_bytes:
            self._forget(*self._traces.popitem(last=False))
        oldest_allowed = ts_ms - self._max_age_ms
        while self._traces and next(iter(self._traces.values())).updated_ms < oldest_allowed:
            self._forget(*self._traces.popitem(last=False))

    def _thin(self, ts_ms: int) -> None:
        """Once a second, take one of so many traces that those taken fit for ``min_history_ms``."""
        elapsed_ms = ts_ms - self._window_start_ms
        if 0 <= elapsed_ms < _THINNING_WINDOW_MS:
            return
        offered = (self._added - self._window_added) * (self._thinning + 1)
        needed = offered * self._min_history_ms // (max(elapsed_ms, 1) * self._max_bytes)
        half_full = 2 * self._bytes > self._max_bytes  # before that a burst harms nobody
        self._thinning = min((1 << needed.bit_length()) - 1, _MAX_THINNING) if half_full else 0
        self._window_start_ms, self._window_added = ts_ms, self._added

    def _forget(self, trace_id: int, entry: _Entry) -> None:
        self._bytes -= entry.bytes_used
        self._spans -= len(entry)
        self._spans_dropped += len(entry)
        self._traces_dropped += 1
        for span in entry:
            service = _service(span)
            by_name = self._operations.get(service, {})
            holders = by_name.get(span.name, {})
            if holders.pop(trace_id, True) is None and not holders:
                del by_name[span.name]
                if not by_name:
                    del self._operations[service]

    def _candidates(self, service: str | None, operation: str | None) -> list[tuple[int, _Entry]]:
        """Traces that can match, newest first: by the smallest index that applies."""
        with self._lock:
            if service is None and operation is None:
                return list(reversed(self._traces.items()))
            names = self._operations.values() if service is None else [self._operations.get(service, {})]
            holders = [by_name[name] for by_name in names for name in _names(by_name, operation)]
            if len(holders) == 1:
                ids: Iterable[int] = holders[0]
            else:
                ids = {trace_id for held in holders for trace_id in held}
            found = [(trace_id, self._traces[trace_id]) for trace_id in ids]
        found.reverse()
        found.sort(key=lambda item: item[1].updated_ms, reverse=True)
        return found


def _nano(unix_ms: float) -> int:
    """Unix nanoseconds, exact for whole milliseconds: a float of this size cannot tell microseconds apart."""
    whole = int(unix_ms)
    return whole * 1_000_000 + round((unix_ms - whole) * 1e6)


def _names(by_name: Mapping[str, Any], operation: str | None) -> Iterable[str]:
    if operation is None:
        return by_name
    return (operation,) if operation in by_name else ()


def _service(span: SpanRecord) -> str:
    return str(span.resource.get("service.name", ""))


def _estimate(span: SpanRecord) -> int:
    """Bytes a span holds, roughly: a constant, each attribute, and the length of its texts."""
    attributes = span.attributes
    size = _SPAN_BYTES + _ATTRIBUTE_BYTES * len(attributes)
    for value in attributes.values():
        kind = type(value)
        if kind is str:
            size += len(value)
        elif kind is tuple or kind is bytes:
            size += _value_bytes(value)
    if span.events:
        size += sum(_EVENT_BYTES + sum(map(_value_bytes, event.attributes.values())) for event in span.events)
    if span.links:
        size += sum(_LINK_BYTES + sum(map(_value_bytes, link.attributes.values())) for link in span.links)
    if span.status_message:
        size += len(span.status_message)
    return size


def _value_bytes(value: object) -> int:
    if isinstance(value, (str, bytes)):
        return _ATTRIBUTE_BYTES + len(value)
    if isinstance(value, (tuple, list)):
        return _ATTRIBUTE_BYTES + sum(_value_bytes(item) for item in value)
    return _ATTRIBUTE_BYTES


def _matches(query: _Query, spans: tuple[SpanRecord, ...]) -> bool:
    if not spans:
        return False
    start = min(span.start_unix_nano for span in spans)
    if not _within(start, query.start_nano, query.end_nano):
        return False
    if query.error is False and any(span.status == _ERROR for span in spans):
        return False
    of_span = query.service is not None or query.operation is not None
    if not of_span:
        duration = max(0, max(span.end_unix_nano for span in spans) - start)
        if not _within(duration, query.min_nano, query.max_nano):
            return False
    return any(_span_matches(query, span, of_span) for span in spans)


def _span_matches(query: _Query, span: SpanRecord, check_duration: bool) -> bool:
    if query.operation is not None and span.name != query.operation:
        return False
    if query.service is not None and _service(span) != query.service:
        return False
    if query.error and span.status != _ERROR:
        return False
    if check_duration and not _within(span.duration_nano, query.min_nano, query.max_nano):
        return False
    return all(_attribute_text(span, name) == value for name, value in query.attributes.items())


def _within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _attribute_text(span: SpanRecord, name: str) -> str | None:
    value = span.attributes.get(name)
    if value is None:
        value = span.resource.get(name)
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _root(spans: Sequence[SpanRecord]) -> SpanRecord | None:
    """The earliest span without parent; a remote parent makes an entry span, which is not a root."""
    roots = [span for span in spans if not span.parent_span_id]
    return min(roots, key=lambda span: span.start_unix_nano) if roots else None


def _head(spans: Sequence[SpanRecord]) -> SpanRecord:
    """The root, or the span that stands for it: the earliest one, an entry span before its equals."""
    root = _root(spans)
    if root is not None:
        return root
    entry_kinds = (SpanKind.SERVER, SpanKind.CONSUMER)
    return min(spans, key=lambda span: (span.start_unix_nano, span.kind not in entry_kinds))


def _summarise(trace_id: int, spans: Sequence[SpanRecord]) -> TraceSummary:
    head = _head(spans)
    start = min(span.start_unix_nano for span in spans)
    end = max(span.end_unix_nano for span in spans)
    return TraceSummary(
        trace_id=f"{trace_id:032x}",
        root_service=_service(head),
        root_operation=head.name,
        missing_root=bool(head.parent_span_id),
        start_ms=start / 1e6,
        duration_ms=max(0, end - start) / 1e6,
        span_count=len(spans),
        error_count=sum(span.status == _ERROR for span in spans),
        services=tuple(sorted({_service(span) for span in spans})),
    )


def _build_trace(trace_id: int, spans: Sequence[SpanRecord], truncated: int) -> Trace | None:
    if not spans:
        return None
    ordered = tuple(sorted(spans, key=lambda span: (span.start_unix_nano, span.end_unix_nano)))
    ids = {span.span_id for span in ordered}
    return Trace(
        trace_id=f"{trace_id:032x}",
        spans=ordered,
        root=_root(ordered),
        orphans=sum(bool(span.parent_span_id) and span.parent_span_id not in ids for span in ordered),
        truncated=truncated,
        summary=_summarise(trace_id, ordered),
    )
