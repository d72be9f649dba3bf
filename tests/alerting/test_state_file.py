"""State in a file: whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_ext.alerting import AlertMachine, load_state, save_state
from otel_ext.model.alerts import ActiveAlert, AlertRule, AlertSource
from otel_ext.model.labels import Labels

T0 = 1_700_000_000_000


def test_a_machine_survives_by_its_file(tmp_path: Path) -> None:
    machine = AlertMachine()
    rule = AlertRule(key="r", name="Down", source=AlertSource.RULE, interval_ms=5000)
    evidence = {"expr": "up == 0", "trace_ids": ("a", "b")}
    machine.observe(rule, [ActiveAlert(labels=Labels(i="é"), value=float("inf"), evidence=evidence)], T0)
    save_state(tmp_path / "alerts.json", machine.dump(T0))
    loaded = load_state(tmp_path / "alerts.json")
    assert loaded is not None
    again = AlertMachine()
    again.restore(loaded, T0)
    (before,), (after,) = machine.alerts(), again.alerts()
    assert (after.labels, after.value, after.rule, after.state) == (before.labels, before.value, rule, before.state)
    assert after.evidence["expr"] == "up == 0"
    assert [path.name for path in tmp_path.iterdir()] == ["alerts.json"]


def test_no_file_is_no_state(tmp_path: Path) -> None:
    assert load_state(tmp_path / "absent.json") is None


def test_a_failed_save_leaves_the_old_state(tmp_path: Path) -> None:
    path = tmp_path / "alerts.json"
    save_state(path, {"version": 1})
    circular: dict[str, object] = {}
    circular["self"] = circular
    with pytest.raises(ValueError, match="Circular"):
        save_state(path, circular)
    assert load_state(path) == {"version": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["alerts.json"]


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_a_damaged_file_is_told_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "alerts.json").write_text(text)
    with pytest.raises(ValueError, match=r"alert state .*alerts\.json is not"):
        load_state(tmp_path / "alerts.json")
