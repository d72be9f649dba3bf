"""Numbers as the command line reads and prints them."""

from __future__ import annotations

import pytest

from otel_ext.cli.output import CommandError
from otel_ext.cli.units import local_time, parse_seconds, percent, window


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("2m", 120), ("1.5m", 90), ("500ms", 0.5), ("30", 30)])
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "90 seconds", "-5s", "1d"])
def test_a_wrong_duration_says_how_to_write_one(text: str) -> None:
    with pytest.raises(CommandError, match="90s or 2m") as caught:
        parse_seconds(text)

    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("ratio", "text"), [(0.999, "99.9 %"), (1.0, "100 %"), (0.99995, "99.995 %"), (-1.23, "-123 %")]
)
def test_ratios_are_printed_as_percentages(ratio: float, text: str) -> None:
    assert percent(ratio) == text


@pytest.mark.parametrize(("seconds", "text"), [(300, "5m"), (3600, "1h"), (21600, "6h"), (259200, "3d"), (90, "90s")])
def test_windows_are_printed_as_in_promql(seconds: float, text: str) -> None:
    assert window(seconds) == text


def test_no_time_is_no_text() -> None:
    assert local_time(None) == ""
