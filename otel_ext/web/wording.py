"""How numbers, durations and states are put into words on the page: short, and never rounded in our favour.

Pure functions; called by the page's builders. Imports model.
"""

from __future__ import annotations

import math
from fractions import Fraction

from otel_ext.model.slos import BurnRate, SloStatus

__all__ = [
    "DASH",
    "TIMES",
    "ago",
    "burn_text",
    "duration",
    "exhaustion_ms",
    "measured_ms",
    "number",
    "objective_text",
    "percent_down",
    "sli_text",
    "steady_burn",
    "window_text",
]

_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000))
DASH = "\u2013"
_MINUS = "\u2212"
TIMES = "\u00d7"
_HOUR_MS = 3_600_000


def duration(ms: float) -> str:
    """Two units at most: ``2 d 4 h``, ``9 h``, ``35 min``, ``1.4 s``, ``230 ms``."""
    if ms < 1000:
        return f"{ms:.0f} ms" if ms >= 10 else f"{ms:.2g} ms"
    if ms < 10_000:
        return f"{ms / 1000:.3g} s"
    rest = round(ms / 1000) * 1000
    for index, (unit, size) in enumerate(_UNITS):
        count, rest = divmod(rest, size)
        if count:
            smaller, smaller_size = _UNITS[min(index + 1, len(_UNITS) - 1)]
            detail = rest // smaller_size if count < 10 else 0
            return f"{count} {unit} {detail} {smaller}" if detail else f"{count} {unit}"
    return "0 s"


def window_text(ms: int) -> str:
    """A window by its largest whole unit: ``5m``, ``1h``, ``3d``."""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000)):
        if ms % size == 0:
            return f"{ms // size}{unit}"
    return f"{ms / 1000:g}s"


def ago(then_ms: int, now_ms: int) -> str:
    """``3 min ago``: one unit, rounded down."""
    passed = now_ms - then_ms
    for unit, size in _UNITS:
        if passed >= max(size, 2000):
            return f"{passed // size} {unit} ago"
    return "just now"


def number(value: float) -> str:
    """At most four significant digits; thousands separated by a thin space."""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else ("∞" if value > 0 else f"{_MINUS}∞")
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}".replace(",", "\u2009")
    return f"{value:.4g}"


def percent_down(ratio: Fraction | float, digits: int) -> str:
    """A ratio in percent, rounded down: 99.96 % of 99.9 % must not read as 100 %."""
    scale = 10**digits
    scaled = math.floor(Fraction(ratio) * 100 * scale)
    sign = _MINUS if scaled < 0 else ""
    whole, rest = divmod(abs(scaled), scale)
    return f"{sign}{whole}.{rest:0{digits}d} %" if digits else f"{sign}{whole} %"


def objective_text(status: SloStatus) -> str:
    """``99.9 %``: all digits the objective was given with."""
    percent = float(status.slo.target * 100)
    return f"{percent:.10g} %"


def sli_text(status: SloStatus) -> str:
    """The share of good events with two digits more than the objective has, rounded down."""
    if not status.total:
        return "no events"
    _, _, decimals = objective_text(status).removesuffix(" %").partition(".")
    return percent_down(Fraction(status.good, status.total), min(len(decimals) + 2, 8))


def burn_text(burn: float | None, sign: str = TIMES) -> str:
    """``14.9x`` with a multiplication sign, or a dash where there are no events."""
    if burn is None or not math.isfinite(burn):
        return DASH
    digits = f"{burn:.0f}" if burn >= 100 else f"{burn:.1f}" if burn >= 10 else f"{burn:.2g}"
    return digits + sign


def steady_burn(status: SloStatus) -> BurnRate | None:
    """The burn rate to speak of: the highest of the windows of an hour and more, else the highest there is."""
    known = [rate for rate in status.burn_rates if rate.burn is not None]
    steady = [rate for rate in known if rate.window_ms >= _HOUR_MS] or known
    return max(steady, key=lambda rate: rate.burn or 0.0, default=None)


def measured_ms(status: SloStatus) -> int:
    """How much of the SLO's window was measured, in milliseconds, to the second."""
    return round(status.coverage * status.slo.window_ms / 1000) * 1000


def exhaustion_ms(status: SloStatus) -> float | None:
    """Milliseconds until the budget is spent at the steady burn rate; ``None`` when it is not being spent.

    A burn rate of 1 spends a whole budget in exactly one SLO window, so what remains lasts
    ``remaining * window / burn`` (SRE workbook, chapter 5).
    """
    rate = steady_burn(status)
    if rate is None or not rate.burn or status.budget_remaining is None or status.budget_remaining <= 0:
        return None
    return status.budget_remaining * status.slo.window_ms / rate.burn
