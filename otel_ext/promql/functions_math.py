"""Element-wise functions of instant vectors: mathematics, clamping, rounding, calendar parts.

Histograms are left out of the result. Pure functions over one FunctionCall.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from otel_ext.promql.binary import unlabelled
from otel_ext.promql.frames import F64, StepVector, empty_vector
from otel_ext.promql.function_call import FunctionCall, Implementation

__all__ = ["MATH"]

_INT64 = float(1 << 63)


def _mapped(call: FunctionCall, vector: StepVector, change: Callable[[F64], F64]) -> StepVector:
    """``change`` applied to every float."""
    floats = vector.floats_only()
    result = StepVector(
        series=floats.series, values=change(floats.values), present=floats.present, drop_name=floats.drop_name
    )
    if result.present is not None:
        alive = result.present.any(axis=0)
        if not alive.all():
            result = result.take(np.flatnonzero(alive).astype(np.int64))
    return call.renamed(result)


def _elementwise(change: Callable[[F64], F64]) -> Implementation:
    def apply(call: FunctionCall) -> StepVector:
        return _mapped(call, call.vector(0), change)

    return apply


def _sign(values: F64) -> F64:
    return np.where(values > 0, 1.0, np.where(values < 0, -1.0, values))


def _radians(values: F64) -> F64:
    return values * np.pi / 180


def _degrees(values: F64) -> F64:
    return values * 180 / np.pi


def _round(call: FunctionCall) -> StepVector:
    vector = call.vector(0)
    nearest = call.scalar(1)[:, None] if len(call.args) > 1 else np.ones((call.steps, 1))
    inverse = 1.0 / nearest  # dividing by the inverse keeps decimals exact where multiplying would not
    return _mapped(call, vector, lambda values: np.floor(values * inverse + 0.5) / inverse)


def _clamp(call: FunctionCall) -> StepVector:
    vector, low, high = call.vector(0), call.scalar(1), call.scalar(2)
    valid = ~(high < low)
    if not valid.any():
        return empty_vector(call.steps)
    if not valid.all():
        vector = StepVector(
            series=vector.series,
            values=vector.values,
            present=vector.mask() & valid[:, None],
            histograms=vector.histograms,
            drop_name=vector.drop_name,
        )
    return _mapped(call, vector, lambda values: np.maximum(low[:, None], np.minimum(high[:, None], values)))


def _clamp_min(call: FunctionCall) -> StepVector:
    vector, low = call.vector(0), call.scalar(1)
    return _mapped(call, vector, lambda values: np.maximum(low[:, None], values))


def _clamp_max(call: FunctionCall) -> StepVector:
    vector, high = call.vector(0), call.scalar(1)
    return _mapped(call, vector, lambda values: np.minimum(high[:, None], values))


def _calendar(part: Callable[[F64], F64], overflowed: float) -> Implementation:
    """A calendar part (UTC) of Unix seconds; of the evaluation time when there is no argument.

    ``overflowed`` is the part for what is no int64: Go converts it to the least one, whose calendar date wraps to
    4 December 292277026596, 15:30.
    """

    def apply(call: FunctionCall) -> StepVector:
        if not call.args:
            return unlabelled(part(call.evaluator.steps / 1000.0))
        return _mapped(call, call.vector(0), lambda values: np.where(np.abs(values) < _INT64, part(values), overflowed))

    return apply


def _seconds(values: F64) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.trunc(np.where(np.abs(values) < _INT64, values, 0.0)).astype(np.int64)


def _days(values: F64) -> np.ndarray[tuple[int, ...], np.dtype[np.datetime64]]:
    return (_seconds(values) // 86_400).astype("datetime64[D]")


def _minute(values: F64) -> F64:
    return (_seconds(values) // 60 % 60).astype(np.float64)


def _hour(values: F64) -> F64:
    return (_seconds(values) // 3600 % 24).astype(np.float64)


def _day_of_week(values: F64) -> F64:
    return ((_seconds(values) // 86_400 + 4) % 7).astype(np.float64)  # the epoch was a Thursday


def _day_of_month(values: F64) -> F64:
    days = _days(values)
    return np.asarray((days - days.astype("datetime64[M]").astype("datetime64[D]")).astype(np.float64) + 1)


def _day_of_year(values: F64) -> F64:
    days = _days(values)
    return np.asarray((days - days.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.float64) + 1)


def _days_in_month(values: F64) -> F64:
    months = _days(values).astype("datetime64[M]")
    return np.asarray(((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.float64))


def _month(values: F64) -> F64:
    return (_days(values).astype("datetime64[M]").astype(np.int64) % 12 + 1).astype(np.float64)


def _year(values: F64) -> F64:
    return _days(values).astype("datetime64[Y]").astype(np.int64).astype(np.float64) + 1970


MATH: Mapping[str, Implementation] = {
    "abs": _elementwise(np.abs),
    "acos": _elementwise(np.arccos),
    "acosh": _elementwise(np.arccosh),
    "asin": _elementwise(np.arcsin),
    "asinh": _elementwise(np.arcsinh),
    "atan": _elementwise(np.arctan),
    "atanh": _elementwise(np.arctanh),
    "ceil": _elementwise(np.ceil),
    "clamp": _clamp,
    "clamp_max": _clamp_max,
    "clamp_min": _clamp_min,
    "cos": _elementwise(np.cos),
    "cosh": _elementwise(np.cosh),
    "day_of_month": _calendar(_day_of_month, 4.0),
    "day_of_week": _calendar(_day_of_week, 0.0),
    "day_of_year": _calendar(_day_of_year, 339.0),
    "days_in_month": _calendar(_days_in_month, 31.0),
    "deg": _elementwise(_degrees),
    "exp": _elementwise(np.exp),
    "floor": _elementwise(np.floor),
    "hour": _calendar(_hour, 15.0),
    "ln": _elementwise(np.log),
    "log10": _elementwise(np.log10),
    "log2": _elementwise(np.log2),
    "minute": _calendar(_minute, 30.0),
    "month": _calendar(_month, 12.0),
    "rad": _elementwise(_radians),
    "round": _round,
    "sgn": _elementwise(_sign),
    "sin": _elementwise(np.sin),
    "sinh": _elementwise(np.sinh),
    "sqrt": _elementwise(np.sqrt),
    "tan": _elementwise(np.tan),
    "tanh": _elementwise(np.tanh),
    "year": _calendar(_year, 292277026596.0),
}
