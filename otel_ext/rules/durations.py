"""Prometheus duration text (``1h30m``, ``500ms``, ``0``) to milliseconds and back.

Stateless; imports nothing of the package.
"""

from __future__ import annotations

import re

__all__ = ["format_duration", "parse_duration_ms"]

_UNITS_MS = {"y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_DURATION = re.compile("".join(rf"(?:([0-9]+){unit})?" for unit in _UNITS_MS))
_MAX_MS = (2**63 - 1) // 1_000_000


def parse_duration_ms(text: str) -> int:
    """Milliseconds of a Prometheus duration: units y w d h m s ms, largest first, each at most once; or ``0``.

    Raises:
        ValueError: not a duration, or longer than 292 years.
    """
    if text == "0":
        return 0
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"not a valid duration string: {text!r}; a correct one is '1m30s'")
    total = sum(int(count) * unit for count, unit in zip(match.groups(), _UNITS_MS.values(), strict=True) if count)
    if total > _MAX_MS:
        raise ValueError(f"duration out of range: {text!r}; the longest is '292y'")
    return total


def format_duration(duration_ms: int) -> str:
    """The duration as Prometheus prints it: ``90000`` is ``1m30s``; years and weeks only when they fit exactly."""
    if duration_ms == 0:
        return "0s"
    text, rest = "", duration_ms
    for unit, size in _UNITS_MS.items():
        if unit in "yw" and rest % size:
            continue
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    return text
