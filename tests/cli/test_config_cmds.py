"""`otel-ext config check` in a directory with settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from otel_ext.cli import config_cmds
from otel_ext.cli.output import CommandError


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path


def test_every_setting_is_shown_with_its_origin(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "otel-ext.yaml").write_text("service: checkout\nslos:\n  - {name: pay, objective: 99.9}\n")

    config_cmds.check(as_json=False)

    out = capsys.readouterr().out
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "'checkout'" in lines["service"]
    assert "otel-ext.yaml:1" in lines["service"]
    assert "'pay'" in lines["slos"]
    assert "default" in lines["http.port"]


def test_json_holds_the_same(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "otel-ext.yaml").write_text("service: checkout\n")

    config_cmds.check(as_json=True)

    answer = json.loads(capsys.readouterr().out)
    assert answer["settings"]["service"]["value"] == "'checkout'"
    assert answer["settings"]["service"]["origin"].endswith("otel-ext.yaml:1")
    assert answer["problems"] == []


def test_problems_are_listed_and_end_with_exit_code_1(directory: Path) -> None:
    (directory / "otel-ext.yaml").write_text("servise: checkout\nhttp: {port: often}\n")

    with pytest.raises(CommandError) as caught:
        config_cmds.check(as_json=False)

    assert caught.value.exit_code == 1
    assert "2 problems in the settings" in str(caught.value)
    assert "did you mean 'service'" in str(caught.value)
    assert "http.port" in str(caught.value)
