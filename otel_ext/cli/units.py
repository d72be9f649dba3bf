"""Numbers as the command line prints and reads them."""

from __future__ import annotations

import re
from datetime import datetime

from otel_ext.cli.output import CommandError

__all__ = ["local_time", "parse_seconds", "percent", "window"]

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")


def percent(ratio: float, digits: int = 6) -> str:
    """A ratio as a percentage without trailing zeros: ``99.9 %``."""
    return f"{ratio * 100:.{digits}g} %"


def window(seconds: float) -> str:
    """A window's length as in PromQL: ``5m``, ``1h``, ``3d``."""
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds:g}s"


def local_time(text: str | None) -> str:
    """The time of day of an RFC 3339 time, in the reader's zone; nothing for ``None``."""
    return "" if text is None else datetime.fromisoformat(text).astimezone().strftime("%H:%M:%S")


def parse_seconds(text: str) -> float:
    """``90s``, ``2m``, ``1.5m`` or plain seconds.

    Raises:
        CommandError: exit code 2, for anything else.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise CommandError(f"{text!r} is not a duration; write for example 90s or 2m", exit_code=2)
    return float(found[1]) * _SECONDS[found[2] or "s"]
