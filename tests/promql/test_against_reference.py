"""Random appends, gaps, stale markers and evictions: every query equals the plain Python evaluator."""

from __future__ import annotations

import math
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_ext.model.labels import Labels
from otel_ext.promql import Matrix, QueryEngine, Vector, parse
from otel_ext.storage.metrics import STALE, MetricStore
from tests.promql.reference import ReferenceEngine, ReferenceStore

STEP_MS = 5_000
SERIES = [
    Labels(__name__=name, job=job, instance=instance)
    for name in ("a_total", "b_total")
    for job in ("x", "y")
    for instance in ("1", "2", "3")
]
QUERIES = [
    "a_total",
    'a_total{job="x"}',
    '{__name__=~"[ab]_total",instance!="2"}',
    "a_total offset 10s",
    "a_total @ 60",
    "rate(a_total[30s])",
    "increase(a_total[47s])",
    "delta(a_total[1m] offset 10s)",
    "irate(a_total[20s])",
    "changes(a_total[1m])",
    "resets(a_total[1m])",
    "sum_over_time(a_total[33s])",
    "avg_over_time(a_total[1m])",
    "min_over_time(a_total[12s])",
    "max_over_time(a_total[1m])",
    "count_over_time(a_total[1m])",
    "last_over_time(a_total[25s])",
    "sum by (job) (rate(a_total[30s]))",
    "avg without (instance) (a_total)",
    "count by (instance) (a_total) + on (instance) count by (instance) (b_total)",
    "max(a_total) - min(a_total)",
    "a_total / on (job, instance) b_total",
    "a_total > 5",
    "a_total > on (job, instance) b_total",
    'a_total and b_total{job="x"}',
    'a_total unless on (job) b_total{instance="1"}',
    'a_total{instance="1"} or b_total',
    "sum_over_time(rate(a_total[20s])[1m:10s])",
    "max_over_time(sum by (job) (a_total)[40s:7s])",
    "a_total * 2",
]

columns = st.lists(
    st.lists(
        st.one_of(st.none(), st.just(STALE), st.integers(min_value=0, max_value=20).map(float), st.floats(-100, 100)),
        min_size=len(SERIES),
        max_size=len(SERIES),
    ),
    min_size=1,
    max_size=40,
)


def filled(data: list[list[float | None]], retention_ms: int = 3_600_000) -> tuple[MetricStore, ReferenceStore]:
    store = MetricStore(retention_ms=retention_ms, max_bytes=1 << 30)
    plain = ReferenceStore()
    for index, column in enumerate(data):
        samples = [(labels, value) for labels, value in zip(SERIES, column, strict=True) if value is not None]
        store.append(index * STEP_MS, samples)
        plain.append(index * STEP_MS, samples)
    return store, plain


def close(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-9) or (math.isnan(left) and math.isnan(right))


def assert_equal(expected: dict[Labels, float], got: dict[Labels, float], what: str) -> None:
    assert expected.keys() == got.keys(), what
    assert all(close(expected[key], got[key]) for key in expected), (what, expected, got)


def as_dict(value: object) -> dict[Labels, float]:
    assert isinstance(value, Vector)
    return {sample.labels: float(sample.value) for sample in value.samples}  # type: ignore[arg-type]


@settings(max_examples=60)
@given(data=columns, at=st.integers(0, 45 * STEP_MS))
def test_instant_queries_equal_the_plain_evaluator(data: list[list[float | None]], at: int) -> None:
    store, plain = filled(data)
    engine, reference = QueryEngine(store), ReferenceEngine(plain)
    for query in QUERIES:
        expected = reference.evaluate(parse(query), at)
        assert isinstance(expected, dict)
        assert_equal(expected, as_dict(engine.instant(query, at).value), f"{query} at {at}")


@settings(max_examples=25)
@given(data=columns, step=st.integers(1_000, 20_000))
def test_a_range_query_is_its_instant_queries(data: list[list[float | None]], step: int) -> None:
    store, plain = filled(data)
    engine, reference = QueryEngine(store), ReferenceEngine(plain)
    end = len(data) * STEP_MS + 10_000
    for query in QUERIES:
        matrix = engine.range(query, 0, end, step).value
        assert isinstance(matrix, Matrix)
        assert [series.labels.items_sorted for series in matrix.series] == sorted(
            series.labels.items_sorted for series in matrix.series
        )
        for at in range(0, end + 1, step):
            got = {
                series.labels: float(point.value)  # type: ignore[arg-type]
                for series in matrix.series
                for point in series.points
                if point.ts_ms == at
            }
            expected = reference.evaluate(parse(query), at)
            assert isinstance(expected, dict)
            assert_equal(expected, got, f"{query} at {at}, step {step}")


@settings(max_examples=25)
@given(data=columns)
def test_queries_within_the_retention_do_not_notice_evictions(data: list[list[float | None]]) -> None:
    store, plain = filled(data * 8, retention_ms=90_000)
    engine, reference = QueryEngine(store, lookback_ms=30_000), ReferenceEngine(plain, lookback_ms=30_000)
    now = (len(data) * 8 - 1) * STEP_MS
    for query in QUERIES:
        if "@" in query:
            continue
        expected = reference.evaluate(parse(query), now)
        assert isinstance(expected, dict)
        assert_equal(expected, as_dict(engine.instant(query, now).value), query)


@settings(max_examples=40)
@given(data=columns, order=st.randoms(use_true_random=False), at=st.integers(0, 45 * STEP_MS))
def test_the_order_of_arrival_does_not_matter(data: list[list[float | None]], order: Random, at: int) -> None:
    _, plain = filled(data)
    store = MetricStore(retention_ms=3_600_000, max_bytes=1 << 30)
    arrivals = list(range(len(data)))
    order.shuffle(arrivals)
    for index in arrivals:
        samples = [(labels, value) for labels, value in zip(SERIES, data[index], strict=True) if value is not None]
        store.append(index * STEP_MS, samples)
    engine, reference = QueryEngine(store), ReferenceEngine(plain)
    for query in QUERIES:
        expected = reference.evaluate(parse(query), at)
        assert isinstance(expected, dict)
        assert_equal(expected, as_dict(engine.instant(query, at).value), f"{query} at {at}")
