"""MetricStore: columns, stale markers, retention, caps, exemplars, exposition."""

from __future__ import annotations

import math
import threading

import pytest

from otel_ext.model.labels import Labels
from otel_ext.model.native_histograms import NativeHistogram
from otel_ext.promql import QueryEngine, Vector
from otel_ext.storage.metrics import Matcher, MatchType, MetricStore, is_stale

HOUR_MS = 3_600_000
UP = Matcher(MatchType.EQUAL, "__name__", "up")


def a_store(*, retention_ms: int = HOUR_MS, max_bytes: int = 1 << 30) -> MetricStore:
    return MetricStore(retention_ms=retention_ms, max_bytes=max_bytes)


def up(**labels: str) -> Labels:
    return Labels(labels, __name__="up")


def values(store: MetricStore, expr: str, ts_ms: int) -> dict[Labels, object]:
    vector = QueryEngine(store).instant(expr, ts_ms).value
    assert isinstance(vector, Vector)
    return {sample.labels: sample.value for sample in vector.samples}


def test_samples_of_one_instant_join_one_column() -> None:
    store = a_store()
    store.append(1000, [(up(a="1"), 1.0)])
    store.append(1000, [(up(a="2"), 2.0)])
    (block,) = store.select([UP], 0, 2000)
    assert block.ts_ms.tolist() == [1000]
    assert values(store, "up", 1000) == {up(a="1"): 1.0, up(a="2"): 2.0}


def test_the_last_value_of_equal_labels_and_instant_wins() -> None:
    store = a_store()
    store.append(1000, [(up(), 1.0)])
    store.append(1000, [(up(), 2.0)])
    assert values(store, "up", 1000) == {up(): 2.0}


def test_a_stale_series_is_gone_at_once_and_may_come_back() -> None:
    store = a_store()
    store.append(1000, [(up(), 1.0)])
    store.mark_stale(2000, [up()])
    assert values(store, "up", 2000) == {}
    store.append(3000, [(up(), 5.0)])
    assert values(store, "up", 3000) == {up(): 5.0}
    assert values(store, "count_over_time(up[5s])", 3000) == {Labels(): 2.0}


def test_samples_older_than_the_newest_column_of_their_name_are_put_in_order() -> None:
    store = a_store()
    for ts_ms in (1000, 3000, 5000):
        store.append(ts_ms, [(up(), float(ts_ms))])
    store.append(2000, [(up(), 2000.0), (up(late="yes"), 1.0)])
    assert values(store, "sum_over_time(up[10s])", 6000) == {Labels(): 11000.0, Labels(late="yes"): 1.0}
    assert values(store, "up", 2500) == {up(): 2000.0, up(late="yes"): 1.0}
    store.append(6000, [(up(), 6000.0)])
    assert values(store, "increase(up[4s])", 6000)[Labels()] == pytest.approx(4000.0)


def test_samples_older_than_the_retention_are_dropped_and_counted() -> None:
    store = a_store(retention_ms=10_000)
    store.append(100_000, [(up(), 1.0)])
    store.append(1_000, [(up(), 1.0)])
    assert store.stats().dropped_points == 1


def test_columns_beyond_the_retention_go_with_series_that_end() -> None:
    store = a_store(retention_ms=60_000)
    store.append(0, [(up(old="yes"), 1.0)])
    for ts_ms in range(0, 600_000, 5_000):
        store.append(ts_ms, [(up(), 1.0)])
    stats = store.stats()
    assert stats.samples < 80
    assert stats.evicted_samples == 0, "what grows old is no eviction"
    assert values(store, "count(up)", 599_000) == {Labels(): 1.0}


def test_the_byte_cap_evicts_the_oldest_samples_and_counts_them() -> None:
    store = a_store(max_bytes=300_000)
    series = [up(n=str(n)) for n in range(100)]
    for ts_ms in range(0, 2_000_000, 1_000):
        store.append(ts_ms, [(labels, 1.0) for labels in series])
        assert store.stats().bytes <= 300_000 if ts_ms % 100_000 == 0 else True
    stats = store.stats()
    assert stats.bytes <= 300_000
    assert stats.evicted_samples > 100_000
    assert values(store, "count(up)", 1_999_000) == {Labels(): 100.0}


def test_new_series_are_refused_visibly_when_series_alone_fill_the_cap() -> None:
    store = a_store(max_bytes=100_000)
    store.append(1000, [(up(n=str(n)), 1.0) for n in range(1000)])
    stats = store.stats()
    assert stats.overflow_series > 0
    assert stats.bytes <= 100_000
    assert stats.series + stats.overflow_series == 1000


def test_series_names_and_values_can_be_listed() -> None:
    store = a_store()
    store.append(1000, [(up(job="b"), 1.0), (up(job="a"), 1.0), (Labels(__name__="down"), 1.0)])
    assert store.series([UP], 0, 2000) == [up(job="a"), up(job="b")]
    assert store.label_names([], 0, 2000) == ["__name__", "job"]
    assert store.label_values("job", [UP], 0, 2000) == ["a", "b"]
    assert store.series([UP], 2001, 3000) == []


def test_native_histograms_are_kept_beside_the_floats() -> None:
    store = a_store()
    histogram = NativeHistogram(count=3, sum=5, positive={0: 1, 1: 2})
    store.append(1000, [(up(kind="h"), histogram), (up(kind="f"), 1.0)])
    assert values(store, "up", 1000) == {up(kind="h"): histogram, up(kind="f"): 1.0}
    assert values(store, "histogram_count(up)", 1000) == {Labels(kind="h"): 3.0}


def test_families_show_the_newest_values_and_leave_ended_series_out() -> None:
    store = a_store()
    store.append(1000, [(up(a="1"), 1.0), (up(a="2"), 2.0)])
    store.append(2000, [(up(a="1"), 3.0)])
    store.mark_stale(2000, [up(a="2")])
    (family,) = store.latest_families()
    assert (family.name, family.type) == ("up", "unknown")
    assert [(sample.labels, sample.value) for sample in family.samples] == [(Labels(a="1"), 3.0)]


def test_a_native_histogram_is_exposed_as_cumulative_buckets() -> None:
    store = a_store()
    store.append(1000, [(up(), NativeHistogram(count=3, sum=5, positive={0: 1, 1: 2}))])
    samples = [sample for family in store.latest_families() for sample in family.samples]
    assert [(s.name, s.labels.get("le"), s.value) for s in samples] == [
        ("up_bucket", "1.0", 1),
        ("up_bucket", "2.0", 3),
        ("up_bucket", "+Inf", 3),
        ("up_count", None, 3),
        ("up_sum", None, 5),
    ]


def test_readers_see_whole_columns_while_another_thread_appends() -> None:
    store = a_store(retention_ms=20_000)
    series = [up(n=str(n)) for n in range(50)]
    stop = threading.Event()
    wrong: list[object] = []

    def read() -> None:
        engine = QueryEngine(store)
        while not stop.is_set():
            for expr in ("count(count_over_time(up[10s]))", "max(up) - min(up)"):
                vector = engine.instant(expr, newest[0]).value
                assert isinstance(vector, Vector)
                wrong.extend(sample for sample in vector.samples if sample.value not in (50.0, 0.0))

    newest = [0]
    store.append(0, [(labels, 0.0) for labels in series])
    reader = threading.Thread(target=read)
    reader.start()
    for step in range(1, 400):
        store.append(step * 1000, [(labels, float(step)) for labels in series])
        newest[0] = step * 1000
    stop.set()
    reader.join()
    assert not wrong


def test_the_stale_marker_is_told_from_other_nans() -> None:
    store = a_store()
    store.append(1000, [(up(), float("nan"))])
    (value,) = values(store, "up", 1000).values()
    assert isinstance(value, float)
    assert math.isnan(value)
    assert not is_stale(value)
