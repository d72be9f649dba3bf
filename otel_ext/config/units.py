"""Durations and sizes as people write them, read exactly.

Stateless functions; imports the standard library only.
"""

from __future__ import annotations

import re
from fractions import Fraction

__all__ = ["duration_ms", "number", "size_bytes"]

# Patterns are compiled where they are first used (re keeps them): the import stays cheap.
_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,15})?"
_DURATION_UNITS_MS = {
    "y": 365 * 86_400_000,
    "w": 7 * 86_400_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
_DURATION = "".join(f"(?:({_NUMBER}){unit})?" for unit in _DURATION_UNITS_MS)
_SIZE_UNITS = {"b": 1, "": 1}
_SIZE_UNITS |= {f"{prefix}b": 1000**power for power, prefix in enumerate("kmgt", start=1)}
_SIZE_UNITS |= {f"{prefix}ib": 1024**power for power, prefix in enumerate("kmgt", start=1)}
_SIZE = rf"({_NUMBER})\s*([A-Za-z]*)"


def number(text: str) -> Fraction | None:
    """A plain decimal number without sign or exponent, exact; ``None`` when ``text`` is none."""
    return Fraction(text) if re.fullmatch(_NUMBER, text) else None


def duration_ms(text: str) -> Fraction | None:
    """``"1h30m"``, ``"500ms"``, ``"0.3s"`` in milliseconds, exact; ``None`` when ``text`` is no duration.

    The syntax is Prometheus' (units ``y w d h m s ms`` in this order, each at most once), with decimals allowed.
    """
    found = re.fullmatch(_DURATION, text)
    if not text or found is None:
        return None
    parts = zip(found.groups(), _DURATION_UNITS_MS.values(), strict=True)
    return sum((Fraction(amount) * unit for amount, unit in parts if amount), start=Fraction(0))


def size_bytes(text: str) -> Fraction | None:
    """``"64MiB"``, ``"16MB"``, ``"512"`` in bytes, exact; ``None`` when ``text`` is no size.

    ``KiB MiB GiB TiB`` are powers of 1024, ``kB MB GB TB`` powers of 1000; case does not matter.
    """
    found = re.fullmatch(_SIZE, text)
    unit = _SIZE_UNITS.get(found[2].lower()) if found else None
    return Fraction(found[1]) * unit if found and unit is not None else None
