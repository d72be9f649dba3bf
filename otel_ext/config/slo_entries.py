"""SLOs as they are written in settings: a list of mappings, or of ``Slo`` objects in code.

Stateless parsers used by ``schema``; a bad SLO is left out whole, because half a promise is another promise.
Imports this package and ``otel_ext.model``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from otel_ext.config.kinds import Kind, items_of, label_set
from otel_ext.config.nodes import Node, Rejected, Report, Style
from otel_ext.config.suggest import did_you_mean
from otel_ext.config.units import duration_ms, number
from otel_ext.model.slos import DAY_MS, Slo

__all__ = ["SLO_KEYS", "slo_list"]

# The keys of one SLO, with what is allowed for each; the documentation lists the same.
SLO_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "name": "text of 1 to 128 characters, another for each SLO",
        "objective": 'percent of good events, above 0 and below 100, such as "99.9"',
        "latency": 'a duration with its unit, such as "300ms" or "0.3s"',
        "latency_ms": "a number of milliseconds above 0, such as 300",
        "window": 'whole days from 1d to 90d, such as "30d" or "4w"',
        "window_days": "whole days from 1 to 90, such as 30",
        "match": "a mapping of span attributes to text, such as {http.route: /checkout}",
        "description": "text",
        "labels": "label names (letters, digits and _, not starting with a digit) to text",
    }
)
_ALTERNATIVES = (("latency", "latency_ms"), ("window", "window_days"))
_OBJECTIVE = r"([0-9]{1,3}(?:\.[0-9]{1,15})?)\s*%?"
_ATTRIBUTE = r"\S{1,256}"


def slo_list() -> Kind:
    """A list of SLOs with unique names; inline YAML where lists cannot be written."""

    def parse(node: Node, report: Report) -> tuple[Slo, ...]:
        names: set[str] = set()
        return tuple(items_of(_inline(node, report), lambda item: _unique(item, _slo(item), names), report))

    return Kind(
        type_name="list of SLOs",
        allowed="a list of SLOs, each with name and objective, and optionally latency, window, match, description "
        "and labels",
        parse=parse,
    )


def _inline(node: Node, report: Report) -> Node:
    if node.style is not Style.VARIABLE or not isinstance(node.value, str):
        return node
    from otel_ext.config.yaml_source import YamlDocument  # noqa: PLC0415  (yaml is imported for YAML sources only)

    name = node.where
    document = YamlDocument.parse(node.value, place=lambda _line: name, base=node.base, style=node.style, env=None)
    if isinstance(document, Rejected):
        raise Rejected(node, document.reason)
    found = document.at(())
    for rejected in document.rejected:
        report(rejected)
    return found if found is not None else node.with_value(())


def _unique(node: Node, slo: Slo, names: set[str]) -> Slo:
    if slo.name in names:
        raise Rejected(node, f"has the name {slo.name!r} of an SLO before it", allowed=SLO_KEYS["name"], path=".name")
    names.add(slo.name)
    return slo


def _slo(node: Node) -> Slo:
    if isinstance(node.value, Slo):
        return node.value
    if not isinstance(node.value, dict):
        raise Rejected(node, "is not an SLO (a mapping with name and objective)")
    entry = {key: item for key, item in node.value.items() if not isinstance(item, Node) or item.value is not None}
    problems = _problems_of(node, entry)
    fields: dict[str, Any] = {}
    for key, item in entry.items():
        try:
            fields |= _FIELDS[key](item) if key in _FIELDS else {}
        except Rejected as rejected:
            rejected.path = f".{key}{rejected.path}"
            rejected.allowed = SLO_KEYS[key]
            problems.append(rejected)
    if problems:
        last = problems.pop()
        last.also = tuple(problems)
        raise last
    return Slo(**fields)


def _problems_of(node: Node, entry: Mapping[str, Node]) -> list[Rejected]:
    keys = ", ".join(SLO_KEYS)
    found = [
        Rejected(item, f"is for no key of an SLO{did_you_mean(key, SLO_KEYS)}", allowed=keys, path=f".{key}")
        for key, item in entry.items()
        if key not in SLO_KEYS
    ]
    found += [
        Rejected(entry[other], f"is given together with {key}", allowed=f"{key} or {other}", path=f".{other}")
        for key, other in _ALTERNATIVES
        if key in entry and other in entry
    ]
    found += [
        Rejected(node, f"has no {key}", allowed=SLO_KEYS[key], path=f".{key}")
        for key in ("name", "objective")
        if key not in entry
    ]
    return found


def _name(node: Node) -> dict[str, object]:
    if not isinstance(node.value, str) or not 1 <= len(node.value.strip()) <= 128:
        raise Rejected(node, "is not text of 1 to 128 characters")
    return {"name": node.value.strip()}


def _objective(node: Node) -> dict[str, object]:
    value = node.value
    if isinstance(value, Fraction) and 0 < value < 100:
        return {"objective": value}
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 100:
        value = f"{value:.15g}"
    found = re.fullmatch(_OBJECTIVE, value.strip()) if isinstance(value, str) else None
    if found is None or not 0 < Fraction(found[1]) < 100:
        raise Rejected(node, "is not a percentage above 0 and below 100")
    return {"objective": found[1]}


def _latency(node: Node) -> dict[str, object]:
    found = duration_ms(node.value.strip()) if isinstance(node.value, str) else None
    if not found:
        raise Rejected(node, "is not a duration above 0 with its unit")
    return {"latency_ms": float(found)}


def _latency_ms(node: Node) -> dict[str, object]:
    value = number(node.value.strip()) if isinstance(node.value, str) else node.value
    if isinstance(value, bool) or not isinstance(value, int | float | Fraction) or not 0 < value <= 90 * DAY_MS:
        raise Rejected(node, "is not a number of milliseconds above 0")
    return {"latency_ms": float(value)}


def _window(node: Node) -> dict[str, object]:
    found = duration_ms(node.value.strip()) if isinstance(node.value, str) else None
    return _days(node, found / DAY_MS if found else None)


def _window_days(node: Node) -> dict[str, object]:
    return _days(node, number(node.value.strip()) if isinstance(node.value, str) else node.value)


def _days(node: Node, days: object) -> dict[str, object]:
    if isinstance(days, bool) or not isinstance(days, int | Fraction) or days != int(days) or not 1 <= days <= 90:
        raise Rejected(node, "is not a window of whole days from 1 to 90")
    return {"window_days": int(days)}


def _match(node: Node) -> dict[str, object]:
    return {"match": MappingProxyType(label_set(node, _refuse, names=_ATTRIBUTE))}


def _labels(node: Node) -> dict[str, object]:
    return {"labels": MappingProxyType(label_set(node, _refuse))}


def _description(node: Node) -> dict[str, object]:
    if not isinstance(node.value, str):
        raise Rejected(node, "is not text")
    return {"description": node.value.strip()}


def _refuse(rejected: Rejected) -> None:
    raise rejected


_FIELDS = {
    "name": _name,
    "objective": _objective,
    "latency": _latency,
    "latency_ms": _latency_ms,
    "window": _window,
    "window_days": _window_days,
    "match": _match,
    "description": _description,
    "labels": _labels,
}
