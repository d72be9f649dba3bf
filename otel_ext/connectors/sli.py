"""Counts the good and all events of every SLO from ended spans: one event a SERVER or CONSUMER span.

The counts are cumulative integers and never lose an event. One short lock guards them: the pipeline thread
counts, and a producing application thread does when the queue is full. Imports only the model.

An event is bad when its span status is ERROR or its HTTP status is 500 or above; 4xx, cancelled and redirected
requests are good. For a latency SLO a good event also took no longer than the threshold, to the nanosecond.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from otel_ext.connectors.http import OLD_STATUS_CODE, STATUS_CODE, status_code_of
from otel_ext.model.slos import Slo
from otel_ext.model.spans import SpanKind, SpanRecord, SpanStatus

__all__ = ["SliCounter"]

_SERVER = int(SpanKind.SERVER)
_REQUEST_KINDS = (int(SpanKind.SERVER), int(SpanKind.CONSUMER))
_ERROR = int(SpanStatus.ERROR)
_EXAMPLES = 5
_MAX_CACHED_KEYS = 4096


class _Tally:
    """Events that count for the same set of SLOs, by latency class; the last class holds the bad ones.

    Class ``i`` holds good events that took longer than the ``i`` shortest thresholds.
    """

    __slots__ = ("classes", "examples", "members")

    def __init__(self, members: frozenset[int], classes: int) -> None:
        self.members = members
        self.classes = [0] * classes
        self.examples: list[deque[tuple[int, int]]] = [deque(maxlen=_EXAMPLES) for _ in range(classes)]


class SliCounter:
    """Counts spans for a fixed set of SLOs.

    Args:
        slos: the definitions; ``match`` may name span attributes, ``span.name``, ``span.kind`` (``server`` or
            ``consumer``, also ``SPAN_KIND_SERVER``), ``service.name`` and ``scope.name``; ``http.request.method`` and
            ``http.response.status_code`` also read their old names. A value that ends in ``*`` matches a prefix.
    """

    def __init__(self, slos: Sequence[Slo]) -> None:
        self._slos = tuple(slos)
        self._limits = sorted({_limit_nano(slo.latency_ms) for slo in slos if slo.latency_ms is not None})
        self._class_of = {
            slo.name: len(self._limits)
            if slo.latency_ms is None
            else self._limits.index(_limit_nano(slo.latency_ms)) + 1
            for slo in slos
        }
        self._key_fields = tuple(sorted({name for slo in slos for name in slo.match}))
        self._start()

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._by_members: dict[frozenset[int], _Tally] = {}
        self._by_key: dict[tuple[object, ...], _Tally] = {}
        self._everywhere = None if self._key_fields else self._tally(frozenset(range(len(self._slos))))

    def reset_after_fork(self) -> None:
        """Start at zero with a new lock, in a child process whose parent goes on counting its own events."""
        self._start()

    def count(self, spans: Sequence[SpanRecord]) -> None:
        """Count every SERVER and CONSUMER span among these. Thread-safe; never raises on attribute values."""
        limits, everywhere = self._limits, self._everywhere
        with self._lock:
            for span in spans:
                kind = span[4]
                if kind not in _REQUEST_KINDS:
                    continue
                attributes = span[9]
                tally = everywhere or self._tally_of(span, attributes)
                if span[7] == _ERROR or _is_server_error(attributes):
                    number = -1
                else:
                    number = bisect_left(limits, span[6] - span[5])
                tally.classes[number] += 1
                if number:
                    tally.examples[number].append((span[6], span[0]))

    def _tally_of(self, span: SpanRecord, attributes: Mapping[str, Any]) -> _Tally:
        key = tuple([_value_of(name, span, attributes) for name in self._key_fields])
        found = self._by_key.get(key)
        if found is None:
            found = self._tally(
                frozenset(i for i, slo in enumerate(self._slos) if _matches(slo, self._key_fields, key))
            )
            if len(self._by_key) >= _MAX_CACHED_KEYS:
                self._by_key.clear()
            self._by_key[key] = found
        return found

    def _tally(self, members: frozenset[int]) -> _Tally:
        tally = self._by_members.get(members)
        if tally is None:
            tally = self._by_members[members] = _Tally(members, len(self._limits) + 2)
        return tally

    def counts(self) -> Mapping[str, tuple[int, int]]:
        """``(good, total)`` of each SLO since the start, by name."""
        with self._lock:
            tallies = [(tally.members, tuple(tally.classes)) for tally in self._by_members.values()]
        result = {}
        for i, slo in enumerate(self._slos):
            mine = [classes for members, classes in tallies if i in members]
            good_classes = self._good_classes(slo)
            result[slo.name] = (sum(sum(classes[:good_classes]) for classes in mine), sum(map(sum, mine)))
        return result

    def _good_classes(self, slo: Slo) -> int:
        return self._class_of[slo.name] if slo.latency_ms is not None else len(self._limits) + 1

    def exemplars(self) -> Mapping[str, tuple[str, ...]]:
        """Trace ids (32 hex digits) of the newest bad events of each SLO, newest first."""
        with self._lock:
            tallies = [(tally.members, [list(ring) for ring in tally.examples]) for tally in self._by_members.values()]
        result = {}
        for i, slo in enumerate(self._slos):
            first_bad = self._good_classes(slo)
            found = [pair for members, rings in tallies if i in members for ring in rings[first_bad:] for pair in ring]
            newest = dict.fromkeys(trace_id for _, trace_id in sorted(found, reverse=True))
            result[slo.name] = tuple(f"{trace_id:032x}" for trace_id in list(newest)[:_EXAMPLES])
        return result


def _limit_nano(latency_ms: float) -> int:
    return int(Fraction(str(latency_ms)) * 1_000_000)  # durations are integers: cutting the fraction is exact


def _is_server_error(attributes: Mapping[str, Any]) -> bool:
    code = attributes.get(STATUS_CODE)
    if code is None:
        code = attributes.get(OLD_STATUS_CODE)
        if code is None:
            return False
    if code.__class__ is int:
        return 500 <= code < 1000
    return status_code_of(attributes) >= 500


def _span_kind(span: SpanRecord, _: Mapping[str, Any]) -> object:
    return "server" if span.kind == _SERVER else "consumer"


_SPAN_FIELDS: Mapping[str, Callable[[SpanRecord, Mapping[str, Any]], object]] = {
    "span.name": lambda span, _: span.name,
    "span.kind": _span_kind,
    "scope.name": lambda span, _: span.scope,
    "service.name": lambda span, _: span.resource.get("service.name"),
    "http.request.method": lambda _, attributes: attributes.get("http.request.method", attributes.get("http.method")),
    STATUS_CODE: lambda _, attributes: status_code_of(attributes) or None,
}


def _value_of(name: str, span: SpanRecord, attributes: Mapping[str, Any]) -> str | None:
    special = _SPAN_FIELDS.get(name)
    value = attributes.get(name) if special is None else special(span, attributes)
    if value is None or value.__class__ is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        return str(value)
    except ValueError:  # an int beyond the interpreter's limit of digits
        return None


def _matches(slo: Slo, fields: tuple[str, ...], key: tuple[object, ...]) -> bool:
    values = dict(zip(fields, key, strict=True))
    return all(_value_matches(_pattern(name, text), values[name]) for name, text in slo.match.items())


def _pattern(name: str, text: str) -> str:
    return text.lower().removeprefix("span_kind_") if name == "span.kind" else text


def _value_matches(pattern: str, value: object) -> bool:
    if not isinstance(value, str):
        return False
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern
