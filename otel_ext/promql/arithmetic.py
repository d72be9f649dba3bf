"""Element operations of binary operators on matrices of floats and on pairs that involve histograms.

Pure functions; the caller silences numpy's floating point warnings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from otel_ext.model.native_histograms import (
    IncompatibleBoundsError,
    IncompatibleSchemaError,
    NativeHistogram,
)
from otel_ext.promql.annotations import Annotations
from otel_ext.promql.frames import F64, Bool

__all__ = ["ARITHMETIC", "COMPARISONS", "Outcome", "histogram_operation", "scalar_operation"]


def _modulo(left: F64, right: F64) -> F64:
    """Go's ``math.Mod``: the sign of the dividend."""
    return np.asarray(np.fmod(left, right))


def _power(base: F64, exponent: F64) -> F64:
    """IEEE 754 ``pow``: numpy takes the square root for 0.5, which differs for -Inf and -0."""
    result = np.power(base, exponent)
    return np.where((exponent == 0.5) & ((base == -np.inf) | (base == 0)), np.abs(base), result)


ARITHMETIC: Mapping[str, Callable[[F64, F64], F64]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": _modulo,
    "^": _power,
    "atan2": np.arctan2,
}

COMPARISONS: Mapping[str, Callable[[F64, F64], Bool]] = {
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}

Operand = float | NativeHistogram
# the result (None: no sample) and whether a comparison keeps the element
Outcome = tuple[Operand | None, bool]


def histogram_operation(op: str, left: Operand, right: Operand, annotations: Annotations) -> Outcome:
    """One element of which at least one side is a histogram."""
    if isinstance(left, NativeHistogram) and isinstance(right, NativeHistogram):
        return _both(op, left, right, annotations)
    if isinstance(left, NativeHistogram) and not isinstance(right, NativeHistogram):
        if op == "*":
            return left.scaled(right).compacted(), True
        if op == "/":
            return left.divided(right), True
    elif isinstance(right, NativeHistogram) and not isinstance(left, NativeHistogram) and op == "*":
        return right.scaled(left).compacted(), True
    sides = tuple("histogram" if isinstance(side, NativeHistogram) else "float" for side in (left, right))
    annotations.info(f'incompatible sample types encountered for binary operator "{op}": {sides[0]} {op} {sides[1]}')
    return None, False


def _both(op: str, left: NativeHistogram, right: NativeHistogram, annotations: Annotations) -> Outcome:
    if op in ("+", "-"):
        return _added(op, left, right, annotations)
    if op == "==":
        return left, left.compacted() == right.compacted()
    if op == "!=":
        return left, left.compacted() != right.compacted()
    annotations.info(f'incompatible sample types encountered for binary operator "{op}": histogram {op} histogram')
    return None, False


def _added(op: str, left: NativeHistogram, right: NativeHistogram, annotations: Annotations) -> Outcome:
    try:
        result = left + right if op == "+" else left - right
    except IncompatibleSchemaError:
        annotations.warn("vector contains a mix of histograms with exponential and custom buckets")
        return None, False
    except IncompatibleBoundsError:
        annotations.warn("vector contains histograms with incompatible custom buckets")
        return None, False
    return result.compacted(), True


def scalar_operation(op: str, left: F64, right: F64) -> F64:
    """Scalars with scalars; a comparison gives 0 or 1."""
    if op in COMPARISONS:
        return COMPARISONS[op](left, right).astype(np.float64)
    return ARITHMETIC[op](left, right)
