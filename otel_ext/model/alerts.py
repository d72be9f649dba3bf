"""Alerts: what a source says is true now, and what the one state machine makes of it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from otel_ext.model.labels import Labels

__all__ = ["ActiveAlert", "Alert", "AlertRule", "AlertSource", "AlertState", "Transition"]


class AlertState(enum.StrEnum):
    """``inactive`` is never listed; ``resolved`` alerts stay listed for a while so that receivers hear of it."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class AlertSource(enum.StrEnum):
    """Who decided the condition."""

    RULE = "rule"
    SLO = "slo"
    ANOMALY = "anomaly"
    HEALTH = "health"
    CODE = "code"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """The identity and timing of one alerting rule, whatever its source.

    ``key`` is unique in the process and stable over restarts (``slo/checkout/page``); ``name`` becomes the
    label ``alertname``. ``interval_ms`` is the time between its evaluations, 0 when it is evaluated at every tick.
    """

    key: str
    name: str
    source: AlertSource
    for_ms: int = 0
    keep_firing_for_ms: int = 0
    interval_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveAlert:
    """One label set for which a rule's condition holds at this evaluation.

    ``labels`` are complete but for ``alertname``, which the machine adds. ``evidence`` is shown to people:
    windows, thresholds, example trace ids.
    """

    labels: Labels
    value: float
    annotations: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    evidence: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert instance: a rule and a label set, with its state. Times are Unix milliseconds.

    ``active_at_ms``: first evaluation that saw it; ``fired_at_ms`` and ``resolved_at_ms``: transitions, or
    ``None``; ``updated_at_ms``: last evaluation that touched it; ``keep_firing_since_ms``: first evaluation that
    missed it while ``keep_firing_for`` keeps it firing. ``labels`` include ``alertname``.
    """

    rule: AlertRule
    labels: Labels
    annotations: Mapping[str, str]
    evidence: Mapping[str, object]
    state: AlertState
    value: float
    active_at_ms: int
    fired_at_ms: int | None
    resolved_at_ms: int | None
    updated_at_ms: int
    keep_firing_since_ms: int | None = None

    @property
    def fingerprint(self) -> str:
        """Stable identity of the label set over processes and restarts."""
        return self.labels.fingerprint()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """An alert changed its state at ``ts_ms``; ``alert`` is the alert after the change."""

    alert: Alert
    previous: AlertState
    ts_ms: int
    reason: str
