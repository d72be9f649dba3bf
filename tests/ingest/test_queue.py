"""The ingest queue: bounded, in order, and lossless in what is counted."""

from __future__ import annotations

import threading
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from otel_ext.ingest.queue import RELIEF_BATCH, IngestQueue


def test_items_come_out_in_the_order_they_went_in() -> None:
    queue = IngestQueue(10, lambda batch: None)
    for item in range(5):
        queue.put(item)
    assert queue.drain(3) == [0, 1, 2]
    assert queue.drain(10) == [3, 4]
    assert queue.drain(10) == []


@given(st.integers(1, 50), st.lists(st.integers(0, 3), max_size=300))
def test_every_item_is_either_drained_or_given_to_overload_and_never_both(capacity: int, drains: list[int]) -> None:
    relieved: list[int] = []
    queue = IngestQueue(capacity, relieved.extend)
    drained: list[int] = []
    for item, limit in enumerate(drains):
        queue.put(item)
        assert len(queue) <= capacity + RELIEF_BATCH
        drained += queue.drain(limit)
    drained += queue.drain(10_000)
    assert sorted(drained + relieved) == list(range(len(drains)))


def test_many_producers_lose_nothing_while_the_queue_overflows() -> None:
    counted: list[Any] = []
    lock = threading.Lock()

    def overload(batch: list[Any]) -> None:
        with lock:
            counted.extend(batch)

    queue = IngestQueue(64, overload)

    def produce(start: int) -> None:
        for item in range(start, start + 5000):
            queue.put(item)

    threads = [threading.Thread(target=produce, args=(n * 5000,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counted + queue.drain(100_000)) == list(range(30_000))
    assert queue.relieved > 0


def test_a_forked_child_forgets_the_items_of_its_parent() -> None:
    queue = IngestQueue(10, lambda batch: None)
    queue.put("parent's")
    queue.reset()
    queue.put("child's")
    assert queue.drain(10) == ["child's"]
