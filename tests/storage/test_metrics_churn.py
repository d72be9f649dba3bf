"""A million series come and go: memory stays under the cap, and what is lost is counted."""

from __future__ import annotations

import os

import psutil

from otel_ext.model.labels import Labels
from otel_ext.promql import QueryEngine, Vector
from otel_ext.storage.metrics import MetricStore

LIFETIMES = 1_000_000
ALIVE = 2_000
CAP = 40 << 20


def test_memory_stays_under_the_cap_through_a_million_series() -> None:
    store = MetricStore(retention_ms=3_600_000, max_bytes=CAP)
    process = psutil.Process(os.getpid())
    before = process.memory_info().rss
    highest = 0
    for step in range(LIFETIMES // ALIVE):
        labels = [Labels({"__name__": "g", "pod": f"{step}-{n}"}) for n in range(ALIVE)]
        store.append(step * 5_000, [(series, 1.0) for series in labels])
        store.mark_stale(step * 5_000 + 1, labels)
        if step % 100 == 99:
            assert store.stats().bytes <= CAP
            highest = max(highest, process.memory_info().rss - before)
    stats = store.stats()
    assert stats.overflow_series == 0
    assert stats.series + stats.evicted_series == LIFETIMES, "every series is here or counted as evicted"
    assert stats.evicted_samples > 0
    assert highest < 2 * CAP, f"the process grew by {highest >> 20} MiB with a cap of {CAP >> 20} MiB"
    last = (LIFETIMES // ALIVE - 1) * 5_000
    vector = QueryEngine(store).instant("count(g)", last).value
    assert isinstance(vector, Vector)
    assert [sample.value for sample in vector.samples] == [ALIVE]
