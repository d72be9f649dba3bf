"""The snapshot ring against a plain list of every event."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_ext.stats.ring import LEVELS_31_DAYS, LEVELS_93_DAYS, RingLevel, SnapshotRing, levels_for

SMALL = (RingLevel(1_000, 40), RingLevel(4_000, 50), RingLevel(20_000, 100))
DAY_MS = 86_400_000


@dataclass
class EveryRecording:
    """The brute-force reference: each recording is kept with what it added."""

    rows: list[tuple[int, int, int]] = field(default_factory=list)
    good: int = 0
    total: int = 0

    def record(self, ts_ms: int, good: int, total: int) -> None:
        self.rows.append((ts_ms, good - self.good, total - self.total))
        self.good, self.total = good, total

    def window(self, ts_ms: int, window_ms: int) -> tuple[int, int]:
        inside = [row for row in self.rows if ts_ms - window_ms < row[0] <= ts_ms]
        return sum(row[1] for row in inside), sum(row[2] for row in inside)

    def measured_ms(self, ts_ms: int, window_ms: int, max_gap_ms: int) -> int:
        start = ts_ms - window_ms
        times = [row[0] for row in self.rows]
        spans = [(a, b) for a, b in itertools.pairwise(times) if b - a <= max_gap_ms]
        return sum(max(0, min(b, ts_ms) - max(a, start)) for a, b in spans)


STEPS = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 1500), st.integers(0, 30_000), st.integers(0, 3_000_000), st.just(1000)),
        st.integers(0, 50),
        st.integers(0, 50),
    ),
    min_size=1,
    max_size=120,
)


def replay(steps: list[tuple[int, int, int]], start_ms: int) -> tuple[SnapshotRing, EveryRecording, int]:
    ring, reference = SnapshotRing(SMALL), EveryRecording()
    ts_ms, good, total = start_ms, 0, 0
    for wait_ms, more_good, more_bad in steps:
        ts_ms += wait_ms
        good, total = good + more_good, total + more_good + more_bad
        ring.record(ts_ms, good, total)
        reference.record(ts_ms, good, total)
    return ring, reference, ts_ms


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, start_ms=st.integers(1, 10_000_000), window_ms=st.integers(1, 2_000_000))
def test_the_truth_lies_within_the_stated_bounds_and_aligned_windows_are_exact(steps, start_ms, window_ms):
    ring, reference, ts_ms = replay(steps, start_ms)
    count = ring.window(ts_ms, window_ms)
    good, total = reference.window(ts_ms, window_ms)
    assert count.good_low <= good <= count.good_high
    assert count.total_low <= total <= count.total_high
    assert count.total_low - count.good_low <= total - good <= count.total_high - count.good_high
    assert count.good_low <= count.good <= count.good_high
    assert count.total_low <= count.total <= count.total_high
    if count.bound_events == 0:
        assert (count.good, count.total) == (good, total)
    step_ms = next(level.step_ms for level in SMALL if window_ms <= level.step_ms * level.slots)
    if (ts_ms - window_ms) % step_ms == 0:
        assert count.bound_events == 0
        assert (count.good, count.total) == (good, total)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, start_ms=st.integers(1, 10_000_000), window_ms=st.integers(1, 2_000_000))
def test_coverage_is_the_time_between_recordings_that_left_no_gap(steps, start_ms, window_ms):
    ring, reference, ts_ms = replay(steps, start_ms)
    measured = ring.window(ts_ms, window_ms).measured_ms
    assert measured <= reference.measured_ms(ts_ms, window_ms, 10_000)
    if len(ring._gaps) < 64:
        assert measured == reference.measured_ms(ts_ms, window_ms, 10_000)


@settings(max_examples=100, deadline=None)
@given(steps=STEPS, more=STEPS, window_ms=st.integers(1, 2_000_000))
def test_a_ring_read_back_from_bytes_goes_on_as_if_nothing_happened(steps, more, window_ms):
    ring, _reference, ts_ms = replay(steps, 5_000)
    restored = SnapshotRing.from_bytes(ring.to_bytes())
    good, total = ring.good, ring.total
    for wait_ms, more_good, more_bad in more:
        ts_ms += wait_ms
        good, total = good + more_good, total + more_good + more_bad
        ring.record(ts_ms, good, total)
        restored.record(ts_ms, good, total)
    assert restored.window(ts_ms, window_ms) == ring.window(ts_ms, window_ms)
    assert restored.to_bytes() == ring.to_bytes()


def test_the_first_increment_is_counted():
    ring = SnapshotRing()
    ring.record(1_700_000_000_000, 0, 1)
    assert ring.window(1_700_000_000_000, 60_000).bad == 1


def test_a_window_is_open_at_its_start_and_closed_at_its_end():
    ring = SnapshotRing()
    ring.record(100_000, 0, 0)
    ring.record(110_000, 1, 1)
    ring.record(120_000, 3, 3)
    assert ring.window(120_000, 10_000).total == 2
    count = ring.window(120_000, 10_001)
    assert (count.total_low, count.total_high) == (2, 3)
    assert ring.window(120_000, 11_000).total == 3


def test_an_edge_inside_a_bucket_is_shared_out_by_time_and_bounded():
    ring = SnapshotRing((RingLevel(10_000, 10),))
    for ts_ms in range(0, 60_001, 1_000):
        ring.record(ts_ms, ts_ms // 10, ts_ms // 10)
    count = ring.window(60_000, 25_000)
    assert count.total == 2_500
    assert (count.total_low, count.total_high) == (2_000, 3_000)
    assert count.bound_events == 1_000


def test_a_process_that_slept_keeps_exact_windows_and_says_what_it_did_not_measure():
    ring = SnapshotRing()
    ring.record(0, 0, 0)
    for second in range(1, 601):
        ring.record(second * 1000, second, second)
    ring.record(4_200_000, 601, 601)
    count = ring.window(4_200_000, 3_600_000)
    assert count.total == 1
    assert count.measured_ms == 0
    assert ring.window(4_200_000, 4_200_000).total == 601
    assert ring.window(4_200_000, 4_200_000).coverage == pytest.approx(600 / 4200)


def test_a_month_of_history_stays_exact_for_every_aligned_window():
    ring, reference = SnapshotRing(max_gap_ms=60_000), EveryRecording()
    start, good, total = 1_700_000_100_000, 0, 0
    for minute in range(40 * 1440 + 1):
        total += minute % 7
        good += minute % 7 if minute % 100 else 0
        ring.record(start + minute * 60_000, good, total)
        reference.record(start + minute * 60_000, good, total)
    end = ring.last_ms
    for window_ms in (300_000, 1_800_000, 3_600_000, 21_600_000, *(days * DAY_MS for days in (1, 3, 7, 28, 30, 31))):
        count = ring.window(end, window_ms)
        assert (count.good, count.total) == reference.window(end, window_ms)
        assert count.bound_events == 0
        assert count.coverage == 1


def test_31_days_fit_into_100_kilobytes_and_93_days_too():
    assert SnapshotRing(LEVELS_31_DAYS).nbytes < 100_000
    assert SnapshotRing(LEVELS_93_DAYS).nbytes < 100_000
    assert SnapshotRing(levels_for(90 * DAY_MS)).capacity_ms >= 90 * DAY_MS
    assert SnapshotRing(levels_for(30 * DAY_MS)).capacity_ms >= 30 * DAY_MS


def test_more_events_than_32_bits_hold_are_counted_exactly():
    ring, per_second = SnapshotRing(), 400_000
    for minute in range(60 * 24 * 3):
        ring.record(minute * 60_000, minute * 60 * per_second, minute * 60 * per_second)
    count = ring.window(ring.last_ms, 86_400_000)
    assert count.total_low <= 86_400 * per_second <= count.total_high
    assert ring.total > 2**36


def test_a_time_that_goes_back_counts_as_the_last_one():
    ring = SnapshotRing()
    ring.record(10_000, 1, 1)
    ring.record(9_000, 2, 2)
    assert ring.last_ms == 10_000
    assert ring.window(10_000, 5_000).total == 2


@pytest.mark.parametrize(("good", "total"), [(4, 9), (5, 8), (9, 9), (11, 10)])
def test_counts_that_go_down_or_contradict_each_other_are_refused(good, total):
    ring = SnapshotRing()
    ring.record(1_000, 5, 10)
    with pytest.raises(ValueError, match="only grow"):
        ring.record(2_000, good, total)


def test_levels_must_nest_and_windows_must_fit():
    with pytest.raises(ValueError, match="multiple"):
        SnapshotRing((RingLevel(1_000, 10), RingLevel(1_500, 10)))
    ring = SnapshotRing(SMALL)
    ring.record(0, 0, 0)
    ring.record(10_000_000, 0, 0)
    with pytest.raises(ValueError, match="longer than the ring"):
        ring.window(10_000_000, 2_000_001)


@pytest.mark.parametrize("damage", [lambda data: data[:20], lambda data: b"XXXX" + data[4:], lambda data: data[:-1]])
def test_damaged_bytes_are_refused(damage):
    ring = SnapshotRing(SMALL)
    ring.record(1_000, 1, 1)
    with pytest.raises(ValueError, match="ring"):
        SnapshotRing.from_bytes(damage(ring.to_bytes()))
