"""What the rule engine tells about itself: frozen snapshots of groups, rules and their last evaluations.

Values only. Imports the vocabulary and the rule values.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from otel_ext.model.alerts import Alert, AlertState
from otel_ext.model.labels import Labels

__all__ = ["GroupStatus", "RuleEvaluation", "RuleHealth", "RuleStatus"]


class RuleHealth(enum.StrEnum):
    """Prometheus's words for how the last evaluation of a rule went."""

    UNKNOWN = "unknown"
    OK = "ok"
    ERR = "err"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleEvaluation:
    """One evaluation of one rule.

    ``samples`` holds the first elements of the result, native histograms as text; ``total`` counts all.
    ``reason`` says in words what came of it; ``error`` is empty when it went well.
    """

    ts_ms: int
    duration_seconds: float
    samples: tuple[tuple[Labels, float | str], ...]
    total: int
    reason: str
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleStatus:
    """One rule as ``/api/v1/rules`` shows it; ``state``, ``alerts`` and their ``key`` are of alerting rules."""

    kind: str
    name: str
    key: str
    expr: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    for_ms: int
    keep_firing_for_ms: int
    health: RuleHealth
    last_error: str
    last_evaluation_ms: int | None
    evaluation_duration_seconds: float
    state: AlertState
    alerts: tuple[Alert, ...]
    warnings: tuple[str, ...]
    history: tuple[RuleEvaluation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStatus:
    """One group: when it ran last (the slot it stands for) and next, how long it took, and slots it missed."""

    name: str
    file: str
    interval_ms: int
    limit: int
    query_offset_ms: int
    last_evaluation_ms: int | None
    next_evaluation_ms: int | None
    evaluation_duration_seconds: float
    evaluations: int
    missed_evaluations: int
    rules: tuple[RuleStatus, ...]
