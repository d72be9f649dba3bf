"""The log store against plain references: what is kept, found, dropped and counted."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_ext.model.logs import LogEntry
from otel_ext.storage.logs import LogStore, severity_name

MS = 1_000_000
NOW_MS = 1_700_000_000_000


def entry(
    body: str = "hello",
    at_ms: int = 0,
    severity: int = 9,
    logger: str = "app",
    trace_id: int = 0,
    **attributes: Any,
) -> LogEntry:
    return LogEntry(
        time_unix_nano=(NOW_MS + at_ms) * MS,
        severity_number=severity,
        severity_text="",
        body=body,
        attributes=attributes,
        trace_id=trace_id,
        span_id=0,
        logger=logger,
        event_name=None,
        resource={},
    )


def bodies(found: list[LogEntry]) -> list[str]:
    return [item.body for item in found]


def test_search_returns_the_newest_first_up_to_the_limit() -> None:
    store = LogStore()
    store.append([entry(str(n), n) for n in range(1000)])
    assert bodies(store.search(limit=3)) == ["999", "998", "997"]


def test_text_is_found_in_any_case_and_in_exceptions() -> None:
    store = LogStore()
    store.append([entry("Payment FAILED"), entry("fine"), entry("oops", **{"exception.type": "CardDeclined"})])
    store.append([entry("late", **{"exception.type": "X", "exception.message": "no such card"})])
    assert bodies(store.search(text="failed")) == ["Payment FAILED"]
    assert bodies(store.search(text="carddeclined")) == ["oops"]
    assert bodies(store.search(text="such card")) == ["late"]


def test_a_text_never_matches_across_two_records() -> None:
    store = LogStore()
    store.append([entry("ab")] * 300 + [entry("cd")] * 300)
    assert store.search(text="abcd") == []


def test_a_logger_matches_itself_and_its_children() -> None:
    store = LogStore()
    store.append([entry("1", logger="app"), entry("2", logger="app.db"), entry("3", logger="application")])
    assert bodies(store.search(logger="app")) == ["2", "1"]


def test_a_trace_finds_its_logs_and_a_malformed_id_finds_none() -> None:
    store = LogStore()
    store.append([entry("1", trace_id=0xABC), entry("2", trace_id=0xDEF)])
    assert bodies(store.search(trace_id="0" * 29 + "abc")) == ["1"]
    assert store.search(trace_id="xyz") == []


def test_when_full_the_oldest_records_go_and_are_counted() -> None:
    store = LogStore(max_bytes=100_000)
    for n in range(5000):
        store.append([entry(str(n), n)])
    stats = store.stats()
    assert stats.bytes_used <= 100_000
    assert stats.seen == 5000 == stats.entries + stats.dropped
    assert stats.entries > 50
    assert bodies(store.search(limit=1)) == ["4999"]
    assert sum(stats.by_severity.values()) == stats.entries == sum(stats.by_logger.values())


def test_records_older_than_the_age_limit_go() -> None:
    store = LogStore(max_age_ms=1000)
    store.append([entry("old", 0)] * 300)
    store.append([entry("new", 5000)] * 300)
    assert store.stats().by_severity == {"INFO": 300 + 44}
    store.append([entry("newer", 60_000)] * 300)
    assert "old" not in bodies(store.search(limit=1000))


def test_a_huge_body_is_cut_and_says_so() -> None:
    store = LogStore()
    store.append([entry("x" * 1_000_000)])
    assert store.search()[0].body.endswith("[934464 more characters]")
    assert store.stats().truncated == 1
    assert store.memory < 200_000


def test_a_flood_of_huge_records_stays_in_bounds() -> None:
    store = LogStore(max_bytes=2_000_000)
    for n in range(100):
        store.append([entry(f"{n}" + "x" * 60_000)])
    assert store.memory <= 2_000_000
    assert store.stats().entries > 5


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0, "UNSPECIFIED"),
        (1, "TRACE"),
        (5, "DEBUG"),
        (9, "INFO"),
        (13, "WARN"),
        (17, "ERROR"),
        (24, "FATAL"),
        (25, "UNSPECIFIED"),
    ],
)
def test_severity_numbers_fall_into_their_otlp_range(number: int, name: str) -> None:
    assert severity_name(number) == name


def test_nonsense_bounds_are_refused_with_an_example() -> None:
    with pytest.raises(ValueError, match="for example max_bytes"):
        LogStore(max_age_ms=0)


records = st.builds(
    entry,
    body=st.sampled_from(["Alpha one", "beta TWO", "gamma", "ALPHA three"]),
    at_ms=st.integers(0, 100),
    severity=st.sampled_from([5, 9, 13, 17]),
    logger=st.sampled_from(["app", "app.db", "web"]),
    trace_id=st.sampled_from([0, 1, 2]),
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(records, max_size=40),
    st.integers(1, 20),
    st.none() | st.sampled_from(["alpha", "two", "zzz"]),
    st.none() | st.sampled_from([9, 17]),
    st.none() | st.sampled_from(["app", "web"]),
    st.none() | st.integers(0, 100),
    st.none() | st.integers(0, 100),
)
def test_search_equals_a_brute_force_reference(
    made: list[LogEntry],
    repeat: int,
    text: str | None,
    severity: int | None,
    logger: str | None,
    start: int | None,
    end: int | None,
) -> None:
    made = made * repeat
    store = LogStore()
    store.append(made)
    found = store.search(
        text=text,
        min_severity=severity,
        logger=logger,
        start_ms=None if start is None else NOW_MS + start,
        end_ms=None if end is None else NOW_MS + end,
        limit=10_000,
    )
    wanted = [
        item
        for item in reversed(made)
        if (text is None or text in item.body.lower())
        and (severity is None or item.severity_number >= severity)
        and (logger is None or item.logger == logger or item.logger.startswith(logger + "."))
        and (start is None or item.time_unix_nano >= (NOW_MS + start) * MS)
        and (end is None or item.time_unix_nano <= (NOW_MS + end) * MS)
    ]
    assert found == wanted


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_counts_conserve_under_floods(seed: int) -> None:
    rng = random.Random(seed)
    store = LogStore(max_bytes=rng.randrange(30_000, 300_000), max_age_ms=10_000)
    now = 0
    for _ in range(40):
        now += rng.randrange(0, 2000)
        lines = rng.randrange(0, 30)
        store.append([entry("x" * rng.randrange(0, 500), now, logger=rng.choice("abc")) for _ in range(lines)])
        stats = store.stats()
        assert stats.seen == stats.entries + stats.dropped
        assert len(store.search(limit=100_000)) == stats.entries
        assert stats.bytes_used <= stats.max_bytes
