"""Request parameters as Prometheus reads them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ext.web.parameters import BadParameterError, Parameters, parse_duration_ms, parse_time_ms


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1700000000", 1_700_000_000_000),
        ("1700000000.123", 1_700_000_000_123),
        ("1.7e9", 1_700_000_000_000),
        ("-1.5", -1500),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000),
        ("2023-11-14T22:13:20.123456789Z", 1_700_000_000_123),
        ("2023-11-14t22:13:20.5z", 1_700_000_000_500),
        ("2023-11-15T00:13:20+02:00", 1_700_000_000_000),
    ],
)
def test_times_are_unix_seconds_or_rfc3339(text: str, ms: int) -> None:
    assert parse_time_ms(text) == ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "NaN",
        "inf",
        "1e400",
        "2023-11-14",
        "2023-13-14T22:13:20Z",
        "2023-11-14T22:13:20",
        "1_000",
        "\u0661",
        " 1",
    ],
)
def test_other_times_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="for example"):
        parse_time_ms(text)


@given(st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1)))  # noqa: DTZ001
def test_any_time_reads_back(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC, microsecond=moment.microsecond // 1000 * 1000)
    assert parse_time_ms(aware.isoformat()) == round(aware.timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("15", 15_000),
        ("0.5", 500),
        ("15s", 15_000),
        ("1h30m", 5_400_000),
        ("100ms", 100),
        ("1d", 86_400_000),
        ("1y", 31_536_000_000),
    ],
)
def test_durations_are_seconds_or_prometheus_durations(text: str, ms: int) -> None:
    assert parse_duration_ms(text) == ms


@pytest.mark.parametrize("text", ["", "s", "1x", "30m1h", "1e300", "NaN", "999999999999y", "-1m"])
def test_other_durations_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="for example"):
        parse_duration_ms(text)


def test_errors_name_the_parameter() -> None:
    asked = Parameters([("time", "yesterday"), ("limit", "-1")])
    with pytest.raises(BadParameterError, match='invalid parameter "time": cannot parse "yesterday"'):
        asked.time_ms("time", 0)
    with pytest.raises(BadParameterError, match='invalid parameter "limit"'):
        asked.count("limit", 10, 100)
    with pytest.raises(BadParameterError, match='invalid parameter "query": it is missing, for example query=up'):
        asked.required("query", "up")


def test_repeated_parameters_keep_their_order_and_the_first_counts() -> None:
    asked = Parameters([("a", "1"), ("b", "x"), ("a", "2")])
    assert asked.all("a") == ("1", "2")
    assert asked.text("a") == "1"


@pytest.mark.parametrize(
    ("value", "expected"), [("", True), ("1", True), ("true", True), ("0", False), ("false", False)]
)
def test_a_flag_is_on_when_it_is_merely_there(value: str, expected: bool) -> None:
    assert Parameters([("verbose", value)]).flag("verbose") is expected
    assert Parameters([]).flag("verbose") is False


def test_a_count_is_cut_to_the_largest() -> None:
    assert Parameters([("limit", "40000")]).count("limit", 10, 1000) == 1000
