"""An expression with every selector pinned to one instant by ``@``, for the re-runs of promqltest scripts.

Pure functions on the tree.
"""

from __future__ import annotations

from dataclasses import replace

from otel_ext.promql.nodes import (
    AggregateExpr,
    At,
    BinaryExpr,
    Call,
    Expr,
    MatrixSelector,
    ParenExpr,
    SubqueryExpr,
    UnaryExpr,
    VectorSelector,
)

__all__ = ["pinned"]

_TIME_DEPENDENT = frozenset(
    {
        "day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "info", "minute", "month",
        "predict_linear",
        "time", "timestamp", "year",
    }
)  # fmt: skip


def pinned(expr: Expr, ts_ms: int) -> Expr | None:
    """The expression at ``ts_ms`` whatever the evaluation time; None where a function depends on that time.

    Selectors inside a subquery follow the pinned subquery and stay as they are.
    """
    try:
        return _pinned(expr, At(anchor="ts", ts_ms=ts_ms))
    except _TimeDependentError:
        return None


class _TimeDependentError(Exception):
    pass


def _check(expr: Expr) -> None:
    """Refuse time-dependent functions anywhere, also within subqueries."""
    match expr:
        case Call():
            if expr.function in _TIME_DEPENDENT:
                raise _TimeDependentError
            for arg in expr.args:
                _check(arg)
        case AggregateExpr():
            _check(expr.expr)
            if expr.param is not None:
                _check(expr.param)
        case BinaryExpr():
            _check(expr.lhs)
            _check(expr.rhs)
        case ParenExpr() | UnaryExpr() | SubqueryExpr():
            _check(expr.expr)


def _kept(own: At | None, at: At) -> At:
    """A selector's own instant stays; ``start()`` and ``end()`` are the evaluation time."""
    return own if own is not None and own.anchor == "ts" else at


def _pinned(expr: Expr, at: At) -> Expr:  # noqa: PLR0911  one return a node type
    match expr:
        case VectorSelector():
            return replace(expr, at=_kept(expr.at, at))
        case MatrixSelector():
            return replace(expr, selector=replace(expr.selector, at=_kept(expr.selector.at, at)))
        case SubqueryExpr():
            _check(expr.expr)
            return replace(expr, at=_kept(expr.at, at))
        case Call():
            _check(expr)
            return replace(expr, args=tuple(_pinned(arg, at) for arg in expr.args))
        case AggregateExpr():
            param = None if expr.param is None else _pinned(expr.param, at)
            return replace(expr, expr=_pinned(expr.expr, at), param=param)
        case BinaryExpr():
            return replace(expr, lhs=_pinned(expr.lhs, at), rhs=_pinned(expr.rhs, at))
        case ParenExpr() | UnaryExpr():
            return replace(expr, expr=_pinned(expr.expr, at))
    return expr
