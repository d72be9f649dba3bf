"""StepVector: an instant vector at T evaluation times as matrices [step, series]; plus the checks all producers share.

Values of one evaluation: made by one thread, never written to after they are built.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from otel_ext.errors import QueryError
from otel_ext.storage.metrics.series_set import EMPTY_SERIES, METADATA_LABELS, LabelColumn, SeriesSet

__all__ = [
    "F64",
    "I64",
    "Bool",
    "Objects",
    "StepVector",
    "concat",
    "drop_marked_names",
    "empty_vector",
    "merge_duplicates",
    "renamed",
]

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]

_SAME_LABELSET = "vector cannot contain metrics with the same labelset"


@dataclass(slots=True, kw_only=True)
class StepVector:
    """``values[t, i]`` is the sample of series i at step t where ``present[t, i]`` (None: everywhere).

    ``histograms[t, i]`` holds a NativeHistogram where the sample is one. ``drop_name[i]`` marks series whose name
    goes when the query is done (delayed name removal); None: no series.
    """

    series: SeriesSet
    values: F64
    present: Bool | None = None
    histograms: Objects | None = None
    drop_name: Bool | None = None

    @property
    def steps(self) -> int:
        return int(self.values.shape[0])

    def mask(self) -> Bool:
        """Where samples are, as a matrix."""
        return np.ones(self.values.shape, dtype=np.bool_) if self.present is None else self.present

    def histogram_mask(self) -> Bool:
        """Where the sample is a histogram, as a matrix."""
        if self.histograms is None:
            return np.zeros(self.values.shape, dtype=np.bool_)
        found: Bool = (self.histograms != None) & self.mask()  # noqa: E711  elementwise
        return found

    def float_mask(self) -> Bool | None:
        """Where the sample is a float; None: everywhere."""
        if self.histograms is None:
            return self.present
        return self.mask() & ~self.histogram_mask()

    def floats_only(self) -> StepVector:
        """Without the histograms."""
        if self.histograms is None:
            return self
        return StepVector(series=self.series, values=self.values, present=self.float_mask(), drop_name=self.drop_name)

    def take(self, at: I64) -> StepVector:
        """The series at these positions."""
        return StepVector(
            series=self.series.take(at),
            values=self.values[:, at],
            present=None if self.present is None else self.present[:, at],
            histograms=None if self.histograms is None else self.histograms[:, at],
            drop_name=None if self.drop_name is None else self.drop_name[at],
        )

    def at_step(self, step: int) -> tuple[I64, list[Any]]:
        """Positions of the series present at a step, and their samples (float or histogram)."""
        if self.present is None:
            positions = np.arange(self.series.n, dtype=np.int64)
        else:
            positions = np.flatnonzero(self.present[step]).astype(np.int64)
        samples: list[Any] = self.values[step, positions].tolist()
        if self.histograms is not None:
            for index, found in enumerate(self.histograms[step, positions].tolist()):
                if found is not None:
                    samples[index] = found
        return positions, samples


def empty_vector(steps: int) -> StepVector:
    """No series at all."""
    return StepVector(series=EMPTY_SERIES, values=np.empty((steps, 0)))


def concat(parts: list[StepVector], steps: int) -> StepVector:
    """All series of the parts, in order."""
    parts = [part for part in parts if part.series.n]
    if not parts:
        return empty_vector(steps)
    if len(parts) == 1:
        return parts[0]
    return StepVector(
        series=_concat_series([part.series for part in parts]),
        values=np.concatenate([part.values for part in parts], axis=1),
        present=_concat_optional([part.present for part in parts], [part.mask for part in parts]),
        histograms=_concat_histograms(parts),
        drop_name=_concat_drops(parts),
    )


def _concat_series(sets: list[SeriesSet]) -> SeriesSet:
    while len(sets) > 1:
        sets = [
            sets[index].concat(sets[index + 1]) if index + 1 < len(sets) else sets[index]
            for index in range(0, len(sets), 2)
        ]
    return sets[0]


def _concat_optional(masks: list[Bool | None], full: list[Any]) -> Bool | None:
    if all(mask is None for mask in masks):
        return None
    return np.concatenate([make() for make in full], axis=1)


def _concat_histograms(parts: list[StepVector]) -> Objects | None:
    if all(part.histograms is None for part in parts):
        return None
    return np.concatenate(
        [
            np.full(part.values.shape, None, dtype=object) if part.histograms is None else part.histograms
            for part in parts
        ],
        axis=1,
    )


def _concat_drops(parts: list[StepVector]) -> Bool | None:
    if all(part.drop_name is None for part in parts):
        return None
    return np.concatenate(
        [np.zeros(part.series.n, dtype=np.bool_) if part.drop_name is None else part.drop_name for part in parts]
    )


def renamed(vector: StepVector, *, delayed: bool) -> StepVector:
    """The vector after an operation that drops the metric name, at once or marked for the end of the query."""
    if delayed:
        return StepVector(
            series=vector.series,
            values=vector.values,
            present=vector.present,
            histograms=vector.histograms,
            drop_name=np.ones(vector.series.n, dtype=np.bool_),
        )
    return merge_duplicates(
        StepVector(
            series=vector.series.drop_metric_name(),
            values=vector.values,
            present=vector.present,
            histograms=vector.histograms,
        )
    )


def merge_duplicates(vector: StepVector) -> StepVector:
    """Series of equal labels become one; QueryError where two of them have a sample at the same step."""
    if vector.series.n < 2 or not vector.series.has_duplicates():
        return vector
    codes, first = vector.series.identity()
    steps, groups = vector.steps, len(first)
    mask = vector.mask()
    at_step, at_series = np.nonzero(mask)
    counts = np.zeros((steps, groups), dtype=np.int64)
    np.add.at(counts, (at_step, codes[at_series]), 1)
    if (counts > 1).any():
        raise QueryError(_SAME_LABELSET)
    values = np.full((steps, groups), np.nan)
    values[at_step, codes[at_series]] = vector.values[at_step, at_series]
    histograms = None
    if vector.histograms is not None:
        histograms = np.full((steps, groups), None, dtype=object)
        histograms[at_step, codes[at_series]] = vector.histograms[at_step, at_series]
    return StepVector(
        series=vector.series.take(first), values=values, present=counts > 0, histograms=histograms,
        drop_name=None if vector.drop_name is None else vector.drop_name[first],
    )  # fmt: skip


def drop_marked_names(vector: StepVector) -> StepVector:
    """Carry out the delayed removal at the end of a query."""
    marked = vector.drop_name
    if marked is None or not marked.any():
        return merge_duplicates(vector)
    series = vector.series
    if marked.all():
        series = series.drop_metric_name()
    else:
        columns = dict(series.columns)
        for name in METADATA_LABELS:
            if name in columns:
                columns[name] = LabelColumn(columns[name].values, np.where(marked, 0, columns[name].codes))
        series = SeriesSet(series.n, columns)
    return merge_duplicates(
        StepVector(series=series, values=vector.values, present=vector.present, histograms=vector.histograms)
    )
