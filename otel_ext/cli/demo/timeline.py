"""Charts of one line for the terminal, all on the same time axis: pure functions from numbers to rich Text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from rich.text import Text

from otel_ext.cli.demo.phases import ScheduledPhase

__all__ = ["budget_bar", "budget_style", "budget_text", "burn_line", "phase_bar", "phase_names", "spans", "sparkline"]

_LEVELS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉"


def column_of(seconds: float, duration_seconds: float, width: int) -> int:
    """The column in which a moment lies, 0 to ``width - 1``."""
    return max(0, min(width - 1, int(seconds / duration_seconds * width)))


def _boundaries(scheduled: Sequence[ScheduledPhase], width: int) -> list[int]:
    total = scheduled[-1].end_seconds
    return [round(item.start_seconds / total * width) for item in scheduled] + [width]


def phase_names(scheduled: Sequence[ScheduledPhase], elapsed_seconds: float, width: int) -> Text:
    """The phases' names above their part of the bar; the running one is bold."""
    text = Text()
    for item, (left, right) in zip(scheduled, pairwise(_boundaries(scheduled, width)), strict=True):
        running = item.start_seconds <= elapsed_seconds < item.end_seconds
        style = f"bold {item.phase.style}" if running else "dim"
        text.append(item.phase.name[: right - left - 1].ljust(right - left), style)
    return text


def phase_bar(scheduled: Sequence[ScheduledPhase], elapsed_seconds: float, width: int) -> Text:
    """A progress bar whose parts have the colours of the phases."""
    done = round(min(1.0, elapsed_seconds / scheduled[-1].end_seconds) * width)
    text = Text()
    for item, (left, right) in zip(scheduled, pairwise(_boundaries(scheduled, width)), strict=True):
        filled = max(0, min(right, done) - left)
        text.append("━" * filled, item.phase.style)
        text.append("━" * (right - left - filled), "grey30")
    return text


def sparkline(
    points: Iterable[tuple[float, float]], *, duration_seconds: float, width: int, top: float, style: str
) -> Text:
    """Columns of one line: ``points`` are (seconds, value), a column shows its largest; 0 is shown as nothing."""
    highest: dict[int, float] = {}
    for seconds, value in points:
        column = column_of(seconds, duration_seconds, width)
        highest[column] = max(value, highest.get(column, 0.0))
    cells = _filled_gaps(highest, width)
    return Text("".join(_cell(value, top) for value in cells), style)


def _filled_gaps(highest: dict[int, float], width: int) -> list[float]:
    """When the axis is wider than there are points, a column without one repeats its left neighbour."""
    last = max(highest, default=-1)
    cells: list[float] = []
    for column in range(width):
        carried = cells[-1] if cells and column <= last else 0.0
        cells.append(highest.get(column, carried))
    return cells


def _cell(value: float, top: float) -> str:
    if value <= 0:
        return " "
    return _LEVELS[min(len(_LEVELS) - 1, int(value / top * len(_LEVELS)))]


def spans(parts: Iterable[tuple[float, float, str, str]], *, duration_seconds: float, width: int) -> Text:
    """Intervals on the axis: each part is (start seconds, end seconds, character, style); later ones win."""
    text = Text("·" * width, "grey23")
    cells = ["·"] * width
    styles = ["grey23"] * width
    for start, end, character, style in parts:
        left = column_of(start, duration_seconds, width)
        right = max(left, column_of(end, duration_seconds, width))
        for column in range(left, right + 1):
            cells[column], styles[column] = character, style
    text = Text()
    for cell, style in zip(cells, styles, strict=True):
        text.append(cell, style)
    return text


def budget_bar(remaining: float | None, width: int) -> Text:
    """What is left of an error budget: full and green at 1, empty and red at 0 and below."""
    share = 0.0 if remaining is None else max(0.0, min(1.0, remaining))
    eighths = round(share * width * 8)
    full, rest = divmod(eighths, 8)
    bar = "█" * full + (_EIGHTHS[rest] if rest else "")
    style = "grey50" if remaining is None else budget_style(remaining)
    empty = "grey23" if remaining is None or remaining > 0 else "red"
    text = Text(bar, style)
    text.append("░" * (width - len(bar)), empty)
    return text


def burn_line(points: Iterable[tuple[float, float]], *, duration_seconds: float, width: int) -> Text:
    """Burn rates on the axis: low and green at 1 and below, from there red and higher, eight steps to 1,000."""
    highest: dict[int, float] = {}
    for seconds, burn in points:
        column = column_of(seconds, duration_seconds, width)
        highest[column] = max(burn, highest.get(column, 0.0))
    last = max(highest, default=-1)
    text = Text()
    for column, burn in enumerate(_filled_gaps(highest, width)):
        if column > last:
            text.append(" ")
        elif burn <= 1:
            text.append("▁", "green")
        else:
            text.append(_LEVELS[min(7, 1 + int(math.log10(burn) * 7 / 3))], "red")
    return text


def budget_text(remaining: float) -> str:
    """``62 % left``, or how many times over the budget is spent."""
    if remaining >= 0:
        return f"{remaining * 100:.0f} % left"
    return f"spent {1 - remaining:,.1f}x"


def budget_style(remaining: float) -> str:
    """Green while plenty is left, yellow below a half, red below a fifth."""
    if remaining >= 0.5:
        return "green"
    return "yellow" if remaining >= 0.2 else "red"
