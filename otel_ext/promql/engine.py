"""QueryEngine: instant and range queries over a store, with limits and annotations.

Stateless between queries except for the parse cache; safe to call from any thread.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from otel_ext.clock import Clock, SystemClock
from otel_ext.errors import QueryError, QueryLimitError
from otel_ext.model.labels import EMPTY_LABELS, Labels
from otel_ext.promql.annotations import Annotations
from otel_ext.promql.evaluator import Budget, Evaluator, Storage, Value
from otel_ext.promql.frames import F64, I64, StepVector, drop_marked_names
from otel_ext.promql.nodes import Expr, ValueType, value_type
from otel_ext.promql.parser import parse
from otel_ext.promql.values import Matrix, MatrixSeries, Point, QueryResult, Sample, Scalar, String, Vector

__all__ = ["QueryEngine"]

# a tuple becomes a Sample without a Python call: large results are mostly this
_new_sample = functools.partial(tuple.__new__, Sample)
_MAX_STEPS = 11_000  # points a series, as Prometheus' HTTP API limits them


class QueryEngine:
    """Evaluates PromQL as Prometheus 3.5 does.

    ``lookback_ms`` is how old a sample an instant selector accepts; ``max_samples`` how many samples one query may
    touch; ``timeout_ms`` how long it may run; ``max_series`` how many series a result may have; ``default_step_ms``
    the resolution of subqueries that name none. ``delayed_name_removal`` is Prometheus' feature flag of that name.
    """

    def __init__(
        self,
        store: Storage,
        *,
        lookback_ms: int = 300_000,
        max_samples: int = 50_000_000,
        timeout_ms: int | None = 120_000,
        max_series: int = 1_000_000,
        default_step_ms: int = 60_000,
        delayed_name_removal: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._store = store
        self._lookback_ms = lookback_ms
        self._max_samples = max_samples
        self._timeout_ms = timeout_ms
        self._max_series = max_series
        self._default_step_ms = default_step_ms
        self._delayed = delayed_name_removal
        self._clock = clock or SystemClock()

    def instant(self, expr: str | Expr, ts_ms: int) -> QueryResult:
        """Evaluate at one instant. QueryError for what cannot be evaluated, QueryLimitError beyond a limit."""
        tree = parse(expr) if isinstance(expr, str) else expr
        annotations = Annotations()
        if value_type(tree) is ValueType.MATRIX:
            value: Scalar | String | Vector | Matrix = self._instant_matrix(tree, ts_ms, annotations)
        else:
            evaluated = self._evaluate(tree, np.array([ts_ms], dtype=np.int64), ts_ms, ts_ms, annotations)
            value = self._instant_value(evaluated, ts_ms)
        return QueryResult(value=value, warnings=annotations.warnings, infos=annotations.infos)

    def range(self, expr: str | Expr, start_ms: int, end_ms: int, step_ms: int) -> QueryResult:
        """Evaluate at ``start, start + step, ... <= end``; scalars become a series without labels."""
        tree = parse(expr) if isinstance(expr, str) else expr
        if value_type(tree) not in (ValueType.VECTOR, ValueType.SCALAR):
            raise QueryError(
                f"invalid expression type {value_type(tree).value!r} for range query, must be scalar or instant vector"
            )
        if step_ms <= 0 or end_ms < start_ms:
            raise QueryError(f"a range query needs start <= end and a positive step, got step {step_ms} ms")
        if (end_ms - start_ms) // step_ms >= _MAX_STEPS:
            raise QueryLimitError(f"more than {_MAX_STEPS} points a series: make the step larger or the range shorter")
        steps = np.arange(start_ms, end_ms + 1, step_ms, dtype=np.int64)
        annotations = Annotations()
        evaluated = self._evaluate(tree, steps, start_ms, end_ms, annotations)
        matrix = self._matrix(evaluated, steps)
        return QueryResult(value=matrix, warnings=annotations.warnings, infos=annotations.infos)

    def _evaluator(self, steps: I64, start_ms: int, end_ms: int, annotations: Annotations) -> Evaluator:
        deadline = None if self._timeout_ms is None else self._clock.now_ms() + self._timeout_ms
        return Evaluator(
            storage=self._store,
            steps=steps,
            query_start_ms=start_ms,
            query_end_ms=end_ms,
            lookback_ms=self._lookback_ms,
            default_step_ms=self._default_step_ms,
            delayed_name_removal=self._delayed,
            budget=Budget(self._max_samples, deadline, self._clock.now_ms),
            annotations=annotations,
        )

    def _evaluate(self, tree: Expr, steps: I64, start_ms: int, end_ms: int, annotations: Annotations) -> Value:
        with np.errstate(all="ignore"):
            value = self._evaluator(steps, start_ms, end_ms, annotations).evaluate(tree)
            if isinstance(value, StepVector):
                value = drop_marked_names(value)
                if value.series.n > self._max_series:
                    raise QueryLimitError(f"the result has {value.series.n} series, max_series is {self._max_series}")
            return value

    def _instant_value(self, value: Value, ts_ms: int) -> Scalar | String | Vector:
        if isinstance(value, str):
            return String(ts_ms=ts_ms, value=value)
        if not isinstance(value, StepVector):
            return Scalar(ts_ms=ts_ms, value=float(value[0]))
        positions, samples = value.at_step(0)
        labels = value.series.labels if len(positions) == value.series.n else value.series.labels_at(positions.tolist())
        return Vector(samples=tuple(map(_new_sample, zip(labels, itertools.repeat(ts_ms), samples, strict=False))))

    def _instant_matrix(self, tree: Expr, ts_ms: int, annotations: Annotations) -> Matrix:
        evaluator = self._evaluator(np.array([ts_ms], dtype=np.int64), ts_ms, ts_ms, annotations)
        with np.errstate(all="ignore"):
            ranged = evaluator.range_vector(tree)
            found = []
            for source in ranged.sources:
                end_ms = int(ranged.ends[0])
                window = source.window(end_ms - ranged.range_ms, end_ms)
                stamps = np.broadcast_to(window.ts_ms, window.values.shape)
                for index, labels in enumerate(source.series.labels):
                    count = int(window.counts[index])
                    values: list[Any] = list(window.values[:count, index].tolist())
                    if window.histograms is not None:
                        kept = window.histograms[:count, index].tolist()
                        values = [
                            value if histogram is None else histogram
                            for value, histogram in zip(values, kept, strict=True)
                        ]
                    if count:
                        found.append(_series(labels, stamps[:count, index].tolist(), values))
        return Matrix(series=tuple(sorted(found, key=lambda series: series.labels.items_sorted)))

    def _matrix(self, value: Value, steps: I64) -> Matrix:
        if isinstance(value, str):
            raise QueryError("a range query cannot return a string")
        if not isinstance(value, StepVector):
            from_scalar: F64 = value
            points = [Point(ts_ms=ts, value=v) for ts, v in zip(steps.tolist(), from_scalar.tolist(), strict=True)]
            return Matrix(series=(MatrixSeries(labels=EMPTY_LABELS, points=tuple(points)),))
        mask = value.mask()
        found = []
        for index, labels in enumerate(value.series.labels):
            at = np.flatnonzero(mask[:, index])
            values: list[Any] = list(value.values[at, index].tolist())
            if value.histograms is not None:
                kept = value.histograms[at, index].tolist()
                values = [v if histogram is None else histogram for v, histogram in zip(values, kept, strict=True)]
            if len(at):
                found.append(_series(labels, steps[at].tolist(), values))
        return Matrix(series=tuple(sorted(found, key=lambda series: series.labels.items_sorted)))


def _series(labels: Labels, stamps: Sequence[int], values: Sequence[Any]) -> MatrixSeries:
    points = tuple(Point(ts_ms=ts_ms, value=value) for ts_ms, value in zip(stamps, values, strict=True))
    return MatrixSeries(labels=labels, points=points)
