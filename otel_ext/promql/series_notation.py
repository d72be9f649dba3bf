"""The notation of promqltest scripts and rule unit tests: ``up{job="a"} 0+1x5 _x2 stale {{sum:1 count:1}}``.

Pure functions. Source of the format: promqltest/README.md and docs/configuration/unit_testing_rules.md of Prometheus.
"""

from __future__ import annotations

import re

from otel_ext.model.labels import METRIC_NAME, Labels
from otel_ext.model.native_histograms import CUSTOM_SCHEMA, CounterResetHint, NativeHistogram
from otel_ext.promql.formatting import parse_go_float
from otel_ext.promql.go_strings import unquote
from otel_ext.storage.metrics.markers import STALE

__all__ = ["SeriesValue", "parse_histogram", "parse_series_labels", "parse_series_values", "split_series"]

SeriesValue = float | NativeHistogram | None
"""A float (the stale marker among them), a histogram, or no sample."""

_QUOTED = r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`'
_SERIES = re.compile(rf"\s*([a-zA-Z_:][\w:]*)?\s*(?:\{{(?!\{{)((?:[^\"'`}}]|{_QUOTED})*)\}})?", re.DOTALL)
_PAIR = re.compile(rf"\s*(?:([a-zA-Z_:][\w:]*)|({_QUOTED}))\s*(?:=\s*({_QUOTED})\s*)?(?:,|$)", re.DOTALL)
_HISTOGRAM = r"\{\{.*?\}\}"
_UNSIGNED = r"(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[iI][nN][fF]|[nN][aA][nN])"
_ITEM = re.compile(
    rf"(?:(?P<gap>_)|(?P<stale>stale)|(?P<histogram>{_HISTOGRAM})(?:(?P<hsign>[+-])(?P<hstep>{_HISTOGRAM}))?"
    rf"|(?P<number>[+-]?{_UNSIGNED})(?P<step>[+-]{_UNSIGNED})?)(?:x(?P<times>\d+))?(?:\s+|$)",
    re.DOTALL,
)
_FIELD = re.compile(r"\s*(\w+):(\[[^\]]*\]|[^\s\[\]]+)")
_FIELDS = (
    "schema", "sum", "count", "z_bucket", "z_bucket_w", "custom_values", "buckets", "offset", "n_buckets", "n_offset",
    "counter_reset_hint",
)  # fmt: skip


def split_series(line: str) -> tuple[Labels, str]:
    """A line's label set and the text of its values; ValueError when it begins with no series."""
    match = _SERIES.match(line)
    if match is None or not match.group(0).strip():
        raise ValueError(f"not a series: {line!r}; a correct line is 'up{{job=\"shop\"}} 0+1x5'")
    return parse_series_labels(match.group(0)), line[match.end() :].strip()


def parse_series_labels(text: str) -> Labels:
    """The label set of ``name{a="b"}`` or ``{"dotted.metric", a="b"}``."""
    match = _SERIES.fullmatch(text.rstrip())
    if match is None:
        raise ValueError(f"not a series: {text!r}; a correct one is 'up{{job=\"shop\"}}'")
    found = {METRIC_NAME: match.group(1)} if match.group(1) else {}
    inner, position = (match.group(2) or "").strip(), 0
    while position < len(inner):
        pair = _PAIR.match(inner, position)
        if pair is None:
            raise ValueError(f'not a series: {text!r}: expected name="value" at {inner[position:]!r}')
        name = pair.group(1) or unquote(pair.group(2))
        if pair.group(3) is None:
            name, value = METRIC_NAME, name
        else:
            value = unquote(pair.group(3))
        found[name] = value
        position = pair.end()
    return Labels(found)


def parse_series_values(text: str) -> list[SeriesValue]:
    """The values of a series, one a step; ValueError for what is none."""
    values: list[SeriesValue] = []
    text, position = text.strip(), 0
    while position < len(text):
        item = _ITEM.match(text, position)
        if item is None:
            raise ValueError(f"not a value: {text[position:][:40]!r}; correct ones are '1', '0+1x5', '_', 'stale'")
        values.extend(_expanded(item))
        position = item.end()
    return values


def _expanded(item: re.Match[str]) -> list[SeriesValue]:
    times = int(item["times"]) if item["times"] else None
    if item["gap"]:
        return [None] * (1 if times is None else times)
    if item["histogram"]:
        return _histograms(item, times or 0)
    value = STALE if item["stale"] else _number(item["number"])
    step = _number(item["step"]) if item["step"] else None
    values: list[SeriesValue] = [value]
    for _ in range(times or 0):
        value = value if step is None else value + step
        values.append(value)
    return values


def _histograms(item: re.Match[str], times: int) -> list[SeriesValue]:
    value = parse_histogram(item["histogram"])
    step = parse_histogram(item["hstep"]) if item["hstep"] else None
    values: list[SeriesValue] = [value]
    for _ in range(times):
        if step is not None:
            value = value + step if item["hsign"] == "+" else value - step
        values.append(value)
    return values


def _number(text: str) -> float:
    value = parse_go_float(text)
    if value is None:
        raise ValueError(f"not a number: {text!r}")
    return value


def parse_histogram(text: str) -> NativeHistogram:
    """``{{schema:1 sum:2 count:3 z_bucket:1 z_bucket_w:0.1 offset:-1 buckets:[1 2]}}``; ValueError if malformed."""
    inner = text.strip().removeprefix("{{").removesuffix("}}").strip()
    fields: dict[str, str] = {}
    position = 0
    while position < len(inner):
        match = _FIELD.match(inner, position)
        if match is None or match.group(1) not in _FIELDS:
            raise ValueError(f"not a histogram: {text!r} at {inner[position:]!r}; known fields: {', '.join(_FIELDS)}")
        fields[match.group(1)] = match.group(2)
        position = match.end()
    bounds = tuple(_numbers(fields.get("custom_values", "[]")))
    return NativeHistogram(
        schema=int(fields.get("schema", CUSTOM_SCHEMA if bounds else 0)),
        sum=_number(fields.get("sum", "0")),
        count=_number(fields.get("count", "0")),
        zero_count=_number(fields.get("z_bucket", "0")),
        zero_threshold=_number(fields.get("z_bucket_w", "0")),
        positive=_buckets(fields.get("offset", "0"), fields.get("buckets", "[]")),
        negative=_buckets(fields.get("n_offset", "0"), fields.get("n_buckets", "[]")),
        custom_bounds=bounds,
        counter_reset_hint=CounterResetHint(fields.get("counter_reset_hint", "unknown")),
    )


def _numbers(text: str) -> list[float]:
    return [_number(part) for part in text.strip("[]").split()]


def _buckets(offset: str, counts: str) -> dict[int, float]:
    return {int(offset) + index: count for index, count in enumerate(_numbers(counts))}
