"""JSON that every client can read: no bare NaN, ids in hex, times as RFC 3339.

Pure functions over model values; called by the routes in the web thread. Imports model.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

__all__ = ["json_bytes", "plain", "rfc3339", "seconds", "span_id", "trace_id"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_9999_MS = 253_402_300_799_999
_DEEPEST = 12


def json_bytes(value: object) -> bytes:
    """Serialise; a NaN or infinity left in the value is an error here, not a surprise for the reader."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")


def seconds(ts_ms: int) -> int | float:
    """Unix seconds for Prometheus' JSON, without a fraction where there is none."""
    whole, rest = divmod(int(ts_ms), 1000)
    return whole if rest == 0 else ts_ms / 1000


def rfc3339(ts_ms: int | None) -> str | None:
    """``2026-11-22T17:30:00.123Z``, or ``None``; times outside the calendar are clamped to it."""
    if ts_ms is None:
        return None
    moment = _EPOCH + timedelta(milliseconds=min(max(int(ts_ms), 0), _YEAR_9999_MS))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def trace_id(value: int) -> str:
    """32 hex digits."""
    return format(value, "032x")


def span_id(value: int) -> str:
    """16 hex digits."""
    return format(value, "016x")


def plain(value: object, depth: int = 0) -> Any:
    """Anything as JSON types: dataclasses by field, NaN and infinities as null, enums by value, the rest by ``str``."""
    if isinstance(value, enum.Enum):
        return value.value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float | Fraction):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, bytes):
        return value.hex()
    return _container(value, depth + 1) if depth < _DEEPEST else str(value)


def _container(value: object, depth: int) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name), depth) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item, depth) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: plain(item, depth) for name, item in value._asdict().items()}
    if isinstance(value, list | tuple | AbstractSet):
        return [plain(item, depth) for item in value]
    item = getattr(value, "item", None)  # numpy scalars
    return plain(item(), depth) if callable(item) else str(value)
