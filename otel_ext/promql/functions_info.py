"""info(): labels of info metrics (``target_info`` by default) added to the series of the same job and instance.

Experimental in Prometheus 3.5. Pure function over one FunctionCall.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from otel_ext.errors import QueryError
from otel_ext.model.labels import METRIC_NAME, Labels
from otel_ext.promql.frames import StepVector, concat, empty_vector, merge_duplicates
from otel_ext.promql.function_call import FunctionCall, Implementation
from otel_ext.promql.nodes import VectorSelector, unwrap_parens
from otel_ext.storage.metrics.matchers import Matcher, MatchType
from otel_ext.storage.metrics.series_set import SeriesSet

__all__ = ["INFO"]

_IDENTIFYING = ("instance", "job")
_DEFAULT = Matcher(MatchType.EQUAL, METRIC_NAME, "target_info")


def _info(call: FunctionCall) -> StepVector:
    base = call.vector(0)
    if not base.series.n:
        return base
    names, wanted = _matchers(call)
    selector = VectorSelector(name="", matchers=(*names, *wanted))
    infos, stamps = call.evaluator.select_latest(selector)
    parts = []
    for step in range(call.steps):
        found = _step(base, infos, np.asarray(stamps), step, (names, wanted))
        if found is not None:
            parts.append(found)
    return merge_duplicates(concat(parts, call.steps)) if parts else empty_vector(call.steps)


def _matchers(call: FunctionCall) -> tuple[tuple[Matcher, ...], tuple[Matcher, ...]]:
    if len(call.args) < 2:
        return (_DEFAULT,), ()
    selector = unwrap_parens(call.args[1])
    assert isinstance(selector, VectorSelector)
    names = tuple(matcher for matcher in selector.matchers if matcher.name == METRIC_NAME)
    return names or (_DEFAULT,), tuple(matcher for matcher in selector.matchers if matcher.name != METRIC_NAME)


def _step(
    base: StepVector,
    infos: StepVector,
    stamps: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    step: int,
    matchers: tuple[tuple[Matcher, ...], tuple[Matcher, ...]],
) -> StepVector | None:
    names, wanted = matchers
    newest = _newest_infos(infos, stamps, step)
    positions, _ = base.at_step(step)
    kept: list[int] = []
    labels: list[Labels] = []
    for position in positions.tolist():
        series = base.series.labels[position]
        if all(matcher.matches(series.metric_name) for matcher in names):
            enriched: Labels | None = series
        else:
            enriched = _enriched(series, newest.get(_identity(series), []), wanted)
        if enriched is not None:
            kept.append(position)
            labels.append(enriched)
    if not kept:
        return None
    taken = base.take(np.array(kept, dtype=np.int64))
    only = np.zeros(taken.values.shape, dtype=np.bool_)
    only[step] = True
    return StepVector(
        series=SeriesSet.of(labels), values=taken.values, present=only, histograms=taken.histograms,
        drop_name=taken.drop_name,
    )  # fmt: skip


def _identity(labels: Labels) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in _IDENTIFYING)


def _newest_infos(
    infos: StepVector, stamps: np.ndarray[tuple[int, ...], np.dtype[np.float64]], step: int
) -> dict[tuple[str, ...], list[Labels]]:
    """By identity, the newest series of each info metric."""
    newest: dict[tuple[tuple[str, ...], str], tuple[float, Labels]] = {}
    for position in infos.at_step(step)[0].tolist():
        labels = infos.series.labels[position]
        key = (_identity(labels), labels.metric_name)
        stamp = float(stamps[step, position])
        known = newest.get(key)
        if known is not None and known[0] == stamp:
            raise QueryError(f"found duplicate series for info metric: existing {known[1]!r}, new {labels!r}")
        if known is None or known[0] < stamp:
            newest[key] = (stamp, labels)
    found: dict[tuple[str, ...], list[Labels]] = {}
    for (identity, _), (_, labels) in newest.items():
        found.setdefault(identity, []).append(labels)
    return found


def _enriched(series: Labels, infos: Sequence[Labels], wanted: Sequence[Matcher]) -> Labels | None:
    """The series with the labels of its infos; None when it must have one and has none."""
    names = {matcher.name for matcher in wanted}
    if not infos:
        return None if any(not matcher.matches("") for matcher in wanted) else series
    added: dict[str, str] = {}
    for info in infos:
        for name, value in info.items_sorted:
            if name == METRIC_NAME or name in _IDENTIFYING or name in series or (names and name not in names):
                continue
            if added.setdefault(name, value) != value:
                raise QueryError(f"conflicting label: {name}")
    return series.with_labels(added)


INFO: Mapping[str, Implementation] = {"info": _info}
