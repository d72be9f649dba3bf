"""Hysteresis and missing data: opt-in, in a file beside the rule file, on the real engine and store."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_ext.alerting import AlertMachine
from otel_ext.errors import RuleError
from otel_ext.model.labels import METRIC_NAME, Labels
from otel_ext.promql import QueryEngine, parse
from otel_ext.rules import RuleManager, load_rule_file
from otel_ext.storage.metrics import MetricStore

T0 = 1_700_000_040_000
MINUTE = 60_000
RULES = """
groups:
- name: g
  rules:
  - alert: Slow
    expr: latency > 500
  - alert: Errors
    expr: rate(errors_total[2m]) > 0
    for: 10m
"""


class Service:
    """A store, an engine and the rules of ``folder`` over them."""

    def __init__(self, folder: Path, extras: str) -> None:
        (folder / "r.yml").write_text(RULES)
        (folder / "r.yml.extras").write_text(extras)
        self.store = MetricStore(retention_ms=1 << 40, max_bytes=1 << 26)
        self.machine = AlertMachine()
        self.rules = RuleManager(
            files=[load_rule_file(folder / "r.yml", parse=parse)],
            query=QueryEngine(self.store).instant,
            append=self.store.append,
            mark_stale=self.store.mark_stale,
            machine=self.machine,
            monotonic_seconds=lambda: 0.0,
        )

    def minute(self, number: int, **series: float) -> dict[str, str]:
        """States by alert name after this minute's samples; ``a__x=1`` is ``a{job="x"} 1``."""
        ts_ms = T0 + number * MINUTE
        samples = [
            (Labels({METRIC_NAME: name.partition("__")[0], "job": name.partition("__")[2]}), value)
            for name, value in series.items()
        ]
        self.store.append(ts_ms, samples)
        self.rules.tick(ts_ms)
        assert [rule.last_error for group in self.rules.groups() for rule in group.rules if rule.last_error] == []
        return {
            alert.labels["alertname"] + alert.labels.get("job", ""): alert.state.value
            for alert in self.machine.alerts()
        }


def test_a_firing_alert_waits_for_its_recovery_condition(tmp_path: Path) -> None:
    service = Service(tmp_path, "alerts: {Slow: {recovery: latency < 300}}")
    assert service.minute(0, latency__a=600, latency__b=600) == {"Slowa": "firing", "Slowb": "firing"}
    assert service.minute(1, latency__a=400, latency__b=600) == {"Slowa": "firing", "Slowb": "firing"}
    assert service.minute(2, latency__a=200, latency__b=400) == {"Slowa": "resolved", "Slowb": "firing"}
    assert service.minute(3, latency__a=400, latency__b=299) == {"Slowa": "resolved", "Slowb": "resolved"}


def test_a_recovery_condition_without_labels_speaks_for_all(tmp_path: Path) -> None:
    service = Service(tmp_path, "alerts: {Slow: {recovery: sum(latency) < 500}}")
    service.minute(0, latency__a=600, latency__b=600)
    assert service.minute(1, latency__a=300, latency__b=300) == {"Slowa": "firing", "Slowb": "firing"}
    assert service.minute(2, latency__a=200, latency__b=200) == {"Slowa": "resolved", "Slowb": "resolved"}


def test_missing_data_keeps_the_state_and_data_that_is_fine_ends_it(tmp_path: Path) -> None:
    service = Service(tmp_path, "alerts: {Slow: {keep_state_on_missing_data: true}}")
    service.minute(0, latency__a=600, latency__b=600)
    for minute in range(1, 20):
        assert service.minute(minute, latency__b=600) == {"Slowa": "firing", "Slowb": "firing"}
    assert service.minute(20, latency__a=100, latency__b=600) == {"Slowa": "resolved", "Slowb": "firing"}


def test_without_extras_missing_data_resolves_as_in_prometheus(tmp_path: Path) -> None:
    service = Service(tmp_path, "")
    service.minute(0, latency__a=600)
    states = [service.minute(minute)["Slowa"] for minute in range(1, 7)]
    assert states == ["firing"] * 4 + ["resolved"] * 2


def test_a_pending_alert_without_data_stays_pending_and_its_clock_runs_from_its_first_sight(tmp_path: Path) -> None:
    service = Service(tmp_path, "alerts: {Errors: {keep_state_on_missing_data: true}}")
    service.minute(0, errors_total__a=0)
    assert service.minute(1, errors_total__a=5) == {"Errorsa": "pending"}
    for minute in range(2, 15):
        assert service.minute(minute) == {"Errorsa": "pending"}
    service.minute(15, errors_total__a=6)
    assert service.minute(16, errors_total__a=9) == {"Errorsa": "firing"}


@pytest.mark.parametrize(
    ("extras", "problem"),
    [
        ("alerts: {Slo: {recovery: up}}", 'rule "Slo": the rule file has no such alert; it has: Errors, Slow'),
        ("alerts: {Slow: {recovery: 'sum('}}", 'rule "Slow": could not parse expression'),
        ("alerts: {Slow: {recover: up}}", "unknown field 'recover' in an alert's extras; did you mean 'recovery'?"),
        ("alerts: {Slow: {keep_state_on_missing_data: 1}}", "must be true or false, not '1'"),
        ("alert: {}", "unknown field 'alert' in an extras file; did you mean 'alerts'?"),
        ("alerts: [", "malformed YAML"),
    ],
)
def test_a_wrong_extras_file_is_refused_with_its_place(tmp_path: Path, extras: str, problem: str) -> None:
    with pytest.raises(RuleError) as error:
        Service(tmp_path, extras)
    assert str(error.value).startswith(f"{tmp_path / 'r.yml.extras'}:")
    assert problem in str(error.value)
