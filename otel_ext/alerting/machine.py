"""The alert state machine: inactive, pending, firing, resolved, with the semantics of Prometheus 3.5.

The machine owns the alerts of all rules. ``observe``, ``hold``, ``forget``, ``prune`` and ``restore`` are called
by one thread; ``alerts``, ``for_rule`` and ``dump`` read a published immutable state and may be called by any.
Imports the vocabulary, errors and its own codec.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from otel_ext.alerting import codec
from otel_ext.errors import AlertError
from otel_ext.model.alerts import ActiveAlert, Alert, AlertRule, AlertState, Transition
from otel_ext.model.labels import Labels

__all__ = ["RESOLVED_RETENTION_MS", "AlertMachine"]

RESOLVED_RETENTION_MS = 15 * 60 * 1000
"""A resolved alert stays listed for 15 minutes, so that receivers surely hear of it (Prometheus)."""


@dataclass(slots=True)
class _RuleState:
    """The alerts of one rule by label set; ``unconfirmed`` are restored ones and until when they are kept unseen."""

    rule: AlertRule
    alerts: dict[Labels, Alert] = field(default_factory=dict)
    unconfirmed: dict[Labels, int] = field(default_factory=dict)


class AlertMachine:
    """Turns "these label sets are true now" into alerts with a state, and says what changed.

    An alert is identified by its rule's key and its label set including ``alertname``. Rules that share a name
    keep separate alerts.
    """

    def __init__(self, *, resolved_retention_ms: int = RESOLVED_RETENTION_MS) -> None:
        self._retention_ms = resolved_retention_ms
        self._rules: dict[str, _RuleState] = {}
        self._forgotten: set[str] = set()
        self._published: Mapping[str, tuple[Alert, ...]] = {}
        self._sorted: tuple[Mapping[str, tuple[Alert, ...]], tuple[Alert, ...]] = (self._published, ())

    def observe(
        self,
        rule: AlertRule,
        active: Sequence[ActiveAlert],
        ts_ms: int,
        *,
        limit: int = 0,
        keep: Collection[Labels] = (),
    ) -> tuple[Transition, ...]:
        """Take one evaluation of ``rule``: ``active`` are all label sets for which its condition holds.

        A new label set becomes pending and fires once it has been seen for ``for_ms`` (at once when that is 0).
        One that is gone is dropped while pending, and resolves when firing, ``keep_firing_for_ms`` after the
        first evaluation that missed it. A resolved one that comes back starts afresh.

        Args:
            limit: the most pending and firing alerts the rule may have; 0 is no limit.
            keep: label sets (with ``alertname``) of which nothing is known now: not active, yet left as they are.

        Raises:
            AlertError: two elements have one label set (nothing is changed), or more than ``limit`` alerts are
                active (all state of the rule is dropped without a transition, as Prometheus does).
        """
        fresh = _by_identity(rule, active)
        state = self._state_of(rule)
        transitions = [*self._take(state, fresh, ts_ms), *self._miss(state, {*fresh, *keep}, ts_ms)]
        count = sum(alert.state is not AlertState.RESOLVED for alert in state.alerts.values())
        if limit and count > limit:
            self._rules.pop(rule.key)
            self._publish(rule.key)
            raise AlertError(f"alert {rule.name!r}: {count} alerts exceed the limit of {limit}; their state is dropped")
        self._publish(rule.key)
        return tuple(transitions)

    def hold(self, rule_key: str, ts_ms: int) -> None:
        """Nothing is known about this rule at ``ts_ms`` (no data, failed query): every alert keeps its state."""
        state = self._rules.get(rule_key)
        if state is not None:
            self._drop_expired(state, ts_ms)
            self._publish(rule_key)

    def forget(self, rule_key: str, ts_ms: int) -> tuple[Transition, ...]:
        """The rule is gone: pending alerts are dropped, firing ones resolve and stay listed for the retention."""
        state = self._rules.get(rule_key)
        if state is None:
            return ()
        transitions = [
            self._leave(state, alert, ts_ms, "the rule was removed")
            for alert in list(state.alerts.values())
            if alert.state is not AlertState.RESOLVED
        ]
        self._forgotten.add(rule_key)
        self._publish(rule_key)
        self.prune(ts_ms)
        return tuple(transitions)

    def prune(self, ts_ms: int) -> None:
        """Drop resolved alerts of forgotten rules whose retention is over; call it once a tick."""
        for key in list(self._forgotten):
            state = self._rules[key]
            self._drop_expired(state, ts_ms)
            self._publish(key)

    def alerts(self) -> tuple[Alert, ...]:
        """Every pending, firing and recently resolved alert, sorted by rule key and labels."""
        published, alerts = self._sorted
        if published is not self._published:
            published = self._published
            alerts = tuple(alert for key in sorted(published) for alert in published[key])
            self._sorted = (published, alerts)
        return alerts

    def for_rule(self, rule_key: str) -> tuple[Alert, ...]:
        """The alerts of one rule, sorted by labels; empty for an unknown rule."""
        return self._published.get(rule_key, ())

    def dump(self, ts_ms: int) -> dict[str, object]:
        """The whole state as plain data (JSON-able when the evidence is), for :meth:`restore` after a restart."""
        return codec.encode(self.alerts(), ts_ms)

    def restore(self, data: Mapping[str, object], ts_ms: int, *, hold_ms: int = 0) -> tuple[Alert, ...]:
        """Load what :meth:`dump` gave, replacing the state of the rules in it; returns the restored alerts.

        The clocks of ``for`` and ``keep_firing_for`` stand still between dump and restore. For ``hold_ms`` after
        the restart an alert that no evaluation saw yet keeps its state: the windows of its query are still
        filling up. Resolved alerts beyond the retention are left out.

        Raises:
            ValueError: the data is of another version or not what :meth:`dump` returns.
        """
        alerts = codec.decode(data, ts_ms)
        for key in {alert.rule.key for alert in alerts}:
            self._rules.pop(key, None)
        for alert in alerts:
            state = self._state_of(alert.rule)
            state.alerts[alert.labels] = alert
            if alert.state is not AlertState.RESOLVED and hold_ms > 0:
                state.unconfirmed[alert.labels] = ts_ms + hold_ms
        for key in {alert.rule.key for alert in alerts}:
            self._drop_expired(self._rules[key], ts_ms)
            self._publish(key)
        return tuple(alert for key in {a.rule.key for a in alerts} for alert in self.for_rule(key))

    def _state_of(self, rule: AlertRule) -> _RuleState:
        self._forgotten.discard(rule.key)
        state = self._rules.get(rule.key)
        if state is None:
            state = self._rules[rule.key] = _RuleState(rule)
        state.rule = rule
        return state

    def _take(self, state: _RuleState, fresh: Mapping[Labels, ActiveAlert], ts_ms: int) -> Iterable[Transition]:
        """Label sets whose condition holds: create, refresh, fire."""
        for labels, active in fresh.items():
            state.unconfirmed.pop(labels, None)
            known = state.alerts.get(labels)
            live = known if known is not None and known.state is not AlertState.RESOLVED else None
            alert = _seen(state.rule, labels, active, live, ts_ms)
            state.alerts[labels] = alert
            previous = AlertState.INACTIVE if known is None else known.state
            if alert.state is not previous:
                yield Transition(alert=alert, previous=previous, ts_ms=ts_ms, reason=_why(alert, previous))

    def _miss(self, state: _RuleState, present: Collection[Labels], ts_ms: int) -> Iterable[Transition]:
        """Label sets whose condition does not hold: drop, keep firing, resolve."""
        for labels, alert in list(state.alerts.items()):
            if labels in present or ts_ms < state.unconfirmed.get(labels, ts_ms):
                continue
            if alert.state is AlertState.RESOLVED:
                continue
            since = alert.keep_firing_since_ms if alert.keep_firing_since_ms is not None else ts_ms
            if alert.state is AlertState.FIRING and ts_ms - since < state.rule.keep_firing_for_ms:
                state.alerts[labels] = replace(alert, rule=state.rule, keep_firing_since_ms=since, updated_at_ms=ts_ms)
            else:
                yield self._leave(state, alert, ts_ms, "the condition no longer holds")
        self._drop_expired(state, ts_ms)

    @staticmethod
    def _leave(state: _RuleState, alert: Alert, ts_ms: int, reason: str) -> Transition:
        state.unconfirmed.pop(alert.labels, None)
        if alert.state is AlertState.FIRING:
            gone = replace(
                alert,
                rule=state.rule,
                state=AlertState.RESOLVED,
                resolved_at_ms=ts_ms,
                updated_at_ms=ts_ms,
                keep_firing_since_ms=None,
            )
            state.alerts[alert.labels] = gone
        else:
            gone = replace(alert, rule=state.rule, state=AlertState.INACTIVE, updated_at_ms=ts_ms)
            del state.alerts[alert.labels]
        return Transition(alert=gone, previous=alert.state, ts_ms=ts_ms, reason=reason)

    def _drop_expired(self, state: _RuleState, ts_ms: int) -> None:
        expired = [
            labels
            for labels, alert in state.alerts.items()
            if alert.resolved_at_ms is not None and ts_ms - alert.resolved_at_ms > self._retention_ms
        ]
        for labels in expired:
            del state.alerts[labels]

    def _publish(self, key: str) -> None:
        """Replace, never change, what readers of other threads see."""
        state = self._rules.get(key)
        if state is None or not state.alerts:
            self._rules.pop(key, None)
            self._forgotten.discard(key)
            if key in self._published:
                self._published = {name: group for name, group in self._published.items() if name != key}
            return
        self._published = {**self._published, key: tuple(sorted(state.alerts.values(), key=_order))}


def _by_identity(rule: AlertRule, active: Sequence[ActiveAlert]) -> dict[Labels, ActiveAlert]:
    found: dict[Labels, ActiveAlert] = {}
    for item in active:
        labels = item.labels
        if labels.get("alertname") != rule.name:
            labels = labels.with_labels(alertname=rule.name)
        if labels in found:
            raise AlertError(
                f"alert {rule.name!r}: two elements of the result have the same labels {labels!r} after the rule's "
                "labels were applied; keep a label that tells them apart, or aggregate it away in the expression"
            )
        found[labels] = item
    return found


def _seen(rule: AlertRule, labels: Labels, active: ActiveAlert, known: Alert | None, ts_ms: int) -> Alert:
    """The alert after an evaluation that saw it; ``known`` is its pending or firing predecessor."""
    active_at_ms = known.active_at_ms if known else ts_ms
    fired_at_ms = known.fired_at_ms if known else None
    if fired_at_ms is None and ts_ms - active_at_ms >= rule.for_ms:
        fired_at_ms = ts_ms
    return Alert(
        rule=rule,
        labels=labels,
        annotations=active.annotations,
        evidence=active.evidence,
        state=AlertState.PENDING if fired_at_ms is None else AlertState.FIRING,
        value=active.value,
        active_at_ms=active_at_ms,
        fired_at_ms=fired_at_ms,
        resolved_at_ms=None,
        updated_at_ms=ts_ms,
    )


def _why(alert: Alert, previous: AlertState) -> str:
    if alert.state is AlertState.PENDING:
        return f"the condition holds; it fires after {alert.rule.for_ms / 1000:g}s"
    if previous is AlertState.PENDING:
        return f"the condition has held for {(alert.updated_at_ms - alert.active_at_ms) / 1000:g}s"
    return "the condition holds"


def _order(alert: Alert) -> tuple[tuple[str, str], ...]:
    return alert.labels.items_sorted
