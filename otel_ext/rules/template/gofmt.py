"""Go's text for values: ``%v`` and ``fmt.Sprintf``, so that templates print what Prometheus prints.

Stateless. Imports the float formatting of PromQL.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from otel_ext.promql.formatting import format_float_g

__all__ = ["NO_VALUE", "format_time", "format_value", "go_type", "sprintf"]

NO_VALUE = "<no value>"
_VERB = re.compile(r"%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d+)?)?(.)?", re.DOTALL)


def format_value(value: object) -> str:
    """``%v``: as ``fmt.Print`` and a template action write a value."""
    if value is None:
        return NO_VALUE
    return _format_collection(value) if isinstance(value, Mapping | list | tuple) else _format_scalar(value)


def _format_scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format_float_g(value)
    if isinstance(value, datetime):
        return format_time(value)
    return str(value)


def _format_collection(value: Mapping[str, object] | Sequence[object]) -> str:
    if isinstance(value, Mapping):
        inner = " ".join(f"{format_value(key)}:{format_value(value[key])}" for key in sorted(value))
        return f"map[{inner}]"
    return "[" + " ".join(format_value(item) for item in value) + "]"


def format_time(moment: datetime) -> str:
    """``time.Time.String()`` of a UTC time."""
    moment = moment.astimezone(UTC)
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return f"{moment:%Y-%m-%d %H:%M:%S}{fraction} +0000 UTC"


def go_type(value: object) -> str:
    """``%T`` of the values that occur in templates."""
    if value is None:
        return "<nil>"
    names = ((bool, "bool"), (int, "int"), (float, "float64"), (str, "string"), (datetime, "*time.Time"))
    for kind, name in names:
        if isinstance(value, kind):
            return name
    if isinstance(value, Mapping):
        return "map[string]string"
    return "template.queryResult" if isinstance(value, Sequence) else type(value).__name__


def sprintf(pattern: str, *values: object) -> str:
    """``fmt.Sprintf`` with Go's own notes about bad verbs, missing and extra arguments."""
    arguments = list(values)

    def number(text: str | None) -> int | None:
        if text == "*":
            taken = arguments.pop(0) if arguments else None
            return taken if isinstance(taken, int) else None
        return int(text) if text else None

    def replace(match: re.Match[str]) -> str:
        flags, width_text, precision_text, verb = match.groups()
        width = number(width_text)
        precision = number(precision_text)
        if precision is None and "." in match.group() and verb != ".":
            precision = 0
        if verb is None:
            return "%!(NOVERB)"
        if verb == "%":
            return "%"
        if not arguments:
            return f"%!{verb}(MISSING)"
        return _pad(_verb(verb, flags, precision, arguments.pop(0)), flags, width, verb)

    text = _VERB.sub(replace, pattern)
    if arguments:
        extra = ", ".join(f"{go_type(item)}={_plain(item)}" for item in arguments)
        text += f"%!(EXTRA {extra})"
    return text


def _plain(value: object) -> str:
    return "<nil>" if value is None else format_value(value)


def _pad(text: str, flags: str, width: int | None, verb: str) -> str:
    if width is None or len(text) >= abs(width):
        return text
    if "-" in flags or width < 0:
        return text.ljust(abs(width))
    if "0" in flags and verb not in "sqvT" and text.lstrip("+-")[:1].isdigit():
        sign = text[0] if text[0] in "+-" else ""
        return sign + text[len(sign) :].rjust(width - len(sign), "0")
    return text.rjust(width)


def _verb(verb: str, flags: str, precision: int | None, value: object) -> str:
    if verb in "Tv":
        # %+v asks for field names of structs, not for a sign
        return go_type(value) if verb == "T" else _signed(_plain(value), value, flags.replace("+", ""))
    if isinstance(value, bool):
        return format_value(value) if verb == "t" else _bad(verb, value)
    if isinstance(value, float):
        return _float_verb(verb, flags, precision, value)
    if isinstance(value, int):
        return _int_verb(verb, flags, value)
    return _text_verb(verb, precision, value)


def _bad(verb: str, value: object) -> str:
    if value is None:
        return f"%!{verb}(<nil>)"
    return f"%!{verb}({go_type(value)}={_plain(value)})"


def _signed(text: str, value: object, flags: str) -> str:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    if not numeric or text[:1] in "+-" or text == "NaN":
        return text
    return "+" + text if "+" in flags else " " + text if " " in flags else text


def _float_verb(verb: str, flags: str, precision: int | None, value: float) -> str:
    if verb not in "eEfFgG":
        return _bad(verb, value)
    if not math.isfinite(value):
        text = format_float_g(value)
        return text if "+" in flags or value != math.inf else "+Inf"
    if verb in "gG" and precision is None:
        text = format_float_g(value)
    else:
        text = f"{value:.{6 if precision is None else precision}{verb}}"
    return _signed(text.upper() if verb in "EG" else text, value, flags)


def _int_verb(verb: str, flags: str, value: int) -> str:
    if verb in "dxXob":
        prefix = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}.get(verb, "") if "#" in flags else ""
        return _signed(f"{'-' if value < 0 else ''}{prefix}{abs(value):{verb}}", value, flags)
    if verb == "c":
        return chr(value)
    if verb == "q":
        return f"'{chr(value)}'"
    return f"U+{value:04X}" if verb == "U" else _bad(verb, value)


def _text_verb(verb: str, precision: int | None, value: object) -> str:
    if not isinstance(value, str):
        return _plain(value) if verb == "s" and value is not None else _bad(verb, value)
    if verb == "s":
        return value if precision is None else value[:precision]
    if verb == "q":
        return json.dumps(value, ensure_ascii=False)
    if verb in "xX":
        text = value.encode().hex()
        return text if verb == "x" else text.upper()
    return _bad(verb, value)
