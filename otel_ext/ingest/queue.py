"""The one bounded queue between the application's threads and the pipeline thread.

``put`` costs one deque append. When the queue is full the producing thread relieves it: it takes a batch off and
hands it to ``overload``, which counts it and gives up the bodies. So counts are lossless and memory is bounded.
The deque is shared; ``drain`` is for the pipeline thread, ``put`` for any.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

__all__ = ["IngestQueue"]

RELIEF_BATCH = 256


class IngestQueue:
    """A bounded queue of ended spans, log entries and metric collections, in order of arrival.

    Args:
        capacity: items held before producers relieve the queue themselves.
        overload: called on the producing thread with a batch of the oldest items; must be quick and never block.
    """

    __slots__ = ("_capacity", "_items", "_overload", "append", "high_water", "relieved")

    def __init__(self, capacity: int, overload: Callable[[list[Any]], None]) -> None:
        self._capacity = capacity
        self._overload = overload
        self.reset()

    def reset(self) -> None:
        """Forget what is queued (in a forked child: those items are the parent's)."""
        self._items: deque[Any] = deque()
        self.append = self._items.append
        self.relieved = 0
        self.high_water = 0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def capacity(self) -> int:
        """Items held before producers relieve the queue."""
        return self._capacity

    def put(self, item: Any) -> None:
        """Append an item; relieves the queue when it is full. Any thread; 0.2 µs."""
        self.append(item)
        if len(self._items) > self._capacity:
            self._relieve()

    def _relieve(self) -> None:
        batch = self.drain(RELIEF_BATCH)
        self.relieved += len(batch)
        self._overload(batch)

    def drain(self, limit: int) -> list[Any]:
        """Take up to ``limit`` of the oldest items."""
        items = self._items
        self.high_water = max(self.high_water, len(items))
        batch: list[Any] = []
        try:
            for _ in range(limit):
                batch.append(items.popleft())  # noqa: PERF401 (another thread may empty the deque midway)
        except IndexError:
            pass
        return batch
