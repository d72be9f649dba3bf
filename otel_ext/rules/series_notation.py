"""The notation of input series in unit tests of rules: ``up{job="a"}`` and ``0+1x5 _x2 stale {{sum:1 count:1}}``.

Stateless. Imports the vocabulary. Source: Prometheus, docs/configuration/unit_testing_rules.md, promqltest/README.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from otel_ext.model.labels import METRIC_NAME, Labels
from otel_ext.model.native_histograms import CUSTOM_SCHEMA, CounterResetHint, NativeHistogram

__all__ = ["STALE", "SeriesValue", "parse_histogram", "parse_labels", "parse_values"]


class _Stale:
    """A stale marker."""

    def __repr__(self) -> str:
        return "stale"


STALE = _Stale()

SeriesValue = float | NativeHistogram | _Stale | None
"""A value of a series at one step: a float, a histogram, a stale marker, or ``None`` for no sample."""

_QUOTED = r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`'
_METRIC = re.compile(rf"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)?\s*(?:(\{{)((?:[^\"'`}}]|{_QUOTED})*)(\}})?)?\s*", re.DOTALL)
_PAIR = re.compile(rf"\s*(?:([a-zA-Z_][a-zA-Z0-9_]*)|({_QUOTED}))\s*(?:=\s*({_QUOTED})\s*)?(,|$)", re.DOTALL)
_NUMBER = r"(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|(?i:inf|nan))"
_ITEM = re.compile(
    rf"""(?:
        (?P<gap>_)
      | (?P<stale>stale)
      | (?P<histogram>\{{\{{.*?\}}\}}) (?:(?P<hsign>[+-])(?P<hstep>\{{\{{.*?\}}\}}))?
      | (?P<number>[+-]?{_NUMBER}) (?P<step>[+-]{_NUMBER})?
    ) (?:x(?P<times>\d+))? (?:\s+|$)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def parse_labels(text: str) -> Labels:
    """The label set of ``name{a="b", "dotted.name"="c"}`` or ``{"dotted.metric", a="b"}``; empty text is empty labels.

    Raises:
        ValueError: it is no label set.
    """
    match = _METRIC.fullmatch(text)
    if match is None or (match.group(2) and not match.group(4)):
        raise ValueError(f"not a series: {text!r}; a correct one is 'up{{job=\"shop\"}}'")
    found = {METRIC_NAME: match.group(1)} if match.group(1) else {}
    inner, position = (match.group(3) or "").strip(), 0
    while position < len(inner):
        pair = _PAIR.match(inner, position)
        if pair is None:
            raise ValueError(f'not a series: {text!r}: expected name="value" at {inner[position:]!r}')
        name = pair.group(1) or _unquote(pair.group(2))
        if pair.group(3) is None:
            name, value = METRIC_NAME, name if pair.group(2) else ""
        else:
            value = _unquote(pair.group(3))
        if (not value and name == METRIC_NAME) or name in found:
            raise ValueError(f"not a series: {text!r}: label {name!r} is repeated or has no value")
        found[name] = value
        position = pair.end()
    return Labels(found)


def parse_values(text: str) -> list[SeriesValue]:
    """The values of a series, one a step.

    ``5`` is one sample, ``1x3`` four times 1, ``1+2x3`` is 1 3 5 7, ``_`` a missing sample, ``_x3`` three of them,
    ``stale`` a stale marker; histograms in double braces work the same way.

    Raises:
        ValueError: an item is none of these.
    """
    values: list[SeriesValue] = []
    text, position = text.strip(), 0
    while position < len(text):
        item = _ITEM.match(text, position)
        if item is None:
            raise ValueError(
                f"not a series value: {text[position:][:40]!r}; correct ones are '1', '0+1x5', '_', 'stale'"
            )
        values.extend(_expand(item))
        position = item.end()
    return values


def _expand(item: re.Match[str]) -> Iterator[SeriesValue]:
    times = int(item["times"]) if item["times"] else None
    if item["gap"]:
        yield from [None] * (1 if times is None else times)
        return
    value: SeriesValue
    step: float | NativeHistogram | None = None
    if item["stale"]:
        value = STALE
    elif item["histogram"]:
        value = parse_histogram(item["histogram"])
        step = parse_histogram(item["hstep"]) if item["hstep"] else None
        step = step.scaled(-1.0) if step is not None and item["hsign"] == "-" else step
    else:
        value, step = float(item["number"]), float(item["step"]) if item["step"] else None
    yield value
    for _ in range(times or 0):
        value = _sum(value, step)
        yield value


def _sum(value: SeriesValue, step: float | NativeHistogram | None) -> SeriesValue:
    """Repeated addition, as Prometheus expands the notation."""
    if isinstance(value, NativeHistogram) and isinstance(step, NativeHistogram):
        return value + step
    if isinstance(value, float) and isinstance(step, float):
        return value + step
    return value


_HISTOGRAM_FIELD = re.compile(r"\s*(\w+):(\[[^\]]*\]|\S+)")


def parse_histogram(text: str) -> NativeHistogram:
    """A native histogram ``{{schema:1 sum:2 count:3 z_bucket:1 z_bucket_w:0.1 offset:-1 buckets:[1 2] …}}``.

    Raises:
        ValueError: an unknown field or a malformed value.
    """
    inner = text.strip().removeprefix("{{").removesuffix("}}").strip()
    fields, position = dict[str, str](), 0
    while position < len(inner):
        match = _HISTOGRAM_FIELD.match(inner, position)
        if match is None or match.group(1) not in _FIELDS:
            raise ValueError(f"not a histogram: {text!r} at {inner[position:]!r}; known fields: {', '.join(_FIELDS)}")
        fields[match.group(1)] = match.group(2)
        position = match.end()
    custom = tuple(_floats(fields.get("custom_values", "[]")))
    return NativeHistogram(
        schema=int(fields.get("schema", CUSTOM_SCHEMA if custom else 0)),
        sum=float(fields.get("sum", 0)),
        count=float(fields.get("count", 0)),
        zero_count=float(fields.get("z_bucket", 0)),
        zero_threshold=float(fields.get("z_bucket_w", 0)),
        positive=_buckets(fields.get("offset", "0"), fields.get("buckets", "[]")),
        negative=_buckets(fields.get("n_offset", "0"), fields.get("n_buckets", "[]")),
        custom_bounds=custom,
        counter_reset_hint=CounterResetHint(fields.get("counter_reset_hint", "unknown")),
    )


_FIELDS = (
    "schema", "sum", "count", "z_bucket", "z_bucket_w", "custom_values", "buckets", "offset", "n_buckets", "n_offset",
    "counter_reset_hint",
)  # fmt: skip


def _floats(text: str) -> list[float]:
    return [float(part) for part in text.strip("[]").split()]


def _buckets(offset: str, counts: str) -> dict[int, float]:
    return {int(offset) + index: count for index, count in enumerate(_floats(counts)) if count != 0}


def _unquote(text: str) -> str:
    if text[0] == "`":
        return text[1:-1]
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text[1:-1], flags=re.DOTALL)
