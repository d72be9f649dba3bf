"""The kinds of values a setting can have: how each is read from a node, and what people are told is allowed.

Stateless; every parser takes a node and a report for dropped list items, returns the value the engines use, and raises
``Rejected`` when nothing usable is left. Imports the standard library and this package.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from otel_ext.config.nodes import Node, Rejected, Report, Style
from otel_ext.config.units import duration_ms, number, size_bytes
from otel_ext.model.labels import Labels

__all__ = [
    "Kind",
    "auto_flag",
    "decimal",
    "directory",
    "duration",
    "flag",
    "host",
    "items_of",
    "label_set",
    "labels",
    "rule_paths",
    "size",
    "split_text",
    "text",
    "urls",
    "whole",
]

Item = TypeVar("Item")
Real = int | float | Fraction
Parse = Callable[[Node, Report], object]

_FLAGS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
# Patterns are compiled where they are first used (re keeps them): the import stays cheap.
_LABEL_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_CONTROL = r"[\x00-\x1f\x7f]"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Kind:
    """One kind of value: its name in the documentation, what is allowed in words, and the parser."""

    type_name: str
    allowed: str
    parse: Parse


def flag() -> Kind:
    """A switch: a boolean, or ``true false yes no on off 1 0`` as text."""

    def parse(node: Node, _report: Report) -> bool:
        found = node.value if isinstance(node.value, bool) else _FLAGS.get(str(_text(node)).lower())
        if found is None:
            raise Rejected(node, "is neither true nor false")
        return found

    return Kind(type_name="boolean", allowed="true or false", parse=parse)


def auto_flag() -> Kind:
    """A switch that may also be left to circumstances: ``"auto"``."""

    def parse(node: Node, _report: Report) -> bool | str:
        if isinstance(node.value, bool):
            return node.value
        word = str(_text(node)).lower()
        if word != "auto" and word not in _FLAGS:
            raise Rejected(node, "is neither auto, true nor false")
        return word if word == "auto" else _FLAGS[word]

    return Kind(type_name="`auto` or boolean", allowed="auto, true or false", parse=parse)


def whole(low: int, high: int, *, note: str = "") -> Kind:
    """A whole number between two bounds, both included."""

    def parse(node: Node, _report: Report) -> int:
        found = node.value
        if isinstance(found, str) and re.fullmatch(r"[+-]?[0-9]{1,30}", found):
            found = int(found)
        if isinstance(found, bool) or not isinstance(found, int):
            raise Rejected(node, "is not a whole number")
        return int(_bounded(node, found, low, high))

    return Kind(type_name="whole number", allowed=f"a whole number from {low} to {high}{note}", parse=parse)


def decimal(low: float, high: float) -> Kind:
    """A finite number between two bounds, both included."""

    def parse(node: Node, _report: Report) -> float:
        exact = number(node.value) if isinstance(node.value, str) else None
        found = node.value if exact is None else float(exact)
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise Rejected(node, "is not a number")
        if isinstance(found, float) and not math.isfinite(found):  # a large int cannot be asked: it may overflow
            raise Rejected(node, "is not a number")
        return float(_bounded(node, found, low, high))

    return Kind(type_name="number", allowed=f"a number from {low:g} to {high:g}", parse=parse)


def duration(low: str, high: str) -> Kind:
    """A duration between two bounds; plain numbers are seconds. The value is in whole milliseconds."""

    def parse(node: Node, _report: Report) -> int:
        low_ms, high_ms = _required(duration_ms(low)), _required(duration_ms(high))
        found = _quantity(node, duration_ms, plain_unit=1000, what="a duration")
        return round(_bounded(node, found, low_ms, high_ms))

    allowed = f"a duration from {low} to {high}, such as 500ms, 1s, 5m or 1h30m, or a number of seconds"
    return Kind(type_name="duration", allowed=allowed, parse=parse)


def size(low: str, high: str) -> Kind:
    """A size in bytes between two bounds."""

    def parse(node: Node, _report: Report) -> int:
        low_bytes, high_bytes = _required(size_bytes(low)), _required(size_bytes(high))
        found = _quantity(node, size_bytes, plain_unit=1, what="a size")
        return round(_bounded(node, found, low_bytes, high_bytes))

    return Kind(
        type_name="size",
        allowed=f"a size from {low} to {high}, such as 64MiB or 16MB, or a number of bytes",
        parse=parse,
    )


def text(*, longest: int) -> Kind:
    """A line of text."""

    def parse(node: Node, _report: Report) -> str:
        found = _text(node)
        if not found or len(found) > longest or re.search(_CONTROL, found):
            raise Rejected(node, f"is not one line of text with 1 to {longest} characters")
        return found

    return Kind(type_name="text", allowed=f"text of 1 to {longest} characters on one line", parse=parse)


def host() -> Kind:
    """A host name or an IP address to listen on, without scheme and port."""

    def parse(node: Node, _report: Report) -> str:
        found = _text(node) or ""
        if re.fullmatch(r"[A-Za-z0-9._-]{1,253}", found) or _is_ip6(found):
            return found
        raise Rejected(node, "is neither a host name nor an IP address")

    return Kind(type_name="text", allowed="a host name or an IP address, without scheme and port", parse=parse)


def urls() -> Kind:
    """Absolute http or https URLs, comma-separated where lists cannot be written."""

    def parse(node: Node, report: Report) -> tuple[str, ...]:
        return tuple(items_of(split_text(node, ","), _url, report))

    return Kind(
        type_name="list of URLs",
        allowed="absolute URLs that start with http:// or https:// and name a host",
        parse=parse,
    )


def labels() -> Kind:
    """Label names to values; ``team=shop,tier=1`` where mappings cannot be written."""

    def parse(node: Node, report: Report) -> Labels:
        return Labels(label_set(_pairs(node), report))

    return Kind(
        type_name="mapping of text to text",
        allowed="label names (letters, digits and _, not starting with a digit) to text",
        parse=parse,
    )


def rule_paths() -> Kind:
    """Existing files; patterns are expanded, relative ones start where the setting is written."""

    def parse(node: Node, report: Report) -> tuple[Path, ...]:
        found = items_of(split_text(node, f",{os.pathsep}"), _matching_files, report)
        return tuple(dict.fromkeys(path for paths in found for path in paths))

    return Kind(
        type_name="list of paths",
        allowed="existing Prometheus rule files or glob patterns that match some, relative to the file that names them "
        "(to the working directory in arguments and variables)",
        parse=parse,
    )


def directory() -> Kind:
    """A directory, created when it is first needed."""

    def parse(node: Node, _report: Report) -> Path:
        found = _path(node)
        if os.path.isfile(found):  # never raises, unlike Path.is_file
            raise Rejected(node, "is a file, not a directory")
        return found

    return Kind(type_name="path", allowed="the path of a directory; it is created when missing", parse=parse)


def items_of(node: Node, parse: Callable[[Node], Item], report: Report) -> list[Item]:
    """Each item of a list parsed; bad ones are reported and left out.

    Raises:
        Rejected: ``node`` is no list, or not one of its items is usable.
    """
    if not isinstance(node.value, tuple):
        raise Rejected(node, "is not a list")
    good: list[Item] = []
    bad: list[Rejected] = []
    for index, item in enumerate(node.value):
        try:
            good.append(parse(item))
        except Rejected as rejected:
            for each in (*rejected.also, rejected):
                each.path = f"[{index}]{each.path}"
                bad.append(each)
    _report_all(bad, report, nothing_left=not good)
    return good


def label_set(node: Node, report: Report, *, names: str = _LABEL_NAME) -> dict[str, str]:
    """Text to text; a whole number as a value is taken as its text, bad pairs are reported and left out.

    Raises:
        Rejected: ``node`` is no mapping, or not one of its pairs is usable.
    """
    if not isinstance(node.value, dict):
        raise Rejected(node, "is not a mapping of text to text")
    good: dict[str, str] = {}
    bad: list[Rejected] = []
    for name, item in node.value.items():
        found = str(item.value) if type(item.value) is int and abs(item.value) < 10**30 else item.value
        if not re.fullmatch(names, name):
            bad.append(Rejected(item, "has a name that is not allowed", path=f".{name}"))
        elif not isinstance(found, str) or not found:
            bad.append(Rejected(item, "is not text; put it in quotes", path=f".{name}"))
        else:
            good[name] = found
    _report_all(bad, report, nothing_left=not good)
    return good


def split_text(node: Node, separators: str) -> Node:
    """A single text as a list: split at ``separators`` in a variable, a list of one in the other sources."""
    if isinstance(node.value, str | Path):
        whole_text = str(node.value)
        in_variable = node.style is Style.VARIABLE
        parts = re.split(f"[{re.escape(separators)}]", whole_text) if in_variable else [whole_text]
        kept = [part.strip() for part in parts if part.strip() or not in_variable]
        return node.with_value(tuple(node.with_value(part) for part in kept))
    return node


def _report_all(bad: list[Rejected], report: Report, *, nothing_left: bool) -> None:
    last = bad.pop() if bad and nothing_left else None
    for rejected in bad:
        report(rejected)
    if last is not None:
        raise last


def _pairs(node: Node) -> Node:
    """``name=value,name=value`` as a mapping, in a variable."""
    if node.style is not Style.VARIABLE or not isinstance(node.value, str):
        return node
    found: dict[str, Node] = {}
    for part in filter(None, (part.strip() for part in node.value.split(","))):
        name, separator, value = part.partition("=")
        if not separator:
            raise Rejected(node, "is not a list of name=value, separated by commas")
        found[name.strip()] = node.with_value(value.strip())
    return node.with_value(found)


def _url(node: Node) -> str:
    from urllib.parse import urlsplit  # noqa: PLC0415  (the import of this package stays cheap)

    found = node.value if isinstance(node.value, str) else ""
    if re.search(r"\s", found) or re.search(_CONTROL, found):
        raise Rejected(node, "contains white space")
    try:
        parts = urlsplit(found)
        complete = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        complete = False
    if not complete:
        raise Rejected(node, "is not an absolute http or https URL")
    return found


def _matching_files(node: Node) -> list[Path]:
    found = _path(node)
    if os.path.isfile(found):  # never raises, unlike Path.is_file
        return [found]
    pattern = os.path.expanduser(str(node.value))
    if not re.search(r"[*?\[]", pattern):
        raise Rejected(node, f"is not an existing file ({found})")
    from glob import glob  # noqa: PLC0415

    matches = sorted(node.base / match for match in glob(pattern, root_dir=node.base, recursive=True))
    matches = [match for match in matches if os.path.isfile(match)]
    if not matches:
        raise Rejected(node, f"is a pattern that matches no file ({found})")
    return matches


def _path(node: Node) -> Path:
    found = os.fspath(node.value) if isinstance(node.value, str | Path) else ""
    if not found.strip() or re.search(_CONTROL, found):
        raise Rejected(node, "is not a path")
    return Path(os.path.normpath(node.base / os.path.expanduser(found)))


def _text(node: Node) -> str | None:
    return node.value.strip() if isinstance(node.value, str) else None


def _quantity(node: Node, read: Callable[[str], Fraction | None], *, plain_unit: int, what: str) -> Fraction | int:
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Rejected(node, f"is not {what}")
    if isinstance(value, int):
        return value * plain_unit
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Rejected(node, f"is not {what}")
        return Fraction(str(value)) * plain_unit
    plain = number(value.strip())
    found = read(value.strip()) if plain is None else plain * plain_unit
    if found is None:
        raise Rejected(node, f"is not {what}")
    return found


def _bounded(node: Node, found: Real, low: Real, high: Real) -> Real:
    if found < low:
        raise Rejected(node, "is too small")
    if found > high:
        raise Rejected(node, "is too large")
    return found


def _required(found: Fraction | None) -> Fraction:
    assert found is not None, "bounds in the schema are written correctly"
    return found


def _is_ip6(found: str) -> bool:
    if ":" not in found:
        return False
    from ipaddress import AddressValueError, IPv6Address  # noqa: PLC0415

    try:
        IPv6Address(found)
    except AddressValueError:
        return False
    return True
