"""The tree walker: every node becomes matrices over all evaluation steps at once.

One Evaluator serves one query (and one more each subquery or pinned part); it owns nothing but its budget and
annotations, and reads the store through views. Called by whichever thread asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from otel_ext.errors import QueryError, QueryLimitError
from otel_ext.promql import aggregations, binary
from otel_ext.promql.annotations import Annotations
from otel_ext.promql.frames import F64, I64, StepVector, concat, empty_vector, merge_duplicates, renamed
from otel_ext.promql.functions import IMPLEMENTATIONS, FunctionCall
from otel_ext.promql.nodes import (
    AggregateExpr,
    At,
    BinaryExpr,
    Call,
    Expr,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    StringLiteral,
    SubqueryExpr,
    UnaryExpr,
    VectorSelector,
    unwrap_parens,
)
from otel_ext.promql.windows import BlockSource, MatrixSource, RangeVector
from otel_ext.storage.metrics.matchers import Matcher
from otel_ext.storage.metrics.view import SeriesBlock

__all__ = ["Budget", "Evaluator", "Storage", "Value"]

Value = StepVector | F64 | str


class Storage(Protocol):
    """What the engine needs of a metric store."""

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[SeriesBlock]:
        """Blocks of the series that pass all matchers and may have samples in ``[start, end]``."""


@dataclass(slots=True)
class Budget:
    """What one query may use; shared by its parts."""

    max_samples: int
    deadline_ms: int | None = None
    now_ms: Callable[[], int] | None = None
    used: int = field(default=0, init=False)

    def take(self, samples: int) -> None:
        """Account for samples loaded; QueryLimitError beyond the limit or after the deadline."""
        self.used += samples
        if self.used > self.max_samples:
            raise QueryLimitError(
                f"query processing would load too many samples: {self.used} touched, "
                f"max_samples is {self.max_samples}; narrow the selector or the range"
            )
        if self.deadline_ms is not None and self.now_ms is not None and self.now_ms() > self.deadline_ms:
            raise QueryLimitError("query timed out: its time limit passed during evaluation")


@dataclass(slots=True, kw_only=True)
class Evaluator:
    """Evaluates expressions at ``steps`` (Unix milliseconds); ``query_start_ms``/``query_end_ms`` serve ``@``."""

    storage: Storage
    steps: I64
    query_start_ms: int
    query_end_ms: int
    lookback_ms: int
    default_step_ms: int
    delayed_name_removal: bool
    budget: Budget
    annotations: Annotations

    def evaluate(self, expr: Expr) -> Value:  # noqa: PLR0911  one return a node type
        """The value of an expression that is not a range vector."""
        match expr:
            case NumberLiteral():
                return np.full(len(self.steps), expr.value)
            case StringLiteral():
                return expr.value
            case ParenExpr():
                return self.evaluate(expr.expr)
            case UnaryExpr():
                return self._negated(expr)
            case VectorSelector():
                return self.select_latest(expr)[0]
            case Call():
                return self._call(expr)
            case AggregateExpr():
                return self._aggregate(expr)
            case BinaryExpr():
                return self._binary(expr)
        raise QueryError("a range vector can only be an argument of a function like rate()")

    def vector(self, expr: Expr) -> StepVector:
        """The value of an instant vector expression."""
        value = self.evaluate(expr)
        if not isinstance(value, StepVector):
            raise QueryError("expected an instant vector here, such as up or vector(1)")
        return value

    def scalar(self, expr: Expr) -> F64:
        """The value of a scalar expression at every step."""
        value = self.evaluate(expr)
        if isinstance(value, (StepVector, str)):
            raise QueryError("expected a scalar here, such as 0.9 or scalar(x)")
        return value

    # ---- selectors ----

    def times_of(self, offset_ms: int, at: At | None) -> I64:
        """The instants a selector looks at, one a step."""
        if at is None:
            return self.steps - offset_ms
        anchors = {"start": self.query_start_ms, "end": self.query_end_ms, "ts": at.ts_ms}
        return np.full(len(self.steps), anchors[at.anchor] - offset_ms, dtype=np.int64)

    def select_latest(self, selector: VectorSelector) -> tuple[StepVector, F64]:
        """The newest sample within the lookback at every step, and its time in seconds. Shapes [T, n]."""
        times = self.times_of(selector.offset_ms, selector.at)
        low, high = int(times.min()) - self.lookback_ms, int(times.max())
        parts: list[StepVector] = []
        stamps: list[F64] = []
        for block in self.storage.select(selector.matchers, low, high):
            vector, seconds = self._latest_of(block, times)
            parts.append(vector)
            stamps.append(seconds)
        seconds = np.concatenate(stamps, axis=1) if stamps else np.empty((len(times), 0))
        return self._live(concat(parts, len(times)), seconds)

    def _live(self, vector: StepVector, seconds: F64) -> tuple[StepVector, F64]:
        if vector.present is None:
            return vector, seconds
        alive = vector.present.any(axis=0)
        if alive.all():
            return vector, seconds
        at = np.flatnonzero(alive)
        return vector.take(at), seconds[:, at]

    def _latest_of(self, block: SeriesBlock, times: I64) -> tuple[StepVector, F64]:
        self.budget.take(len(times) * block.series.n)
        shape = (len(times), block.series.n)
        values, present = np.empty(shape), np.empty(shape, dtype=np.bool_)
        seconds = np.zeros(shape)
        histograms = None
        previous: tuple[int, int, int] | None = None
        for step, time_ms in enumerate(times.tolist()):
            first, end = block.span(time_ms - self.lookback_ms, time_ms)
            if previous is not None and previous[:2] == (first, end):
                source = previous[2]
                values[step], present[step], seconds[step] = values[source], present[source], seconds[source]
                if histograms is not None:
                    histograms[step] = histograms[source]
                continue
            values[step], columns, present[step], found = block.latest(first, end)
            if end > first:
                seconds[step] = block.ts_ms[columns] / 1000.0
            if found is not None:
                if histograms is None:
                    histograms = np.full(shape, None, dtype=object)
                histograms[step] = found
            previous = (first, end, step)
        mask = None if present.all() else present
        return StepVector(series=block.series, values=values, present=mask, histograms=histograms), seconds

    def range_vector(self, expr: Expr) -> RangeVector:
        """The windows of a range selector or a subquery."""
        expr = unwrap_parens(expr)
        if isinstance(expr, MatrixSelector):
            return self._range_selector(expr)
        if isinstance(expr, SubqueryExpr):
            return self._subquery(expr)
        raise QueryError("expected a range vector here, such as requests_total[5m]")

    def _range_selector(self, expr: MatrixSelector) -> RangeVector:
        selector = expr.selector
        ends = self.times_of(selector.offset_ms, selector.at)
        blocks = self.storage.select(selector.matchers, int(ends.min()) - expr.range_ms, int(ends.max()))
        vector = RangeVector(
            sources=[BlockSource(block) for block in blocks],
            ends=ends,
            range_ms=expr.range_ms,
            metric_name=selector.name,
        )
        self._take_windows(vector)
        return vector

    def _take_windows(self, vector: RangeVector) -> None:
        for source in vector.sources:
            for end_ms in vector.ends.tolist():
                self.budget.take(source.count(end_ms - vector.range_ms, end_ms))

    def _subquery(self, expr: SubqueryExpr) -> RangeVector:
        step_ms = expr.step_ms or self.default_step_ms
        ends = self.times_of(expr.offset_ms, expr.at)
        low, high = int(ends.min()) - expr.range_ms, int(ends.max())
        first = (low // step_ms) * step_ms
        if first <= low:
            first += step_ms
        steps = np.arange(first, high + 1, step_ms, dtype=np.int64)
        vector = empty_vector(len(steps))
        if len(steps):
            vector = self._at_steps(steps).vector_or_scalar(expr.expr)
        ranged = RangeVector(
            sources=[MatrixSource(vector, steps)] if vector.series.n else [],
            ends=ends,
            range_ms=expr.range_ms,
            metric_name="",
            drop_name=vector.drop_name is not None and bool(vector.drop_name.any()),
        )
        self._take_windows(ranged)
        return ranged

    def vector_or_scalar(self, expr: Expr) -> StepVector:
        """An instant vector, a scalar becoming one series without labels."""
        value = self.evaluate(expr)
        if isinstance(value, StepVector):
            return value
        if isinstance(value, str):
            raise QueryError("a subquery cannot be made of a string")
        return binary.unlabelled(value)

    def _at_steps(self, steps: I64) -> Evaluator:
        return Evaluator(
            storage=self.storage,
            steps=steps,
            query_start_ms=self.query_start_ms,
            query_end_ms=self.query_end_ms,
            lookback_ms=self.lookback_ms,
            default_step_ms=self.default_step_ms,
            delayed_name_removal=self.delayed_name_removal,
            budget=self.budget,
            annotations=self.annotations,
        )

    # ---- operators ----

    def _negated(self, expr: UnaryExpr) -> Value:
        value = self.evaluate(expr.expr)
        if isinstance(value, StepVector):
            return renamed(binary.negated(value), delayed=self.delayed_name_removal)
        if isinstance(value, str):
            raise QueryError("a string has no negative")
        return -value

    def _call(self, expr: Call) -> Value:
        return IMPLEMENTATIONS[expr.function](FunctionCall(evaluator=self, name=expr.function, args=expr.args))

    def _aggregate(self, expr: AggregateExpr) -> Value:
        vector = self.vector(expr.expr)
        param: F64 | str | None = None
        if expr.param is not None:
            evaluated = self.evaluate(expr.param)
            if isinstance(evaluated, StepVector):
                raise QueryError(f"the parameter of {expr.op} must be a scalar or a string")
            param = evaluated
        return aggregations.aggregate(
            aggregations.Aggregation(
                op=expr.op, vector=vector, param=param, grouping=expr.grouping, without=expr.without,
                annotations=self.annotations, ordered=len(self.steps) == 1,
            )
        )  # fmt: skip

    def _binary(self, expr: BinaryExpr) -> Value:
        operation = binary.BinaryOperation(
            op=expr.op,
            matching=expr.matching,
            return_bool=expr.return_bool,
            annotations=self.annotations,
            delayed_name_removal=self.delayed_name_removal,
        )
        left, right = self.evaluate(expr.lhs), self.evaluate(expr.rhs)
        result = operation.apply(left, right)
        if isinstance(result, StepVector) and not self.delayed_name_removal:
            return merge_duplicates(result)
        return result
