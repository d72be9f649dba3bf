"""An SLO whose indicator is a pair of PromQL queries, as rule generators need it; whatever file it came from.

Frozen values; no state. Imports nothing of the package.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType

__all__ = ["WINDOW_PLACE", "QueryAlert", "QuerySlo", "RuleTarget"]

WINDOW_PLACE = re.compile(r"\{\{-?\s*\.window\s*-?\}\}")
"""Where a query wants the range: ``{{.window}}``."""

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryAlert:
    """The labels and annotations that one severity adds; a disabled one makes no rule."""

    disabled: bool = False
    labels: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    annotations: Mapping[str, str] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTarget:
    """The Kubernetes object that the rules are to become; ``None`` fields stay out of it."""

    name: str
    namespace: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    annotations: Mapping[str, str] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySlo:
    """One SLO over PromQL.

    ``error_ratio`` is an expression of the share of bad events with ``{{.window}}`` for its range. ``objective`` is
    in percent, exact. ``spec`` names the format it was read from (``prometheus/v1``). SLOs with equal ``document``
    were written in one YAML document; ``target`` is set when that was a Kubernetes object.
    """

    service: str
    name: str
    objective: Fraction
    error_ratio: str
    spec: str
    document: int = 0
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    alert_name: str = ""
    alert_labels: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    alert_annotations: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    page: QueryAlert = QueryAlert(disabled=True)
    ticket: QueryAlert = QueryAlert(disabled=True)
    target: RuleTarget | None = None

    @property
    def identity(self) -> str:
        """``service-name``, unique in a rule evaluator."""
        return f"{self.service}-{self.name}"

    @property
    def budget(self) -> Fraction:
        """The allowed share of bad events."""
        return 1 - self.objective / 100

    def error_ratio_over(self, window: str) -> str:
        """The expression with this range, such as ``5m``."""
        return WINDOW_PLACE.sub(window, self.error_ratio)
