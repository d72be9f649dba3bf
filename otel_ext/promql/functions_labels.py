"""Functions of labels, order, presence and time: label_replace, label_join, sort*, absent*, scalar, vector, timestamp.

Pure functions over one FunctionCall.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from otel_ext.errors import QueryError
from otel_ext.model.labels import METRIC_NAME, Labels
from otel_ext.promql.binary import unlabelled
from otel_ext.promql.frames import F64, Bool, StepVector, empty_vector
from otel_ext.promql.function_call import FunctionCall, Implementation
from otel_ext.promql.go_strings import is_label_name
from otel_ext.promql.nodes import Expr, MatrixSelector, VectorSelector, unwrap_parens
from otel_ext.storage.metrics.matchers import MatchType, compile_re2
from otel_ext.storage.metrics.series_set import SeriesSet

__all__ = ["LABELS"]

_CHUNKS = re.compile(r"\d+|\D+", re.ASCII)
_GO_TEMPLATE = re.compile(r"\$(?:\$|\{([^}]*)\}|(\w+))", re.ASCII)


# ---- label_replace, label_join ----


def _label_replace(call: FunctionCall) -> StepVector:
    vector = call.vector(0)
    target, replacement, source, pattern = (call.string(position) for position in range(1, 5))
    try:
        regex = compile_re2(pattern)
    except QueryError as error:
        raise QueryError(f"invalid regular expression in label_replace(): {pattern}: {error}") from error
    _check_label_name(call, target, "destination")

    @functools.cache
    def replaced(value: str) -> str | None:
        found = regex.fullmatch(value)
        return None if found is None else _expanded(replacement, found)

    sources, targets = vector.series.values_of(source), vector.series.values_of(target)
    outcomes = [replaced(value) for value in sources]
    values = [old if new is None else new for old, new in zip(targets, outcomes, strict=True)]
    return _with_label(vector, target, values, [new is not None for new in outcomes])


def _expanded(template: str, found: Any) -> str:
    """Go's ``Regexp.Expand``: ``$1``, ``$name``, ``${name}``, ``$$``; an unknown group is empty."""

    def group(match: re.Match[str]) -> str:
        name = match.group(1) if match.group(1) is not None else match.group(2)
        if name is None:
            return "$"
        try:
            key: int | str = int(name) if name.isdigit() else name
            return found.group(key) or ""
        except (IndexError, KeyError):
            return ""

    return _GO_TEMPLATE.sub(group, template)


def _label_join(call: FunctionCall) -> StepVector:
    vector = call.vector(0)
    target, separator = call.string(1), call.string(2)
    names = [call.string(position) for position in range(3, len(call.args))]
    for name in names:
        _check_label_name(call, name, "source")
    _check_label_name(call, target, "destination")
    columns = [vector.series.values_of(name) for name in names]
    joined = [separator.join(values) for values in zip(*columns, strict=True)] if columns else [""] * vector.series.n
    return _with_label(vector, target, joined, [True] * vector.series.n)


def _check_label_name(call: FunctionCall, name: str, role: str) -> None:
    if not is_label_name(name):
        raise QueryError(f"invalid {role} label name in {call.name}(): {name}")


def _with_label(vector: StepVector, name: str, values: Sequence[str], changed: Sequence[bool]) -> StepVector:
    drops = vector.drop_name
    if name == METRIC_NAME and drops is not None:
        drops = drops & ~np.array(changed, dtype=np.bool_)
    series = vector.series.with_column(name, values)
    if series.has_duplicates():
        raise QueryError("vector cannot contain metrics with the same labelset")
    return StepVector(
        series=series, values=vector.values, present=vector.present, histograms=vector.histograms, drop_name=drops
    )


# ---- order ----


def _sorted_by_value(call: FunctionCall, *, descending: bool) -> StepVector:
    vector = call.vector(0).floats_only()
    if vector.steps != 1:
        return vector
    at = np.arange(vector.series.n) if vector.present is None else np.flatnonzero(vector.present[0])
    values = vector.values[0, at]
    order = np.lexsort((-values if descending else values, np.isnan(values)))
    return vector.take(at[order].astype(np.int64))


def _sort(call: FunctionCall) -> StepVector:
    return _sorted_by_value(call, descending=False)


def _sort_desc(call: FunctionCall) -> StepVector:
    return _sorted_by_value(call, descending=True)


def _sorted_by_label(call: FunctionCall, *, descending: bool) -> StepVector:
    vector = call.vector(0)
    names = [call.string(position) for position in range(1, len(call.args))]
    if vector.steps != 1:
        return vector
    labels = vector.series.labels

    def compare(left: int, right: int) -> int:
        for name in names:
            order = _natural_order(labels[left].get(name, ""), labels[right].get(name, ""))
            if order:
                return order
        mine, other = labels[left].items_sorted, labels[right].items_sorted
        return (mine > other) - (mine < other)

    order = sorted(range(vector.series.n), key=functools.cmp_to_key(compare), reverse=descending)
    return vector.take(np.array(order, dtype=np.int64))


def _natural_order(left: str, right: str) -> int:
    """Numbers within text compare as numbers, everything else as text."""
    mine, other = _CHUNKS.findall(left), _CHUNKS.findall(right)
    for one, two in zip(mine, other, strict=False):
        if one == two:
            continue
        if one.isdigit() and two.isdigit() and int(one) != int(two):
            return -1 if int(one) < int(two) else 1
        return -1 if one < two else 1
    return len(mine) - len(other)


def _sort_by_label(call: FunctionCall) -> StepVector:
    return _sorted_by_label(call, descending=False)


def _sort_by_label_desc(call: FunctionCall) -> StepVector:
    return _sorted_by_label(call, descending=True)


# ---- presence ----


def _absent_labels(expr: Expr) -> Labels:
    """Labels the absent series would have had, as far as equality matchers say."""
    expr = unwrap_parens(expr)
    if isinstance(expr, MatrixSelector):
        expr = expr.selector
    if not isinstance(expr, VectorSelector):
        return Labels()
    found: dict[str, str] = {}
    seen: set[str] = set()
    for matcher in expr.matchers:
        if matcher.name == METRIC_NAME:
            continue
        if matcher.type is MatchType.EQUAL and matcher.name not in seen:
            found[matcher.name] = matcher.value
            seen.add(matcher.name)
        else:
            found.pop(matcher.name, None)
    return Labels(found)


def _absent_where(call: FunctionCall, missing: Bool) -> StepVector:
    if not missing.any():
        return empty_vector(call.steps)
    return StepVector(
        series=SeriesSet.of([_absent_labels(call.args[0])]),
        values=np.ones((call.steps, 1)),
        present=None if missing.all() else missing[:, None],
    )


def _absent(call: FunctionCall) -> StepVector:
    vector = call.vector(0)
    return _absent_where(call, np.asarray(~vector.mask().any(axis=1)))


def _absent_over_time(call: FunctionCall) -> StepVector:
    ranged = call.range(0)
    missing = np.ones(call.steps, dtype=np.bool_)
    for source in ranged.sources:
        for step, window in ranged.windows(source):
            if missing[step] and (window.counts > 0).any():
                missing[step] = False
    return _absent_where(call, missing)


# ---- scalars and time ----


def _scalar(call: FunctionCall) -> F64:
    vector = call.vector(0)
    if not vector.series.n:
        return np.full(call.steps, np.nan)
    mask = vector.mask() if vector.histograms is None else vector.mask() & ~vector.histogram_mask()
    first = mask.argmax(axis=1)
    return np.where(mask.sum(axis=1) == 1, vector.values[np.arange(call.steps), first], np.nan)


def _vector(call: FunctionCall) -> StepVector:
    return unlabelled(call.scalar(0))


def _time(call: FunctionCall) -> F64:
    return call.evaluator.steps / 1000.0


def _pi(call: FunctionCall) -> F64:
    return np.full(call.steps, np.pi)


def _timestamp(call: FunctionCall) -> StepVector:
    """The sample's own time for a selector, the evaluation time for anything else."""
    argument = unwrap_parens(call.args[0])
    if isinstance(argument, VectorSelector):
        vector, seconds = call.evaluator.select_latest(argument)
    else:
        vector = call.evaluator.vector(argument)
        seconds = np.broadcast_to((call.evaluator.steps / 1000.0)[:, None], vector.values.shape)
    return call.renamed(
        StepVector(series=vector.series, values=seconds, present=vector.present, drop_name=vector.drop_name)
    )


LABELS: Mapping[str, Implementation] = {
    "absent": _absent,
    "absent_over_time": _absent_over_time,
    "label_join": _label_join,
    "label_replace": _label_replace,
    "pi": _pi,
    "scalar": _scalar,
    "sort": _sort,
    "sort_by_label": _sort_by_label,
    "sort_by_label_desc": _sort_by_label_desc,
    "sort_desc": _sort_desc,
    "time": _time,
    "timestamp": _timestamp,
    "vector": _vector,
}
