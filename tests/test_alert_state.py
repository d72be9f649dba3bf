"""The alerts' file: kept by one process, restored whole, and its absence stated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from otel_ext.alert_state import AlertStateFile


def test_what_one_process_saved_the_next_one_loads(tmp_path: Path) -> None:
    first = AlertStateFile(tmp_path / "state")
    assert first.load() is None
    first.save({"alerts": [1]})
    first.release()
    second = AlertStateFile(tmp_path / "state")
    assert second.held
    assert second.load() == {"alerts": [1]}
    second.release()


def test_a_second_process_keeps_its_alerts_in_memory_and_says_so(tmp_path: Path) -> None:
    first, second = AlertStateFile(tmp_path), AlertStateFile(tmp_path)
    assert first.fact is None
    assert second.fact is not None
    assert "another process" in second.fact
    second.save({"alerts": "second's"})
    assert not (tmp_path / "alerts.json").exists()
    first.release()


def test_a_directory_that_cannot_be_written_is_stated_with_an_example(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    state = AlertStateFile(blocked / "state")
    assert not state.held
    assert state.fact is not None
    assert str(blocked / "state") in state.fact
    assert "for example" in state.fact
    assert state.load() is None


def test_a_broken_file_is_stated_and_replaced_by_the_next_save(tmp_path: Path) -> None:
    (tmp_path / "alerts.json").write_text("{half")
    state = AlertStateFile(tmp_path)
    assert state.load() is None
    assert state.fact is not None
    assert "alerts start anew" in state.fact
    state.save({"alerts": []})
    assert json.loads((tmp_path / "alerts.json").read_text()) == {"alerts": []}
    assert state.fact is None
    state.release()


def test_a_full_disk_is_stated_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = AlertStateFile(tmp_path)
    (tmp_path / "alerts.json").mkdir()
    state.save({"alerts": []})
    assert state.fact is not None
    assert "cannot be written" in state.fact
    (tmp_path / "alerts.json").rmdir()
    state.save({"alerts": []})
    assert state.fact is None
    state.release()
