"""Parse PromQL with promql-parser and convert the tree once into our own nodes; results are cached by source text.

The parser is a native extension with known traps: panics that are not Exceptions, silent timedelta overflow, dialect
extensions and functions newer than our reference (Prometheus 3.5). Each is refused here with the expression named.
Thread-safe: pure functions and an lru_cache.
"""

from __future__ import annotations

import datetime
import functools
import re
from typing import Any

import promql_parser

from otel_ext.errors import QueryError
from otel_ext.model.labels import METRIC_NAME
from otel_ext.promql.complexity import check_complexity
from otel_ext.promql.durations import fold_durations
from otel_ext.promql.go_strings import bytes_marked, bytes_restored
from otel_ext.promql.nodes import (
    AggregateExpr,
    At,
    BinaryExpr,
    Call,
    Cardinality,
    Expr,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    StringLiteral,
    SubqueryExpr,
    UnaryExpr,
    ValueType,
    VectorMatching,
    VectorSelector,
    unwrap_parens,
    value_type,
)
from otel_ext.promql.signatures import SIGNATURES
from otel_ext.storage.metrics.matchers import Matcher, MatchType

__all__ = ["parse"]

_MATCH_TYPES = {
    "MatchOp.Equal": MatchType.EQUAL,
    "MatchOp.NotEqual": MatchType.NOT_EQUAL,
    "MatchOp.Re": MatchType.REGEX,
    "MatchOp.NotRe": MatchType.NOT_REGEX,
}
_CARDINALITIES = {
    "VectorMatchCardinality.OneToOne": Cardinality.ONE_TO_ONE,
    "VectorMatchCardinality.ManyToOne": Cardinality.MANY_TO_ONE,
    "VectorMatchCardinality.OneToMany": Cardinality.ONE_TO_MANY,
    "VectorMatchCardinality.ManyToMany": Cardinality.MANY_TO_MANY,
}
_COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
_SET_OPERATORS = frozenset({"and", "or", "unless"})
_NEGATIVE_AT = re.compile(r"@\s*-")
_DURATION_EXPRESSION = re.compile(r"\[[^\]\"'`]*[-+*/^%(][^\]]*\]|offset\s*[-+]?\s*\(|\b(?:step|range)\(\)")


@functools.lru_cache(maxsize=4096)
def parse(expr: str) -> Expr:
    """The checked tree of a PromQL expression; QueryError names the expression and the cause."""
    check_complexity(expr)
    try:
        parsed = promql_parser.parse(bytes_marked(fold_durations(expr)))
        converted = _Converter(expr).convert(parsed)
    except QueryError as error:
        text = str(error)
        raise QueryError(text if text.startswith("cannot parse") else _message(expr, text)) from error
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001  the extension's panics do not derive from Exception
        raise QueryError(_message(expr, str(error))) from None
    return converted


def _message(expr: str, cause: str) -> str:
    if _DURATION_EXPRESSION.search(expr):
        cause = f"this duration expression is unsupported; write one duration, like [5m], or arithmetic ({cause})"
    return f"cannot parse {expr!r}: {cause}"


class _Converter:
    """Converts one parser tree; knows the source text for its messages."""

    def __init__(self, source: str) -> None:
        self._source = source

    def convert(self, node: Any) -> Expr:
        convert = getattr(self, f"_{type(node).__name__}", None)
        if convert is None:
            raise self._error(f"{type(node).__name__} is not supported")
        converted: Expr = convert(node)
        return converted

    def _error(self, cause: str) -> QueryError:
        return QueryError(_message(self._source, cause))

    def _NumberLiteral(self, node: Any) -> Expr:  # noqa: N802
        return NumberLiteral(value=float(node.val))

    def _StringLiteral(self, node: Any) -> Expr:  # noqa: N802
        return StringLiteral(value=bytes_restored(node.val))

    def _ParenExpr(self, node: Any) -> Expr:  # noqa: N802
        return ParenExpr(expr=self.convert(node.expr))

    def _UnaryExpr(self, node: Any) -> Expr:  # noqa: N802
        return UnaryExpr(expr=self.convert(node.expr))

    def _VectorSelector(self, node: Any) -> VectorSelector:  # noqa: N802
        if node.matchers.or_matchers:
            raise self._error("'or' between matchers is not PromQL; use a regular expression: {job=~\"api|web\"}")
        matchers = [
            Matcher(_MATCH_TYPES[str(m.op)], bytes_restored(m.name), bytes_restored(m.value))
            for m in node.matchers.matchers
        ]
        name = bytes_restored(node.name or "")
        if name:
            matchers.insert(0, Matcher(MatchType.EQUAL, METRIC_NAME, name))
        else:
            exact = (m.value for m in matchers if m.name == METRIC_NAME and m.type is MatchType.EQUAL)
            name = next(exact, "")
        if all(matcher.matches("") for matcher in matchers):
            raise self._error('a selector needs a matcher that does not match the empty string, like {job="api"}')
        return VectorSelector(
            name=name, matchers=tuple(matchers), offset_ms=self._offset(node.offset), at=self._at(node.at)
        )

    def _MatrixSelector(self, node: Any) -> MatrixSelector:  # noqa: N802
        return MatrixSelector(
            selector=self._VectorSelector(node.vector_selector), range_ms=self._milliseconds(node.range)
        )

    def _SubqueryExpr(self, node: Any) -> SubqueryExpr:  # noqa: N802
        inner = self.convert(node.expr)
        if value_type(inner) is not ValueType.VECTOR and value_type(inner) is not ValueType.SCALAR:
            raise self._error("a subquery needs an instant vector inside")
        return SubqueryExpr(
            expr=inner,
            range_ms=self._milliseconds(node.range),
            step_ms=None if node.step is None else self._milliseconds(node.step),
            offset_ms=self._offset(node.offset),
            at=self._at(node.at),
        )

    def _Call(self, node: Any) -> Call:  # noqa: N802
        name = node.func.name
        if name not in SIGNATURES:
            raise self._error(f"unknown function {name!r} (functions of Prometheus 3.5 are supported)")
        args = tuple(self.convert(arg) for arg in node.args)
        if name == "info" and len(args) > 1 and not isinstance(unwrap_parens(args[1]), VectorSelector):
            raise self._error('the second argument of info() must be a selector of labels, like {data=~".+"}')
        return Call(function=name, args=args)

    def _AggregateExpr(self, node: Any) -> AggregateExpr:  # noqa: N802
        modifier = node.modifier
        return AggregateExpr(
            op=str(node.op),
            expr=self.convert(node.expr),
            param=None if node.param is None else self.convert(node.param),
            grouping=() if modifier is None else tuple(modifier.labels),
            without=modifier is not None and str(modifier.type) == "AggModifierType.Without",
        )

    def _BinaryExpr(self, node: Any) -> BinaryExpr:  # noqa: N802
        op = str(node.op)
        modifier = node.modifier
        matching = VectorMatching(card=Cardinality.MANY_TO_MANY if op in _SET_OPERATORS else Cardinality.ONE_TO_ONE)
        if modifier is not None:
            matching = self._matching(modifier)
        lhs, rhs = self.convert(node.lhs), self.convert(node.rhs)
        return BinaryExpr(
            op=op,
            lhs=lhs,
            rhs=rhs,
            matching=matching,
            return_bool=modifier is not None and bool(modifier.return_bool) and op in _COMPARISONS,
        )

    def _matching(self, modifier: Any) -> VectorMatching:
        fill = modifier.fill_values
        if fill is not None and (fill.lhs is not None or fill.rhs is not None):
            raise self._error("fill modifiers are newer than Prometheus 3.5 and unsupported")
        labels = modifier.matching
        return VectorMatching(
            card=_CARDINALITIES[str(modifier.card)],
            labels=() if labels is None else tuple(labels.labels),
            on=labels is not None and str(labels.type) == "LabelModifierType.Include",
            include=tuple(modifier.group_labels or ()),
        )

    def _milliseconds(self, duration: datetime.timedelta | None) -> int:
        if duration is None:
            raise self._error("a duration is out of range; the longest Prometheus knows is about 292 years")
        return duration // datetime.timedelta(milliseconds=1)

    def _offset(self, duration: datetime.timedelta | None) -> int:
        return 0 if duration is None else self._milliseconds(duration)

    def _at(self, at: Any) -> At | None:
        """Read from its text: the attribute panics for times before 1970 and overflows beyond the year 9999."""
        if at is None:
            return None
        text = str(at).removeprefix("@").strip()
        if text in ("start()", "end()"):
            return At(anchor=text[:-2])
        if float(text) == 0 and _NEGATIVE_AT.search(self._source):
            raise self._error("a negative @ time is unsupported")
        return At(anchor="ts", ts_ms=round(float(text) * 1000))
