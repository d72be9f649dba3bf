"""Numbers in words: short, and never rounded in the service's favour."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ext.web import wording
from tests.web.builders import DAY_MS, HOUR_MS, MINUTE_MS, slo_status


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 ms"),
        (0.25, "0.25 ms"),
        (230, "230 ms"),
        (1400, "1.4 s"),
        (9_990, "9.99 s"),
        (35_000, "35 s"),
        (60_000, "1 min"),
        (90_000, "1 min 30 s"),
        (35 * MINUTE_MS + 12_000, "35 min"),
        (9 * HOUR_MS, "9 h"),
        (9 * HOUR_MS + 5 * MINUTE_MS, "9 h 5 min"),
        (52 * HOUR_MS, "2 d 4 h"),
        (30 * DAY_MS, "30 d"),
        (59_999.9, "1 min"),
    ],
)
def test_durations_have_two_units_at_most(ms: float, text: str) -> None:
    assert wording.duration(ms) == text


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (0, "just now"),
        (1999, "just now"),
        (-5000, "just now"),
        (2000, "2 s ago"),
        (61_000, "1 min ago"),
        (3 * HOUR_MS, "3 h ago"),
    ],
)
def test_times_are_told_by_their_distance(passed: int, text: str) -> None:
    assert wording.ago(10 * DAY_MS - passed, 10 * DAY_MS) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [(5 * MINUTE_MS, "5m"), (HOUR_MS, "1h"), (3 * DAY_MS, "3d"), (90_000, "90s"), (90 * MINUTE_MS, "90m")],
)
def test_windows_are_written_as_in_promql(ms: int, text: str) -> None:
    assert wording.window_text(ms) == text


@given(st.integers(1, 10**12), st.integers(0, 10**12))
def test_a_share_is_rounded_down_and_by_less_than_its_last_digit(total: int, part: int) -> None:
    good = min(part, total)
    shown = Fraction(wording.percent_down(Fraction(good, total), 3).removesuffix(" %"))
    exact = Fraction(100 * good, total)
    assert shown <= exact < shown + Fraction(1, 1000)


def test_one_bad_event_in_a_billion_does_not_read_as_all_good() -> None:
    assert wording.sli_text(slo_status(good=10**9 - 1, total=10**9)) == "99.999 %"


def test_a_missed_objective_never_reads_as_the_objective() -> None:
    status = slo_status(objective="99.9", good=998_999, total=1_000_000)
    assert wording.sli_text(status) == "99.899 %"


@pytest.mark.parametrize(
    ("objective", "text"), [("99.9", "99.9 %"), ("99", "99 %"), ("99.999", "99.999 %"), ("0.5", "0.5 %")]
)
def test_objectives_keep_their_digits(objective: str, text: str) -> None:
    assert wording.objective_text(slo_status(objective=objective)) == text


@pytest.mark.parametrize(
    ("burn", "text"),
    [
        (None, "\u2013"),
        (math.nan, "\u2013"),
        (0.0, "0\u00d7"),
        (0.38, "0.38\u00d7"),
        (14.93, "14.9\u00d7"),
        (144.4, "144\u00d7"),
    ],
)
def test_burn_rates_have_as_many_digits_as_they_need(burn: float | None, text: str) -> None:
    assert wording.burn_text(burn) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567, "1\u2009234\u2009567"),
        (0.123456, "0.1235"),
        (math.nan, "not a number"),
        (math.inf, "∞"),
        (-math.inf, "\u2212∞"),
    ],
)
def test_numbers_stay_short(value: float, text: str) -> None:
    assert wording.number(value) == text


def test_the_burn_to_speak_of_is_that_of_an_hour_and_more() -> None:
    status = slo_status(burns={5 * MINUTE_MS: 80.0, HOUR_MS: 14.9, 6 * HOUR_MS: 3.0, 3 * DAY_MS: None})
    rate = wording.steady_burn(status)
    assert rate is not None
    assert rate.burn == 14.9


def test_a_young_process_speaks_of_the_windows_it_has() -> None:
    rate = wording.steady_burn(slo_status(burns={5 * MINUTE_MS: 8.0, HOUR_MS: None}))
    assert rate is not None
    assert rate.burn == 8.0


def test_what_is_left_lasts_remaining_times_window_over_burn() -> None:
    status = slo_status(good=99_950, total=100_000, burns={HOUR_MS: 14.4})  # half of the budget is left
    assert wording.exhaustion_ms(status) == pytest.approx(0.5 * 30 * DAY_MS / 14.4)


@pytest.mark.parametrize(
    "status",
    [
        slo_status(good=0, total=0),
        slo_status(burns={HOUR_MS: 0.0}),
        slo_status(good=9_900, total=10_000),
        slo_status(burns={}),
    ],
)
def test_a_budget_that_is_not_being_spent_has_no_end(status: object) -> None:
    assert wording.exhaustion_ms(status) is None  # type: ignore[arg-type]
