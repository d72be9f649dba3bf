"""Where an expression gets its data: its selectors, and the calls that read ranges of them.

Stateless. Imports the expression tree of PromQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from otel_ext.promql.nodes import Call, Expr, MatrixSelector, VectorSelector

__all__ = ["selectors_of", "sources_of"]


def selectors_of(node: object) -> Iterator[VectorSelector]:
    """Every selector of an expression, also those under a range, in the order they are written."""
    if isinstance(node, VectorSelector):
        yield node
    else:
        yield from (found for child in _children(node) for found in selectors_of(child))


def sources_of(node: object) -> Iterator[Expr]:
    """Instant-vector expressions that yield an element for each series with enough data.

    A selector is one; of a range selector it is the call around it, since ``rate`` needs two samples in the range.
    """
    if isinstance(node, VectorSelector):
        yield node
    elif isinstance(node, MatrixSelector):
        yield Call(function="last_over_time", args=(node,))
    elif isinstance(node, Call) and node.function != "absent_over_time" and _reads_range(node):
        yield node
    else:
        yield from (found for child in _children(node) for found in sources_of(child))


def _reads_range(call: Call) -> bool:
    return any(isinstance(argument, MatrixSelector) for argument in call.args)


def _children(node: object) -> Iterator[object]:
    if isinstance(node, tuple):
        yield from node
    elif is_dataclass(node) and not isinstance(node, type):
        yield from (getattr(node, field.name) for field in fields(node))
