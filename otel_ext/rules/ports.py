"""What the rule engine needs of others, as function types: a query, a place for results, stale markers.

Types only, and the reading of an instant query's result. Imports the vocabulary and errors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from otel_ext.errors import QueryError
from otel_ext.model.labels import EMPTY_LABELS, Labels
from otel_ext.model.native_histograms import NativeHistogram
from otel_ext.promql import Expr

__all__ = ["AppendFunc", "InstantResult", "MarkStaleFunc", "QueryFunc", "RuleSample", "samples_of"]


class SampleLike(Protocol):
    """One element of an instant vector."""

    @property
    def labels(self) -> Labels: ...
    @property
    def value(self) -> float | NativeHistogram: ...


class InstantResult(Protocol):
    """The result of an instant query: ``value`` is a vector (``.samples``) or a scalar (``.value``)."""

    @property
    def value(self) -> object: ...
    @property
    def warnings(self) -> Sequence[str]: ...


QueryFunc = Callable[[str | Expr, int], InstantResult]
"""Evaluates a PromQL expression (text or tree) at a time in Unix milliseconds; raises ``QueryError``."""

AppendFunc = Callable[[int, Sequence[tuple[Labels, float | NativeHistogram]]], object]
"""Writes samples at a time in Unix milliseconds; the next query must see them."""

MarkStaleFunc = Callable[[int, Sequence[Labels]], object]
"""Writes a stale marker for each series at a time in Unix milliseconds."""


@dataclass(frozen=True, slots=True)
class RuleSample:
    """One element of a rule's result."""

    labels: Labels
    value: float | NativeHistogram


def samples_of(result: InstantResult) -> tuple[SampleLike, ...]:
    """The elements of an instant query's result; a scalar is one element without labels.

    Raises:
        QueryError: the result is a string or a range vector, which no rule can use.
    """
    value = result.value
    samples = getattr(value, "samples", None)
    if samples is not None:
        return tuple(samples)
    number = getattr(value, "value", value)
    if isinstance(number, int | float):
        return (RuleSample(EMPTY_LABELS, float(number)),)
    raise QueryError(f"a rule's expression must give a vector or a scalar, not {type(value).__name__}")
