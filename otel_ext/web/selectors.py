"""Expressions in request parameters: checked before they are evaluated, and taken apart into series selectors.

Pure functions over promql's cached parser. Imports promql, errors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from otel_ext.errors import QueryError
from otel_ext.promql.nodes import VectorSelector
from otel_ext.promql.parser import parse
from otel_ext.storage.metrics.matchers import Matcher
from otel_ext.web.parameters import BadParameterError

__all__ = ["check_query", "matchers_of", "selectors_of"]


def check_query(expr: str) -> str:
    """The expression, which can be parsed; what happens at evaluation is another kind of error (422, not 400)."""
    _parse("query", expr)
    return expr


def matchers_of(text: str) -> tuple[Matcher, ...]:
    """The matchers of one series selector, as ``match[]`` takes it."""
    node = _parse("match[]", text)
    if not isinstance(node, VectorSelector) or node.offset_ms or node.at is not None:
        raise BadParameterError(
            f'invalid parameter "match[]": {text[:200]!r} is not a series selector, for example up{{job="shop"}}'
        )
    return node.matchers


def selectors_of(expr: str) -> list[tuple[Matcher, ...]]:
    """The matchers of every selector in an expression, each once, in the order written."""
    return list(dict.fromkeys(selector.matchers for selector in _walk(_parse("query", expr))))


def _parse(parameter: str, text: str) -> object:
    try:
        return parse(text)
    except QueryError as error:
        raise BadParameterError(f'invalid parameter "{parameter}": {error}') from None


def _walk(node: object) -> Iterator[VectorSelector]:
    if isinstance(node, VectorSelector):
        yield node
    elif isinstance(node, tuple):
        for item in node:
            yield from _walk(item)
    elif dataclasses.is_dataclass(node) and not isinstance(node, type):
        for field in dataclasses.fields(node):
            yield from _walk(getattr(node, field.name))
