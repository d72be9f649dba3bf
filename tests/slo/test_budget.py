"""Published budget numbers, exactly."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ext.model.slos import Slo
from otel_ext.slo.budget import Budget
from otel_ext.stats.ring import WindowCount


def budget(objective):
    return Budget.of(Slo(name="s", objective=objective))


def count(bad, total, measured_ms=100, window_ms=100):
    good = total - bad
    return WindowCount(good, total, 0, window_ms, measured_ms, good, good, total, total)


@pytest.mark.parametrize(
    ("objective", "window_seconds", "allowed_seconds"),
    [
        ("99.9", 30 * 86_400, Fraction("43.2") * 60),
        ("99.9", 28 * 86_400, Fraction("40.32") * 60),
        ("99", 28 * 86_400, Fraction("403.2") * 60),
        ("99.999", 30 * 86_400, Fraction("25.92")),
        ("99.95", 7 * 86_400, Fraction("5.04") * 60),
        ("90", 7 * 86_400, Fraction(1008) * 60),
    ],
)
def test_time_budgets_are_the_published_ones(objective, window_seconds, allowed_seconds):
    assert Slo(name="s", objective=objective).budget * window_seconds == allowed_seconds


@pytest.mark.parametrize("spelled", ["99.9", 99.9, Fraction(999, 10)])
def test_an_objective_means_its_decimal_digits_however_it_is_spelled(spelled):
    assert budget(spelled) == Budget(numerator=1, denominator=1000)


@pytest.mark.parametrize(
    ("objective", "bad", "total", "burn", "remaining", "left"),
    [
        ("99.9", 25_039, 51_966_484, 25_039 / 51_966.484, 1 - 25_039 / 51_966.484, 26_927),
        ("99.9", 1, 10, 100.0, -99.0, -1),
        ("99.5", 5, 1000, 1.0, 0.0, 0),
        ("99", 0, 99, 0.0, 1.0, 0),
        ("99", 0, 100, 0.0, 1.0, 1),
        ("99.9", 10**18, 10**18, 1000.0, -999.0, 10**15 - 10**18),
    ],
)
def test_burn_rate_and_what_is_left(objective, bad, total, burn, remaining, left):
    made = budget(objective)
    assert made.burn_rate(bad, total) == pytest.approx(burn, rel=1e-15)
    assert made.remaining(bad, total) == pytest.approx(remaining, rel=1e-14)
    assert made.events_left(bad, total) == left


def test_without_events_there_is_no_rate_and_no_remainder():
    made = budget("99.9")
    assert (made.burn_rate(0, 0), made.remaining(0, 0), made.events_left(0, 0)) == (None, None, None)


def test_the_diurnal_month_that_averaged_ratios_call_overspent_has_half_its_budget_left():
    assert round(100 * budget("99.9").remaining(25_039, 51_966_484), 2) == 51.82


def test_one_failure_of_ten_burns_a_hundredfold_not_a_thousandfold():
    assert budget("99.9").burn_rate(1, 10) == 100


def test_a_budget_spent_to_the_last_event_is_not_overspent():
    assert not budget("99.9").is_overspent(count(1_000, 1_000_000))
    assert budget("99.9").is_overspent(count(1_001, 1_000_000))
    assert not budget("99.9").is_overspent(count(0, 0))


def test_half_a_window_must_spend_the_whole_budget_before_it_is_gone():
    assert not budget("99.9").is_gone(count(1_500, 1_000_000, measured_ms=50))
    assert budget("99.9").is_gone(count(2_001, 1_000_000, measured_ms=50))
    assert not budget("99.9").is_gone(count(5, 5, measured_ms=0))


@given(
    objective=st.decimals(min_value="0.001", max_value="99.999", places=3),
    bad=st.integers(0, 10**15),
    more=st.integers(0, 10**15),
)
def test_every_figure_is_the_rounded_exact_value(objective, bad, more):
    slo = Slo(name="s", objective=str(objective))
    total, made = bad + more, Budget.of(slo)
    if not total:
        return
    exact = Fraction(bad, total) / slo.budget
    assert made.burn_rate(bad, total) == float(exact)
    assert made.remaining(bad, total) == float(1 - exact)
    assert made.events_left(bad, total) == (slo.budget * total).__floor__() - bad
    assert made.is_overspent(count(bad, total)) == (exact > 1)
