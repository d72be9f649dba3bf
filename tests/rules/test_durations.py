"""Durations as Prometheus reads and prints them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ext.rules.durations import format_duration, parse_duration_ms


@pytest.mark.parametrize(
    ("text", "ms"),
    [("0", 0), ("0s", 0), ("5m", 300_000), ("1h30m", 5_400_000), ("500ms", 500), ("1y2w3d4h5m6s7ms", 33_019_506_007)],
)
def test_units_add_up(text: str, ms: int) -> None:
    assert parse_duration_ms(text) == ms


@pytest.mark.parametrize("text", ["", "5", "1m1h", "5 m", "-5m", "1.5h", "5M", "1s1s", "300y"])
def test_what_prometheus_refuses_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration"):
        parse_duration_ms(text)


@given(st.integers(0, 9 * 10**12))
def test_what_is_printed_reads_back(ms: int) -> None:
    assert parse_duration_ms(format_duration(ms)) == ms


def test_weeks_and_years_are_printed_only_when_exact() -> None:
    assert format_duration(8 * 86_400_000) == "8d"
    assert format_duration(7 * 86_400_000) == "1w"
