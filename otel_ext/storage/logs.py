"""The log store: recent log records in chunks, bounded by bytes and age, searched newest first.

The pipeline thread appends; the web thread and the handle search. One short lock guards the list of chunks; a
search copies references under it and scans outside. Imports only the model.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from otel_ext.model.logs import LogEntry

__all__ = ["LogStats", "LogStore"]

_CHUNK_LINES = 256
_CHUNK_SHARE = 32
"""A chunk is closed at 1/32 of the store's bytes: dropping the oldest chunk never empties the store."""
_ENTRY_BYTES = 500
_ATTRIBUTE_BYTES = 80
_SEPARATOR = "\n\x00\n"
_SEARCHED_ATTRIBUTES = ("exception.type", "exception.message", "exception.stacktrace")
_BODY_LIMIT = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStats:
    """What the store holds by severity and by logger, and what it gave up. ``bytes_used`` is an estimate.

    ``by_severity`` uses the OTLP range names (``TRACE``, ``DEBUG``, ``INFO``, ``WARN``, ``ERROR``, ``FATAL``).
    """

    entries: int
    bytes_used: int
    max_bytes: int
    seen: int
    dropped: int
    truncated: int
    oldest_ms: int | None
    by_severity: Mapping[str, int]
    by_logger: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Query:
    text: str | None
    min_severity: int | None
    logger: str | None
    trace_id: int | None
    start_nano: int | None
    end_nano: int | None


class _Chunk:
    """A run of consecutive entries. ``text`` is the lower-cased whole, built when a closed chunk is first searched."""

    __slots__ = ("bytes_used", "closed", "entries", "max_severity", "newest_nano", "oldest_nano", "text")

    def __init__(self) -> None:
        self.entries: list[LogEntry] = []
        self.bytes_used = 0
        self.max_severity = 0
        self.oldest_nano: int | None = None
        self.newest_nano = 0
        self.closed = False
        self.text: str | None = None

    def add(self, entry: LogEntry, size: int) -> None:
        self.entries.append(entry)
        self.bytes_used += size
        self.max_severity = max(self.max_severity, entry.severity_number)
        self.newest_nano = max(self.newest_nano, entry.time_unix_nano)
        if self.oldest_nano is None or entry.time_unix_nano < self.oldest_nano:
            self.oldest_nano = entry.time_unix_nano

    def may_match(self, query: _Query) -> bool:
        if query.min_severity is not None and self.max_severity < query.min_severity:
            return False
        if query.start_nano is not None and self.newest_nano < query.start_nano:
            return False
        if query.end_nano is not None and (self.oldest_nano or 0) > query.end_nano:
            return False
        return query.text is None or not self.closed or query.text in self._searchable()

    def _searchable(self) -> str:
        if self.text is None:
            self.text = _SEPARATOR.join([_search_text(entry) for entry in self.entries]).lower()
        return self.text


class LogStore:
    """Keeps the newest log records within ``max_bytes`` (an estimate) and ``max_age_ms``.

    The oldest chunk of at most 256 records goes first; drops are counted. A body longer than 65,536 characters is
    cut and says so. ``resource`` is not searched.
    """

    def __init__(self, *, max_bytes: int = 32_000_000, max_age_ms: int = 3_600_000) -> None:
        if max_bytes <= 0 or max_age_ms <= 0:
            raise ValueError(
                f"LogStore(max_bytes={max_bytes!r}, max_age_ms={max_age_ms!r}): both must be above 0, "
                "for example max_bytes=32_000_000, max_age_ms=3_600_000"
            )
        self._max_bytes = max_bytes
        self._max_age_ms = max_age_ms
        self._chunk_bytes = max_bytes // _CHUNK_SHARE
        self._lock = threading.Lock()
        self._chunks: deque[_Chunk] = deque()
        self._bytes = 0
        self._entries = 0
        self._seen = 0
        self._dropped = 0
        self._truncated = 0
        self._by_severity: Counter[str] = Counter()
        self._by_logger: Counter[str] = Counter()

    @property
    def memory(self) -> int:
        """Estimated bytes held; O(1)."""
        return self._bytes

    def append(self, entries: Sequence[LogEntry]) -> None:
        """Add log records in the order they were emitted; called by the pipeline thread.

        Age is counted back from the newest record of the batch.
        """
        if not entries:
            return
        with self._lock:
            for entry in entries:
                self._add(entry)
            self._seen += len(entries)
            self._evict(max(entry.time_unix_nano for entry in entries))

    def search(
        self,
        *,
        text: str | None = None,
        min_severity: int | None = None,
        logger: str | None = None,
        trace_id: str | None = None,
        start_ms: float | None = None,
        end_ms: float | None = None,
        limit: int = 100,
    ) -> list[LogEntry]:
        """Records that match all conditions, the newest first, at most ``limit``.

        ``text`` is a substring of body, event name or exception, in any case; ``min_severity`` is an OTLP number
        (WARN 13, ERROR 17); ``logger`` matches the name and its children (``app`` matches ``app.db``);
        ``trace_id`` is hexadecimal; times are Unix milliseconds, inclusive.
        """
        wanted_trace = None
        if trace_id is not None:
            try:
                wanted_trace = int(trace_id, 16)
            except ValueError:
                return []
        query = _Query(
            text=text.lower() if text else None,
            min_severity=min_severity,
            logger=logger,
            trace_id=wanted_trace,
            start_nano=None if start_ms is None else _nano(start_ms),
            end_nano=None if end_ms is None else _nano(end_ms),
        )
        found: list[LogEntry] = []
        for entry in self._newest_first(query):
            if len(found) >= limit:
                break
            if _matches(query, entry):
                found.append(entry)
        return found

    def stats(self) -> LogStats:
        """Counts of what is held and of what was dropped."""
        with self._lock:
            oldest = self._chunks[0].oldest_nano if self._chunks else None
            return LogStats(
                entries=self._entries,
                bytes_used=self._bytes,
                max_bytes=self._max_bytes,
                seen=self._seen,
                dropped=self._dropped,
                truncated=self._truncated,
                oldest_ms=None if oldest is None else oldest // 1_000_000,
                by_severity=dict(self._by_severity),
                by_logger=dict(self._by_logger),
            )

    def _newest_first(self, query: _Query) -> Iterator[LogEntry]:
        with self._lock:
            chunks = list(self._chunks)
        for chunk in reversed(chunks):
            if chunk.may_match(query):
                yield from reversed(chunk.entries[:])

    def _add(self, entry: LogEntry) -> None:
        if len(entry.body) > _BODY_LIMIT:
            self._truncated += 1
            cut = f"{entry.body[:_BODY_LIMIT]} … [{len(entry.body) - _BODY_LIMIT} more characters]"
            entry = entry._replace(body=cut)
        size = _estimate(entry)
        chunk = self._open_chunk(size)
        chunk.add(entry, size)
        self._bytes += size
        self._entries += 1
        self._by_severity[severity_name(entry.severity_number)] += 1
        self._by_logger[entry.logger] += 1

    def _open_chunk(self, size: int) -> _Chunk:
        chunk = self._chunks[-1] if self._chunks else None
        if chunk is not None and len(chunk.entries) < _CHUNK_LINES and chunk.bytes_used + size <= self._chunk_bytes:
            return chunk
        if chunk is not None:
            chunk.closed = True
        self._chunks.append(_Chunk())
        return self._chunks[-1]

    def _evict(self, now_nano: int) -> None:
        oldest_allowed = now_nano - self._max_age_ms * 1_000_000
        while self._chunks:
            chunk = self._chunks[0]
            if self._bytes <= self._max_bytes and chunk.newest_nano >= oldest_allowed:
                return
            self._chunks.popleft()
            self._bytes -= chunk.bytes_used
            self._entries -= len(chunk.entries)
            self._dropped += len(chunk.entries)
            for entry in chunk.entries:
                _decrement(self._by_severity, severity_name(entry.severity_number))
                _decrement(self._by_logger, entry.logger)


def _nano(unix_ms: float) -> int:
    """Unix nanoseconds, exact for whole milliseconds: a float of this size cannot tell microseconds apart."""
    whole = int(unix_ms)
    return whole * 1_000_000 + round((unix_ms - whole) * 1e6)


def severity_name(number: int) -> str:
    """The OTLP range a severity number falls into; 0 and unknown numbers are ``UNSPECIFIED``."""
    if not 1 <= number <= 24:
        return "UNSPECIFIED"
    return ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")[(number - 1) // 4]


def _decrement(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]


def _estimate(entry: LogEntry) -> int:
    """Bytes an entry holds, roughly; bodies count twice because full chunks keep a lower-cased copy."""
    size = _ENTRY_BYTES + 2 * len(entry.body)
    for value in entry.attributes.values():
        size += _ATTRIBUTE_BYTES
        if isinstance(value, (str, bytes)):
            size += 2 * len(value)
        elif isinstance(value, (tuple, list, Mapping)):
            size += len(repr(value))
    return size


def _search_text(entry: LogEntry) -> str:
    parts = [entry.body]
    if entry.event_name:
        parts.append(entry.event_name)
    attributes = entry.attributes
    if attributes and "exception.type" in attributes:
        parts.extend(str(attributes[name]) for name in _SEARCHED_ATTRIBUTES if name in attributes)
    return "\n".join(parts)


def _matches(query: _Query, entry: LogEntry) -> bool:
    if query.min_severity is not None and entry.severity_number < query.min_severity:
        return False
    if query.trace_id is not None and entry.trace_id != query.trace_id:
        return False
    if query.start_nano is not None and entry.time_unix_nano < query.start_nano:
        return False
    if query.end_nano is not None and entry.time_unix_nano > query.end_nano:
        return False
    if query.logger is not None and entry.logger != query.logger and not entry.logger.startswith(query.logger + "."):
        return False
    return query.text is None or query.text in _search_text(entry).lower()
