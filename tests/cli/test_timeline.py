"""Charts of one line: every one has exactly the width asked for, whatever the numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ext.cli.demo.phases import schedule
from otel_ext.cli.demo.timeline import budget_bar, budget_text, burn_line, phase_bar, phase_names, spans, sparkline

WIDTHS = st.integers(min_value=8, max_value=200)


@given(elapsed=st.floats(min_value=0, max_value=200), width=WIDTHS)
def test_the_phase_bar_and_its_names_are_as_wide_as_asked(elapsed: float, width: int) -> None:
    scheduled = schedule(90)

    assert phase_bar(scheduled, elapsed, width).cell_len == width
    assert phase_names(scheduled, elapsed, width).cell_len == width


@given(remaining=st.one_of(st.none(), st.floats(min_value=-50, max_value=1)), width=WIDTHS)
def test_a_budget_bar_is_as_wide_as_asked(remaining: float | None, width: int) -> None:
    assert budget_bar(remaining, width).cell_len == width


@given(
    points=st.lists(st.tuples(st.floats(min_value=0, max_value=100), st.floats(min_value=0, max_value=1e6))),
    width=WIDTHS,
)
def test_a_sparkline_is_as_wide_as_asked(points: list[tuple[float, float]], width: int) -> None:
    assert sparkline(points, duration_seconds=90, width=width, top=10.0, style="").cell_len == width


@given(
    points=st.lists(st.tuples(st.floats(min_value=0, max_value=100), st.floats(min_value=0, max_value=1e9))),
    width=WIDTHS,
)
def test_a_chart_of_burn_rates_is_as_wide_as_asked(points: list[tuple[float, float]], width: int) -> None:
    assert burn_line(points, duration_seconds=90, width=width).cell_len == width


def test_burn_rates_grow_by_decades_and_stop_at_now() -> None:
    drawn = burn_line([(0, 0), (1, 1), (2, 10), (3, 1000), (4, 1e6)], duration_seconds=6, width=6)

    assert drawn.plain == "▁▁▄██ "


@pytest.mark.parametrize(("remaining", "text"), [(1.0, "100 % left"), (0.0, "0 % left"), (-1.5, "spent 2.5x")])
def test_an_overspent_budget_is_told_by_how_often(remaining: float, text: str) -> None:
    assert budget_text(remaining) == text


@given(
    parts=st.lists(st.tuples(st.floats(min_value=-10, max_value=200), st.floats(min_value=-10, max_value=200))),
    width=WIDTHS,
)
def test_intervals_are_as_wide_as_asked(parts: list[tuple[float, float]], width: int) -> None:
    drawn = spans([(a, b, "#", "red") for a, b in parts], duration_seconds=90, width=width)

    assert drawn.cell_len == width


@pytest.mark.parametrize(
    ("remaining", "bar"),
    [(1.0, "████"), (0.5, "██░░"), (0.03125, "▏░░░"), (0.0, "░░░░"), (-3.0, "░░░░"), (None, "░░░░")],
)
def test_a_budget_bar_shows_what_is_left(remaining: float | None, bar: str) -> None:
    assert budget_bar(remaining, 4).plain == bar


def test_a_column_shows_the_largest_of_its_values_and_nothing_for_none() -> None:
    drawn = sparkline([(0, 1), (0.5, 8), (2, 4)], duration_seconds=4, width=4, top=8, style="")

    assert drawn.plain == "██▅ "  # a column without a point repeats its left neighbour, up to the last point


def test_later_intervals_cover_earlier_ones() -> None:
    drawn = spans([(0, 3, "a", ""), (2, 3, "b", "")], duration_seconds=4, width=4)

    assert drawn.plain == "aabb"
