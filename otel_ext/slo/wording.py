"""How numbers and durations are written in alerts and errors. Pure functions; imports nothing of the package."""

from __future__ import annotations

from fractions import Fraction

__all__ = ["duration_text", "number_text", "percent_text"]

_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


def duration_text(duration_ms: int) -> str:
    """``3600000`` as ``1h``, ``5400000`` as ``1h30m``: Prometheus durations, at most two units."""
    parts: list[str] = []
    rest = duration_ms
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
        if len(parts) == 2 or (parts and not count):
            break
    return "".join(parts) or "0s"


def number_text(value: Fraction | float) -> str:
    """At most six significant digits, without trailing zeros or an exponent for everyday sizes."""
    return f"{float(value):.6g}"


def percent_text(ratio: float) -> str:
    """A ratio in percent, three significant digits and no exponent above a hundredth of a percent."""
    percent = 100 * ratio
    return f"{percent:.0f} %" if abs(percent) >= 100 else f"{percent:.3g} %"
