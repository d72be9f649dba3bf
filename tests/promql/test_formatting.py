"""Floats as Go prints them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ext.promql.formatting import format_float, format_float_e, format_float_g, parse_go_float
from otel_ext.promql.values import format_value


@pytest.mark.parametrize(
    ("value", "plain", "general"),
    [
        (0.0, "0", "0"),
        (-0.0, "-0", "-0"),
        (1.0, "1", "1"),
        (0.1, "0.1", "0.1"),
        (100_000.0, "100000", "100000"),
        (1_000_000.0, "1000000", "1e+06"),
        (123_456_789.0, "123456789", "1.23456789e+08"),
        (0.0001, "0.0001", "0.0001"),
        (0.00001, "0.00001", "1e-05"),
        (1.5e300, "15" + "0" * 299, "1.5e+300"),
        (math.inf, "+Inf", "+Inf"),
        (-math.inf, "-Inf", "-Inf"),
        (math.nan, "NaN", "NaN"),
    ],
)
def test_shortest_digits(value: float, plain: str, general: str) -> None:
    assert format_float(value) == plain
    assert format_float_g(value) == general


@pytest.mark.parametrize(
    ("value", "text"), [(1e21, "1e+21"), (1e20, "100000000000000000000"), (1e-7, "1e-07"), (1e-6, "0.000001")]
)
def test_the_api_uses_exponents_only_at_the_extremes(value: float, text: str) -> None:
    assert format_value(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_text_reads_back_equal(value: float) -> None:
    for text in (format_float(value), format_float_g(value), format_float_e(value)):
        assert parse_go_float(text) == value


@pytest.mark.parametrize("text", ["", " 1", "1_000", "abc", "1e", "0x"])
def test_what_go_does_not_read(text: str) -> None:
    assert parse_go_float(text) is None
