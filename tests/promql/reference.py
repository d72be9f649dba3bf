"""A plain Python PromQL evaluator over floats: one series, one sample at a time, as the language is defined.

Slow and obvious, to compare the columnar engine with. Knows what the property tests ask for, no more.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable

from otel_ext.model.labels import METRIC_NAME, Labels
from otel_ext.promql.nodes import (
    AggregateExpr,
    BinaryExpr,
    Call,
    Cardinality,
    Expr,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    SubqueryExpr,
    VectorSelector,
)
from otel_ext.storage.metrics import is_stale
from otel_ext.storage.metrics.matchers import matches_all

Samples = list[tuple[int, float]]
Vector = dict[Labels, float]


class ReferenceStore:
    """Every sample ever appended, by series."""

    def __init__(self) -> None:
        self.series: dict[Labels, dict[int, float]] = {}

    def append(self, ts_ms: int, samples: Iterable[tuple[Labels, float]]) -> None:
        for labels, value in samples:
            self.series.setdefault(labels, {})[ts_ms] = value


class ReferenceEngine:
    def __init__(self, store: ReferenceStore, lookback_ms: int = 300_000) -> None:
        self.store = store
        self.lookback_ms = lookback_ms

    def evaluate(self, expr: Expr, ts_ms: int) -> Vector | float:
        match expr:
            case NumberLiteral():
                return expr.value
            case ParenExpr():
                return self.evaluate(expr.expr, ts_ms)
            case VectorSelector():
                return self.instant(expr, ts_ms)
            case Call():
                return self.call(expr, ts_ms)
            case AggregateExpr():
                return self.aggregate(expr, ts_ms)
            case BinaryExpr():
                return self.binary(expr, ts_ms)
        raise NotImplementedError(expr)

    def time_of(self, selector: VectorSelector | SubqueryExpr, ts_ms: int) -> int:
        return (selector.at.ts_ms if selector.at is not None else ts_ms) - selector.offset_ms

    def instant(self, selector: VectorSelector, ts_ms: int) -> Vector:
        at = self.time_of(selector, ts_ms)
        found: Vector = {}
        for labels, samples in self.store.series.items():
            if matches_all(selector.matchers, labels):
                inside = [ts for ts in samples if at - self.lookback_ms < ts <= at]
                if inside and not is_stale(samples[max(inside)]):
                    found[labels] = samples[max(inside)]
        return found

    def windows(self, expr: Expr, ts_ms: int) -> tuple[dict[Labels, Samples], int, int]:
        if isinstance(expr, MatrixSelector):
            end = self.time_of(expr.selector, ts_ms)
            start = end - expr.range_ms
            found = {}
            for labels, samples in self.store.series.items():
                if matches_all(expr.selector.matchers, labels):
                    inside = sorted((t, v) for t, v in samples.items() if start < t <= end and not is_stale(v))
                    if inside:
                        found[labels] = inside
            return found, start, end
        assert isinstance(expr, SubqueryExpr)
        end = self.time_of(expr, ts_ms)
        start = end - expr.range_ms
        step = expr.step_ms or 60_000
        collected: dict[Labels, Samples] = {}
        for at in range(start - start % step, end + 1, step):
            if at > start:
                value = self.evaluate(expr.expr, at)
                for labels, sample in (value if isinstance(value, dict) else {Labels(): value}).items():
                    collected.setdefault(labels, []).append((at, sample))
        return collected, start, end

    def call(self, expr: Call, ts_ms: int) -> Vector:
        series, start, end = self.windows(expr.args[-1], ts_ms)
        out: Vector = {}
        for labels, samples in series.items():
            value = RANGE_FUNCTIONS[expr.function](samples, start, end)
            if value is not None:
                kept = labels if expr.function == "last_over_time" else labels.without(METRIC_NAME)
                out[kept] = value
        return out

    def aggregate(self, expr: AggregateExpr, ts_ms: int) -> Vector:
        vector = self.evaluate(expr.expr, ts_ms)
        assert isinstance(vector, dict)
        groups: dict[Labels, list[float]] = {}
        for labels, value in vector.items():
            key = labels.without(METRIC_NAME, *expr.grouping) if expr.without else labels.only(*expr.grouping)
            groups.setdefault(key, []).append(value)
        return {key: AGGREGATIONS[expr.op](values) for key, values in groups.items()}

    def binary(self, expr: BinaryExpr, ts_ms: int) -> Vector | float:
        left, right = self.evaluate(expr.lhs, ts_ms), self.evaluate(expr.rhs, ts_ms)
        if isinstance(left, dict) and isinstance(right, dict):
            return self.vectors(expr, left, right)
        if isinstance(left, dict):
            assert isinstance(right, float)
            return self.with_number(expr.op, left, right)
        raise NotImplementedError(expr)

    def with_number(self, op: str, left: Vector, number: float) -> Vector:
        if op in COMPARISONS:
            return {labels: value for labels, value in left.items() if COMPARISONS[op](value, number)}
        return {labels.without(METRIC_NAME): ARITHMETIC[op](value, number) for labels, value in left.items()}

    def vectors(self, expr: BinaryExpr, left: Vector, right: Vector) -> Vector:
        matching = expr.matching

        def signature(labels: Labels) -> Labels:
            if matching.on:
                return labels.only(*matching.labels)
            return labels.without(METRIC_NAME, *matching.labels)

        partners = {signature(labels): value for labels, value in right.items()}
        if matching.card is Cardinality.MANY_TO_MANY:
            if expr.op == "or":
                taken = {signature(labels) for labels in left}
                return left | {labels: value for labels, value in right.items() if signature(labels) not in taken}
            wanted = expr.op == "and"
            return {labels: value for labels, value in left.items() if (signature(labels) in partners) is wanted}
        out: Vector = {}
        for labels, value in left.items():
            key = signature(labels)
            if key not in partners:
                continue
            if expr.op in COMPARISONS:
                if COMPARISONS[expr.op](value, partners[key]):
                    out[labels.only(*matching.labels) if matching.on else labels.without(*matching.labels)] = value
            else:
                out[key] = ARITHMETIC[expr.op](value, partners[key])
        return out


def _divide(left: float, right: float) -> float:
    if right:
        return left / right
    return math.nan if not left or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)


ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": _divide,
}
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">": lambda left, right: left > right,
    "<": lambda left, right: left < right,
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    ">=": lambda left, right: left >= right,
    "<=": lambda left, right: left <= right,
}
AGGREGATIONS: dict[str, Callable[[list[float]], float]] = {
    "sum": math.fsum,
    "avg": lambda values: math.fsum(values) / len(values),
    "min": min,
    "max": max,
    "count": lambda values: float(len(values)),
    "group": lambda _: 1.0,
}


def _extrapolated(samples: Samples, start: int, end: int, *, counter: bool, per_second: bool) -> float | None:
    if len(samples) < 2:
        return None
    change = samples[-1][1] - samples[0][1]
    if counter:
        for (_, before), (_, after) in itertools.pairwise(samples):
            if after < before:
                change += before
    to_start, to_end = (samples[0][0] - start) / 1000, (end - samples[-1][0]) / 1000
    sampled = (samples[-1][0] - samples[0][0]) / 1000
    average = sampled / (len(samples) - 1)
    if to_start >= average * 1.1:
        to_start = average / 2
    if counter and change > 0 and samples[0][1] >= 0:
        to_start = min(to_start, sampled * (samples[0][1] / change))
    if to_end >= average * 1.1:
        to_end = average / 2
    factor = (sampled + to_start + to_end) / sampled
    return change * (factor / ((end - start) / 1000) if per_second else factor)


def _irate(samples: Samples, _start: int, _end: int) -> float | None:
    if len(samples) < 2:
        return None
    (before_ms, before), (last_ms, last) = samples[-2:]
    return (last if last < before else last - before) / ((last_ms - before_ms) / 1000)


def _pairs(samples: Samples, differs: Callable[[float, float], bool]) -> float:
    return float(sum(differs(a, b) for (_, a), (_, b) in itertools.pairwise(samples)))


RANGE_FUNCTIONS: dict[str, Callable[[Samples, int, int], float | None]] = {
    "rate": lambda s, a, b: _extrapolated(s, a, b, counter=True, per_second=True),
    "increase": lambda s, a, b: _extrapolated(s, a, b, counter=True, per_second=False),
    "delta": lambda s, a, b: _extrapolated(s, a, b, counter=False, per_second=False),
    "irate": _irate,
    "sum_over_time": lambda s, _a, _b: math.fsum(v for _, v in s),
    "avg_over_time": lambda s, _a, _b: math.fsum(v for _, v in s) / len(s),
    "min_over_time": lambda s, _a, _b: min(v for _, v in s),
    "max_over_time": lambda s, _a, _b: max(v for _, v in s),
    "count_over_time": lambda s, _a, _b: float(len(s)),
    "last_over_time": lambda s, _a, _b: s[-1][1],
    "changes": lambda s, _a, _b: _pairs(s, lambda a, b: a != b),
    "resets": lambda s, _a, _b: _pairs(s, lambda a, b: b < a),
}
