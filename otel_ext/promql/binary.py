"""Binary operators: scalars, vectors with scalars, vector matching (one-to-one, group_left/right), set operators.

Matching is done once over all series of both sides, then applied to every step; only where several series of one side
share a signature is it decided step by step, because then it depends on which of them have a sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from otel_ext.errors import QueryError
from otel_ext.model.labels import METRIC_NAME
from otel_ext.model.native_histograms import NativeHistogram
from otel_ext.promql.annotations import Annotations
from otel_ext.promql.arithmetic import ARITHMETIC, COMPARISONS, Outcome, histogram_operation, scalar_operation
from otel_ext.promql.frames import F64, I64, Bool, Objects, StepVector, concat, empty_vector
from otel_ext.promql.nodes import Cardinality, VectorMatching
from otel_ext.storage.metrics.series_set import UNLABELLED, LabelColumn, SeriesSet

__all__ = ["BinaryOperation", "negated", "unlabelled"]

Operand = StepVector | F64


def unlabelled(scalar: F64) -> StepVector:
    """A scalar as a vector of one series without labels."""
    return StepVector(series=UNLABELLED, values=scalar[:, None])


def negated(vector: StepVector) -> StepVector:
    """Every sample negated, histograms included."""
    histograms = vector.histograms
    if histograms is not None:
        histograms = _map_histograms(histograms, lambda histogram: histogram.scaled(-1.0))
    return StepVector(
        series=vector.series, values=-vector.values, present=vector.present, histograms=histograms,
        drop_name=vector.drop_name,
    )  # fmt: skip


def _map_histograms(histograms: Objects, change: Callable[[NativeHistogram], NativeHistogram]) -> Objects:
    out: Objects = np.full(histograms.shape, None, dtype=object)
    for at in zip(*(axis.tolist() for axis in np.nonzero(histograms != None)), strict=True):  # noqa: E711
        out[at] = change(histograms[at])
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryOperation:
    """One operator with its matching, applied to evaluated sides."""

    op: str
    matching: VectorMatching
    return_bool: bool
    annotations: Annotations
    delayed_name_removal: bool

    def apply(self, left: StepVector | F64 | str, right: StepVector | F64 | str) -> Operand:
        """The result over all steps."""
        if isinstance(left, str) or isinstance(right, str):
            raise QueryError(f"binary operator {self.op!r} cannot be applied to a string")
        if isinstance(left, StepVector):
            if isinstance(right, StepVector):
                return self._set_operation(left, right) if self._is_set else self._vectors(left, right)
            return self._with_scalar(left, right, swapped=False)
        if isinstance(right, StepVector):
            return self._with_scalar(right, left, swapped=True)
        return scalar_operation(self.op, left, right)

    @property
    def _is_set(self) -> bool:
        return self.matching.card is Cardinality.MANY_TO_MANY

    @property
    def _drops_name(self) -> bool:
        return self.op in ARITHMETIC or self.return_bool

    # ---- vector with scalar ----

    def _with_scalar(self, vector: StepVector, scalar: F64, *, swapped: bool) -> StepVector:
        other = np.broadcast_to(scalar[:, None], vector.values.shape)
        pair = (other, vector.values) if swapped else (vector.values, other)
        values, keep = self._floats(pair[0], pair[1], vector.values)
        present = _and(vector.present, keep)
        histograms = None
        if vector.histograms is not None:
            values, present, histograms = self._scalar_histograms(vector, scalar, values, present, swapped=swapped)
        result = StepVector(
            series=vector.series, values=values, present=present, histograms=histograms, drop_name=vector.drop_name
        )
        return self._named(result)

    def _floats(self, left: F64, right: F64, kept: F64) -> tuple[F64, Bool | None]:
        """Values, and which elements a filtering comparison keeps (None: all)."""
        if self.op in ARITHMETIC:
            return ARITHMETIC[self.op](left, right), None
        matches = COMPARISONS[self.op](left, right)
        if self.return_bool:
            return matches.astype(np.float64), None
        return kept, matches

    def _scalar_histograms(
        self, vector: StepVector, scalar: F64, values: F64, present: Bool | None, *, swapped: bool
    ) -> tuple[F64, Bool, Objects]:
        source = vector.histograms
        assert source is not None
        out: Objects = np.full(values.shape, None, dtype=object)
        mask = np.ones(values.shape, dtype=np.bool_) if present is None else present.copy()
        values = values.copy()
        for step, index in zip(*(axis.tolist() for axis in np.nonzero(vector.histogram_mask())), strict=True):
            sides = (source[step, index], float(scalar[step]))
            left, right = sides[::-1] if swapped else sides
            outcome = histogram_operation(self.op, left, right, self.annotations)
            self._store((out, values, mask), (step, index), outcome)
        return values, mask, out

    def _store(self, into: tuple[Objects, F64, Bool], at: tuple[int, int], outcome: Outcome) -> None:
        histograms, values, mask = into
        result, keep = outcome
        if self.return_bool and result is not None:
            values[at], mask[at] = float(keep), True
            return
        mask[at] = keep and result is not None
        if isinstance(result, NativeHistogram):
            histograms[at] = result
        elif result is not None:
            values[at] = result

    def _named(self, result: StepVector) -> StepVector:
        if not self._drops_name:
            return _without_absent(result)
        if self.delayed_name_removal:
            marks = np.ones(result.series.n, dtype=np.bool_)
            return _without_absent(replace_drop(result, marks))
        return _without_absent(replace_series(result, result.series.drop_metric_name()))

    # ---- vector with vector ----

    def _vectors(self, left: StepVector, right: StepVector) -> StepVector:
        swapped = self.matching.card is Cardinality.ONE_TO_MANY
        many, one = (right, left) if swapped else (left, right)
        if not many.series.n or not one.series.n:
            return empty_vector(left.steps)
        many_keys, one_keys = many.series.shared_keys(one.series, self.matching.labels, ignoring=not self.matching.on)
        if len(np.unique(one_keys)) == len(one_keys):
            return self._joined(many, one, many_keys, one_keys, swapped=swapped)
        return self._stepwise(many, one, many_keys, one_keys, swapped=swapped)

    def _stepwise(
        self, many: StepVector, one: StepVector, many_keys: I64, one_keys: I64, *, swapped: bool
    ) -> StepVector:
        """Decide the match at each step among the series that have a sample there."""
        codes, first = _first_of(one_keys)
        mask = one.mask()
        counts = np.zeros((one.steps, len(first)), dtype=np.int64)
        at_step, at_series = np.nonzero(mask)
        np.add.at(counts, (at_step, codes[at_series]), 1)
        counts[~many.mask().any(axis=1)] = 0  # nothing can match there, so nothing is refused
        if (counts > 1).any():
            self._refuse_duplicates(one, codes, counts, swapped=swapped)
        values = np.full(counts.shape, np.nan)
        values[at_step, codes[at_series]] = one.values[at_step, at_series]
        histograms = None
        if one.histograms is not None:
            histograms = np.full(counts.shape, None, dtype=object)
            histograms[at_step, codes[at_series]] = one.histograms[at_step, at_series]
        if self.matching.include:
            return self._stepwise_labels(many, one, many_keys, one_keys, swapped=swapped)
        merged = StepVector(
            series=one.series.take(first), values=values, present=counts > 0, histograms=histograms,
            drop_name=None if one.drop_name is None else one.drop_name[first],
        )  # fmt: skip
        return self._joined(many, merged, many_keys, one_keys[first], swapped=swapped)

    def _stepwise_labels(
        self, many: StepVector, one: StepVector, many_keys: I64, one_keys: I64, *, swapped: bool
    ) -> StepVector:
        """Included labels may change from step to step: join each step alone and put the results together."""
        parts = []
        for step in range(one.steps):
            single = one.take(np.flatnonzero(one.mask()[step]))
            keys = one_keys[np.flatnonzero(one.mask()[step])]
            only = np.zeros((one.steps, 1), dtype=np.bool_)
            only[step] = True
            if single.series.n:
                masked = replace_present(single, single.mask() & only)
                parts.append(self._joined(many, masked, many_keys, keys, swapped=swapped))
        return concat(parts, one.steps)

    def _refuse_duplicates(self, one: StepVector, codes: I64, counts: I64, *, swapped: bool) -> None:
        step, group = (int(axis[0]) for axis in np.nonzero(counts > 1))
        pair = [i for i in np.flatnonzero(codes == group).tolist() if one.mask()[step, i]][:2]
        labels = [one.series.labels[i] for i in pair]
        signature = (
            labels[0].only(*self.matching.labels)
            if self.matching.on
            else labels[0].without(METRIC_NAME, *self.matching.labels)
        )
        side = "left" if swapped else "right"
        raise QueryError(
            f"found duplicate series for the match group {dict(signature)} on the {side} hand-side of the operation: "
            f"[{labels[0]!r}, {labels[1]!r}];many-to-many matching not allowed: "
            "matching labels must be unique on one side"
        )

    def _joined(self, many: StepVector, one: StepVector, many_keys: I64, one_keys: I64, *, swapped: bool) -> StepVector:
        order = np.argsort(one_keys, kind="stable")
        found = np.searchsorted(one_keys[order], many_keys)
        found = np.minimum(found, len(order) - 1)
        partner = order[found]
        matched = np.flatnonzero(one_keys[partner] == many_keys)
        if not len(matched):
            return empty_vector(many.steps)
        partner = partner[matched]
        left, right = (many, one) if not swapped else (one, many)
        at_left, at_right = (matched, partner) if not swapped else (partner, matched)
        present = _and(_columns(left.present, at_left), _columns(right.present, at_right))
        lhs, rhs = left.values[:, at_left], right.values[:, at_right]
        values, keep = self._floats(lhs, rhs, lhs)
        present = _and(present, keep)
        histograms = None
        if left.histograms is not None or right.histograms is not None:
            base = _and(_columns(left.present, at_left), _columns(right.present, at_right))
            values, present, histograms = self._histogram_pairs(
                (left, at_left), (right, at_right), values, present, base
            )
        series, drops = self._result_series(many, one, matched, partner)
        result = StepVector(series=series, values=values, present=present, histograms=histograms, drop_name=drops)
        result = _without_absent(result)
        self._check_unique(result)
        return result

    def _histogram_pairs(
        self,
        left: tuple[StepVector, I64],
        right: tuple[StepVector, I64],
        values: F64,
        present: Bool | None,
        base: Bool | None,
    ) -> tuple[F64, Bool, Objects]:
        out: Objects = np.full(values.shape, None, dtype=object)
        mask = np.ones(values.shape, dtype=np.bool_) if present is None else present.copy()
        both = np.ones(values.shape, dtype=np.bool_) if base is None else base
        sides = [_elements(vector, at) for vector, at in (left, right)]
        marked = np.zeros(values.shape, dtype=np.bool_)
        for _, found in sides:
            if found is not None:
                marked |= found != None  # noqa: E711  elementwise
        values = values.copy()
        for at in zip(*(axis.tolist() for axis in np.nonzero(marked & both)), strict=True):
            pair = [float(floats[at]) if found is None or found[at] is None else found[at] for floats, found in sides]
            outcome = histogram_operation(self.op, pair[0], pair[1], self.annotations)
            self._store((out, values, mask), at, outcome)
        return values, mask, out

    def _result_series(
        self, many: StepVector, one: StepVector, matched: I64, partner: I64
    ) -> tuple[SeriesSet, Bool | None]:
        key = ("result", id(one.series), self.matching, self._drops_name, self.delayed_name_removal)
        held = many.series.memo(key, lambda: (one.series, self._make_series(many, one, matched, partner)))
        series = held[1] if held[0] is one.series and held[1].n == len(matched) else None
        if series is None:
            series = self._make_series(many, one, matched, partner)
        drops: Bool | None = None
        if self.delayed_name_removal:
            marks = None if many.drop_name is None else many.drop_name[matched]
            drops = np.ones(len(matched), dtype=np.bool_) if self.return_bool else marks
        return series, drops

    def _make_series(self, many: StepVector, one: StepVector, matched: I64, partner: I64) -> SeriesSet:
        matching = self.matching
        series = many.series
        if self._drops_name and (self.op in ARITHMETIC or not self.delayed_name_removal):
            series = series.drop_metric_name()
        series = series.take(matched)
        if matching.card is Cardinality.ONE_TO_ONE:
            return series.only(*matching.labels) if matching.on else series.without(*matching.labels)
        columns = dict(series.columns)
        for name in matching.include:
            source = one.series.columns.get(name)
            columns.pop(name, None)
            if source is not None:
                columns[name] = LabelColumn(source.values, source.codes[partner])
        return SeriesSet(len(matched), columns)

    def _check_unique(self, result: StepVector) -> None:
        """Two elements of the many side that give the same result labels at one step are an error."""
        series = result.series
        if self.matching.card is Cardinality.ONE_TO_ONE:
            # the match itself must be unique: result labels (without the name) are its signature
            series = series.drop_metric_name() if not self.matching.on else series.only(*self.matching.labels)
        if not series.has_duplicates():
            return
        codes, first = series.identity()
        counts = np.zeros((result.steps, len(first)), dtype=np.int64)
        at_step, at_series = np.nonzero(result.mask())
        np.add.at(counts, (at_step, codes[at_series]), 1)
        if (counts > 1).any():
            if self.matching.card is Cardinality.ONE_TO_ONE:
                raise QueryError(
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                )
            raise QueryError("multiple matches for labels: grouping labels must ensure unique matches")

    # ---- set operators ----

    def _set_operation(self, left: StepVector, right: StepVector) -> StepVector:
        left_keys, right_keys = left.series.shared_keys(
            right.series, self.matching.labels, ignoring=not self.matching.on
        )
        if self.op == "or":
            kept = replace_present(right, right.mask() & ~_covered(left, left_keys, right_keys))
            return concat([left, _without_absent(kept)], left.steps)
        covered = _covered(right, right_keys, left_keys)
        keep = covered if self.op == "and" else ~covered
        return _without_absent(replace_present(left, left.mask() & keep))


def _covered(other: StepVector, other_keys: I64, keys: I64) -> Bool:
    """Which (step, series of ``keys``) find a present series of the other side with the same signature."""
    steps = other.steps
    distinct, inverse = np.unique(np.concatenate([other_keys, keys]), return_inverse=True)
    inverse = inverse.reshape(-1)
    seen = np.zeros((steps, len(distinct)), dtype=np.bool_)
    at_step, at_series = np.nonzero(other.mask())
    seen[at_step, inverse[: len(other_keys)][at_series]] = True
    return seen[:, inverse[len(other_keys) :]]


def _first_of(keys: I64) -> tuple[I64, I64]:
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return inverse.reshape(-1).astype(np.int64), first.astype(np.int64)


def _elements(vector: StepVector, at: I64) -> tuple[F64, Objects | None]:
    return vector.values[:, at], None if vector.histograms is None else vector.histograms[:, at]


def _columns(mask: Bool | None, at: I64) -> Bool | None:
    return None if mask is None else mask[:, at]


def _and(left: Bool | None, right: Bool | None) -> Bool | None:
    if left is None:
        return right
    return left if right is None else left & right


def replace_present(vector: StepVector, present: Bool) -> StepVector:
    """The vector with other presence."""
    return replace(vector, present=None if present.all() else present)


def replace_drop(vector: StepVector, marks: Bool) -> StepVector:
    """The vector with other marks for name removal."""
    return replace(vector, drop_name=marks)


def replace_series(vector: StepVector, series: SeriesSet) -> StepVector:
    """The vector with other labels."""
    return replace(vector, series=series)


def _without_absent(vector: StepVector) -> StepVector:
    """Without series that have no sample at any step."""
    if vector.present is None:
        return vector
    alive = vector.present.any(axis=0)
    if alive.all():
        return replace(vector, present=None) if vector.present.all() else vector
    return vector.take(np.flatnonzero(alive).astype(np.int64))
