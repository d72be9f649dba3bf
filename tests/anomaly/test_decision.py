"""Decisions from scores alone: two of three, sides, recovery, acceptance, budget."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ext.anomaly.decision import Decided, Decision, surprise_threshold


def decision(*, both_sides: bool = True, recovery: int = 3, accept_after: int = 50, series: int = 1) -> Decision:
    made = Decision(
        false_alarms_per_week=1.0,
        interval_ms=60_000,
        recovery=recovery,
        accept_after=accept_after,
        both_sides=both_sides,
    )
    made.reserve(series)
    return made


def feed(made: Decision, *scores: float, notable: bool = True) -> list[Decided]:
    flags = np.array([True])
    return [made.decide(np.array([score]), np.isfinite(np.array([score])), flags & notable) for score in scores]


HIT, CALM, ENORMOUS = 5.0, 0.0, 20.0


@pytest.mark.parametrize(
    ("scores", "opens"),
    [
        ((HIT,), False),
        ((HIT, HIT), True),
        ((HIT, CALM, HIT), True),
        ((HIT, CALM, CALM, HIT), False),
        ((HIT, -HIT), False),
        ((-HIT, CALM, -HIT), True),
    ],
)
def test_two_of_the_last_three_on_one_side_open(scores: tuple[float, ...], opens: bool) -> None:
    made = decision()
    feed(made, *scores)
    assert bool(made.is_open[0]) is opens


def test_one_value_that_is_far_enough_out_opens_alone() -> None:
    made = decision()
    feed(made, ENORMOUS)
    assert made.is_open[0]


def test_a_fall_is_no_news_where_only_rises_are() -> None:
    made = decision(both_sides=False)
    feed(made, -HIT, -HIT, -HIT)
    assert not made.is_open[0]


def test_a_change_too_small_to_matter_never_opens() -> None:
    made = decision()
    feed(made, HIT, HIT, HIT, notable=False)
    assert not made.is_open[0]


def test_it_closes_after_calm_values_and_another_hit_starts_the_count_anew() -> None:
    made = decision(recovery=3)
    feed(made, HIT, HIT, CALM, CALM, HIT, CALM, CALM)
    assert made.is_open[0]
    feed(made, CALM)
    assert not made.is_open[0]


def test_after_closing_two_fresh_hits_are_needed() -> None:
    made = decision(recovery=1)
    feed(made, HIT, HIT, CALM)
    assert not made.is_open[0]
    feed(made, HIT)
    assert not made.is_open[0]


def test_a_change_that_stays_is_accepted() -> None:
    made = decision(accept_after=10)
    results = feed(made, *[HIT] * 12)
    assert [result.accepted.size for result in results[:11]] == [0] * 11
    assert results[11].accepted.tolist() == [0]
    assert not made.is_open[0]


def test_a_gap_forgets_the_streak() -> None:
    made = decision()
    feed(made, HIT)
    made.forget_streaks()
    feed(made, HIT)
    assert not made.is_open[0]


def test_missing_values_neither_confirm_nor_calm() -> None:
    made = decision(recovery=2)
    feed(made, HIT)
    made.decide(np.zeros(1), np.array([False]), np.array([True]))
    feed(made, HIT)
    assert made.is_open[0]
    for _ in range(10):
        made.decide(np.zeros(1), np.array([False]), np.array([True]))
    assert made.is_open[0]


def test_a_series_that_alarms_again_and_again_needs_more_surprise() -> None:
    made = decision(recovery=1)
    calm = float(made.thresholds()[0])
    for _ in range(5):
        feed(made, HIT, HIT, CALM)
        assert not made.is_open[0]
    assert float(made.thresholds()[0]) <= calm
    for _ in range(5):
        feed(made, 1000.0, 1000.0, CALM)
    assert float(made.thresholds()[0]) > 2 * calm


def test_a_young_series_needs_a_quarter_more() -> None:
    made = decision()
    young = float(made.thresholds()[0])
    assert young == pytest.approx(1.25 * made.threshold)
    feed(made, *[CALM] * 2000)
    assert float(made.thresholds()[0]) == pytest.approx(made.threshold, rel=0.01)


@given(st.floats(0.01, 100), st.integers(1_000, 3_600_000))
def test_more_sensitive_settings_need_less_surprise(per_week: float, interval_ms: int) -> None:
    threshold = surprise_threshold(false_alarms_per_week=per_week, interval_ms=interval_ms)
    assert surprise_threshold(false_alarms_per_week=per_week * 2, interval_ms=interval_ms) < threshold
    chance = 10**-threshold
    assert 2 * chance * (chance + 0.05) == pytest.approx(per_week * interval_ms / 604_800_000)
