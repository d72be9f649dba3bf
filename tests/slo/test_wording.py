"""How numbers are written for people."""

from __future__ import annotations

from fractions import Fraction

import pytest

from otel_ext.slo.wording import duration_text, number_text, percent_text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0s"), (1, "1ms"), (70_000, "1m10s"), (300_000, "5m"), (3_600_000, "1h"), (5_400_000, "1h30m"),
     (86_400_000, "1d"), (90_061_001, "1d1h"), (86_400_000 + 1_000, "1d"), (1_500, "1s500ms")],
)  # fmt: skip
def test_durations_are_written_as_prometheus_writes_them_with_two_units_at_most(milliseconds, text):
    assert duration_text(milliseconds) == text


def test_numbers_have_no_float_noise():
    assert number_text(Fraction(144, 10)) == "14.4"
    assert number_text(Fraction(999, 10)) == "99.9"
    assert number_text(100_000) == "100000"


def test_percentages_have_three_digits_and_no_exponent_for_big_ones():
    assert percent_text(0.02) == "2 %"
    assert percent_text(-19.0) == "-1900 %"
    assert percent_text(0.00231443) == "0.231 %"
    assert percent_text(0) == "0 %"
