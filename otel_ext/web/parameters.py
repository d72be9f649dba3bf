"""Request parameters read as Prometheus reads them: times, durations, limits; errors name the parameter and an example.

Values only, made once a request in the web thread. The form body of a POST comes before the query string.
Imports errors and config.units.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from urllib.parse import parse_qsl

from starlette.requests import Request

from otel_ext.config import units
from otel_ext.errors import OtelExtError

__all__ = [
    "BadParameterError",
    "BodyTooLargeError",
    "Parameters",
    "parse_duration_ms",
    "parse_time_ms",
    "read_parameters",
]

_BODY_LIMIT = 1 << 20
_FIELD_LIMIT = 1000
_LARGEST_MS = 2**63 // 1_000_000  # int64 nanoseconds, as Prometheus' durations
_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(?:[Zz]|([+-]\d{2}:\d{2}))", re.ASCII
)
_FLOAT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


class BadParameterError(OtelExtError):
    """A request parameter is missing or cannot be read; answered with 400."""


class BodyTooLargeError(OtelExtError):
    """The form body is larger than 1 MiB; answered with 413."""


class Parameters:
    """The parameters of one request, in order, repeated names kept."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = tuple(pairs)

    def text(self, name: str, default: str = "") -> str:
        """The first value of that name."""
        return next((value for key, value in self._pairs if key == name), default)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of that name."""
        return tuple(value for key, value in self._pairs if key == name)

    def flag(self, name: str) -> bool:
        """True for ``?name``, ``?name=1``, ``?name=true``; false when absent or ``0``, ``false``."""
        values = self.all(name)
        return bool(values) and values[0].lower() not in ("0", "false", "no")

    def required(self, name: str, example: str) -> str:
        """The first value; an absent or blank one is an error."""
        value = self.text(name)
        if not value.strip():
            raise BadParameterError(f'invalid parameter "{name}": it is missing, for example {name}={example}')
        return value

    def time_ms(self, name: str, default: int) -> int:
        """A time in Unix milliseconds, or the default when the parameter is absent or empty."""
        text = self.text(name)
        return default if not text else _named(name, parse_time_ms, text)

    def required_time_ms(self, name: str) -> int:
        """A time that must be given."""
        return _named(name, parse_time_ms, self.required(name, "2026-01-31T12:00:00Z"))

    def duration_ms(self, name: str, default: int | None) -> int | None:
        """A duration in milliseconds (``30s``, ``1h30m``, ``2.5``), or the default."""
        text = self.text(name)
        return default if not text else _named(name, parse_duration_ms, text)

    def count(self, name: str, default: int, largest: int) -> int:
        """A whole number from 0 to ``largest``; larger ones are cut to it."""
        text = self.text(name)
        if not text:
            return default
        if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
            raise BadParameterError(f'invalid parameter "{name}": {text[:80]!r} is not a whole number, for example 100')
        return min(int(text), largest)


def _named(name: str, parse: Callable[[str], int], text: str) -> int:
    try:
        return parse(text)
    except ValueError as error:
        raise BadParameterError(f'invalid parameter "{name}": {error}') from None


def parse_time_ms(text: str) -> int:
    """``1700000000``, ``1700000000.123`` or ``2026-01-31T12:00:00.5Z`` as Unix milliseconds.

    Raises:
        ValueError: neither Unix seconds nor RFC 3339.
    """
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)) and abs(number) < _LARGEST_MS:
        return round(number * 1000)
    match = _RFC3339.fullmatch(text)
    if match is not None:
        date, clock, fraction, offset = match.groups()
        try:
            moment = datetime.fromisoformat(f"{date}T{clock}{offset or '+00:00'}")
        except ValueError:
            pass
        else:
            return round(moment.timestamp()) * 1000 + int((fraction or "0")[:3].ljust(3, "0"))
    raise ValueError(
        f'cannot parse "{text[:80]}" to a valid timestamp, for example 1700000000.5 or 2026-01-31T12:00:00Z'
    )


def parse_duration_ms(text: str) -> int:
    """``15``, ``0.5`` (seconds), ``30s`` or ``1h30m`` in milliseconds.

    Raises:
        ValueError: neither a number of seconds nor a Prometheus duration, or beyond 292 years.
    """
    if _FLOAT.fullmatch(text):
        number = float(text) * 1000
        if math.isfinite(number) and abs(number) < _LARGEST_MS:
            return round(number)
    exact = units.duration_ms(text)
    if exact is not None and exact < _LARGEST_MS:
        return round(exact)
    raise ValueError(f'cannot parse "{text[:80]}" to a valid duration, for example 30s, 1h30m or 15')


async def read_parameters(request: Request) -> Parameters:
    """The query string, and before it the form of a POST (``application/x-www-form-urlencoded``, at most 1 MiB)."""
    query = request.scope.get("query_string", b"").decode("utf-8", "replace")
    body = ""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST" and content_type == "application/x-www-form-urlencoded":
        body = (await _read_body(request)).decode("utf-8", "replace")
    try:
        pairs = [
            pair
            for text in (body, query)
            for pair in parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=_FIELD_LIMIT)
        ]
    except ValueError:
        raise BadParameterError(f"more than {_FIELD_LIMIT} parameters in one request") from None
    return Parameters(pairs)


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_LIMIT:
            raise BodyTooLargeError(f"the form is larger than {_BODY_LIMIT} bytes")
    return bytes(body)
