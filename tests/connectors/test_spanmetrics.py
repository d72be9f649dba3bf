"""RED rows against a plain grouping of all spans."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_ext.connectors.spanmetrics import CALLS, DEFAULT_BOUNDS_SECONDS, DURATION, SpanMetrics
from otel_ext.model.labels import Labels
from otel_ext.model.spans import SpanKind, SpanRecord, SpanStatus

START = 1_700_000_000_000_000_000
SHOP = {"service.name": "shop", "service.instance.id": "1"}
HTTP_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


def span(
    *, kind=SpanKind.SERVER, status=SpanStatus.UNSET, duration_nano=1_000_000, name="GET /items", attributes=None,
    trace_id=1, resource=SHOP, sampled=True,
):  # fmt: skip
    return SpanRecord(
        trace_id, 2, None, name, int(kind), START, START + duration_nano, int(status), None, attributes or {}, (), (),
        resource, "web", sampled,
    )  # fmt: skip


def points(metrics, name, which=0):
    (scope,) = metrics[which].scope_metrics
    (metric,) = [metric for metric in scope.metrics if metric.name == name]
    return {tuple(sorted(point.attributes.items())): point for point in metric.data.data_points}


def one_point(spans, name=CALLS):
    engine = SpanMetrics()
    engine.count(spans)
    (point,) = points(engine.metrics(START + 10, START), name).values()
    return point


def test_a_call_is_described_by_service_operation_kind_status_and_http_attributes():
    attributes = {"http.request.method": "GET", "http.route": "/items", "http.response.status_code": 500}
    point = one_point([span(status=SpanStatus.ERROR, attributes=attributes)])
    assert point.attributes == {
        "service.name": "shop",
        "span.name": "GET /items",
        "span.kind": "SPAN_KIND_SERVER",
        "status.code": "STATUS_CODE_ERROR",
        "http.request.method": "GET",
        "http.route": "/items",
        "http.response.status_code": 500,
    }
    assert (point.value, point.start_time_unix_nano, point.time_unix_nano) == (1, START, START + 10)


def test_old_and_new_http_conventions_give_the_same_row():
    new = {"http.request.method": "GET", "http.route": "/items", "http.response.status_code": 200}
    old = {"http.method": "GET", "http.route": "/items", "http.status_code": 200}
    assert one_point([span(attributes=new), span(attributes=old), span(attributes={**old, **new})]).value == 3


def test_internal_spans_are_left_out_and_the_four_other_kinds_counted():
    engine = SpanMetrics()
    engine.count([span(kind=kind) for kind in SpanKind])
    kinds = {dict(key)["span.kind"] for key in points(engine.metrics(2, 1), CALLS)}
    assert kinds == {"SPAN_KIND_SERVER", "SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"}


def test_the_default_bounds_include_those_of_the_http_conventions():
    assert set(HTTP_BOUNDS) <= set(DEFAULT_BOUNDS_SECONDS)


def test_a_duration_equal_to_a_bound_belongs_to_its_bucket_and_the_sum_is_exact():
    engine = SpanMetrics(bounds_seconds=(0.1, 0.25))
    engine.count([span(duration_nano=nano) for nano in (100_000_000, 100_000_001, 250_000_000, 250_000_001, -7)])
    (point,) = points(engine.metrics(2, 1), DURATION).values()
    assert (point.bucket_counts, point.count, point.sum) == ((2, 2, 1), 5, 0.700000002)
    assert point.explicit_bounds == (0.1, 0.25)


def test_each_bucket_shows_its_latest_sampled_span():
    engine = SpanMetrics(bounds_seconds=(0.1,))
    engine.count(
        [span(trace_id=1), span(trace_id=2), span(trace_id=3, sampled=False), span(trace_id=4, duration_nano=10**9)]
    )
    (point,) = points(engine.metrics(2, 1), DURATION).values()
    assert [(example.trace_id, example.value) for example in point.exemplars] == [(2, 0.001), (4, 1.0)]


def test_what_does_not_fit_goes_to_an_overflow_row_and_totals_are_conserved():
    engine = SpanMetrics(max_series=3)
    spans = [span(name=f"op-{i}", status=SpanStatus(i % 3), duration_nano=i) for i in range(100)]
    engine.count(spans)
    calls = points(engine.metrics(2, 1), CALLS)
    assert len(calls) == 4
    assert calls[(("otel.metric.overflow", True),)].value == 97
    assert sum(point.value for point in calls.values()) == 100
    assert sum(row.count for row in engine.golden()) == 100
    assert sum(row.duration_nano_sum for row in engine.golden()) == sum(range(100))
    assert sum(row.errors for row in engine.golden()) == 33
    assert engine.overflowed == 97


def test_golden_signals_sum_over_status_and_method():
    engine = SpanMetrics()
    route = {"http.route": "/items"}
    engine.count([
        span(attributes={**route, "http.request.method": "GET"}, duration_nano=5),
        span(attributes={**route, "http.request.method": "HEAD", "http.response.status_code": 503}, duration_nano=6),
        span(attributes=route, status=SpanStatus.ERROR, duration_nano=7),
    ])  # fmt: skip
    (row,) = engine.golden()
    assert row.labels == Labels(
        service_name="shop", span_name="GET /items", span_kind="SPAN_KIND_SERVER", http_route="/items"
    )
    assert (row.count, row.errors, row.duration_nano_sum) == (3, 2, 18)


def test_each_resource_has_its_own_entry_and_equal_resources_share_one():
    engine = SpanMetrics()
    engine.count([span(), span(resource=dict(SHOP)), span(resource={"service.name": "worker"}), span(resource={})])
    metrics = engine.metrics(2, 1)
    assert [entry.resource.attributes.get("service.name") for entry in metrics] == ["shop", "worker", None]
    (point,) = points(metrics, CALLS, 0).values()
    assert point.value == 2


def test_attribute_objects_stay_the_same_from_one_collection_to_the_next():
    engine = SpanMetrics()
    engine.count([span()])
    (first,) = points(engine.metrics(2, 1), CALLS).values()
    (second,) = points(engine.metrics(3, 1), CALLS).values()
    assert first.attributes is second.attributes


GARBAGE = st.sampled_from([None, True, 0, -1, 10**5000, 3.5, "GET", "", "503", ("a",), ["unhashable"], {"k": 1}, b"x"])


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.sampled_from([SpanKind.SERVER, SpanKind.CLIENT]),
            st.sampled_from(list(SpanStatus)),
            st.integers(-5, 10**11),
            st.dictionaries(
                st.sampled_from(["http.request.method", "http.method", "http.route", "http.response.status_code"]),
                GARBAGE,
            ),
        ),
        max_size=40,
    ),
    max_series=st.integers(0, 30),
)
def test_whatever_the_attributes_nothing_is_lost_and_nothing_raises(rows, max_series):
    engine = SpanMetrics(max_series=max_series)
    engine.count([span(name=n, kind=k, status=s, duration_nano=d, attributes=a) for n, k, s, d, a in rows])
    expected = defaultdict(int)
    for _, _, status, _, _ in rows:
        expected[status.name] += 1
    metrics = engine.metrics(2, 1)
    found = points(metrics, DURATION).values() if metrics else []
    assert sum(point.count for point in found) == len(rows)
    assert sum(row.duration_nano_sum for row in engine.golden()) == sum(max(0, row[3]) for row in rows)
    for point in found:
        status = point.attributes.get("status.code", "").removeprefix("STATUS_CODE_")
        expected[status] -= point.count
    assert all(left >= 0 for name, left in expected.items() if name)


def test_bounds_must_ascend():
    with pytest.raises(ValueError, match="must ascend"):
        SpanMetrics(bounds_seconds=(0.5, 0.1))


def test_a_forked_child_starts_at_zero_even_when_the_parent_held_the_lock():
    engine = SpanMetrics()
    engine.count([span()])
    engine._lock.acquire()
    engine.reset_after_fork()
    assert engine.metrics(2, 1) == ()


def test_a_row_starts_at_the_collection_before_its_first_span():
    engine = SpanMetrics()
    engine.count([span(name="first")])
    engine.metrics(200, 100)
    engine.count([span(name="second")])
    found = points(engine.metrics(300, 100), CALLS)
    starts = {dict(key)["span.name"]: point.start_time_unix_nano for key, point in found.items()}
    assert starts == {"first": 100, "second": 200}
