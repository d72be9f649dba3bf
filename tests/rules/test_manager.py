"""Groups run at their slots, rules one after the other, and state outlives errors and reloads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest

from otel_ext.alerting import AlertMachine
from otel_ext.model.alerts import AlertState
from otel_ext.model.labels import METRIC_NAME, Labels
from otel_ext.rules import GroupStatus, Rule, RuleFile, RuleGroup, RuleHealth, RuleManager
from tests.support.rule_world import World

T0 = 1_700_000_040_000  # a whole minute
SECOND, MINUTE = 1000, 60_000


def manager(
    world: World, *groups: RuleGroup, machine: AlertMachine | None = None, path: str = "r.yml", **settings: object
) -> RuleManager:
    return RuleManager(
        files=[RuleFile(path=path, groups=groups)],
        query=world.query,
        append=world.append,
        mark_stale=world.mark_stale,
        machine=machine or AlertMachine(),
        monotonic_seconds=world.monotonic_seconds,
        **settings,  # type: ignore[arg-type]
    )


def group(*rules: Rule, name: str = "g", interval_ms: int | None = None, **settings: object) -> RuleGroup:
    return RuleGroup(name=name, rules=rules, interval_ms=interval_ms, **settings)  # type: ignore[arg-type]


def down(**settings: object) -> Rule:
    return Rule(alert="Down", expr="up == 0", **settings)  # type: ignore[arg-type]


def written(world: World, name: str, ts_ms: int | None = None) -> list[tuple[int, dict[str, str], float | None]]:
    return [
        (at, dict(labels.without(METRIC_NAME)), value)
        for at, labels, value in world.samples
        if labels.metric_name == name and ts_ms in (None, at)
    ]


def states(rules: RuleManager) -> list[str]:
    (status,) = rules.groups()
    return [alert.state.value for rule in status.rules for alert in rule.alerts]


# ---- slots -------------------------------------------------------------------------------------------------------


def slots(rules: RuleManager, world: World, times: Sequence[int]) -> list[int]:
    for ts_ms in times:
        rules.tick(ts_ms)
    return [ts_ms for _, ts_ms in world.queries]


def test_a_group_with_an_interval_runs_at_slots_and_stands_for_the_time_of_the_slot() -> None:
    world = World()
    rules = manager(world, group(down(), interval_ms=15 * SECOND))
    asked = slots(rules, world, range(T0, T0 + MINUTE, 700))
    assert len(asked) == 4
    assert {later - earlier for earlier, later in pairwise(asked)} == {15 * SECOND}
    again = World()
    assert slots(manager(again, group(down(), interval_ms=15 * SECOND)), again, [T0, T0 + MINUTE])[-1] in asked


def test_groups_are_spread_over_the_collections_of_their_interval() -> None:
    world = World()
    groups = [group(down(), name=f"g{number}", interval_ms=MINUTE) for number in range(20)]
    rules = manager(world, *groups, default_interval_ms=5 * SECOND)
    offsets = {ts_ms % MINUTE for ts_ms in slots(rules, world, range(T0, T0 + MINUTE + SECOND, SECOND))}
    assert len(offsets) > 5
    assert {offset % (5 * SECOND) for offset in offsets} == {0}


def test_missed_slots_are_counted_and_skipped() -> None:
    world = World()
    rules = manager(world, group(down(), interval_ms=10 * SECOND))
    rules.tick(T0)
    first = rules.next_evaluation_ms()
    assert first is not None
    rules.tick(first)
    rules.tick(first + 57 * SECOND)
    (status,) = rules.groups()
    assert [ts_ms for _, ts_ms in world.queries] == [first, first + 50 * SECOND]
    assert (status.evaluations, status.missed_evaluations) == (2, 4)
    assert status.next_evaluation_ms == first + 60 * SECOND


def test_a_group_without_an_interval_runs_with_the_collections() -> None:
    world = World()
    rules = manager(world, group(down()), default_interval_ms=5 * SECOND)
    assert slots(rules, world, [T0, T0 + 100, T0 + 5100, T0 + 9900, T0 + 10_000]) == [T0, T0 + 5000, T0 + 10_000]


def test_an_interval_that_no_collection_fits_is_spread_freely() -> None:
    world = World()
    groups = [group(down(), name=f"g{number}", interval_ms=7 * SECOND) for number in range(5)]
    rules = manager(world, *groups, default_interval_ms=5 * SECOND)
    asked = slots(rules, world, range(T0, T0 + 8 * SECOND, 100))
    assert len({ts_ms % (7 * SECOND) for ts_ms in asked}) == 5


# ---- recording rules ---------------------------------------------------------------------------------------------


def test_a_recording_rule_writes_its_name_and_labels_and_an_empty_label_removes_one() -> None:
    world = World()
    world.put(T0, "up", 3, job="a", instance="i")
    rules = manager(world, group(Rule(record="job:up", expr="up", labels={"team": "x", "instance": ""})))
    rules.tick(T0)
    assert written(world, "job:up") == [(T0, {"job": "a", "team": "x"}, 3.0)]


def test_a_scalar_is_one_series_without_labels() -> None:
    world = World()
    rules = manager(world, group(Rule(record="one", expr="1")))
    rules.tick(T0)
    assert written(world, "one") == [(T0, {}, 1.0)]


def test_what_a_rule_records_is_seen_by_the_next_rule_in_the_same_evaluation() -> None:
    world = World()
    world.put(T0, "up", 0, job="a")
    chain = group(
        Rule(record="a", expr="up"), Rule(record="b", expr="a"), Rule(alert="A", expr="b == 0"),
        Rule(record="c", expr='ALERTS{alertstate="firing"}'),
    )  # fmt: skip
    manager(world, chain).tick(T0)
    assert [len(written(world, name)) for name in ("a", "b", "c")] == [1, 1, 1]


def test_a_series_that_is_gone_ends_with_a_stale_marker_at_the_same_time() -> None:
    world = World()
    world.put(T0, "up", 0, job="a")
    rules = manager(world, group(Rule(record="bad", expr="up == 0")))
    rules.tick(T0)
    world.put(T0 + MINUTE, "up", 1, job="a")
    rules.tick(T0 + MINUTE)
    rules.tick(T0 + 2 * MINUTE)
    assert written(world, "bad") == [(T0, {"job": "a"}, 0.0), (T0 + MINUTE, {"job": "a"}, None)]


def test_two_results_with_the_same_labels_are_an_error_and_write_nothing() -> None:
    world = World()
    world.put(T0, "up", 1, job="a")
    world.put(T0, "up", 1, job="b")
    rules = manager(world, group(Rule(record="one", expr="up", labels={"job": ""})))
    rules.tick(T0)
    assert written(world, "one") == []
    assert "two elements of the result have the same labels" in rules.groups()[0].rules[0].last_error


def test_more_series_than_the_limit_are_an_error_and_write_nothing() -> None:
    world = World()
    for job in "abc":
        world.put(T0, "up", 1, job=job)
    rules = manager(world, group(Rule(record="x", expr="up"), limit=2))
    rules.tick(T0)
    assert written(world, "x") == []
    assert "3 series exceed the limit of 2" in rules.groups()[0].rules[0].last_error


def test_query_offset_moves_the_query_and_the_results() -> None:
    world = World()
    world.put(T0 - MINUTE, "up", 0)
    rules = manager(world, group(down(), Rule(record="x", expr="up"), query_offset_ms=MINUTE))
    rules.tick(T0)
    assert {ts_ms for _, ts_ms in world.queries} == {T0 - MINUTE}
    assert written(world, "x")[0][0] == written(world, "ALERTS")[0][0] == T0 - MINUTE
    assert rules.groups()[0].rules[0].alerts[0].active_at_ms == T0


# ---- alerting rules ----------------------------------------------------------------------------------------------


def test_an_alert_is_pending_then_firing_then_resolved_and_its_series_say_so() -> None:
    world = World()
    world.put(T0, "up", 0, job="a")
    rules = manager(world, group(down(for_ms=2 * MINUTE, labels={"severity": "page"})))
    for minute in range(3):
        rules.tick(T0 + minute * MINUTE)
    world.put(T0 + 3 * MINUTE, "up", 1, job="a")
    (resolved,) = rules.tick(T0 + 3 * MINUTE)
    assert resolved.alert.state is AlertState.RESOLVED
    labels = {"alertname": "Down", "job": "a", "severity": "page"}
    pending, firing = {**labels, "alertstate": "pending"}, {**labels, "alertstate": "firing"}
    assert sorted(written(world, "ALERTS"), key=str) == sorted(
        [
            (T0, pending, 1.0),
            (T0 + MINUTE, pending, 1.0),
            (T0 + 2 * MINUTE, pending, None),
            (T0 + 2 * MINUTE, firing, 1.0),
            (T0 + 3 * MINUTE, firing, None),
        ],
        key=str,
    )
    since = [value for _, _, value in written(world, "ALERTS_FOR_STATE")]
    assert since == [T0 / 1000, T0 / 1000, T0 / 1000, None]


def test_labels_and_annotations_are_templates_over_the_sample() -> None:
    world = World()
    world.put(T0, "up", 0, job="a", instance="h:1")
    rule = down(
        labels={"where": "{{ $labels.instance | stripPort }}", "job": ""},
        annotations={
            "text": "{{ $labels.__name__ }} {{ $labels.job }}={{ $value }} in {{ $externalLabels.region }}",
            "broken": "{{ $value | first }}",
            "asked": "{{ query `up` | first | value }}",
        },
    )
    rules = manager(world, group(rule), external_labels={"region": "eu"})
    (transition,) = rules.tick(T0)
    assert transition.alert.labels == {"alertname": "Down", "instance": "h:1", "where": "h"}
    assert transition.alert.annotations["text"] == "up a=0 in eu"
    assert transition.alert.annotations["broken"].startswith("<error expanding template: ")
    assert transition.alert.annotations["asked"] == "0"
    assert rules.groups()[0].rules[0].health is RuleHealth.OK


@pytest.mark.parametrize(
    ("expr", "error"),
    [("up ==", "cannot parse"), ("crash", "ZeroDivisionError"), ("text", "must give a vector or a scalar, not Text")],
)
def test_a_failing_rule_keeps_its_alerts_writes_nothing_and_does_not_stop_the_others(expr: str, error: str) -> None:
    world, machine = World(), AlertMachine()
    world.put(T0, "up", 0, job="a")
    rules = manager(world, group(down()), machine=machine)
    rules.tick(T0)
    broken = group(Rule(alert="Down", expr=expr), Rule(record="after", expr="1"))
    rules.replace_files([RuleFile(path="r.yml", groups=(broken,))], T0)
    assert rules.tick(T0 + MINUTE) == ()
    status = rules.groups()[0].rules[0]
    assert status.health is RuleHealth.ERR
    assert error in status.last_error
    assert states(rules) == ["firing"]
    assert written(world, "ALERTS", T0 + MINUTE) == []
    assert written(world, "after") != []
    assert status.history[-1].error == status.last_error


def test_more_alerts_than_the_limit_are_an_error_and_wipe_the_state() -> None:
    world = World()
    for job in "ab":
        world.put(T0, "up", 0, job=job)
    rules = manager(world, group(down(), limit=1))
    assert rules.tick(T0) == ()
    assert states(rules) == []
    assert "2 alerts exceed the limit of 1" in rules.groups()[0].rules[0].last_error


# ---- reload ------------------------------------------------------------------------------------------------------


def reload(rules: RuleManager, *groups: RuleGroup, ts_ms: int = T0 + SECOND) -> list[tuple[str, str]]:
    transitions = rules.replace_files([RuleFile(path="r.yml", groups=groups)], ts_ms)
    return [(item.alert.labels["alertname"], item.alert.state.value) for item in transitions]


def test_a_rule_that_stays_keeps_its_state_over_a_reload_even_when_its_expression_changes() -> None:
    world = World()
    world.put(T0, "up", 0, job="a")
    rules = manager(world, group(down(for_ms=2 * MINUTE)))
    rules.tick(T0)
    assert reload(rules, group(Rule(alert="Down", expr="up < 1", for_ms=2 * MINUTE))) == []
    assert states(rules) == ["pending"]
    assert len(rules.groups()[0].rules[0].history) == 1
    (fired,) = rules.tick(T0 + 2 * MINUTE)
    assert fired.alert.active_at_ms == T0


def test_a_rule_that_is_removed_resolves_its_alerts_and_ends_its_series() -> None:
    world = World()
    world.put(T0, "up", 0, job="a")
    other = Rule(record="one", expr="1")
    rules = manager(world, group(down(), other))
    rules.tick(T0)
    assert reload(rules, group(other)) == [("Down", "resolved")]
    rules.tick(T0 + MINUTE)
    assert [value for at, _, value in written(world, "ALERTS") if at == T0 + MINUTE] == [None]
    assert [value for at, _, value in written(world, "one")] == [1.0, 1.0]


def test_a_reload_does_not_move_the_slots() -> None:
    world = World()
    rules = manager(world, group(down(), interval_ms=10 * SECOND))
    rules.tick(T0)
    rules.tick(T0 + 10 * SECOND)
    before = rules.groups()[0]
    reload(rules, group(down(), Rule(record="one", expr="1"), interval_ms=10 * SECOND))
    after = rules.groups()[0]
    assert (after.next_evaluation_ms, after.evaluations) == (before.next_evaluation_ms, before.evaluations)


def test_rules_with_equal_names_and_labels_keep_separate_state() -> None:
    world = World()
    world.put(T0, "up", 0)
    rules = manager(world, group(down(), down(for_ms=MINUTE), down(labels={"a": "b"})))
    rules.tick(T0)
    assert states(rules) == ["firing", "pending", "firing"]
    assert len({rule.key for rule in rules.groups()[0].rules}) == 3


def test_restored_alerts_go_on_and_those_of_rules_that_are_gone_resolve() -> None:
    world, machine = World(), AlertMachine()
    world.put(T0, "up", 0)
    rules = manager(world, group(down(), Rule(alert="Gone", expr="up == 0")), machine=machine)
    rules.tick(T0)
    again = AlertMachine()
    again.restore(machine.dump(T0), T0 + MINUTE)
    (resolved,) = manager(world, group(down()), machine=again).tick(T0 + MINUTE)
    assert (resolved.alert.rule.name, resolved.alert.state) == ("Gone", AlertState.RESOLVED)
    assert {alert.rule.name: alert.fired_at_ms for alert in again.alerts()} == {"Down": T0, "Gone": T0}


# ---- status ------------------------------------------------------------------------------------------------------


def test_the_status_is_a_frozen_picture_with_durations_and_history() -> None:
    world = World()
    world.put(T0, "odd", 5, job="a")
    rules = manager(world, group(Rule(alert="Odd", expr="odd > 1", annotations={"a": "b"})), history_size=2)
    before = rules.groups()
    for minute in range(3):
        rules.tick(T0 + minute * MINUTE)
    (status,) = rules.groups()
    (rule,) = status.rules
    assert before[0].rules[0].health is RuleHealth.UNKNOWN
    assert isinstance(status, GroupStatus)
    assert (status.name, status.file, status.last_evaluation_ms) == ("g", "r.yml", T0 + 2 * MINUTE)
    assert (rule.kind, rule.state, rule.health, rule.warnings) == ("alerting", "firing", "ok", ("odd",))
    assert (rule.evaluation_duration_seconds, status.evaluation_duration_seconds) == (0.25, 0.75)
    assert [item.ts_ms for item in rule.history] == [T0 + MINUTE, T0 + 2 * MINUTE]
    last = rule.history[-1]
    assert last.samples == ((Labels({METRIC_NAME: "odd", "job": "a"}), 5.0),)
    assert (last.total, last.reason) == (1, "1 firing, 0 pending")
