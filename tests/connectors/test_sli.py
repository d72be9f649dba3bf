"""SLI counting against a reference that looks at each span and each SLO on its own."""

from __future__ import annotations

import threading
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_ext.connectors.sli import SliCounter
from otel_ext.model.slos import Slo
from otel_ext.model.spans import SpanKind, SpanRecord, SpanStatus

AVAILABILITY = Slo(name="availability", objective="99.9")
LATENCY = Slo(name="latency", objective="99", latency_ms=300)
START = 1_700_000_000_000_000_000


def span(
    *,
    kind=SpanKind.SERVER,
    status=SpanStatus.UNSET,
    duration_nano=1_000_000,
    name="GET /items",
    attributes=None,
    trace_id=1,
    scope="web",
    resource=None,
):
    return SpanRecord(
        trace_id, 1, None, name, int(kind), START, START + duration_nano, int(status), None, attributes or {}, (), (),
        resource or {"service.name": "shop"}, scope, True,
    )  # fmt: skip


def counted(slos, spans):
    counter = SliCounter(slos)
    counter.count(spans)
    return counter.counts()


def test_each_server_and_consumer_span_is_one_event_and_no_other_kind_is():
    spans = [span(kind=kind, status=SpanStatus.ERROR) for kind in SpanKind]
    assert counted([AVAILABILITY], spans) == {"availability": (0, 2)}


@pytest.mark.parametrize(
    ("status", "attributes", "good"),
    [
        (SpanStatus.UNSET, {}, True),
        (SpanStatus.OK, {"http.response.status_code": 200}, True),
        (SpanStatus.ERROR, {}, False),
        (SpanStatus.ERROR, {"http.response.status_code": 404}, False),
        (SpanStatus.UNSET, {"http.response.status_code": 404}, True),
        (SpanStatus.UNSET, {"http.response.status_code": 499}, True),
        (SpanStatus.UNSET, {"http.response.status_code": 500}, False),
        (SpanStatus.OK, {"http.status_code": 503}, False),
        (SpanStatus.UNSET, {"http.status_code": 503, "http.response.status_code": 503}, False),
        (SpanStatus.UNSET, {"http.response.status_code": "502"}, False),
        (SpanStatus.UNSET, {"http.response.status_code": "oops"}, True),
        (SpanStatus.UNSET, {"http.response.status_code": True}, True),
        (SpanStatus.UNSET, {"http.response.status_code": None}, True),
        (SpanStatus.UNSET, {"http.response.status_code": 10**5000}, True),
        (SpanStatus.UNSET, {"http.response.status_code": -500}, True),
        (SpanStatus.UNSET, {"http.response.status_code": (500,)}, True),
        (SpanStatus.UNSET, {"http.response.status_code": 500.0}, True),
    ],
)
def test_an_event_is_bad_by_its_span_status_or_an_http_status_of_500_and_above(status, attributes, good):
    assert counted([AVAILABILITY], [span(status=status, attributes=attributes)]) == {"availability": (int(good), 1)}


@pytest.mark.parametrize(
    ("latency_ms", "duration_nano", "good"),
    [
        (300, 300_000_000, True),
        (300, 300_000_001, False),
        (0.1, 100_000, True),
        (0.1, 100_001, False),
        (1.0000005, 1_000_000, True),
        (1.0000005, 1_000_001, False),
        (300, -5, True),
    ],
)
def test_latency_is_decided_to_the_nanosecond(latency_ms, duration_nano, good):
    slo = Slo(name="latency", objective="99", latency_ms=latency_ms)
    assert counted([slo], [span(duration_nano=duration_nano)]) == {"latency": (int(good), 1)}


def test_a_failed_request_is_bad_for_latency_however_fast_it_was():
    assert counted([LATENCY], [span(status=SpanStatus.ERROR)]) == {"latency": (0, 1)}


@pytest.mark.parametrize("spelled", ["server", "SERVER", "SPAN_KIND_SERVER", "ser*"])
def test_the_span_kind_matches_in_every_spelling_of_the_conventions(spelled):
    slo = Slo(name="kind", objective="99", match={"span.kind": spelled})
    assert counted([slo], [span(), span(kind=SpanKind.CONSUMER)]) == {"kind": (1, 1)}


MATCHES = st.sampled_from(
    [
        {},
        {"http.route": "/items"},
        {"http.route": "/it*"},
        {"span.name": "GET *"},
        {"span.kind": "consumer"},
        {"service.name": "shop"},
        {"scope.name": "web", "http.request.method": "POST"},
        {"http.response.status_code": "200"},
        {"tenant": "7"},
        {"beta": "true"},
    ]
)
SPANS = st.lists(
    st.builds(
        span,
        kind=st.sampled_from(list(SpanKind)),
        status=st.sampled_from(list(SpanStatus)),
        duration_nano=st.sampled_from([-1, 0, 1, 99_999_999, 100_000_000, 100_000_001, 300_000_000, 10**10]),
        name=st.sampled_from(["GET /items", "POST /items", "job"]),
        scope=st.sampled_from(["web", "worker"]),
        resource=st.sampled_from([{"service.name": "shop"}, {}, {"service.name": 7}]),
        attributes=st.dictionaries(
            st.sampled_from(
                [
                    "http.route",
                    "http.request.method",
                    "http.method",
                    "http.response.status_code",
                    "http.status_code",
                    "tenant",
                    "beta",
                ]
            ),
            st.sampled_from([200, 404, 500, "503", "/items", "/other", "POST", 7, "7", True, None, ("a", 1), 10**5000]),
        ),
    ),
    max_size=60,
)


def reference_code(attributes):
    code = attributes.get("http.response.status_code")
    code = attributes.get("http.status_code") if code is None else code
    if isinstance(code, str) and code.isdigit():
        code = int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) and 0 < code < 1000 else None


def reference_field(record, name):
    special = {
        "span.name": record.name,
        "span.kind": SpanKind(record.kind).name.lower(),
        "service.name": record.resource.get("service.name"),
        "scope.name": record.scope,
        "http.response.status_code": reference_code(record.attributes),
        "http.request.method": record.attributes.get("http.request.method", record.attributes.get("http.method")),
    }
    return special[name] if name in special else record.attributes.get(name)


def reference_matches(slo, record):
    for name, pattern in slo.match.items():
        value = reference_field(record, name)
        if value is None or value == 10**5000:
            return False
        text = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
        if not (text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern):
            return False
    return True


def reference_counts(slo, spans):
    good = total = 0
    for record in spans:
        if record.kind in (SpanKind.SERVER, SpanKind.CONSUMER) and reference_matches(slo, record):
            failed = record.status == SpanStatus.ERROR or (reference_code(record.attributes) or 0) >= 500
            slow = slo.latency_ms is not None and record.duration_nano > Fraction(str(slo.latency_ms)) * 1_000_000
            total += 1
            good += not failed and not slow
    return good, total


@settings(max_examples=300, deadline=None)
@given(
    spans=SPANS,
    kinds=st.lists(st.tuples(st.sampled_from([None, 100, 300, 0.000001]), MATCHES), min_size=1, max_size=6),
)
def test_counts_equal_those_of_looking_at_each_span_alone(spans, kinds):
    slos = [
        Slo(name=f"slo-{i}", objective="99", latency_ms=latency_ms, match=match)
        for i, (latency_ms, match) in enumerate(kinds)
    ]
    counter = SliCounter(slos)
    for at in range(0, len(spans), 7):
        counter.count(spans[at : at + 7])
    assert counter.counts() == {slo.name: reference_counts(slo, spans) for slo in slos}


def test_examples_are_the_newest_bad_events_of_each_slo():
    counter = SliCounter([AVAILABILITY, LATENCY])
    slow = [span(trace_id=i, duration_nano=400_000_000 + i) for i in range(1, 4)]
    failed = [span(trace_id=100 + i, status=SpanStatus.ERROR, duration_nano=500_000_000 + i) for i in range(9)]
    counter.count([span(trace_id=999), *slow, *failed])
    examples = counter.exemplars()
    assert examples["availability"] == tuple(f"{108 - i:032x}" for i in range(5))
    assert examples["latency"] == tuple(f"{108 - i:032x}" for i in range(5))
    counter.count([span(trace_id=7, duration_nano=900_000_000)])
    assert counter.exemplars()["latency"][0] == f"{7:032x}"
    assert f"{7:032x}" not in counter.exemplars()["availability"]


def test_a_thousand_routes_do_not_grow_the_cache_without_bound_and_lose_no_event():
    counter = SliCounter([Slo(name="items", objective="99", match={"http.route": "/items/1*"})])
    counter.count([span(attributes={"http.route": f"/items/{i}"}) for i in range(10_000)])
    assert counter.counts() == {"items": (1111, 1111)}
    assert len(counter._by_key) <= 4096


def test_threads_that_count_at_the_same_time_lose_nothing():
    counter = SliCounter([AVAILABILITY, LATENCY])
    batch = [span(status=SpanStatus.ERROR if i % 10 == 0 else SpanStatus.OK) for i in range(100)]
    threads = [threading.Thread(target=lambda: [counter.count(batch) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.counts()["availability"] == (18_000, 20_000)


def test_a_forked_child_starts_at_zero_even_when_the_parent_held_the_lock():
    counter = SliCounter([AVAILABILITY])
    counter.count([span()])
    counter._lock.acquire()
    counter.reset_after_fork()
    assert counter.counts() == {"availability": (0, 0)}
    counter.count([span()])
    assert counter.counts() == {"availability": (1, 1)}
