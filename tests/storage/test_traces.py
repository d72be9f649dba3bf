"""The trace store against plain references: what is kept, found, dropped and counted."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_ext.model.spans import SpanEvent, SpanKind, SpanRecord, SpanStatus
from otel_ext.storage.traces import TraceStore

MS = 1_000_000
NOW_MS = 1_700_000_000_000
NOW_NANO = NOW_MS * MS


def span(
    trace_id: int = 1,
    span_id: int = 1,
    parent: int | None = None,
    *,
    name: str = "GET /",
    service: str = "shop",
    start_ms: float = 0,
    duration_ms: float = 10,
    error: bool = False,
    kind: int = SpanKind.SERVER,
    attributes: dict[str, Any] | None = None,
    **changes: Any,
) -> SpanRecord:
    start = NOW_NANO + round(start_ms * MS)
    record = SpanRecord(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=parent,
        name=name,
        kind=int(kind),
        start_unix_nano=start,
        end_unix_nano=start + round(duration_ms * MS),
        status=int(SpanStatus.ERROR if error else SpanStatus.UNSET),
        status_message=None,
        attributes=attributes or {},
        events=(),
        links=(),
        resource={"service.name": service},
        scope="test",
        sampled=True,
    )
    return record._replace(**changes)


def ids(summaries: list[Any]) -> list[int]:
    return [int(summary.trace_id, 16) for summary in summaries]


def test_a_trace_is_returned_with_its_spans_in_order_of_start() -> None:
    store = TraceStore()
    store.append([span(span_id=2, parent=1, start_ms=5), span(span_id=1, start_ms=0, duration_ms=30)], NOW_MS)
    trace = store.get("1")
    assert trace is not None
    assert [kept.span_id for kept in trace.spans] == [1, 2]
    assert trace.root is not None
    assert trace.root.span_id == 1
    assert trace.orphans == 0
    assert trace.trace_id == "0" * 31 + "1"
    assert trace.summary.duration_ms == 30
    assert store.get("0" * 31 + "1") == trace


@pytest.mark.parametrize("unknown", ["2", "", "not hexadecimal"])
def test_an_unknown_or_malformed_id_gives_none(unknown: str) -> None:
    store = TraceStore()
    store.append([span()], NOW_MS)
    assert store.get(unknown) is None


def test_a_trace_without_its_root_says_so_and_is_named_by_its_earliest_span() -> None:
    store = TraceStore()
    store.append([span(span_id=3, parent=2, name="db", start_ms=4), span(span_id=2, parent=9, name="GET /pay")], NOW_MS)
    trace = store.get("1")
    assert trace is not None
    assert trace.root is None
    assert trace.orphans == 1
    assert trace.summary.missing_root
    assert trace.summary.root_operation == "GET /pay"


def test_a_late_span_joins_its_trace() -> None:
    store = TraceStore()
    store.append([span(span_id=1)], NOW_MS)
    store.append([span(span_id=2, parent=1, start_ms=1)], NOW_MS + 60_000)
    trace = store.get("1")
    assert trace is not None
    assert trace.summary.span_count == 2


def test_when_full_the_least_recently_updated_trace_goes_whole_and_is_counted() -> None:
    store = TraceStore(max_bytes=20_000)
    for trace_id in range(1, 101):
        store.append([span(trace_id, 1), span(trace_id, 2, 1)], NOW_MS + trace_id)
    stats = store.stats()
    assert stats.bytes_used <= 20_000
    assert stats.spans_seen == 200
    assert stats.spans + stats.spans_dropped == 200
    assert stats.traces + stats.traces_dropped == 100
    assert store.get("1") is None
    assert store.get(f"{100:x}") is not None


def test_traces_older_than_the_age_limit_go_even_when_there_is_room() -> None:
    store = TraceStore(max_age_ms=1000)
    store.append([span(1)], NOW_MS)
    store.append([span(2)], NOW_MS + 1001)
    assert store.get("1") is None
    assert store.get("2") is not None
    assert store.stats().oldest_ms == NOW_MS + 1001


def test_one_endless_trace_is_truncated_and_evicts_no_other() -> None:
    store = TraceStore(max_bytes=100_000)
    store.append([span(7)], NOW_MS)
    store.append([span(1, n) for n in range(1, 1001)], NOW_MS)
    trace = store.get("1")
    assert trace is not None
    assert 0 < trace.summary.span_count < 1000
    assert trace.truncated == 1000 - trace.summary.span_count
    assert store.get("7") is not None
    assert store.memory <= 100_000


def test_a_flood_of_large_attributes_stays_in_bounds() -> None:
    store = TraceStore(max_bytes=10_000_000)
    for number in range(50):
        store.append([span(number + 1, attributes={"body": "x" * 1_000_000})], NOW_MS)
    assert store.memory <= 10_000_000
    assert store.stats().traces <= 10


def test_large_events_count_as_bytes() -> None:
    store = TraceStore()
    store.append([span(1)], NOW_MS)
    small = store.memory
    event = SpanEvent("exception", NOW_NANO, {"exception.stacktrace": "x" * 5000})
    store.append([span(2, events=(event,))], NOW_MS)
    assert store.memory - 2 * small > 5000


def test_services_and_operations_list_what_is_kept_and_forget_what_is_not() -> None:
    store = TraceStore(max_age_ms=1000)
    store.append([span(1, name="a", service="s1"), span(2, name="b", service="s2")], NOW_MS)
    assert store.services() == ["s1", "s2"]
    assert store.operations("s1") == ["a"]
    assert store.operations("nobody") == []
    store.append([span(3, name="c", service="s2")], NOW_MS + 1001)
    assert store.services() == ["s2"]
    assert store.operations("s2") == ["c"]


def test_search_returns_the_most_recently_updated_first_up_to_the_limit() -> None:
    store = TraceStore()
    for trace_id in range(1, 6):
        store.append([span(trace_id)], NOW_MS + trace_id)
    assert ids(store.search(limit=3)) == [5, 4, 3]
    assert ids(store.search(service="shop", limit=3)) == [5, 4, 3]


def test_service_operation_error_and_attributes_must_hold_on_one_span() -> None:
    store = TraceStore()
    store.append([span(1, 1, name="a", error=True), span(1, 2, 1, name="b", attributes={"k": "v"})], NOW_MS)
    store.append([span(2, 1, name="b", error=True, attributes={"k": "v"})], NOW_MS)
    assert ids(store.search(operation="b", error=True)) == [2]
    assert ids(store.search(operation="b", attributes={"k": "v"})) == [2, 1]
    assert ids(store.search(error=True)) == [2, 1]
    assert ids(store.search(error=False)) == []


def test_durations_are_of_the_operation_when_one_is_given_and_of_the_trace_otherwise() -> None:
    store = TraceStore()
    store.append([span(1, 1, name="root", duration_ms=500), span(1, 2, 1, name="child", duration_ms=5)], NOW_MS)
    assert ids(store.search(max_duration_ms=10)) == []
    assert ids(store.search(operation="child", max_duration_ms=10)) == [1]
    assert ids(store.search(operation="child", min_duration_ms=100)) == []
    assert ids(store.search(min_duration_ms=500)) == [1]


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (503, "503"), ("x", "x"), (1.5, "1.5")])
def test_attribute_values_compare_as_text(value: object, text: str) -> None:
    store = TraceStore()
    store.append([span(1, attributes={"key": value})], NOW_MS)
    assert ids(store.search(attributes={"key": text})) == [1]
    assert ids(store.search(attributes={"key": text + "!"})) == []
    assert ids(store.search(attributes={"service.name": "shop"})) == [1]


def test_nonsense_bounds_are_refused_with_an_example() -> None:
    with pytest.raises(ValueError, match="for example max_bytes"):
        TraceStore(max_bytes=0)


def test_searching_while_appending_raises_nothing_and_sees_whole_spans() -> None:
    store = TraceStore(max_bytes=200_000)
    stop = threading.Event()

    def read() -> int:
        rounds = 0
        while not stop.is_set():
            rounds += 1
            for summary in store.search(service="shop", limit=50):
                store.get(summary.trace_id)
            assert store.stats().spans_seen % 10 == 0
        return rounds

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        for batch in range(200):
            store.append([span(batch * 10 + n + 1) for n in range(10)], NOW_MS + batch)
        stop.set()
        assert reader.result() > 0


names = st.sampled_from(["a", "b", "c"])
services = st.sampled_from(["s1", "s2"])
spans = st.lists(
    st.builds(
        lambda trace, number, name, service, start, duration, error: span(
            trace, number, name=name, service=service, start_ms=start, duration_ms=duration, error=error
        ),
        st.integers(1, 6),
        st.integers(1, 50),
        names,
        services,
        st.integers(0, 20),
        st.integers(0, 20),
        st.booleans(),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(
    spans,
    st.none() | services,
    st.none() | names,
    st.none() | st.booleans(),
    st.none() | st.integers(0, 25),
    st.none() | st.integers(0, 25),
)
def test_search_equals_a_brute_force_reference(
    records: list[SpanRecord],
    service: str | None,
    operation: str | None,
    error: bool | None,
    low: int | None,
    high: int | None,
) -> None:
    store = TraceStore()
    for record in records:
        store.append([record], NOW_MS)
    found = store.search(
        service=service, operation=operation, error=error, min_duration_ms=low, max_duration_ms=high, limit=100
    )
    traces: dict[int, list[SpanRecord]] = {}
    for record in records:
        traces.setdefault(record.trace_id, []).append(record)

    def inside(nanoseconds: int) -> bool:
        return (low is None or nanoseconds >= low * MS) and (high is None or nanoseconds <= high * MS)

    def wanted(members: list[SpanRecord]) -> bool:
        if error is False and any(member.status == SpanStatus.ERROR for member in members):
            return False
        whole = max(m.end_unix_nano for m in members) - min(m.start_unix_nano for m in members)
        by_span = service is not None or operation is not None
        if not by_span and not inside(whole):
            return False
        return any(
            (service is None or m.resource["service.name"] == service)
            and (operation is None or m.name == operation)
            and (not error or m.status == SpanStatus.ERROR)
            and (not by_span or inside(m.duration_nano))
            for m in members
        )

    assert sorted(ids(found)) == sorted(trace for trace, members in traces.items() if wanted(members))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(2_000, 40_000))
def test_counts_and_bytes_stay_consistent_under_random_floods(seed: int, max_bytes: int) -> None:
    rng = random.Random(seed)
    store = TraceStore(max_bytes=max_bytes, max_age_ms=5_000)
    now = NOW_MS
    for _ in range(60):
        now += rng.randrange(0, 500)
        batch = [
            span(rng.randrange(1, 30), rng.randrange(1, 1 << 40), name=rng.choice("abc"), service=rng.choice("xy"))
            for _ in range(rng.randrange(0, 8))
        ]
        store.append(batch, now)
        stats = store.stats()
        assert stats.bytes_used <= max_bytes
        assert stats.spans_seen == stats.spans + stats.spans_dropped
        kept = store.search(limit=1000)
        assert sum(summary.span_count for summary in kept) == stats.spans
        assert store.services() == sorted({service for summary in kept for service in summary.services})


def test_under_a_flood_whole_traces_are_thinned_failed_spans_kept_and_the_history_stays_long() -> None:
    store = TraceStore(max_bytes=1_000_000, min_history_ms=20_000)
    generator = random.Random(5)
    for second in range(120):
        spans = []
        for _ in range(300):
            trace_id = generator.getrandbits(128)
            spans += [span(trace_id, n) for n in (1, 2)]
        spans.append(span(generator.getrandbits(128), error=True))
        store.append(spans, second * 1000)
    stats = store.stats()
    assert stats.keeps_one_in > 1
    assert stats.spans_seen == stats.spans + stats.spans_dropped
    assert stats.oldest_ms is not None
    assert 119_000 - stats.oldest_ms > 10_000, "without thinning the store holds about two seconds"
    kept = store.search(limit=100_000)
    assert {trace.span_count for trace in kept if not trace.error_count} == {2}, "traces are kept whole"
    assert sum(trace.error_count for trace in kept) >= 10
    for second in range(120, 600):
        store.append([span(generator.getrandbits(128))], second * 1000)
    assert store.stats().keeps_one_in == 1, "thinning ends with the load"
