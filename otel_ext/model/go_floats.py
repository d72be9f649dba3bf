"""Numbers as Go's strconv prints and reads them: PromQL results, ``le`` labels, templates and the HTTP API need it.

Pure functions.
"""

from __future__ import annotations

import math

__all__ = ["format_float", "format_float_e", "format_float_g", "parse_go_float"]

_G_EXPONENT = 6


def format_float(value: float) -> str:
    """``strconv.FormatFloat(v, 'f', -1, 64)``: shortest digits that read back equal, never an exponent."""
    if not math.isfinite(value):
        return _non_finite(value)
    sign, digits, point = _decimal(value)
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}" if digits != "0" else f"{sign}0"
    if len(digits) <= point:
        return f"{sign}{digits}{'0' * (point - len(digits))}"
    return f"{sign}{digits[:point]}.{digits[point:]}"


def format_float_g(value: float) -> str:
    """Go's ``%v``: as ``format_float`` where the decimal exponent is in -4..5, else with an exponent."""
    if not math.isfinite(value):
        return _non_finite(value)
    _, digits, point = _decimal(value)
    if digits == "0" or -4 <= point - 1 < _G_EXPONENT:
        return format_float(value)
    return format_float_e(value)


def format_float_e(value: float) -> str:
    """``strconv.FormatFloat(v, 'e', -1, 64)``: shortest digits and an exponent of at least two digits."""
    if not math.isfinite(value):
        return _non_finite(value)
    sign, digits, point = _decimal(value)
    exponent = 0 if digits == "0" else point - 1
    mantissa = digits if len(digits) == 1 else f"{digits[0]}.{digits[1:]}"
    return f"{sign}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _non_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "+Inf" if value > 0 else "-Inf"


def _decimal(value: float) -> tuple[str, str, int]:
    """Sign, shortest digits and where the decimal point stands among them."""
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)
    digits = whole + fraction
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    stripped = stripped.rstrip("0")
    return (sign, stripped, point) if stripped else (sign, "0", 1)


def parse_go_float(text: str) -> float | None:
    """``strconv.ParseFloat``: what Go reads as a float (hexadecimal, underscores refused, Inf, NaN); None if not."""
    stripped = text.strip()
    if stripped != text or not text or "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return float.fromhex(text) if "0x" in text.lower() and "p" in text.lower() else None
    except (ValueError, OverflowError):
        return None
