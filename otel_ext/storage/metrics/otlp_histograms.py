"""OTLP histogram points: bucket bounds as label text, exponential buckets as a native histogram.

Pure functions.
"""

from __future__ import annotations

from typing import Any

from otel_ext.model.native_histograms import NativeHistogram

__all__ = ["bound_text", "native_histogram"]

_MIN_SCHEMA = -4
_MAX_SCHEMA = 8
_ZERO_THRESHOLD = 1e-128  # what Prometheus assumes where OTLP carries none


def bound_text(bound: float) -> str:
    """A bucket's upper bound as the receiver writes ``le``: shortest decimal digits, never an exponent."""
    if bound == float("inf"):
        return "+Inf"
    text = repr(float(bound))
    if "e" not in text:
        return text.removesuffix(".0")
    digits = f"{bound:.330f}" if abs(bound) < 1 else f"{bound:.0f}"
    exact = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return _shortest_plain(text, exact)


def _shortest_plain(scientific: str, exact: str) -> str:
    mantissa, exponent = scientific.split("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    power = int(exponent)
    digits = whole + fraction
    if power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{digits}"
    if len(fraction) <= power:
        return f"{sign}{digits}{'0' * (power - len(fraction))}"
    return exact


def native_histogram(point: Any) -> NativeHistogram | None:
    """The point as a native histogram; a finer scale than 8 is merged down, a coarser than -4 cannot be had."""
    scale = int(point.scale)
    if scale < _MIN_SCHEMA:
        return None
    shift = max(scale - _MAX_SCHEMA, 0)
    return NativeHistogram(
        schema=min(scale, _MAX_SCHEMA),
        zero_threshold=float(getattr(point, "zero_threshold", 0.0) or _ZERO_THRESHOLD),
        zero_count=float(point.zero_count),
        count=float(point.count),
        sum=float(point.sum or 0.0),
        positive=_buckets(point.positive, shift),
        negative=_buckets(point.negative, shift),
    )


def _buckets(buckets: Any, shift: int) -> dict[int, float]:
    found: dict[int, float] = {}
    for position, count in enumerate(buckets.bucket_counts):
        if count:
            index = ((buckets.offset + position) >> shift) + 1
            found[index] = found.get(index, 0.0) + float(count)
    return found
