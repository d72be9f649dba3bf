"""PromQL over the metric store: parse, evaluate, results. Equal to Prometheus 3.5."""

from otel_ext.promql.engine import QueryEngine
from otel_ext.promql.evaluator import Storage
from otel_ext.promql.formatting import format_float, format_float_g
from otel_ext.promql.nodes import Expr
from otel_ext.promql.parser import parse
from otel_ext.promql.signatures import SIGNATURES
from otel_ext.promql.values import (
    Matrix,
    MatrixSeries,
    Point,
    QueryResult,
    Sample,
    Scalar,
    String,
    Vector,
    prometheus_json,
)

__all__ = [
    "SIGNATURES",
    "Expr",
    "Matrix",
    "MatrixSeries",
    "Point",
    "QueryEngine",
    "QueryResult",
    "Sample",
    "Scalar",
    "Storage",
    "String",
    "Vector",
    "format_float",
    "format_float_g",
    "parse",
    "prometheus_json",
]
