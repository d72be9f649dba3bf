"""The demo's schedule."""

from __future__ import annotations

from itertools import pairwise

import pytest

from otel_ext.cli.demo.phases import PHASES, phase_at, schedule


@pytest.mark.parametrize("duration", [8.0, 90.0, 1234.5])
def test_phases_follow_each_other_without_a_gap_and_fill_the_duration(duration: float) -> None:
    scheduled = schedule(duration)

    assert [item.phase for item in scheduled] == list(PHASES)
    assert scheduled[0].start_seconds == 0
    assert all(a.end_seconds == b.start_seconds for a, b in pairwise(scheduled))
    assert scheduled[-1].end_seconds == pytest.approx(duration)


def test_a_boundary_belongs_to_the_phase_that_begins() -> None:
    scheduled = schedule(100)

    for item in scheduled:
        assert phase_at(scheduled, item.start_seconds) is item


def test_after_the_end_the_last_phase_goes_on() -> None:
    scheduled = schedule(100)

    assert phase_at(scheduled, 1e9) is scheduled[-1]


def test_only_the_middle_phases_break_something() -> None:
    broken = [phase.name for phase in PHASES if any(phase.faults.values())]

    assert broken == ["slow database", "error burst"]
