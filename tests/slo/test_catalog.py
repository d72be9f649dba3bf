"""Published alert parameters, and alerts that can never fire."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from otel_ext.errors import ConfigError
from otel_ext.model.slos import Slo
from otel_ext.slo.catalog import SLOTH, WORKBOOK, BurnRateAlert, BurnRateCatalog, BurnRateWindow

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def rates(catalog, slo):
    return {
        (alert.severity, threshold.long_ms, threshold.short_ms): threshold.burn_rate
        for alert in catalog.alerts
        for threshold in catalog.thresholds(slo, alert)[0]
    }


def slo(objective="99.9", window_days=30):
    return Slo(name="checkout", objective=objective, window_days=window_days)


def custom(*windows, **fields):
    return BurnRateCatalog(name="custom", alerts=(BurnRateAlert(severity="page", windows=windows),), **fields)


def test_the_workbook_pages_at_14_4_and_6_and_opens_tickets_at_3_and_1():
    assert rates(WORKBOOK, slo()) == {
        ("page", HOUR_MS, 300_000): Fraction(144, 10),
        ("page", 6 * HOUR_MS, 1_800_000): 6,
        ("ticket", 24 * HOUR_MS, 2 * HOUR_MS): 3,
        ("ticket", 72 * HOUR_MS, 6 * HOUR_MS): 1,
    }


def test_sloth_keeps_the_budget_shares_for_28_days():
    assert list(rates(SLOTH, slo(window_days=28)).values()) == [
        Fraction(1344, 100),
        Fraction(56, 10),
        Fraction(28, 10),
        Fraction(14, 15),
    ]
    assert rates(WORKBOOK, slo(window_days=28)) == rates(SLOTH, slo(window_days=28))


def test_splunks_seven_day_rates_follow_from_their_budget_shares():
    catalog = custom(
        BurnRateWindow(long_ms=HOUR_MS, short_ms=300_000, budget_share=Fraction(10, 100)),
        BurnRateWindow(long_ms=6 * HOUR_MS, short_ms=1_800_000, budget_share=Fraction(20, 100)),
    )
    assert list(rates(catalog, slo(window_days=7)).values()) == [Fraction("16.8"), Fraction("5.6")]


@pytest.mark.parametrize("days", range(1, 28))
def test_windows_shrink_with_a_short_slo_window_and_burn_rates_stay(days):
    found = rates(WORKBOOK, slo(window_days=days))
    assert list(found.values()) == [Fraction(144, 10), 6, 3, 1]
    assert all(long == 12 * short for _, long, short in found)
    assert max(long for _, long, _ in found) == days * DAY_MS // 10


def test_a_long_slo_window_keeps_the_windows_and_raises_the_rates():
    assert list(rates(WORKBOOK, slo(window_days=90)).values()) == [Fraction("43.2"), 18, 9, 3]


@pytest.mark.parametrize(
    ("burn_rate", "highest_dead_objective"),
    [("14.4", Fraction(8375, 90)), ("6", Fraction(500, 6)), ("36", Fraction(3500, 36))],
)
def test_an_alert_is_possible_from_the_published_objective_on(burn_rate, highest_dead_objective):
    window = BurnRateWindow.of_burn_rate(burn_rate, long_ms=HOUR_MS, short_ms=300_000, slo_window_ms=30 * DAY_MS)
    dead = 100 - 100 / Fraction(burn_rate)
    assert abs(float(dead) - float(highest_dead_objective)) < 0.01
    with pytest.raises(ConfigError, match="can never be reached"):
        rates(custom(window), slo(objective=dead))
    assert rates(custom(window), slo(objective=dead + Fraction(1, 1000)))


def test_the_error_names_catalog_slo_rate_and_a_rate_that_works():
    window = BurnRateWindow.of_burn_rate("14.4", long_ms=HOUR_MS, short_ms=300_000, slo_window_ms=30 * DAY_MS)
    with pytest.raises(ConfigError) as caught:
        rates(custom(window), slo(objective="90"))
    message = str(caught.value)
    for part in ("'custom'", "page", "'checkout'", "14.4 over 1h", "144 %", "below 10, for example 9", "above 93.0556"):
        assert part in message


def test_the_default_catalog_leaves_out_what_cannot_fire_and_says_so():
    thresholds, facts = WORKBOOK.thresholds(slo(objective="90"), WORKBOOK.alerts[0])
    assert [threshold.burn_rate for threshold in thresholds] == [6]
    assert len(facts) == 1
    assert "page alert left out" in facts[0]


def test_an_alert_window_longer_than_the_slo_window_is_an_error():
    window = BurnRateWindow(long_ms=3 * DAY_MS, short_ms=HOUR_MS, budget_share=Fraction(1, 10))
    with pytest.raises(ConfigError, match="longer than the SLO window of 1 days; use one of at most 1d"):
        rates(custom(window), slo(window_days=1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"short_ms": HOUR_MS},
        {"short_ms": 999},
        {"budget_share": Fraction(0)},
        {"budget_share": Fraction(2)},
        {"min_bad": 0},
    ],
)
def test_a_window_pair_that_makes_no_sense_is_refused(wrong):
    good = BurnRateWindow(long_ms=HOUR_MS, short_ms=300_000, budget_share=Fraction(2, 100))
    with pytest.raises(ValueError, match=r"for example|as Fraction"):
        replace(good, **wrong)


def test_severities_are_unique_in_a_catalog():
    alert = WORKBOOK.alerts[0]
    with pytest.raises(ValueError, match="must be unique"):
        BurnRateCatalog(name="twice", alerts=(alert, alert))
