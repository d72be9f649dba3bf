"""The functions of PromQL (Prometheus 3.5): names, argument types, what they return. One table; no behaviour.

``variadic`` counts optional arguments at the end, -1 is any number of them. Pure data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from otel_ext.promql.nodes import ValueType

__all__ = ["SIGNATURES", "Signature"]

_S, _V, _M, _T = ValueType.SCALAR, ValueType.VECTOR, ValueType.MATRIX, ValueType.STRING


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Argument types in order; the last ``variadic`` may be left out."""

    args: tuple[ValueType, ...]
    returns: ValueType
    variadic: int
    experimental: bool


def _signature(*args: ValueType, returns: ValueType = _V, variadic: int = 0, experimental: bool = False) -> Signature:
    return Signature(args=args, returns=returns, variadic=variadic, experimental=experimental)


_RANGE_TO_VECTOR = (
    "absent_over_time", "avg_over_time", "changes", "count_over_time", "delta", "deriv", "idelta", "increase",
    "irate", "last_over_time", "max_over_time", "min_over_time", "present_over_time", "rate", "resets",
    "stddev_over_time", "stdvar_over_time", "sum_over_time",
)  # fmt: skip
_EXPERIMENTAL_RANGE = ("mad_over_time", "ts_of_last_over_time", "ts_of_max_over_time", "ts_of_min_over_time")
_VECTOR_TO_VECTOR = (
    "abs", "absent", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "deg", "exp",
    "floor", "histogram_avg", "histogram_count", "histogram_stddev", "histogram_stdvar", "histogram_sum", "ln",
    "log10", "log2", "rad", "sgn", "sin", "sinh", "sort", "sort_desc", "sqrt", "tan", "tanh", "timestamp",
)  # fmt: skip
_DATES = ("day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year")

SIGNATURES: Mapping[str, Signature] = {
    **{name: _signature(_M) for name in _RANGE_TO_VECTOR},
    **{name: _signature(_M, experimental=True) for name in _EXPERIMENTAL_RANGE},
    **{name: _signature(_V) for name in _VECTOR_TO_VECTOR},
    **{name: _signature(_V, variadic=1) for name in _DATES},
    "clamp": _signature(_V, _S, _S),
    "clamp_max": _signature(_V, _S),
    "clamp_min": _signature(_V, _S),
    "double_exponential_smoothing": _signature(_M, _S, _S, experimental=True),
    "histogram_fraction": _signature(_S, _S, _V),
    "histogram_quantile": _signature(_S, _V),
    "info": _signature(_V, _V, variadic=1, experimental=True),
    "label_join": _signature(_V, _T, _T, _T, variadic=-1),
    "label_replace": _signature(_V, _T, _T, _T, _T),
    "pi": _signature(returns=_S),
    "predict_linear": _signature(_M, _S),
    "quantile_over_time": _signature(_S, _M),
    "round": _signature(_V, _S, variadic=1),
    "scalar": _signature(_V, returns=_S),
    "sort_by_label": _signature(_V, _T, variadic=-1, experimental=True),
    "sort_by_label_desc": _signature(_V, _T, variadic=-1, experimental=True),
    "time": _signature(returns=_S),
    "vector": _signature(_S),
}
