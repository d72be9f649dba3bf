"""Aggregation operators: groups from label codes, sums by group as array work, histograms one by one.

Pure functions over one Aggregation; sums are compensated (Kahan-Neumaier) as Prometheus' are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from otel_ext.errors import QueryError
from otel_ext.model.native_histograms import NativeHistogram
from otel_ext.promql import aggregate_histograms, selections
from otel_ext.promql.annotations import Annotations
from otel_ext.promql.formatting import format_float
from otel_ext.promql.frames import F64, I64, Bool, Objects, StepVector, empty_vector
from otel_ext.promql.go_strings import is_label_name, quoted
from otel_ext.promql.sums import grouped_mean, grouped_sum, grouped_variance
from otel_ext.storage.metrics.series_set import SeriesSet

__all__ = ["Aggregation", "aggregate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregation:
    """One aggregation over an evaluated vector; ``param`` is a scalar a step, or the label of count_values."""

    op: str
    vector: StepVector
    param: F64 | str | None
    grouping: tuple[str, ...]
    without: bool
    annotations: Annotations
    ordered: bool  # an instant query: topk and bottomk sort their result

    def groups(self) -> tuple[SeriesSet, I64]:
        """Groups in order of first appearance, and the group of each series."""
        names = (*self.grouping, "__name__") if self.without else self.grouping
        return self.vector.series.group(names, without=self.without)


@dataclass(slots=True, kw_only=True)
class FloatElements:
    """The float samples of a vector, flattened: step * groups + group of each, and its value."""

    slots: I64
    values: F64
    shape: tuple[int, int]

    @property
    def size(self) -> int:
        return self.shape[0] * self.shape[1]

    def counts(self) -> I64:
        return np.bincount(self.slots, minlength=self.size).astype(np.int64)


def aggregate(aggregation: Aggregation) -> StepVector:
    """The aggregated vector."""
    op = aggregation.op
    vector = aggregation.vector
    if op == "count_values":
        return _count_values(aggregation)
    if not vector.series.n:
        if op == "quantile":
            selections.check_quantile(_scalar_param(aggregation), aggregation.annotations)
        return empty_vector(vector.steps)
    groups, codes = aggregation.groups()
    if op in selections.SELECTIONS:
        return selections.SELECTIONS[op](
            selections.Selection(
                vector=vector, groups=groups, codes=codes, param=_scalar_param(aggregation),
                annotations=aggregation.annotations, ordered=aggregation.ordered,
            )
        )  # fmt: skip
    return _reduce(aggregation, groups, codes)


def _scalar_param(aggregation: Aggregation) -> F64:
    if aggregation.param is None or isinstance(aggregation.param, str):
        raise QueryError(f"{aggregation.op} needs a number as its first argument, like {aggregation.op}(3, x)")
    return aggregation.param


def _reduce(aggregation: Aggregation, groups: SeriesSet, codes: I64) -> StepVector:
    vector = aggregation.vector
    elements = _elements(vector, codes, groups.n)
    shape = elements.shape
    counts = _counts(aggregation, elements)
    values = _FLOAT_OPS[aggregation.op](elements, aggregation).reshape(shape)
    present = counts > 0
    histograms: Objects | None = None
    if vector.histograms is not None:
        values, present, histograms = aggregate_histograms.combine(
            aggregation.op, vector, codes, (values, counts), aggregation.annotations
        )
    alive = present.any(axis=0)
    drops = _group_drops(vector, codes, groups.n)
    result = StepVector(
        series=groups,
        values=values,
        present=None if present.all() else present,
        histograms=histograms,
        drop_name=drops,
    )
    return result if alive.all() else result.take(np.flatnonzero(alive).astype(np.int64))


def _counts(aggregation: Aggregation, elements: FloatElements) -> I64:
    """Elements a group has at each step; kept with the series where all have a sample."""
    if elements.shape[0] != 1 or len(elements.values) != aggregation.vector.series.n:
        return elements.counts().reshape(elements.shape)
    key = ("group sizes", aggregation.grouping, aggregation.without)
    return aggregation.vector.series.memo(key, lambda: elements.counts().reshape(elements.shape))


def _group_drops(vector: StepVector, codes: I64, groups: int) -> Bool | None:
    """A group keeps the mark of name removal when its first series carries it."""
    if vector.drop_name is None:
        return None
    drops = np.zeros(groups, dtype=np.bool_)
    drops[codes[::-1]] = vector.drop_name[::-1]
    return drops


def _elements(vector: StepVector, codes: I64, groups: int) -> FloatElements:
    shape = (vector.steps, groups)
    mask = vector.float_mask()
    if vector.steps == 1 and mask is None:
        return FloatElements(slots=codes, values=vector.values[0], shape=shape)
    slots = codes[None, :] + (np.arange(vector.steps, dtype=np.int64) * groups)[:, None]
    if mask is None:
        return FloatElements(slots=slots.reshape(-1), values=vector.values.reshape(-1), shape=shape)
    return FloatElements(slots=slots[mask], values=vector.values[mask], shape=shape)


def _sum(elements: FloatElements, _: Aggregation) -> F64:
    return grouped_sum(elements.slots, elements.values, elements.size)


def _avg(elements: FloatElements, _: Aggregation) -> F64:
    return grouped_mean(elements.slots, elements.values, elements.size)


def _count(elements: FloatElements, _: Aggregation) -> F64:
    return elements.counts().astype(np.float64)


def _group(elements: FloatElements, _: Aggregation) -> F64:
    return np.ones(elements.size)


def _extreme(elements: FloatElements, choose: np.ufunc) -> F64:
    out = np.full(elements.size, np.nan)
    choose.at(out, elements.slots, elements.values)
    return out


def _max(elements: FloatElements, _: Aggregation) -> F64:
    return _extreme(elements, np.fmax)


def _min(elements: FloatElements, _: Aggregation) -> F64:
    return _extreme(elements, np.fmin)


def _stdvar(elements: FloatElements, _: Aggregation) -> F64:
    return grouped_variance(elements.slots, elements.values, elements.size)


def _stddev(elements: FloatElements, _: Aggregation) -> F64:
    return np.sqrt(grouped_variance(elements.slots, elements.values, elements.size))


def _quantile(elements: FloatElements, aggregation: Aggregation) -> F64:
    return selections.grouped_quantile(
        elements.slots, elements.values, elements.shape, _scalar_param(aggregation), aggregation.annotations
    )


_FLOAT_OPS: Mapping[str, Callable[[FloatElements, Aggregation], F64]] = {
    "sum": _sum,
    "avg": _avg,
    "count": _count,
    "group": _group,
    "max": _max,
    "min": _min,
    "stdvar": _stdvar,
    "stddev": _stddev,
    "quantile": _quantile,
}


def _count_values(aggregation: Aggregation) -> StepVector:
    label = aggregation.param
    if not isinstance(label, str) or not is_label_name(label):
        raise QueryError(f'invalid label name {quoted(str(label))}; a correct use: count_values("version", build_info)')
    vector = aggregation.vector
    if not vector.series.n:
        return empty_vector(vector.steps)
    by_value: dict[tuple[int, str], dict[int, int]] = {}
    groups, codes = _count_values_groups(aggregation, label)
    for step in range(vector.steps):
        positions, samples = vector.at_step(step)
        for position, sample in zip(positions.tolist(), samples, strict=True):
            text = str(sample) if isinstance(sample, NativeHistogram) else format_float(sample)
            counts = by_value.setdefault((int(codes[position]), text), {})
            counts[step] = counts.get(step, 0) + 1
    keys = list(by_value)
    values = np.zeros((vector.steps, len(keys)))
    for index, key in enumerate(keys):
        for step, count in by_value[key].items():
            values[step, index] = count
    series = groups.take(np.array([group for group, _ in keys], dtype=np.int64))
    series = series.with_column(label, [text for _, text in keys])
    present = values > 0
    return StepVector(series=series, values=values, present=None if present.all() else present)


def _count_values_groups(aggregation: Aggregation, label: str) -> tuple[SeriesSet, I64]:
    names = (*aggregation.grouping, "__name__", label) if aggregation.without else aggregation.grouping
    series = aggregation.vector.series
    if not aggregation.without:
        series = series.without(label)
    return series.group(tuple(names), without=aggregation.without)
