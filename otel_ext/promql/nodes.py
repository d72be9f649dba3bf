"""The expression tree the evaluator walks: frozen nodes, converted once from the parser's and cached.

Values; imports the store's Matcher only.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from otel_ext.storage.metrics.matchers import Matcher

__all__ = [
    "AggregateExpr",
    "At",
    "BinaryExpr",
    "Call",
    "Cardinality",
    "Expr",
    "MatrixSelector",
    "NumberLiteral",
    "ParenExpr",
    "StringLiteral",
    "SubqueryExpr",
    "UnaryExpr",
    "ValueType",
    "VectorMatching",
    "VectorSelector",
    "unwrap_parens",
    "value_type",
]


class ValueType(enum.Enum):
    """Types of PromQL expressions."""

    SCALAR = "scalar"
    VECTOR = "instant vector"
    MATRIX = "range vector"
    STRING = "string"


@dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """The ``@`` modifier: ``start()``, ``end()`` or Unix milliseconds."""

    anchor: str  # "start", "end" or "ts"
    ts_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberLiteral:
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StringLiteral:
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorSelector:
    """``name{matchers} offset o @ t``; ``matchers`` include the one on ``__name__``."""

    name: str
    matchers: tuple[Matcher, ...]
    offset_ms: int = 0
    at: At | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixSelector:
    """``selector[range]``; offset and ``@`` are those of the selector."""

    selector: VectorSelector
    range_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SubqueryExpr:
    """``expr[range:step]``; ``step_ms`` None takes the engine's default."""

    expr: Expr
    range_ms: int
    step_ms: int | None
    offset_ms: int = 0
    at: At | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    function: str
    args: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateExpr:
    """``op by|without (grouping) (param, expr)``."""

    op: str
    expr: Expr
    param: Expr | None
    grouping: tuple[str, ...]
    without: bool


class Cardinality(enum.Enum):
    """How many series of each side may match."""

    ONE_TO_ONE = "one-to-one"
    MANY_TO_ONE = "many-to-one"
    ONE_TO_MANY = "one-to-many"
    MANY_TO_MANY = "many-to-many"


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorMatching:
    """``on``/``ignoring`` labels, ``group_left``/``group_right`` labels."""

    card: Cardinality = Cardinality.ONE_TO_ONE
    labels: tuple[str, ...] = ()
    on: bool = False
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryExpr:
    op: str
    lhs: Expr
    rhs: Expr
    matching: VectorMatching
    return_bool: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UnaryExpr:
    """``-expr`` (a unary plus disappears at parsing)."""

    expr: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class ParenExpr:
    expr: Expr


Expr = (
    NumberLiteral
    | StringLiteral
    | VectorSelector
    | MatrixSelector
    | SubqueryExpr
    | Call
    | AggregateExpr
    | BinaryExpr
    | UnaryExpr
    | ParenExpr
)

_SCALAR_FUNCTIONS = frozenset({"pi", "scalar", "time"})


def unwrap_parens(expr: Expr) -> Expr:
    """The expression inside any number of parentheses."""
    while isinstance(expr, ParenExpr):
        expr = expr.expr
    return expr


def value_type(expr: Expr) -> ValueType:  # noqa: PLR0911  one return a node type
    """The type an expression evaluates to."""
    match expr:
        case NumberLiteral():
            return ValueType.SCALAR
        case StringLiteral():
            return ValueType.STRING
        case MatrixSelector() | SubqueryExpr():
            return ValueType.MATRIX
        case ParenExpr() | UnaryExpr():
            return value_type(expr.expr)
        case Call():
            return ValueType.SCALAR if expr.function in _SCALAR_FUNCTIONS else ValueType.VECTOR
        case BinaryExpr():
            sides = {value_type(expr.lhs), value_type(expr.rhs)}
            return ValueType.SCALAR if sides == {ValueType.SCALAR} else ValueType.VECTOR
    return ValueType.VECTOR
