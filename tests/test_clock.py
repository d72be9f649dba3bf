"""Clocks: they never go back, and a step of the wall clock neither jumps nor stops them."""

from __future__ import annotations

import pytest

from otel_ext import clock as module
from otel_ext.clock import ManualClock, SystemClock

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


class Machine:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mono, self.wall = 5 * HOUR, 500_000 * HOUR
        monkeypatch.setattr(module, "_monotonic_ns", lambda: self.mono)
        monkeypatch.setattr(module.time, "time_ns", lambda: self.wall)

    def run(self, clock: SystemClock, seconds: int, *, readings_a_second: int = 5000) -> int:
        before = clock.now_ms()
        for _ in range(seconds * readings_a_second):
            self.mono += SECOND // readings_a_second
            self.wall += SECOND // readings_a_second
            clock.now_ms()
        return clock.now_ms() - before


@pytest.mark.parametrize(("step", "passed"), [(0, 2000), (-HOUR, 1000), (HOUR, 4000)])
def test_a_step_is_made_up_at_half_or_double_speed_however_often_the_clock_is_read(
    monkeypatch: pytest.MonkeyPatch, step: int, passed: int
) -> None:
    machine = Machine(monkeypatch)
    clock = SystemClock()
    machine.wall += step
    assert abs(machine.run(clock, 2) - passed) <= 2


def test_after_the_step_is_made_up_the_clock_shows_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    clock = SystemClock()
    machine.wall -= 3 * SECOND
    machine.run(clock, 10, readings_a_second=10)
    assert clock.now_ms() == machine.wall // 1_000_000


def test_a_machine_that_booted_in_1970_is_set_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    machine.wall = 60 * SECOND
    clock = SystemClock()
    machine.wall = 500_000 * HOUR
    assert clock.now_ms() == machine.wall // 1_000_000


def test_a_manual_clock_stands_until_it_is_moved_and_never_goes_back() -> None:
    clock = ManualClock(1000)
    assert clock.now_ms() == 1000
    assert clock.advance(2.5) == 3500
    with pytest.raises(ValueError, match="never goes back"):
        clock.advance(-1)
