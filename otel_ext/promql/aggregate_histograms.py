"""The histogram side of aggregations: sums and means of histograms, and what mixing them with floats does.

Pure functions; called only for vectors that hold at least one histogram.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from otel_ext.model.native_histograms import (
    IncompatibleHistogramsError,
    IncompatibleSchemaError,
    NativeHistogram,
)
from otel_ext.promql.annotations import Annotations
from otel_ext.promql.frames import F64, I64, Bool, Objects, StepVector

__all__ = ["combine", "mean_histogram", "sum_histograms"]

_COUNTING = frozenset({"count", "group"})
_ADDING = frozenset({"sum", "avg"})


def combine(
    op: str, vector: StepVector, codes: I64, floats: tuple[F64, I64], annotations: Annotations
) -> tuple[F64, Bool, Objects | None]:
    """Add the histograms to the aggregated floats (values and counts, [step, group])."""
    values, counts = floats
    grouped = _grouped(vector, codes)
    if op in _COUNTING:
        return _counted(op, values, counts, grouped)
    if op not in _ADDING:
        if grouped:
            annotations.info(f"ignored histogram in {op} aggregation")
        return values, counts > 0, None
    present = counts > 0
    out: Objects = np.full(values.shape, None, dtype=object)
    for at, histograms in grouped.items():
        if counts[at]:
            annotations.warn("encountered a mix of histograms and floats for aggregation")
            present[at] = False
            continue
        result = (sum_histograms if op == "sum" else mean_histogram)(histograms, annotations)
        out[at] = result
        present[at] = result is not None
    return values, present, out


def _grouped(vector: StepVector, codes: I64) -> dict[tuple[int, int], list[NativeHistogram]]:
    grouped: dict[tuple[int, int], list[NativeHistogram]] = {}
    assert vector.histograms is not None
    for step, index in zip(*(axis.tolist() for axis in np.nonzero(vector.histogram_mask())), strict=True):
        grouped.setdefault((step, int(codes[index])), []).append(vector.histograms[step, index])
    return grouped


def _counted(
    op: str, values: F64, counts: I64, grouped: dict[tuple[int, int], list[NativeHistogram]]
) -> tuple[F64, Bool, None]:
    values, counts = values.copy(), counts.copy()
    for at, histograms in grouped.items():
        counts[at] += len(histograms)
        values[at] = counts[at] if op == "count" else 1.0
    return values, counts > 0, None


def annotate_incompatible(error: IncompatibleHistogramsError, annotations: Annotations) -> None:
    """The warning for histograms that cannot be combined."""
    if isinstance(error, IncompatibleSchemaError):
        annotations.warn("vector contains a mix of histograms with exponential and custom buckets")
    else:
        annotations.warn("vector contains histograms with incompatible custom buckets")


def sum_histograms(histograms: Iterable[NativeHistogram], annotations: Annotations) -> NativeHistogram | None:
    """The sum; None with a warning when they cannot be added."""
    total: NativeHistogram | None = None
    for histogram in histograms:
        try:
            total = histogram if total is None else total + histogram
        except IncompatibleHistogramsError as error:
            annotate_incompatible(error, annotations)
            return None
    return None if total is None else total.compacted()


def mean_histogram(histograms: Iterable[NativeHistogram], annotations: Annotations) -> NativeHistogram | None:
    """The running mean, as Prometheus computes it; None with a warning when they cannot be combined."""
    mean: NativeHistogram | None = None
    for seen, histogram in enumerate(histograms, start=1):
        try:
            mean = histogram if mean is None else mean + (histogram.divided(seen) - mean.divided(seen))
        except IncompatibleHistogramsError as error:
            annotate_incompatible(error, annotations)
            return None
    return None if mean is None else mean.compacted()
