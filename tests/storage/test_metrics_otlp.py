"""OTLP collections as Prometheus series: names, labels, parts, zeros of new series, stale markers, refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from otel_ext.model.labels import Labels
from otel_ext.model.metrics import (
    CollectedMetrics,
    Exemplar,
    ExponentialBuckets,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    InstrumentationScope,
    Metric,
    MetricsData,
    NumberDataPoint,
    Resource,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
    Temporality,
)
from otel_ext.model.native_histograms import NativeHistogram
from otel_ext.promql import QueryEngine, Vector
from otel_ext.storage.metrics import Matcher, MatchType, MetricStore, TranslationStrategy

T0 = 1_700_000_000_000
RESOURCE = {"service.name": "shop", "service.namespace": "eu", "service.instance.id": "i1", "host.name": "h"}
TARGET = {"job": "eu/shop", "instance": "i1"}


def number(value: float, attributes: Mapping[str, Any] | None = None, start_ms: int | None = None) -> NumberDataPoint:
    start = None if start_ms is None else start_ms * 1_000_000
    return NumberDataPoint(
        attributes=attributes or {}, start_time_unix_nano=start, time_unix_nano=T0 * 1_000_000, value=value
    )


def counter(name: str, *points: NumberDataPoint, unit: str = "1", temporality: int = Temporality.CUMULATIVE) -> Metric:
    data = Sum(data_points=points, aggregation_temporality=temporality, is_monotonic=True)
    return Metric(name=name, description="help", unit=unit, data=data)


def gauge(name: str, *points: NumberDataPoint, unit: str = "") -> Metric:
    return Metric(name=name, description="", unit=unit, data=Gauge(data_points=points))


def histogram(name: str, counts: Sequence[int], start_ms: int | None = None, **more: Any) -> Metric:
    point = HistogramDataPoint(
        attributes={}, start_time_unix_nano=None if start_ms is None else start_ms * 1_000_000, time_unix_nano=0,
        count=sum(counts), sum=9.5, bucket_counts=counts, explicit_bounds=(0.005, 5.0), **more,
    )  # fmt: skip
    data = Histogram(data_points=(point,), aggregation_temporality=Temporality.CUMULATIVE)
    return Metric(name=name, description="", unit="s", data=data)


def collection(ts_ms: int, *metrics: Metric, resource: Mapping[str, Any] = RESOURCE) -> CollectedMetrics:
    scope = ScopeMetrics(scope=InstrumentationScope(name="lib", version="2"), metrics=metrics)
    data = MetricsData(
        resource_metrics=(ResourceMetrics(resource=Resource(attributes=resource), scope_metrics=(scope,)),)
    )
    return CollectedMetrics(ts_ms=ts_ms, data=data)


def a_store(**settings: Any) -> MetricStore:
    return MetricStore(retention_ms=3_600_000, max_bytes=1 << 30, **settings)


def values(store: MetricStore, expr: str, ts_ms: int = T0) -> dict[Labels, Any]:
    vector = QueryEngine(store).instant(expr, ts_ms).value
    assert isinstance(vector, Vector)
    return {sample.labels: sample.value for sample in vector.samples}


def test_a_counter_gets_its_suffix_and_the_identity_of_its_resource() -> None:
    store = a_store()
    store.append_otlp(collection(T0, counter("http.requests", number(3, {"http.route": "/a", "ok": True}))))
    labels = Labels({**TARGET, "__name__": "http_requests_total", "http_route": "/a", "ok": "true"})
    assert values(store, "http_requests_total") == {labels: 3.0}


def test_the_rest_of_the_resource_is_in_target_info() -> None:
    store = a_store()
    store.append_otlp(collection(T0, gauge("a", number(1))))
    assert values(store, "target_info") == {Labels({**TARGET, "__name__": "target_info", "host_name": "h"}): 1.0}


def test_a_resource_without_identity_has_no_target_info() -> None:
    store = a_store()
    store.append_otlp(collection(T0, gauge("a", number(1)), resource={"host.name": "h"}))
    assert values(store, "target_info") == {}
    assert values(store, "a") == {Labels(__name__="a"): 1.0}


def test_an_explicit_histogram_becomes_buckets_sum_and_count() -> None:
    store = a_store()
    store.append_otlp(collection(T0, histogram("latency", (1, 2, 3))))
    assert values(store, "sum by (le) (latency_seconds_bucket)") == {
        Labels(le="0.005"): 1.0,
        Labels(le="5"): 3.0,
        Labels(le="+Inf"): 6.0,
    }
    assert list(values(store, "latency_seconds_sum").values()) == [9.5]
    assert list(values(store, "latency_seconds_count").values()) == [6.0]


def test_changed_bounds_make_new_series_and_end_the_old_ones() -> None:
    store = a_store()
    store.append_otlp(collection(T0, histogram("latency", (1, 2, 3))))
    changed = histogram("latency", (1, 2, 3))
    point = changed.data.data_points[0]
    new = HistogramDataPoint(
        attributes=point.attributes, start_time_unix_nano=None, time_unix_nano=0, count=6, sum=1.0,
        bucket_counts=(1, 2, 3), explicit_bounds=(1.0, 2.0),
    )  # fmt: skip
    data = Histogram(data_points=(new,), aggregation_temporality=Temporality.CUMULATIVE)
    store.append_otlp(collection(T0 + 1000, Metric(name="latency", description="", unit="s", data=data)))
    assert {labels["le"] for labels in values(store, "latency_seconds_bucket", T0 + 1000)} == {"1", "2", "+Inf"}


def test_an_exponential_histogram_becomes_a_native_one() -> None:
    point = ExponentialHistogramDataPoint(
        attributes={}, start_time_unix_nano=None, time_unix_nano=0, count=7, sum=10.0, scale=0, zero_count=1,
        positive=ExponentialBuckets(offset=-1, bucket_counts=(1, 2, 3)),
        negative=ExponentialBuckets(offset=0, bucket_counts=()),
    )  # fmt: skip
    data = ExponentialHistogram(data_points=(point,), aggregation_temporality=Temporality.CUMULATIVE)
    store = a_store()
    store.append_otlp(collection(T0, Metric(name="size", description="", unit="By", data=data)))
    (found,) = values(store, "size_bytes").values()
    assert found == NativeHistogram(
        schema=0, count=7, sum=10.0, zero_count=1, zero_threshold=1e-128, positive={0: 1, 1: 2, 2: 3}
    )


def test_a_finer_scale_than_prometheus_knows_is_merged_and_a_coarser_one_refused() -> None:
    def metric(scale: int) -> Metric:
        point = ExponentialHistogramDataPoint(
            attributes={}, start_time_unix_nano=None, time_unix_nano=0, count=4, sum=10.0, scale=scale, zero_count=0,
            positive=ExponentialBuckets(offset=0, bucket_counts=(1, 1, 1, 1)),
            negative=ExponentialBuckets(offset=0, bucket_counts=()),
        )  # fmt: skip
        data = ExponentialHistogram(data_points=(point,), aggregation_temporality=Temporality.CUMULATIVE)
        return Metric(name="size", description="", unit="", data=data)

    store = a_store()
    store.append_otlp(collection(T0, metric(9)))
    (found,) = values(store, "size").values()
    assert (found.schema, found.positive) == (8, {1: 2, 2: 2})
    store.append_otlp(collection(T0 + 1000, metric(-5)))
    assert store.stats().dropped_points == 1


def test_delta_points_are_refused_and_counted() -> None:
    store = a_store()
    store.append_otlp(collection(T0, counter("c", number(1), number(2), temporality=Temporality.DELTA)))
    assert store.stats().dropped_points == 2
    assert values(store, "c_total") == {}


def test_the_first_increment_of_a_new_counter_counts() -> None:
    store = a_store()
    store.append_otlp(collection(T0, counter("old", number(100, start_ms=T0 - 900_000))))
    old, new = number(101, start_ms=T0 - 900_000), number(7, start_ms=T0 + 2_000)
    store.append_otlp(collection(T0 + 5_000, counter("old", old), counter("new", new)))
    assert values(store, "new_total", T0)[Labels({**TARGET, "__name__": "new_total"})] == 0.0
    (increase,) = values(store, "increase(new_total[10s])", T0 + 5_000).values()
    assert increase >= 7.0


def test_the_zero_of_a_new_series_joins_a_table_that_exists() -> None:
    store = a_store()
    store.append_otlp(collection(T0, counter("c", number(5, {"k": "a"}, start_ms=T0 - 10))))
    points = (number(6, {"k": "a"}, start_ms=T0 - 10), number(3, {"k": "b"}, start_ms=T0 + 1))
    store.append_otlp(collection(T0 + 5_000, counter("c", *points)))
    assert values(store, 'c_total{k="b"}', T0) == {Labels({**TARGET, "__name__": "c_total", "k": "b"}): 0.0}
    (block,) = store.select([Matcher(MatchType.EQUAL, "__name__", "c_total")], T0, T0 + 5_000)
    assert len(block.ts_ms) == 3, "the first zero at the start, then one column a collection"


def test_observable_counters_and_strict_parity_get_no_zero() -> None:
    store = a_store()
    store.append_otlp(collection(T0, gauge("g", number(1))))
    store.append_otlp(collection(T0 + 5_000, counter("observed", number(500, start_ms=T0 + 5_001))))
    assert values(store, "observed_total", T0) == {}
    strict = a_store(zero_injection=False)
    strict.append_otlp(collection(T0, gauge("g", number(1))))
    strict.append_otlp(collection(T0 + 5_000, counter("c", number(7, start_ms=T0 + 1_000))))
    assert values(strict, "c_total", T0) == {}


def test_histograms_begin_with_zeros_too() -> None:
    store = a_store()
    store.append_otlp(collection(T0, gauge("g", number(1))))
    store.append_otlp(collection(T0 + 5_000, histogram("latency", (1, 2, 3), start_ms=T0 + 1)))
    assert set(values(store, "latency_seconds_bucket", T0).values()) == {0.0}
    assert set(values(store, "latency_seconds_count", T0).values()) == {0.0}


def test_series_and_metrics_that_are_gone_end_at_the_next_collection() -> None:
    store = a_store()
    store.append_otlp(collection(T0, gauge("a", number(1, {"k": "x"}), number(2, {"k": "y"})), gauge("b", number(3))))
    store.append_otlp(collection(T0 + 1_000, gauge("a", number(1, {"k": "x"}))))
    assert {labels["k"] for labels in values(store, "a", T0 + 1_000)} == {"x"}
    assert values(store, "b", T0 + 1_000) == {}
    store.append_otlp(collection(T0 + 2_000, gauge("b", number(4))))
    assert list(values(store, "b", T0 + 2_000).values()) == [4.0]


def test_sources_do_not_end_each_others_series() -> None:
    store = a_store()
    store.append_otlp(collection(T0, gauge("a", number(1))), source="sdk")
    store.append_otlp(collection(T0, gauge("b", number(1))), source="spans")
    store.append_otlp(collection(T0 + 1_000, gauge("a", number(1))), source="sdk")
    assert len(values(store, '{__name__=~"a|b"}', T0 + 1_000)) == 2


def test_the_overflow_series_of_the_sdk_is_visible() -> None:
    store = a_store()
    store.append_otlp(collection(T0, counter("c", number(5, {"otel.metric.overflow": True}))))
    assert store.stats().overflow_series == 1


def test_exemplars_stay_with_their_bucket() -> None:
    exemplar = Exemplar(filtered_attributes={"user": "u"}, value=0.2, time_unix_nano=T0 * 10**6, span_id=2, trace_id=1)
    store = a_store()
    for ts_ms in (T0, T0 + 1_000):
        store.append_otlp(collection(ts_ms, histogram("latency", (1, 2, 3), exemplars=(exemplar,))))
    ((series, kept),) = store.exemplars([], T0, T0)
    assert (series["le"], len(kept)) == ("5", 1)
    assert kept[0].labels == Labels(trace_id=f"{1:032x}", span_id=f"{2:016x}", user="u")
    shown = [sample for family in store.latest_families() for sample in family.samples if sample.exemplar]
    assert [(sample.name, sample.labels["le"]) for sample in shown] == [("latency_seconds_bucket", "5")]


def test_families_and_metadata_carry_type_unit_and_help() -> None:
    store = a_store()
    store.append_otlp(collection(T0, counter("c", number(1), unit="By"), histogram("latency", (1, 2, 3))))
    families = {family.name: family for family in store.latest_families()}
    assert (families["c_bytes"].type, families["c_bytes"].help) == ("counter", "help")
    assert families["latency_seconds"].type == "histogram"
    assert len(families["latency_seconds"].samples) == 5
    assert store.metadata()["c_bytes_total"].unit == "By"


def test_scope_labels_and_promoted_resource_labels_are_a_choice() -> None:
    store = a_store(scope_labels=True, resource_labels=("host.name",))
    store.append_otlp(collection(T0, gauge("a", number(1))))
    (labels,) = values(store, "a")
    assert (labels["otel_scope_name"], labels["otel_scope_version"], labels["host_name"]) == ("lib", "2", "h")


def test_utf8_strategies_keep_names() -> None:
    store = a_store(translation=TranslationStrategy.NO_TRANSLATION)
    store.append_otlp(collection(T0, counter("http.requests", number(1, {"http.route": "/"}))))
    (labels,) = values(store, '{"http.requests"}')
    assert labels["http.route"] == "/"


def test_rows_survive_the_renumbering_of_their_table() -> None:
    store = MetricStore(retention_ms=20_000, max_bytes=1 << 30)
    for step in range(60):
        points = [number(step, {"k": "stays"}), *(number(1, {"k": f"{step}-{n}"}) for n in range(10))]
        store.append_otlp(collection(T0 + step * 1_000, gauge("g", *points)))
    assert store.stats().series < 600
    assert values(store, 'g{k="stays"}', T0 + 59_000) == {Labels({**TARGET, "__name__": "g", "k": "stays"}): 59.0}
    assert values(store, "count(g)", T0 + 59_000) == {Labels(): 11.0}
