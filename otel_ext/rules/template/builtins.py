"""The functions every Go template has: comparison, length, indexing, printing, escaping.

Stateless. Imports the package's formatting and error.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote_plus

from otel_ext.rules.template.gofmt import format_value, go_type, sprintf
from otel_ext.rules.template.nodes import TemplateError

__all__ = ["BUILTINS", "SHORT_CIRCUIT", "StringMap", "Struct", "truth"]

SHORT_CIRCUIT = frozenset({"and", "or"})
"""Evaluated by the interpreter, which stops at the deciding argument."""


class StringMap(dict[str, str]):
    """``map[string]string``: a missing key is an empty string."""


class Struct(dict[str, object]):
    """A Go struct: a missing field is an error."""


def truth(value: object) -> bool:
    """Whether Go's templates take a value as true: not the zero of its type, not empty."""
    if isinstance(value, Struct):
        return True
    return bool(value) or (isinstance(value, float) and value != 0)


def _kind(value: object) -> str:
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "bool"
    for kind, name in ((int, "int"), (float, "float"), (str, "string")):
        if isinstance(value, kind):
            return name
    return "other"


def _eq(first: object, *others: object) -> bool:
    if not others:
        raise TemplateError("missing argument for comparison")
    for other in others:
        kinds = {_kind(first), _kind(other)}
        if "other" in kinds:
            raise TemplateError("non-comparable type for comparison")
        if len(kinds) > 1 and "nil" not in kinds:
            raise TemplateError("incompatible types for comparison")
        if first == other:
            return True
    return False


def _ne(first: object, second: object) -> bool:
    return not _eq(first, second)


def _lt(first: object, second: object) -> bool:
    if _kind(first) != _kind(second):
        raise TemplateError("incompatible types for comparison")
    if isinstance(first, bool) or not isinstance(first, int | float | str):
        raise TemplateError("invalid type for comparison")
    return bool(first < second)  # type: ignore[operator]  # the kinds are equal and ordered


def _le(first: object, second: object) -> bool:
    return _lt(first, second) or _eq(first, second)


def _gt(first: object, second: object) -> bool:
    return not _le(first, second)


def _ge(first: object, second: object) -> bool:
    return not _lt(first, second)


def _len(value: object) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, Mapping | Sequence) and not isinstance(value, Struct):
        return len(value)
    raise TemplateError(f"len of type {go_type(value)}")


def _index(value: object, *keys: object) -> object:
    for key in keys:
        value = _index_one(value, key)
    return value


def _index_one(value: object, key: object) -> object:
    if value is None:
        raise TemplateError("index of untyped nil")
    if isinstance(value, StringMap):
        return value.get(_string(key), "")
    if isinstance(value, Mapping):
        return value.get(key)
    if isinstance(value, str | Sequence):
        items: Sequence[object] = value.encode() if isinstance(value, str) else value
        if not isinstance(key, int) or isinstance(key, bool):
            raise TemplateError(f"cannot index slice/array with type {go_type(key)}")
        if not 0 <= key < len(items):
            raise TemplateError(f"index out of range: {key}")
        return items[key]
    raise TemplateError(f"can't index item of type {go_type(value)}")


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TemplateError(f"value has type {go_type(value)}; should be string")
    return value


def _slice(value: object, *bounds: object) -> object:
    if not isinstance(value, str | Sequence):
        raise TemplateError(f"can't slice item of type {go_type(value)}")
    numbers = [bound for bound in bounds if isinstance(bound, int)]
    ends = [*numbers, *([len(value)] if len(numbers) == 1 else [])]
    if len(numbers) != len(bounds) or any(not 0 <= bound <= len(value) for bound in ends) or sorted(ends) != ends:
        raise TemplateError(f"index out of range: {list(bounds)!r}")
    return value[slice(*ends[:2])] if ends else value


def _print(*values: object) -> str:
    """``fmt.Sprint``: a space between operands when neither is a string."""
    text = ""
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            text += " "
        text += "<nil>" if value is None else format_value(value)
    return text


def _println(*values: object) -> str:
    return " ".join("<nil>" if value is None else format_value(value) for value in values) + "\n"


def _printf(pattern: object, *values: object) -> str:
    return sprintf(_string(pattern), *values)


def _html(*values: object) -> str:
    escaped = html.escape(_print(*values), quote=False)
    return escaped.replace('"', "&#34;").replace("'", "&#39;")


_JS = {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D"}


def _js(*values: object) -> str:
    return "".join(_JS.get(c, c if c >= " " else f"\\u{ord(c):04X}") for c in _print(*values))


def _urlquery(*values: object) -> str:
    return quote_plus(_print(*values))


def _not(value: object) -> bool:
    return not truth(value)


BUILTINS: Mapping[str, Callable[..., object]] = {
    "eq": _eq,
    "ge": _ge,
    "gt": _gt,
    "html": _html,
    "index": _index,
    "js": _js,
    "le": _le,
    "len": _len,
    "lt": _lt,
    "ne": _ne,
    "not": _not,
    "print": _print,
    "printf": _printf,
    "println": _println,
    "slice": _slice,
    "urlquery": _urlquery,
}
