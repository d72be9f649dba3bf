"""What the process says about itself, as the demo keeps it: the newest SLOs, and every alert and anomaly ever seen.

Plain values made from the process's JSON by :mod:`otel_ext.cli.demo.observer`; owned by the demo's event loop.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["AlertVerdict", "AnomalyVerdict", "SloVerdict", "Verdicts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SloVerdict:
    """How an SLO stands; ``burn_rates`` are pairs of a window (``5m``) and its burn rate, the shortest first."""

    name: str
    objective: str
    latency_ms: float | None
    state: str
    good: int
    total: int
    budget_remaining: float | None
    burn_rates: tuple[tuple[str, float | None], ...]

    @property
    def bad(self) -> int:
        """Events that broke the promise."""
        return self.total - self.good

    @property
    def worst_burn(self) -> float | None:
        """The highest burn rate of all windows."""
        return max((burn for _, burn in self.burn_rates if burn is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertVerdict:
    """One alert with the Unix times of its transitions; ``subject`` is the SLO or series it is about, if any."""

    key: str
    name: str
    subject: str
    source: str
    severity: str
    state: str
    summary: str
    active_at_ms: int
    fired_at_ms: int | None
    resolved_at_ms: int | None

    @property
    def title(self) -> str:
        """The name, and what it is about where many alerts share a name."""
        return f"{self.name} {self.subject}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyVerdict:
    """One series that left its expected band."""

    series: str
    kind: str
    reason: str
    score: float
    started_at_ms: int
    ended_at_ms: int | None

    @property
    def key(self) -> tuple[str, int]:
        """Identity over polls; the kind may change while it lasts."""
        return (self.series, self.started_at_ms)


@dataclass(slots=True)
class Verdicts:
    """Everything heard so far. Alerts and anomalies stay when the process no longer lists them."""

    slos: tuple[SloVerdict, ...] = ()
    alerts: dict[str, AlertVerdict] = field(default_factory=dict)
    anomalies: dict[tuple[str, int], AnomalyVerdict] = field(default_factory=dict)
    polls: int = 0
    failed_polls: int = 0

    def slo(self, name: str) -> SloVerdict | None:
        """The newest verdict on one SLO."""
        return next((slo for slo in self.slos if slo.name == name), None)

    def ordered_alerts(self) -> list[AlertVerdict]:
        """In the order in which they became active."""
        return sorted(self.alerts.values(), key=lambda alert: (alert.active_at_ms, alert.name))

    def ordered_anomalies(self) -> list[AnomalyVerdict]:
        """In the order in which they began."""
        return sorted(self.anomalies.values(), key=lambda anomaly: (anomaly.started_at_ms, anomaly.series))
