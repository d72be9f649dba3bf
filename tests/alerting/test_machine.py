"""The alert state machine against the semantics of Prometheus, and against a reference that replays everything."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_ext.alerting import RESOLVED_RETENTION_MS, AlertMachine
from otel_ext.errors import AlertError
from otel_ext.model.alerts import ActiveAlert, Alert, AlertRule, AlertSource, AlertState
from otel_ext.model.labels import Labels

MINUTE = 60_000
T0 = 1_700_000_000_000


def rule(for_ms: int = 0, keep_ms: int = 0, key: str = "rule/a", name: str = "Down") -> AlertRule:
    return AlertRule(key=key, name=name, source=AlertSource.RULE, for_ms=for_ms, keep_firing_for_ms=keep_ms)


def active(*instances: str, value: float = 1.0) -> list[ActiveAlert]:
    return [ActiveAlert(labels=Labels(instance=i), value=value, annotations={"v": str(value)}) for i in instances]


def states(machine: AlertMachine) -> dict[str, str]:
    return {alert.labels["instance"]: alert.state.value for alert in machine.alerts()}


def test_a_condition_without_for_fires_at_its_first_evaluation() -> None:
    machine = AlertMachine()
    (transition,) = machine.observe(rule(), active("a"), T0)
    assert (transition.previous, transition.alert.state) == (AlertState.INACTIVE, AlertState.FIRING)
    assert transition.alert.labels == {"alertname": "Down", "instance": "a"}
    assert transition.alert.active_at_ms == transition.alert.fired_at_ms == T0


def test_for_counts_from_the_first_evaluation_that_saw_the_condition() -> None:
    machine = AlertMachine()
    (pending,) = machine.observe(rule(MINUTE), active("a"), T0)
    assert pending.alert.state is AlertState.PENDING
    assert machine.observe(rule(MINUTE), active("a"), T0 + MINUTE - 1) == ()
    (firing,) = machine.observe(rule(MINUTE), active("a"), T0 + MINUTE)
    assert (firing.previous, firing.alert.state) == (AlertState.PENDING, AlertState.FIRING)
    assert (firing.alert.active_at_ms, firing.alert.fired_at_ms) == (T0, T0 + MINUTE)


def test_a_pending_alert_that_is_gone_is_dropped_and_starts_afresh() -> None:
    machine = AlertMachine()
    machine.observe(rule(MINUTE), active("a"), T0)
    (gone,) = machine.observe(rule(MINUTE), [], T0 + 1)
    assert gone.alert.state is AlertState.INACTIVE
    assert machine.alerts() == ()
    machine.observe(rule(MINUTE), active("a"), T0 + 2)
    assert machine.alerts()[0].active_at_ms == T0 + 2


def test_a_resolved_alert_keeps_its_last_words_for_fifteen_minutes() -> None:
    machine = AlertMachine()
    machine.observe(rule(), active("a", value=7), T0)
    (resolved,) = machine.observe(rule(), [], T0 + MINUTE)
    assert resolved.alert.state is AlertState.RESOLVED
    assert (resolved.alert.resolved_at_ms, resolved.alert.value) == (T0 + MINUTE, 7.0)
    machine.observe(rule(), [], T0 + MINUTE + RESOLVED_RETENTION_MS)
    assert states(machine) == {"a": "resolved"}
    machine.observe(rule(), [], T0 + MINUTE + RESOLVED_RETENTION_MS + 1)
    assert states(machine) == {}


def test_a_resolved_alert_that_comes_back_is_replaced_by_a_fresh_one() -> None:
    machine = AlertMachine()
    machine.observe(rule(), active("a"), T0)
    machine.observe(rule(), [], T0 + 1)
    (back,) = machine.observe(rule(MINUTE), active("a"), T0 + 2)
    assert (back.previous, back.alert.state) == (AlertState.RESOLVED, AlertState.PENDING)
    assert (back.alert.active_at_ms, back.alert.resolved_at_ms) == (T0 + 2, None)


def test_keep_firing_for_counts_from_the_first_missing_evaluation_and_is_reset_by_a_return() -> None:
    machine = AlertMachine()
    kept = rule(keep_ms=3 * MINUTE)
    machine.observe(kept, active("a", value=1), T0)
    machine.observe(kept, [], T0 + MINUTE)
    machine.observe(kept, active("a", value=2), T0 + 3 * MINUTE)
    machine.observe(kept, [], T0 + 4 * MINUTE)
    assert machine.alerts()[0].keep_firing_since_ms == T0 + 4 * MINUTE
    assert machine.observe(kept, [], T0 + 7 * MINUTE - 1) == ()
    (resolved,) = machine.observe(kept, [], T0 + 7 * MINUTE)
    assert resolved.alert.state is AlertState.RESOLVED
    assert resolved.alert.value == 2.0


def test_value_and_annotations_follow_every_evaluation_while_firing() -> None:
    machine = AlertMachine()
    machine.observe(rule(), active("a", value=1), T0)
    assert machine.observe(rule(), active("a", value=5), T0 + 1) == ()
    (alert,) = machine.alerts()
    assert (alert.value, alert.annotations, alert.fired_at_ms) == (5, {"v": "5"}, T0)


def test_equal_label_sets_are_an_error_that_changes_nothing() -> None:
    machine = AlertMachine()
    machine.observe(rule(), active("a"), T0)
    before = machine.alerts()
    with pytest.raises(AlertError, match=r'Down.*instance="b"'):
        machine.observe(rule(), active("b", "b"), T0 + 1)
    assert machine.alerts() == before


def test_more_alerts_than_the_limit_wipe_the_state_of_the_rule() -> None:
    machine = AlertMachine()
    machine.observe(rule(), active("a"), T0, limit=2)
    machine.observe(rule(key="rule/b"), active("z"), T0)
    with pytest.raises(AlertError, match="3 alerts exceed the limit of 2"):
        machine.observe(rule(), active("a", "b", "c"), T0 + 1, limit=2)
    assert states(machine) == {"z": "firing"}


def test_missing_data_resolves_nothing() -> None:
    machine = AlertMachine()
    machine.observe(rule(), active("a"), T0)
    machine.observe(rule(MINUTE, key="rule/b"), active("b"), T0)
    machine.hold("rule/a", T0 + 60 * MINUTE)
    machine.hold("rule/b", T0 + 60 * MINUTE)
    machine.hold("rule/unknown", T0)
    assert states(machine) == {"a": "firing", "b": "pending"}


def test_a_removed_rule_resolves_its_firing_alerts_and_drops_its_pending_ones() -> None:
    machine = AlertMachine()
    machine.observe(rule(), active("a"), T0)
    machine.observe(rule(MINUTE, key="rule/b"), active("b"), T0)
    (resolved,) = machine.forget("rule/a", T0 + 1)
    (dropped,) = machine.forget("rule/b", T0 + 1)
    assert (resolved.alert.state, dropped.alert.state) == (AlertState.RESOLVED, AlertState.INACTIVE)
    assert resolved.reason == "the rule was removed"
    machine.prune(T0 + 1 + RESOLVED_RETENTION_MS)
    assert states(machine) == {"a": "resolved"}
    machine.prune(T0 + 2 + RESOLVED_RETENTION_MS)
    assert machine.alerts() == ()
    assert machine.forget("rule/a", T0) == ()


def test_rules_with_one_name_keep_separate_alerts_and_snapshots_are_sorted() -> None:
    machine = AlertMachine()
    machine.observe(rule(key="rule/b"), active("b", "a"), T0)
    machine.observe(rule(key="rule/a"), active("a"), T0)
    assert [(a.rule.key, a.labels["instance"]) for a in machine.alerts()] == [
        ("rule/a", "a"),
        ("rule/b", "a"),
        ("rule/b", "b"),
    ]
    assert machine.for_rule("rule/b") == machine.alerts()[1:]
    assert machine.for_rule("nothing") == ()
    assert machine.alerts() is machine.alerts()


def test_a_snapshot_that_was_taken_never_changes() -> None:
    machine = AlertMachine()
    machine.observe(rule(), active("a"), T0)
    snapshot = machine.alerts()
    machine.observe(rule(), [], T0 + 1)
    assert [alert.state for alert in snapshot] == [AlertState.FIRING]


def test_state_survives_a_restart_as_json_and_the_for_clock_stands_still_meanwhile() -> None:
    machine = AlertMachine()
    machine.observe(rule(5 * MINUTE), active("p"), T0)
    machine.observe(rule(key="rule/b", keep_ms=5 * MINUTE), active("k"), T0)
    machine.observe(rule(key="rule/b", keep_ms=5 * MINUTE), [], T0 + MINUTE)
    machine.observe(rule(5 * MINUTE), active("p"), T0 + 2 * MINUTE)
    saved = json.loads(json.dumps(machine.dump(T0 + 2 * MINUTE)))

    again = AlertMachine()
    restored = again.restore(saved, T0 + 62 * MINUTE)
    assert len(restored) == 2
    assert again.observe(rule(5 * MINUTE), active("p"), T0 + 65 * MINUTE - 1) == ()
    (fired,) = again.observe(rule(5 * MINUTE), active("p"), T0 + 65 * MINUTE)
    assert fired.alert.state is AlertState.FIRING
    assert again.observe(rule(key="rule/b", keep_ms=5 * MINUTE), [], T0 + 66 * MINUTE - 1) == ()
    (resolved,) = again.observe(rule(key="rule/b", keep_ms=5 * MINUTE), [], T0 + 66 * MINUTE)
    assert resolved.alert.state is AlertState.RESOLVED


def test_a_restored_alert_waits_for_its_windows_to_fill_before_it_may_resolve() -> None:
    machine = AlertMachine()
    machine.observe(rule(), active("a", "b"), T0)
    again = AlertMachine()
    again.restore(machine.dump(T0), T0 + MINUTE, hold_ms=5 * MINUTE)
    assert again.observe(rule(), active("a"), T0 + 2 * MINUTE) == ()
    (seen_and_gone,) = again.observe(rule(), [], T0 + 3 * MINUTE)
    assert seen_and_gone.alert.labels["instance"] == "a"
    (never_seen,) = again.observe(rule(), [], T0 + 6 * MINUTE)
    assert never_seen.alert.labels["instance"] == "b"


@pytest.mark.parametrize("data", [{}, {"version": 99}, {"version": 1}, {"version": 1, "saved_at_ms": 1, "rules": [1]}])
def test_foreign_state_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="alert state"):
        AlertMachine().restore(data, T0)


@dataclass
class Reference:
    """Recomputes the state of one label set from all evaluations so far; slow and plain."""

    for_ms: int
    keep_ms: int

    def state(self, seen: list[tuple[int, bool]]) -> tuple[str, int, int | None, int | None] | None:
        name, since, fired, resolved, missing = "inactive", 0, None, None, None
        for ts, present in seen:
            if present:
                missing = None
                if name in ("inactive", "resolved"):
                    name, since, fired, resolved = "pending", ts, None, None
                if name == "pending" and ts - since >= self.for_ms:
                    name, fired = "firing", ts
                continue
            if name == "pending":
                name = "inactive"
            elif name == "firing":
                missing = ts if missing is None else missing
                if ts - missing >= self.keep_ms:
                    name, resolved, missing = "resolved", ts, None
            elif name == "resolved" and resolved is not None and ts - resolved > RESOLVED_RETENTION_MS:
                name = "inactive"
        return None if name == "inactive" else (name, since, fired, resolved)


def summary(alert: Alert) -> tuple[str, int, int | None, int | None]:
    return alert.state.value, alert.active_at_ms, alert.fired_at_ms, alert.resolved_at_ms


@settings(max_examples=200, deadline=None)
@given(
    for_minutes=st.integers(0, 4),
    keep_minutes=st.integers(0, 4),
    steps=st.lists(st.tuples(st.integers(1, 9), st.sets(st.sampled_from("abc"))), max_size=40),
    restart_at=st.integers(0, 40),
)
def test_any_history_gives_what_a_replay_of_it_gives(
    for_minutes: int, keep_minutes: int, steps: list[tuple[int, set[str]]], restart_at: int
) -> None:
    machine, ts = AlertMachine(), T0
    observed: list[tuple[int, set[str]]] = []
    rule_ = rule(for_minutes * MINUTE, keep_minutes * MINUTE)
    reference = Reference(for_minutes * MINUTE, keep_minutes * MINUTE)
    told: dict[str, str] = {}
    for index, (minutes, present) in enumerate(steps):
        ts += minutes * MINUTE
        if index == restart_at:
            saved, machine = machine.dump(ts), AlertMachine()
            machine.restore(json.loads(json.dumps(saved)), ts)
        observed.append((ts, present))
        for transition in machine.observe(rule_, active(*sorted(present)), ts):
            assert told.get(transition.alert.labels["instance"], "inactive") in (transition.previous.value, "resolved")
            told[transition.alert.labels["instance"]] = transition.alert.state.value
        got = {alert.labels["instance"]: summary(alert) for alert in machine.alerts()}
        expected = {name: reference.state([(t, name in seen) for t, seen in observed]) for name in "abc"}
        assert got == {name: value for name, value in expected.items() if value is not None}
        assert {name for name, state in told.items() if state == "firing"} == {
            name for name, value in got.items() if value[0] == "firing"
        }


def test_what_is_kept_changes_neither_state_nor_value() -> None:
    machine = AlertMachine()
    machine.observe(rule(), active("a", "b"), T0)
    kept = Labels(alertname="Down", instance="a")
    (resolved,) = machine.observe(rule(), [], T0 + MINUTE, keep={kept})
    assert resolved.alert.labels["instance"] == "b"
    assert states(machine) == {"a": "firing", "b": "resolved"}
    assert machine.for_rule("rule/a")[0].updated_at_ms == T0
