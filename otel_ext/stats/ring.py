"""A ring of cumulative (good, total) snapshots at several resolutions: any window is one subtraction.

Owned by one engine and touched by its thread only. Time and counts are arguments; nothing here reads a clock.
The whole history of 31 days fits into one flat buffer of under 100 KB with a fixed layout, so that it can be
written to a file as it is, or live in one. Imports nothing of the package.
"""

from __future__ import annotations

import itertools
import struct
from array import array
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["LEVELS_31_DAYS", "LEVELS_93_DAYS", "RingLevel", "SnapshotRing", "WindowCount", "levels_for"]

_BLOCK = 32  # slots that share one 64-bit anchor
_BLOCK_SHIFT = 5
_MAX_OFFSET = 0xFFFF_FFFF
_MAX_GAPS = 64
_MAGIC = b"OXR1"
_HEADER = struct.Struct("<4sHHqqQQ")  # magic, levels, gaps, first_ms, last_ms, good, total
_LEVEL = struct.Struct("<qqq")  # step_ms, slots, index of the newest snapshot
_GAP = struct.Struct("<qq")
_DAY_MS = 86_400_000


class RingLevel(NamedTuple):
    """One resolution: ``slots`` snapshots, ``step_ms`` apart."""

    step_ms: int
    slots: int


_FINE = (RingLevel(1_000, 600), RingLevel(10_000, 720), RingLevel(60_000, 720))
LEVELS_31_DAYS: tuple[RingLevel, ...] = (*_FINE, RingLevel(300_000, 8_928))
LEVELS_93_DAYS: tuple[RingLevel, ...] = (*_FINE, RingLevel(900_000, 8_928))


def levels_for(window_ms: int) -> tuple[RingLevel, ...]:
    """The resolutions that hold a window of this length: both sets are equally large."""
    return LEVELS_31_DAYS if window_ms <= 31 * _DAY_MS else LEVELS_93_DAYS


class WindowCount(NamedTuple):
    """Events of one window ``(from_ms, to]``.

    ``good`` and ``total`` are exact when the window's start falls on a snapshot. Otherwise the one bucket that
    the start cuts is shared out by time, and the truth lies within ``good_low..good_high`` and
    ``total_low..total_high`` (bounds included, at most one bucket apart). ``measured_ms`` of ``window_ms`` were
    measured: less before the first ``window_ms`` have passed, and after a gap.
    """

    good: int
    total: int
    from_ms: int
    window_ms: int
    measured_ms: int
    good_low: int
    good_high: int
    total_low: int
    total_high: int

    @property
    def bad(self) -> int:
        """Events that were not good."""
        return self.total - self.good

    @property
    def coverage(self) -> float:
        """Share of the window that was measured, 0 to 1."""
        return self.measured_ms / self.window_ms

    @property
    def bound_events(self) -> int:
        """Most events by which ``total`` can be off; 0 when the window is aligned."""
        return self.total_high - self.total_low


class _LevelStore:
    """Snapshots of one level: 32-bit offsets from one 64-bit anchor for each block of 32 slots.

    A block is recycled as a whole, hence one block more than the slots need.
    """

    __slots__ = (
        "bad_anchors",
        "bad_offsets",
        "capacity",
        "newest",
        "slots",
        "step_ms",
        "total_anchors",
        "total_offsets",
    )

    def __init__(self, level: RingLevel, buffer: memoryview) -> None:
        blocks = _blocks(level.slots)
        anchors, offsets = blocks * 8, blocks * _BLOCK * 4
        self.step_ms = level.step_ms
        self.slots = level.slots
        self.capacity = blocks * _BLOCK
        self.newest = -1
        self.bad_anchors = buffer[:anchors].cast("Q")
        self.total_anchors = buffer[anchors : 2 * anchors].cast("Q")
        self.bad_offsets = buffer[2 * anchors : 2 * anchors + offsets].cast("I")
        self.total_offsets = buffer[2 * anchors + offsets : 2 * (anchors + offsets)].cast("I")

    def fill(self, newest: int, bad: int, total: int) -> None:
        """Store the same snapshot at every boundary after the newest one, up to ``newest``."""
        index = self.newest + 1
        if newest - index >= self.capacity:  # nothing old remains: start on a clean block
            index = newest - self.capacity + _BLOCK
            index -= index % _BLOCK
        while index <= newest:
            slot = index % self.capacity
            room = _BLOCK - slot % _BLOCK
            count = min(room, newest + 1 - index)
            self._fill_block(slot, count, bad, total)
            index += count
        self.newest = newest

    def _fill_block(self, slot: int, count: int, bad: int, total: int) -> None:
        block = slot >> _BLOCK_SHIFT
        if not slot % _BLOCK:
            self.bad_anchors[block] = bad
            self.total_anchors[block] = total
        bad_offset = min(bad - self.bad_anchors[block], _MAX_OFFSET)
        total_offset = min(total - self.total_anchors[block], _MAX_OFFSET)
        if count == 1:
            self.bad_offsets[slot] = bad_offset
            self.total_offsets[slot] = total_offset
        else:
            self.bad_offsets[slot : slot + count] = array("I", (bad_offset,)) * count
            self.total_offsets[slot : slot + count] = array("I", (total_offset,)) * count

    def read(self, index: int) -> tuple[int, int]:
        """``(bad, total)`` at the boundary ``index * step_ms``, which must be retained."""
        slot = index % self.capacity
        block = slot >> _BLOCK_SHIFT
        return self.bad_anchors[block] + self.bad_offsets[slot], self.total_anchors[block] + self.total_offsets[slot]


def _blocks(slots: int) -> int:
    return -(-slots // _BLOCK) + 1


def _level_bytes(level: RingLevel) -> int:
    return _blocks(level.slots) * (16 + _BLOCK * 8)


class SnapshotRing:
    """History of two cumulative counters, from one second to months.

    An event carries the time of the :meth:`record` call that first included it; a snapshot at a boundary holds
    all events up to and including it, so a window is ``(from, to]``. Recording is O(1) (plus one store for each
    boundary passed), a window is O(1). Counts are exact up to 2**32 events in 32 buckets of a level (450,000
    events a second at 5 minutes).

    Args:
        levels: resolutions, fine to coarse, each step a multiple of the one before.
        max_gap_ms: recordings further apart than this leave a gap that counts as not measured.

    Raises:
        ValueError: for levels that do not nest.
    """

    __slots__ = ("_buffer", "_gaps", "_levels", "_max_gap_ms", "_stores", "bad", "first_ms", "last_ms", "total")

    def __init__(self, levels: Sequence[RingLevel] = LEVELS_31_DAYS, *, max_gap_ms: int = 10_000) -> None:
        for fine, coarse in itertools.pairwise(levels):
            if coarse.step_ms % fine.step_ms:
                raise ValueError(f"ring level step {coarse.step_ms} ms must be a multiple of {fine.step_ms} ms")
        self._levels = tuple(levels)
        self._max_gap_ms = max_gap_ms
        self._buffer = bytearray(sum(map(_level_bytes, levels)))
        self._stores = _stores(self._levels, memoryview(self._buffer))
        self._gaps: list[tuple[int, int]] = []
        self.first_ms: int | None = None
        self.last_ms = 0
        self.bad = 0
        self.total = 0

    @property
    def nbytes(self) -> int:
        """Bytes of the history."""
        return len(self._buffer)

    @property
    def capacity_ms(self) -> int:
        """The longest window."""
        return self._levels[-1].step_ms * self._levels[-1].slots

    @property
    def good(self) -> int:
        """Good events ever recorded."""
        return self.total - self.bad

    def record(self, ts_ms: int, good: int, total: int) -> None:
        """Take the cumulative counts as of ``ts_ms``; a time before the last one counts as the last one.

        Raises:
            ValueError: when a count goes down, or ``good`` exceeds ``total``.
        """
        bad = total - good
        if bad < self.bad or good < self.good or bad < 0:
            raise ValueError(f"counts {good}/{total} are below {self.good}/{self.total}: cumulative counts only grow")
        if self.first_ms is None:
            self._begin(ts_ms)
        elif ts_ms > self.last_ms:
            self._advance(ts_ms)
        self.bad = bad
        self.total = total

    def _begin(self, ts_ms: int) -> None:
        self.first_ms = self.last_ms = ts_ms
        for store in self._stores:
            store.newest = (ts_ms - 1) // store.step_ms

    def _advance(self, ts_ms: int) -> None:
        if ts_ms - self.last_ms > self._max_gap_ms:
            self._add_gap(self.last_ms, ts_ms)
        for store in self._stores:
            newest = (ts_ms - 1) // store.step_ms
            if newest == store.newest:
                break  # steps nest: a coarser boundary is always a finer one too
            store.fill(newest, self.bad, self.total)
        self.last_ms = ts_ms

    def _add_gap(self, start_ms: int, end_ms: int) -> None:
        self._gaps.append((start_ms, end_ms))
        if self._gaps[0][1] < end_ms - self.capacity_ms:
            del self._gaps[0]
        if len(self._gaps) > _MAX_GAPS:  # say less was measured rather than more
            self._gaps[:2] = [(self._gaps[0][0], self._gaps[1][1])]

    def measured_ms(self, from_ms: int, to_ms: int) -> int:
        """Milliseconds of ``(from_ms, to_ms]`` in which recordings came without a gap."""
        if self.first_ms is None:
            return 0
        start, end = max(from_ms, self.first_ms), min(to_ms, self.last_ms)
        measured = end - start
        for gap_start, gap_end in reversed(self._gaps):
            if gap_end <= start:
                break
            measured -= max(0, min(gap_end, end) - max(gap_start, start))
        return max(0, measured)

    def window(self, ts_ms: int, window_ms: int) -> WindowCount:
        """The events of ``(ts_ms - window_ms, ts_ms]``, for a ``ts_ms`` at or after the last recording.

        Raises:
            ValueError: for a window longer than the ring.
        """
        edge = ts_ms - window_ms
        measured = self.measured_ms(edge, ts_ms)
        if self.first_ms is None or edge < self.first_ms:
            good = self.total - self.bad
            return WindowCount(good, self.total, edge, window_ms, measured, good, good, self.total, self.total)
        store = self._store_for(window_ms)
        index, inside = divmod(edge, store.step_ms)
        bad_before, total_before = self._snapshot(store, index)
        bad_high, total_high = self.bad - bad_before, self.total - total_before
        if not inside:
            good = total_high - bad_high
            return WindowCount(good, total_high, edge, window_ms, measured, good, good, total_high, total_high)
        bad_after, total_after = self._snapshot(store, index + 1)
        bad_low, total_low = self.bad - bad_after, self.total - total_after
        rest = store.step_ms - inside
        bad = bad_low + _share(bad_after - bad_before, rest, store.step_ms)
        good_low, good_high = total_low - bad_low, total_high - bad_high
        good = good_low + _share(good_high - good_low, rest, store.step_ms)
        return WindowCount(good, good + bad, edge, window_ms, measured, good_low, good_high, total_low, total_high)

    def _store_for(self, window_ms: int) -> _LevelStore:
        for store in self._stores:
            if window_ms <= store.step_ms * store.slots:
                return store
        raise ValueError(f"window of {window_ms} ms is longer than the ring's {self.capacity_ms} ms")

    def _snapshot(self, store: _LevelStore, index: int) -> tuple[int, int]:
        return store.read(index) if index <= store.newest else (self.bad, self.total)

    def to_bytes(self) -> bytes:
        """Everything, in a fixed little-endian layout: header, level table, gaps, snapshots."""
        first = -1 if self.first_ms is None else self.first_ms
        parts = [
            _HEADER.pack(_MAGIC, len(self._levels), len(self._gaps), first, self.last_ms, self.good, self.total),
            *(_LEVEL.pack(store.step_ms, store.slots, store.newest) for store in self._stores),
            *(_GAP.pack(start, end) for start, end in self._gaps),
            bytes(self._buffer),
        ]
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes, *, max_gap_ms: int = 10_000) -> SnapshotRing:
        """The ring that :meth:`to_bytes` wrote.

        Raises:
            ValueError: for data of another layout or length.
        """
        if len(data) < _HEADER.size or data[:4] != _MAGIC:
            raise ValueError(f"not a snapshot ring: {bytes(data[:4])!r}")
        _, level_count, gap_count, first, last, good, total = _HEADER.unpack_from(data)
        body = _HEADER.size + level_count * _LEVEL.size + gap_count * _GAP.size
        if len(data) < body:
            raise ValueError(f"snapshot ring is cut off at {len(data)} bytes")
        table = [_LEVEL.unpack_from(data, _HEADER.size + i * _LEVEL.size) for i in range(level_count)]
        ring = cls([RingLevel(step, slots) for step, slots, _ in table], max_gap_ms=max_gap_ms)
        if len(data) != body + ring.nbytes:
            raise ValueError(f"snapshot ring has {len(data)} bytes, its header says {body + ring.nbytes}")
        ring._buffer[:] = data[body:]
        for store, (_, _, newest) in zip(ring._stores, table, strict=True):
            store.newest = newest
        gaps = (_GAP.unpack_from(data, body - (gap_count - i) * _GAP.size) for i in range(gap_count))
        ring._gaps = [(start, end) for start, end in gaps]
        ring.first_ms = None if first < 0 else first
        ring.last_ms, ring.bad, ring.total = last, total - good, total
        return ring


def _stores(levels: Sequence[RingLevel], buffer: memoryview) -> tuple[_LevelStore, ...]:
    stores, at = [], 0
    for level in levels:
        size = _level_bytes(level)
        stores.append(_LevelStore(level, buffer[at : at + size]))
        at += size
    return tuple(stores)


def _share(events: int, part: int, whole: int) -> int:
    return (2 * events * part + whole) // (2 * whole)  # rounded half up, in integers
