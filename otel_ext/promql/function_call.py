"""What a function implementation receives: its unevaluated arguments and the evaluator to evaluate them.

Used within one evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from otel_ext.errors import QueryError
from otel_ext.promql.annotations import Annotations
from otel_ext.promql.frames import F64, Bool, Objects, StepVector, concat, merge_duplicates, renamed
from otel_ext.promql.nodes import Expr, StringLiteral, unwrap_parens
from otel_ext.promql.windows import RangeSource, RangeVector

if TYPE_CHECKING:
    from otel_ext.promql.evaluator import Evaluator, Value

__all__ = ["FunctionCall", "Implementation", "StepResult"]

# values, which of them are samples (None: all), histograms (None: none); each [n]
StepResult = tuple[F64, Bool | None, Objects | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCall:
    """One call of a PromQL function at all steps of an evaluation."""

    evaluator: Evaluator
    name: str
    args: tuple[Expr, ...]

    @property
    def annotations(self) -> Annotations:
        return self.evaluator.annotations

    @property
    def steps(self) -> int:
        return len(self.evaluator.steps)

    @property
    def delayed(self) -> bool:
        return self.evaluator.delayed_name_removal

    def vector(self, position: int) -> StepVector:
        """An instant vector argument."""
        return self.evaluator.vector(self.args[position])

    def scalar(self, position: int) -> F64:
        """A scalar argument at every step."""
        return self.evaluator.scalar(self.args[position])

    def string(self, position: int) -> str:
        """A string argument."""
        literal = unwrap_parens(self.args[position])
        if not isinstance(literal, StringLiteral):
            raise QueryError(f"argument {position + 1} of {self.name} must be a string")
        return literal.value

    def range(self, position: int) -> RangeVector:
        """A range vector argument."""
        return self.evaluator.range_vector(self.args[position])

    def renamed(self, vector: StepVector) -> StepVector:
        """The result of a function that drops the metric name."""
        return renamed(vector, delayed=self.delayed)

    def over_steps(
        self,
        ranged: RangeVector,
        compute: Callable[[RangeSource, int, int], StepResult],
        *,
        keep_name: bool = False,
    ) -> StepVector:
        """Put together what ``compute(source, end_ms, step)`` gives for every source at every step."""
        parts = [self._source_steps(ranged, source, compute) for source in ranged.sources]
        vector = concat(parts, self.steps)
        if keep_name:
            return vector if self.delayed else merge_duplicates(vector)
        return self.renamed(vector)

    def _source_steps(
        self, ranged: RangeVector, source: RangeSource, compute: Callable[[RangeSource, int, int], StepResult]
    ) -> StepVector:
        shape = (self.steps, source.series.n)
        values = np.empty(shape)
        present = np.ones(shape, dtype=np.bool_)
        histograms: Objects | None = None
        for step, end_ms in enumerate(ranged.ends.tolist()):
            values[step], mask, found = compute(source, end_ms, step)
            if mask is not None:
                present[step] = mask
            if found is not None:
                if histograms is None:
                    histograms = np.full(shape, None, dtype=object)
                histograms[step] = found
        drops = source.vector.drop_name if hasattr(source, "vector") else None
        vector = StepVector(
            series=source.series, values=values, present=present, histograms=histograms, drop_name=drops
        )
        if present.all():
            vector.present = None
            return vector
        alive = present.any(axis=0)
        return vector if alive.all() else vector.take(np.flatnonzero(alive).astype(np.int64))


Implementation = Callable[[FunctionCall], "Value"]
