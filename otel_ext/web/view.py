"""What the status page shows, as plain values, and the one sentence that says how the service is.

Frozen values gathered once a request by ``console.py``; pure functions. Imports model and storage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from otel_ext.model.alerts import Alert, AlertSource, AlertState
from otel_ext.model.anomalies import Anomaly
from otel_ext.model.slos import SloStatus
from otel_ext.storage.traces import TraceSummary
from otel_ext.web import wording

__all__ = ["CheckRow", "PageView", "Sentence", "sentence", "why"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """A health check: ``probe`` is ``live`` or ``ready``; ``state`` is ``pass``, ``warn`` or ``fail``."""

    name: str
    probe: str
    state: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    """Everything the page shows at ``now_ms``; ``counters`` and ``facts`` come from the pipeline."""

    service: str
    now_ms: int
    started_at_ms: int
    slos: Sequence[SloStatus] = ()
    alerts: Sequence[Alert] = ()
    open_anomalies: Sequence[Anomaly] = ()
    recent_anomalies: Sequence[Anomaly] = ()
    checks: Sequence[CheckRow] = ()
    traces: Sequence[TraceSummary] = ()
    counters: Mapping[str, object] = field(default_factory=dict)
    facts: Sequence[str] = ()

    def in_state(self, state: AlertState) -> list[Alert]:
        """The alerts in that state, newest first."""
        found = [alert for alert in self.alerts if alert.state == state]
        return sorted(found, key=lambda alert: alert.active_at_ms, reverse=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """The state in one sentence; ``tone`` is ``good``, ``watch``, ``bad`` or ``quiet``."""

    text: str
    detail: str
    tone: str


def sentence(view: PageView) -> Sentence:
    """The worst thing first: a spent budget, a burning one, a failed check, a firing alert, then what is pending."""
    for judge in (_spent, _burning, _unhealthy, _firing, _pending, _anomalous):
        found = judge(view)
        if found is not None:
            return found
    return _calm(view)


def _spent(view: PageView) -> Sentence | None:
    spent = [status for status in view.slos if status.state == "breached"]
    if not spent:
        return None
    worst = min(spent, key=lambda status: status.budget_remaining or 0.0)
    text = f"The error budget of {worst.slo.name} is spent"
    return Sentence(text=text, detail=_shortfall(worst) + _others(spent), tone="bad")


def _burning(view: PageView) -> Sentence | None:
    burning = [status for status in view.slos if status.state == "at_risk"]
    if not burning:
        return None
    worst = max(burning, key=_burn)
    left = wording.exhaustion_ms(worst)
    end = f", exhausted in {wording.duration(left)}" if left is not None else ""
    text = f"Budget of {worst.slo.name} is burning {wording.burn_text(_burn(worst))}{end}"
    return Sentence(text=text, detail=_shortfall(worst) + _others(burning), tone="bad")


def _shortfall(status: SloStatus) -> str:
    text = f"{wording.sli_text(status)} good where {wording.objective_text(status)} is promised"
    if status.coverage >= 0.995:
        return text
    return f"{text}, on {wording.duration(wording.measured_ms(status))} of data"


def _burn(status: SloStatus) -> float:
    rate = wording.steady_burn(status)
    return (rate.burn or 0.0) if rate is not None else 0.0


def _others(statuses: Sequence[SloStatus]) -> str:
    count = len(statuses) - 1
    return "" if not count else f"; {count} more {'SLO is' if count == 1 else 'SLOs are'} in the same state"


def _unhealthy(view: PageView) -> Sentence | None:
    failed = [check for check in view.checks if check.state == "fail"]
    if not failed:
        return None
    word = "Not alive" if any(check.probe == "live" for check in failed) else "Not ready"
    names = list(dict.fromkeys(check.name for check in failed))
    return Sentence(text=f"{word}: {_listed(names)}", detail=failed[0].detail, tone="bad")


def _firing(view: PageView) -> Sentence | None:
    firing = view.in_state(AlertState.FIRING)
    if not firing:
        return None
    names = list(dict.fromkeys(alert.labels.get("alertname", alert.rule.name) for alert in firing))
    text = f"{_listed(names)} {'is' if len(names) == 1 else 'are'} firing"
    return Sentence(text=text, detail=_promises(view), tone="bad")


def _pending(view: PageView) -> Sentence | None:
    pending = view.in_state(AlertState.PENDING)
    if not pending:
        return None
    names = list(dict.fromkeys(alert.labels.get("alertname", alert.rule.name) for alert in pending))
    verb = "is" if len(names) == 1 else "are"
    return Sentence(text=f"{_promises(view)}, but {_listed(names)} {verb} pending", detail=_since(view), tone="watch")


def _anomalous(view: PageView) -> Sentence | None:
    if not view.open_anomalies:
        return None
    count = len(view.open_anomalies)
    text = f"{_promises(view)}, {count} {'series behaves' if count == 1 else 'series behave'} unusually"
    return Sentence(text=text, detail=_since(view), tone="watch")


def _calm(view: PageView) -> Sentence:
    measured = any(status.total for status in view.slos)
    tone = "good" if measured else "quiet"
    return Sentence(text=_promises(view), detail=_since(view), tone=tone)


def _promises(view: PageView) -> str:
    if not view.slos:
        return "No alert is firing"
    if not any(status.total for status in view.slos):
        return "No requests counted yet"
    unmeasured = sum(1 for status in view.slos if not status.total)
    if any(status.state == "breached" for status in view.slos):
        return "Not every SLO is met"
    return "All SLOs met" if not unmeasured else f"All measured SLOs met ({unmeasured} without events)"


def _since(view: PageView) -> str:
    up = wording.duration(max(0, view.now_ms - view.started_at_ms) // 1000 * 1000)
    slo_text = "" if view.slos else "; no SLO is defined"
    return f"judged on what this process saw in the {up} since it started{slo_text}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def why(alert: Alert) -> list[str]:
    """The sentences that explain an alert: its own annotations, or where it comes from and its value."""
    said = [alert.annotations[name] for name in ("summary", "message", "description") if alert.annotations.get(name)]
    if said:
        return said
    origin = {AlertSource.SLO: "burn rate", AlertSource.ANOMALY: "anomaly score"}.get(alert.rule.source, "value")
    return [f"{origin} {wording.number(alert.value)}"]
