"""Durations and sizes are read exactly, or not at all."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ext.config.units import duration_ms, number, size_bytes

_FACTORS = {"y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500ms", 500),
        ("5m", 300_000),
        ("5m5ms", 300_005),
        ("1h30m", 5_400_000),
        ("30d", 2_592_000_000),
        ("1y2w3d4h5m6s7ms", 31_536_000_000 + 1_209_600_000 + 273_906_007),
        ("0.3s", 300),
        ("0s", 0),
    ],
)
def test_durations_have_the_units_of_prometheus(text: str, expected: int) -> None:
    assert duration_ms(text) == expected


@pytest.mark.parametrize("text", ["", "5", "s", "5 m", "1m1h", "1s1s", "-1s", "1e3s", "٣s", "1d ", "9" * 400 + "s"])
def test_what_is_no_duration_is_none(text: str) -> None:
    assert duration_ms(text) is None


@given(st.lists(st.sampled_from(list(_FACTORS)), min_size=1, unique=True), st.data())
def test_a_duration_is_the_sum_of_its_parts(units: list[str], data: st.DataObject) -> None:
    ordered = [unit for unit in _FACTORS if unit in units]
    amounts = [data.draw(st.integers(0, 10**9)) for _ in ordered]
    text = "".join(f"{amount}{unit}" for amount, unit in zip(amounts, ordered, strict=True))
    assert duration_ms(text) == sum(amount * _FACTORS[unit] for amount, unit in zip(amounts, ordered, strict=True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("64MiB", 64 * 1024**2),
        ("16MB", 16_000_000),
        ("512", 512),
        ("1.5 GiB", 1_610_612_736),
        ("2kb", 2000),
        ("7B", 7),
        ("1TiB", 1024**4),
    ],
)
def test_sizes_have_binary_and_decimal_units(text: str, expected: int) -> None:
    assert size_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "MiB", "64M", "64 Mi", "-1B", "1e3", "1MiB2KiB"])
def test_what_is_no_size_is_none(text: str) -> None:
    assert size_bytes(text) is None


def test_numbers_are_exact() -> None:
    assert number("0.1") == Fraction(1, 10)
    assert number("1e5") is None
    assert number("-1") is None
