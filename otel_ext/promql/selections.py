"""Aggregations that choose among the elements of a group: topk, bottomk, limitk, limit_ratio; and quantile.

Pure functions over one Selection.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from otel_ext.errors import QueryError
from otel_ext.promql.annotations import Annotations
from otel_ext.promql.frames import F64, I64, Bool, StepVector, empty_vector
from otel_ext.promql.label_hash import label_hash
from otel_ext.promql.sums import grid, ranked
from otel_ext.storage.metrics.series_set import SeriesSet

__all__ = ["SELECTIONS", "Selection", "check_quantile", "grouped_quantile"]

_INT64 = float(1 << 63)
_UINT64 = float((1 << 64) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A vector with the group of each of its series, and the parameter at every step."""

    vector: StepVector
    groups: SeriesSet
    codes: I64
    param: F64
    annotations: Annotations
    ordered: bool


def _limits(selection: Selection) -> list[int]:
    limits = []
    for value in selection.param.tolist():
        if math.isnan(value):
            raise QueryError("Parameter value is NaN")
        if value <= -_INT64 or value >= _INT64:
            raise QueryError(f"Scalar value {value:g} overflows int64")
        limits.append(int(value))
    return limits


def _kept(selection: Selection, keep: Bool) -> StepVector:
    alive = keep.any(axis=0)
    vector = selection.vector
    result = StepVector(
        series=vector.series, values=vector.values, present=keep, histograms=vector.histograms,
        drop_name=vector.drop_name,
    )  # fmt: skip
    result = result.take(np.flatnonzero(alive).astype(np.int64))
    if result.present is not None and result.present.all():
        result.present = None
    return result


def _top(selection: Selection, *, largest: bool) -> StepVector:
    vector = selection.vector
    limits = _limits(selection)
    if vector.histogram_mask().any():
        op = "topk" if largest else "bottomk"
        selection.annotations.info(f"ignored histogram in {op} aggregation")
        vector = vector.floats_only()
    mask = vector.mask()
    keep = np.zeros(mask.shape, dtype=np.bool_)
    order: I64 = np.zeros(0, dtype=np.int64)
    for step, limit in enumerate(limits):
        at = np.flatnonzero(mask[step])
        if limit < 1 or not len(at):
            continue
        order = _best(vector.values[step, at], selection.codes[at], limit, largest=largest)
        order = at[order]
        keep[step, order] = True
    if selection.ordered:
        return vector.take(order) if len(order) else empty_vector(vector.steps)
    return _kept(
        Selection(
            vector=vector, groups=selection.groups, codes=selection.codes, param=selection.param,
            annotations=selection.annotations, ordered=False,
        ),
        keep,
    )  # fmt: skip


def _best(values: F64, codes: I64, limit: int, *, largest: bool) -> I64:
    """Positions of the best of each group, group after group, best first; NaN is the worst."""
    keys = -values if largest else values
    order = np.lexsort((keys, np.isnan(values), codes))
    _, ranks, _ = ranked(codes[order], int(codes.max()) + 1)
    chosen: I64 = order[ranks < limit].astype(np.int64)
    return chosen


def _topk(selection: Selection) -> StepVector:
    return _top(selection, largest=True)


def _bottomk(selection: Selection) -> StepVector:
    return _top(selection, largest=False)


def _limitk(selection: Selection) -> StepVector:
    """The first k series of each group in label order."""
    mask = selection.vector.mask()
    labels = selection.vector.series.labels
    order = np.array(sorted(range(len(labels)), key=lambda row: labels[row].items_sorted), dtype=np.int64)
    keep = np.zeros(mask.shape, dtype=np.bool_)
    for step, limit in enumerate(_limits(selection)):
        at = order[mask[step, order]]
        if limit < 1 or not len(at):
            continue
        by_group, ranks, _ = ranked(selection.codes[at], selection.groups.n)
        keep[step, at[by_group[ranks < limit]]] = True
    return _kept(selection, keep)


def _limit_ratio(selection: Selection) -> StepVector:
    """A pseudo-random share of all series, chosen by the hash of their labels; -r is the complement of 1 - r."""
    offsets = np.array([label_hash(labels) / _UINT64 for labels in selection.vector.series.labels])
    mask = selection.vector.mask()
    keep = np.zeros(mask.shape, dtype=np.bool_)
    for step, ratio in enumerate(selection.param.tolist()):
        if math.isnan(ratio):
            raise QueryError("Ratio value is NaN")
        if abs(ratio) > 1:
            selection.annotations.warn(f"ratio value should be between -1 and 1, got {ratio:g}")
        limit = min(max(ratio, -1.0), 1.0)
        keep[step] = mask[step] & ((offsets < limit) if limit >= 0 else (offsets >= 1.0 + limit))
    return _kept(selection, keep)


SELECTIONS: Mapping[str, Callable[[Selection], StepVector]] = {
    "topk": _topk,
    "bottomk": _bottomk,
    "limitk": _limitk,
    "limit_ratio": _limit_ratio,
}


def check_quantile(quantiles: F64, annotations: Annotations) -> None:
    """Warn of quantiles outside 0..1."""
    for value in set(quantiles.tolist()):
        if not 0 <= value <= 1:
            annotations.warn(f"quantile value should be between 0 and 1, got {value:g}")


def grouped_quantile(slots: I64, values: F64, shape: tuple[int, int], quantiles: F64, annotations: Annotations) -> F64:
    """The quantile of each (step, group)."""
    check_quantile(quantiles, annotations)
    matrix, counts = grid(slots, values, shape[0] * shape[1])
    return quantile_columns(np.repeat(quantiles, shape[1]), matrix, counts)


def quantile_columns(quantiles: F64, matrix: F64, counts: I64) -> F64:
    """The quantile of each column's first ``counts`` entries, linear between neighbours; NaN sorts first."""
    n = len(counts)
    if not matrix.shape[0]:
        return np.full(n, np.nan)
    inside = np.arange(matrix.shape[0])[:, None] < counts[None, :]
    nans = (np.isnan(matrix) & inside).sum(axis=0)
    ordered = np.sort(np.where(inside, matrix, np.nan), axis=0)
    rank = np.clip(np.nan_to_num(quantiles), 0, 1) * np.maximum(counts - 1, 0)
    lower = np.floor(rank).astype(np.int64)
    upper = np.minimum(lower + 1, np.maximum(counts - 1, 0))
    weight = rank - lower

    def nth(position: I64) -> F64:
        found = ordered[np.clip(position - nans, 0, matrix.shape[0] - 1), np.arange(n)]
        return np.where(position < nans, np.nan, found)

    result = nth(lower) * (1 - weight) + nth(upper) * weight
    result = np.where(quantiles < 0, -np.inf, np.where(quantiles > 1, np.inf, result))
    return np.where((counts == 0) | np.isnan(quantiles), np.nan, result)
