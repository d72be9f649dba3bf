"""QueryEngine: kinds of results, limits, both ways of name removal, annotations, JSON."""

from __future__ import annotations

import pytest

from otel_ext.clock import ManualClock
from otel_ext.errors import QueryError, QueryLimitError
from otel_ext.model.labels import Labels
from otel_ext.model.native_histograms import NativeHistogram
from otel_ext.promql import Matrix, QueryEngine, Scalar, String, Vector, prometheus_json
from otel_ext.storage.metrics import MetricStore


@pytest.fixture
def store() -> MetricStore:
    store = MetricStore(retention_ms=3_600_000, max_bytes=1 << 30)
    for ts_ms in range(0, 60_000, 5_000):
        store.append(
            ts_ms,
            [
                (Labels(__name__="a_total", x="1"), ts_ms / 1000),
                (Labels(__name__="b_total", x="1"), 2.0),
                (Labels(__name__="h"), NativeHistogram(count=4, sum=5.5, positive={0: 1, 1: 3})),
            ],
        )
    return store


def test_each_type_of_expression_has_its_type_of_result(store: MetricStore) -> None:
    engine = QueryEngine(store)
    assert engine.instant("1 + 1", 0).value == Scalar(ts_ms=0, value=2.0)
    assert engine.instant('"text"', 0).value == String(ts_ms=0, value="text")
    assert isinstance(engine.instant("a_total", 0).value, Vector)
    assert isinstance(engine.instant("a_total[1m]", 0).value, Matrix)
    assert isinstance(engine.range("a_total", 0, 10_000, 5_000).value, Matrix)


def test_a_range_vector_lists_its_samples(store: MetricStore) -> None:
    matrix = QueryEngine(store).instant("a_total[10s]", 20_000).value
    assert isinstance(matrix, Matrix)
    (series,) = matrix.series
    assert [(point.ts_ms, point.value) for point in series.points] == [(15_000, 15.0), (20_000, 20.0)]


def test_a_scalar_over_a_range_is_one_series_without_labels(store: MetricStore) -> None:
    matrix = QueryEngine(store).range("time()", 0, 10_000, 5_000).value
    assert isinstance(matrix, Matrix)
    assert [point.value for point in matrix.series[0].points] == [0.0, 5.0, 10.0]


@pytest.mark.parametrize("expr", ['"text"', "a_total[5m]"])
def test_a_range_query_refuses_what_has_no_value_at_a_time(store: MetricStore, expr: str) -> None:
    with pytest.raises(QueryError, match="invalid expression type"):
        QueryEngine(store).range(expr, 0, 10_000, 5_000)


def test_names_that_were_dropped_collide_only_without_delayed_removal(store: MetricStore) -> None:
    expr = 'label_replace(max_over_time({__name__=~"._total"}[1m]), "kind", "$1", "__name__", "(.*)")'
    with pytest.raises(QueryError, match="same labelset"):
        QueryEngine(store).instant(expr, 30_000)
    vector = QueryEngine(store, delayed_name_removal=True).instant(expr, 30_000).value
    assert isinstance(vector, Vector)
    assert {sample.labels["kind"] for sample in vector.samples} == {"a_total", "b_total"}


def test_a_query_that_touches_too_many_samples_is_stopped(store: MetricStore) -> None:
    with pytest.raises(QueryLimitError, match="max_samples is 5"):
        QueryEngine(store, max_samples=5).instant("rate(a_total[1m])", 55_000)


def test_a_query_that_takes_too_long_is_stopped(store: MetricStore) -> None:
    class Racing(ManualClock):
        def now_ms(self) -> int:
            self.advance(10)
            return super().now_ms()

    with pytest.raises(QueryLimitError, match="timed out"):
        QueryEngine(store, timeout_ms=5, clock=Racing()).instant("sum(a_total)", 55_000)


def test_results_are_limited_in_series_and_points(store: MetricStore) -> None:
    with pytest.raises(QueryLimitError, match="max_series is 1"):
        QueryEngine(store, max_series=1).instant('{__name__=~".+"}', 55_000)
    with pytest.raises(QueryLimitError, match="points a series"):
        QueryEngine(store).range("a_total", 0, 60_000, 1)


def test_a_range_needs_a_step_and_an_order(store: MetricStore) -> None:
    for start, end, step in ((0, 10, 0), (10, 0, 5)):
        with pytest.raises(QueryError, match="start <= end"):
            QueryEngine(store).range("a_total", start, end, step)


def test_annotations_come_with_the_result(store: MetricStore) -> None:
    result = QueryEngine(store).instant("quantile(2, a_total) + rate(h[1m])", 55_000)
    assert any("quantile value should be between 0 and 1" in text for text in result.warnings)
    assert result.infos


def test_json_is_that_of_the_http_api(store: MetricStore) -> None:
    engine = QueryEngine(store)
    assert prometheus_json(engine.instant("a_total", 10_500)) == {
        "resultType": "vector",
        "result": [{"metric": {"__name__": "a_total", "x": "1"}, "value": [10.5, "10"]}],
    }
    assert prometheus_json(engine.instant("1 / 0", 1_000)) == {"resultType": "scalar", "result": [1, "+Inf"]}
    assert prometheus_json(engine.instant('"s"', 1_000)) == {"resultType": "string", "result": [1, "s"]}
    assert prometheus_json(engine.range("a_total", 0, 5_000, 5_000))["result"][0]["values"] == [[0, "0"], [5, "5"]]
    assert prometheus_json(engine.instant("h", 0))["result"][0]["histogram"] == [
        0,
        {"count": "4", "sum": "5.5", "buckets": [[0, "0.5", "1", "1"], [0, "1", "2", "3"]]},
    ]


def test_a_range_over_histograms_lists_them_apart(store: MetricStore) -> None:
    data = prometheus_json(QueryEngine(store).range("h", 0, 5_000, 5_000))
    assert len(data["result"][0]["histograms"]) == 2
    assert "values" not in data["result"][0]
