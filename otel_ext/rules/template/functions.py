"""Prometheus's template functions that need neither a query nor a configuration (template/template.go, 3.5).

Stateless. Imports the package's formatting and error, and RE2 for the two regex functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from urllib.parse import quote_plus

from otel_ext.rules.durations import parse_duration_ms
from otel_ext.rules.template.builtins import Struct
from otel_ext.rules.template.gofmt import format_time, format_value, go_type, sprintf
from otel_ext.rules.template.nodes import TemplateError

__all__ = ["FUNCTIONS"]

_LARGE = ("k", "M", "G", "T", "P", "E", "Z", "Y")
_SMALL = ("m", "u", "n", "p", "f", "a", "z", "y")


def _float(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TemplateError(f"can't convert {go_type(value)} to float")
    try:
        return float(value)
    except (ValueError, OverflowError) as error:
        raise TemplateError(f'strconv.ParseFloat: parsing "{value}": invalid syntax') from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TemplateError(f"wrong type for value; expected string; got {go_type(value)}")
    return value


def _four(value: float) -> str:
    return sprintf("%.4g", value)


def _scale(value: float, step: int, prefixes: Sequence[str]) -> str:
    prefix = ""
    for candidate in prefixes:
        if abs(value) < step:
            break
        prefix, value = candidate, value / step
    return _four(value) + prefix


def _scale_down(value: float) -> str:
    prefix = ""
    for candidate in _SMALL:
        if abs(value) >= 1:
            break
        prefix, value = candidate, value * 1000
    return _four(value) + prefix


def _humanize(value: object) -> str:
    number = _float(value)
    if number == 0 or not math.isfinite(number):
        return _four(number)
    return _scale(number, 1000, _LARGE) if abs(number) >= 1 else _scale_down(number)


def _humanize1024(value: object) -> str:
    number = _float(value)
    if abs(number) <= 1 or not math.isfinite(number):
        return _four(number)
    return _scale(number, 1024, [f"{prefix}i" for prefix in _LARGE])


def _humanize_duration(value: object) -> str:
    number = _float(value)
    if not math.isfinite(number):
        return _four(number)
    if number == 0:
        return "0s"
    if abs(number) < 1:
        return _scale_down(number) + "s"
    sign, number = ("-", -number) if number < 0 else ("", number)
    minutes, seconds = divmod(int(number), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    return f"{sign}{minutes}m {seconds}s" if minutes else f"{sign}{_four(number)}s"


def _humanize_percentage(value: object) -> str:
    return _four(_float(value) * 100) + "%"


def _time(number: float) -> datetime:
    if not math.isfinite(number) or abs(number) > 9_223_372_036:
        raise TemplateError(f"{format_value(number)} cannot be represented as a nanoseconds timestamp")
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=math.trunc(number * 1000))


def _humanize_timestamp(value: object) -> str:
    number = _float(value)
    return format_time(_time(number)) if math.isfinite(number) else _four(number)


def _to_time(value: object) -> datetime:
    return _time(_float(value))


def _parse_duration(value: object) -> float:
    try:
        return parse_duration_ms(_text(value)) / 1000
    except ValueError as error:
        raise TemplateError(str(error)) from error


def _title(value: object) -> str:
    text, previous = "", " "
    for character in _text(value):
        inside = previous.isalnum() or previous in "_'"
        text += character if inside else character.title()
        previous = character
    return text


def _upper(value: object) -> str:
    return _text(value).upper()


def _lower(value: object) -> str:
    return _text(value).lower()


def _match(pattern: object, value: object) -> bool:
    return _compiled(_text(pattern)).search(_text(value)) is not None


def _compiled(pattern: str):  # type: ignore[no-untyped-def]  # re2 has no types
    import re2  # noqa: PLC0415 - only two functions need it

    try:
        return re2.compile(pattern)
    except re2.error as error:
        raise TemplateError(f"invalid regular expression {pattern!r}: {error}") from error


def _replace_all(pattern: object, replacement: object, value: object) -> str:
    text, template = _text(value), _text(replacement)
    found, position = "", 0
    for match in _compiled(_text(pattern)).finditer(text):
        found += text[position : match.start()] + _expand(template, match)
        position = match.end()
    return found + text[position:]


def _expand(template: str, match) -> str:  # type: ignore[no-untyped-def]  # re2 has no types
    """Go's ``$1``, ``${1}``, ``${name}``, ``$$``; an unknown group is empty."""
    text, position = "", 0
    while (dollar := template.find("$", position)) >= 0:
        text += template[position:dollar]
        name, position = _group_name(template, dollar)
        if name == "$":
            text += "$"
        elif name.isdigit():
            text += (match.group(int(name)) or "") if int(name) <= match.re.groups else ""
        else:
            text += match.groupdict().get(name) or ""
    return text + template[position:]


def _group_name(template: str, dollar: int) -> tuple[str, int]:
    if template.startswith("$$", dollar):
        return "$", dollar + 2
    braced = template.startswith("${", dollar)
    start = end = dollar + (2 if braced else 1)
    while end < len(template) and (template[end].isalnum() or template[end] == "_"):
        end += 1
    if end == start or (braced and not template.startswith("}", end)):
        return "$", dollar + 1
    return template[start:end], end + (1 if braced else 0)


def _split_host_port(text: str) -> tuple[str, str] | None:
    """Host and port as ``net.SplitHostPort``; ``None`` when there is no port or it is malformed."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        return (host, rest[1:]) if bracket and rest.startswith(":") and ":" not in rest[1:] else None
    host, colon, port = text.rpartition(":")
    return (host, port) if colon and ":" not in host else None


def _strip_port(value: object) -> str:
    parts = _split_host_port(_text(value))
    return _text(value) if parts is None else parts[0]


def _strip_domain(value: object) -> str:
    parts = _split_host_port(_text(value))
    host, port = parts or (_text(value), "")
    try:
        ip_address(host)
    except ValueError:
        short = host.split(".")[0]
        return f"{short}:{port}" if port else short
    return _text(value)


def _first(samples: object) -> object:
    if not isinstance(samples, list) or not samples:
        raise TemplateError("first() called on vector with no elements")
    return samples[0]


def _sample(value: object) -> Struct:
    if not isinstance(value, Struct):
        raise TemplateError(f"wrong type for value; expected a sample; got {go_type(value)}")
    return value


def _labels(sample: object) -> Mapping[str, str]:
    labels = _sample(sample)["Labels"]
    assert isinstance(labels, Mapping)
    return labels


def _label(name: object, sample: object) -> str:
    return str(_labels(sample).get(_text(name), ""))


def _value(sample: object) -> object:
    return _sample(sample)["Value"]


def _strvalue(sample: object) -> str:
    return str(_labels(sample).get("__value__", ""))


def _sort_by_label(name: object, samples: object) -> list[object]:
    if not isinstance(samples, list):
        raise TemplateError(f"wrong type for value; expected a query result; got {go_type(samples)}")
    return sorted(samples, key=lambda sample: _label(name, sample))


def _args(*values: object) -> dict[str, object]:
    return {f"arg{index}": value for index, value in enumerate(values)}


def _graph_link(expression: object) -> str:
    return f"/graph?g0.expr={quote_plus(_text(expression))}&g0.tab=0"


def _table_link(expression: object) -> str:
    return f"/graph?g0.expr={quote_plus(_text(expression))}&g0.tab=1"


FUNCTIONS: Mapping[str, Callable[..., object]] = {
    "args": _args,
    "first": _first,
    "graphLink": _graph_link,
    "humanize": _humanize,
    "humanize1024": _humanize1024,
    "humanizeDuration": _humanize_duration,
    "humanizePercentage": _humanize_percentage,
    "humanizeTimestamp": _humanize_timestamp,
    "label": _label,
    "match": _match,
    "parseDuration": _parse_duration,
    "reReplaceAll": _replace_all,
    "safeHtml": _text,
    "sortByLabel": _sort_by_label,
    "stripDomain": _strip_domain,
    "stripPort": _strip_port,
    "strvalue": _strvalue,
    "tableLink": _table_link,
    "title": _title,
    "toLower": _lower,
    "toTime": _to_time,
    "toUpper": _upper,
    "value": _value,
}
