"""Slots: which series sits where in the arrays, and the cumulative counts it had at the last tick.

Owned by the engine. A slot is freed when its series has not been seen for long, and given to the next new one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from otel_ext.anomaly.detector import Arrays, FloatArray, IndexArray, SlotArrays
from otel_ext.model.labels import Labels

__all__ = ["SlotTable"]

_FIRST_CAPACITY = 64
_COUNTS = 3


class SlotTable:
    """Labels to slots; a slot holds the last cumulative counts of its row, NaN before the first."""

    def __init__(self) -> None:
        self._slot_of: dict[Labels, int] = {}
        self._free: list[int] = []
        self._state = SlotArrays(seen_ms=np.inf, counts=(_COUNTS, np.nan))
        self.labels: list[Labels | None] = []

    @property
    def capacity(self) -> int:
        """Slots there are, in use or not."""
        return self._state.capacity

    def assign(self, keys: Sequence[Labels], ts_ms: int) -> IndexArray:
        """The slots of these series; new ones get a free slot. All count as seen at ``ts_ms``."""
        found = [self._slot_of.get(key, -1) for key in keys]
        if -1 in found:
            found = [slot if slot >= 0 else self._take(key) for key, slot in zip(keys, found, strict=True)]
        slots = np.array(found, dtype=np.intp)
        self._state["seen_ms"][slots] = ts_ms
        return slots

    def advance(self, slots: IndexArray, counts: FloatArray) -> tuple[FloatArray, IndexArray]:
        """Increase of the counts (3, capacity) since the last tick, and the slots for which there is one.

        A first sight and a count that went back have none; both are the base of the next increase.
        """
        known = self._state["counts"]
        increase = counts - known[:, slots]
        valid = (increase >= 0).all(axis=0)
        delta = np.zeros((_COUNTS, self.capacity))
        delta[:, slots[valid]] = increase[:, valid]
        fresh = np.full_like(known, np.nan)
        fresh[:, slots] = counts
        self._state["counts"] = fresh
        return delta, slots[valid]

    def stale(self, before_ms: int) -> IndexArray:
        """Slots in use that were not seen since ``before_ms``."""
        return np.flatnonzero(self._state["seen_ms"] < before_ms)

    def free(self, slots: IndexArray) -> None:
        """Give these slots back."""
        self._state.clear(slots)
        for slot in slots.tolist():
            labels = self.labels[slot]
            assert labels is not None, "only slots in use become stale"
            del self._slot_of[labels]
            self.labels[slot] = None
            self._free.append(slot)

    def dump(self) -> Arrays:
        """When each slot was seen; the counts belong to the process and are not kept."""
        return {"slots.seen_ms": self._state["seen_ms"].copy()}

    def restore(self, arrays: Arrays, labels: Sequence[Labels | None]) -> None:
        """Take over labels and times; every row starts its counts anew."""
        seen = arrays["slots.seen_ms"]
        self._state.restore({"seen_ms": seen, "counts": np.full((_COUNTS, seen.shape[0]), np.nan)})
        self.labels = list(labels)
        self._slot_of = {label: slot for slot, label in enumerate(self.labels) if label is not None}
        self._free = [slot for slot, label in enumerate(self.labels) if label is None]

    def _take(self, key: Labels) -> int:
        known = self._slot_of.get(key)
        if known is not None:
            return known
        if not self._free:
            self._grow()
        slot = self._free.pop()
        self._slot_of[key] = slot
        self.labels[slot] = key
        return slot

    def _grow(self) -> None:
        old = self.capacity
        self._state.reserve(max(_FIRST_CAPACITY, 2 * old))
        self._free.extend(range(self.capacity - 1, old - 1, -1))
        self.labels.extend([None] * (self.capacity - old))
