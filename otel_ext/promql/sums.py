"""Compensated sums, means and variances by group, as Prometheus computes them (Kahan-Neumaier, running means).

``slots[k]`` is the group of element k. Large, harmless inputs take ``bincount``, whose error is bounded by
n * 2**-53 of the sum of magnitudes; where that could show, and for small inputs, elements are added one by one with
compensation in the order Prometheus has them. Pure functions.
"""

from __future__ import annotations

import math

import numpy as np

from otel_ext.promql.frames import F64, I64

__all__ = ["grouped_mean", "grouped_sum", "grouped_variance", "kahan_columns", "ranked"]

_SMALL = 512  # elements up to which the exact way costs nothing that matters
_CANCELLATION = 16.0  # sum of magnitudes to magnitude of the sum above which bincount is not trusted


def ranked(slots: I64, groups: int) -> tuple[I64, I64, int]:
    """Elements sorted by group (stable), the rank of each within its group, and the largest group."""
    order = np.argsort(slots, kind="stable")
    counts = np.bincount(slots, minlength=groups)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    ranks = np.arange(len(slots)) - starts[slots[order]]
    return order.astype(np.int64), ranks.astype(np.int64), int(counts.max()) if len(counts) else 0


def grid(slots: I64, values: F64, groups: int) -> tuple[F64, I64]:
    """Elements as a matrix [rank, group] (NaN beyond a group's end) and the elements a group has."""
    order, ranks, longest = ranked(slots, groups)
    matrix = np.full((longest, groups), np.nan)
    matrix[ranks, slots[order]] = values[order]
    return matrix, np.bincount(slots, minlength=groups).astype(np.int64)


def kahan_step(total: F64, compensation: F64, added: F64) -> tuple[F64, F64]:
    """One Neumaier step: the new running sum and compensation."""
    after = total + added
    larger = np.abs(total) >= np.abs(added)
    lost = np.where(larger, (total - after) + added, (added - after) + total)
    return after, np.where(np.isinf(after), 0.0, compensation + lost)


def kahan_columns(matrix: F64, counts: I64) -> F64:
    """The compensated sum of each column's first ``counts`` entries."""
    total, compensation = np.zeros(matrix.shape[1]), np.zeros(matrix.shape[1])
    for rank in range(matrix.shape[0]):
        active = counts > rank
        after, lost = kahan_step(total, compensation, matrix[rank])
        total, compensation = np.where(active, after, total), np.where(active, lost, compensation)
    return np.asarray(total + compensation)


def grouped_sum(slots: I64, values: F64, groups: int) -> F64:
    """The sum of each group (0 for an empty one)."""
    if len(values) > _SMALL:
        fast = np.asarray(np.bincount(slots, weights=values, minlength=groups), dtype=np.float64)
        if bool(np.isfinite(fast).all()) and (bool(values.min() >= 0) or not _cancels(slots, values, fast)):
            return fast
        matrix, counts = grid(slots, values, groups)
        return kahan_columns(matrix, counts)
    return _small_sum(slots.tolist(), values.tolist(), groups)


def _small_sum(slots: list[int], values: list[float], groups: int) -> F64:
    """Compensated sums one element at a time: for few elements quicker than arrays."""
    totals, lost = [0.0] * groups, [0.0] * groups
    for slot, value in zip(slots, values, strict=True):
        total = totals[slot]
        after = total + value
        if math.isinf(after):
            lost[slot] = 0.0
        elif abs(total) >= abs(value):
            lost[slot] += (total - after) + value
        else:
            lost[slot] += (value - after) + total
        totals[slot] = after
    return np.array([total + compensation for total, compensation in zip(totals, lost, strict=True)])


def _cancels(slots: I64, values: F64, sums: F64) -> bool:
    """Whether positive and negative values cancel so far that rounding could show."""
    magnitudes = np.bincount(slots, weights=np.abs(values), minlength=len(sums))
    return bool((magnitudes > _CANCELLATION * np.abs(sums)).any())


def grouped_mean(slots: I64, values: F64, groups: int) -> F64:
    """The mean of each group; from a running mean where the sum would overflow."""
    sums = grouped_sum(slots, values, groups)
    if bool(np.isfinite(sums).all()):
        return np.asarray(sums / np.bincount(slots, minlength=groups))
    matrix, sizes = grid(slots, values, groups)
    return mean_columns(matrix, sizes)


def mean_columns(matrix: F64, counts: I64) -> F64:
    """The mean of each column's first ``counts`` entries, switching to a running mean where the sum overflows."""
    n = matrix.shape[1]
    total, compensation = np.zeros(n), np.zeros(n)
    incremental = np.zeros(n, dtype=np.bool_)
    mean = np.zeros(n)
    for rank in range(matrix.shape[0]):
        active, value, seen = counts > rank, matrix[rank], float(rank + 1)
        after, lost = kahan_step(total, compensation, value)
        overflows = active & ~incremental & (rank > 0) & np.isinf(after)
        if overflows.any():
            mean[overflows] = total[overflows] / (seen - 1)
            compensation[overflows] = compensation[overflows] / (seen - 1)
            incremental |= overflows
        direct = active & ~incremental
        total, compensation = np.where(direct, after, total), np.where(direct, lost, compensation)
        running = active & incremental
        if running.any():
            stepped, shifted = _running_mean(mean, compensation, value, seen)
            mean, compensation = np.where(running, stepped, mean), np.where(running, shifted, compensation)
    return np.where(incremental, mean + compensation, total / counts + compensation / counts)


def _running_mean(mean: F64, compensation: F64, value: F64, seen: float) -> tuple[F64, F64]:
    """Knuth's update scaled as Prometheus does it: infinities of one sign stay, NaN wins."""
    kept = (seen - 1) / seen
    return kahan_step(mean * kept, compensation * kept, value / seen)


def grouped_variance(slots: I64, values: F64, groups: int) -> F64:
    """The population variance of each group by Welford's update."""
    matrix, counts = grid(slots, values, groups)
    mean, squares = np.zeros(groups), np.zeros(groups)
    for rank in range(matrix.shape[0]):
        active, value = counts > rank, matrix[rank]
        delta = value - mean
        mean = np.where(active, mean + delta / (rank + 1), mean)
        squares = np.where(active, squares + delta * (value - mean), squares)
    return np.asarray(squares / counts)


def variance_columns(matrix: F64, counts: I64) -> F64:
    """The population variance of each column's first ``counts`` entries, Welford's update with compensation."""
    n = matrix.shape[1]
    mean, mean_lost = np.zeros(n), np.zeros(n)
    squares, squares_lost = np.zeros(n), np.zeros(n)
    for rank in range(matrix.shape[0]):
        active, value = counts > rank, matrix[rank]
        delta = value - (mean + mean_lost)
        new_mean, new_lost = kahan_step(mean, mean_lost, delta / (rank + 1))
        mean, mean_lost = np.where(active, new_mean, mean), np.where(active, new_lost, mean_lost)
        spread, spread_lost = kahan_step(squares, squares_lost, delta * (value - (mean + mean_lost)))
        squares, squares_lost = np.where(active, spread, squares), np.where(active, spread_lost, squares_lost)
    return np.asarray((squares + squares_lost) / counts)
