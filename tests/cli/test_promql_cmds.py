"""`otel-ext query` and `otel-ext test promql` as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from otel_ext.cli.app import build_app

SAMPLES = 'requests_total{code="200"} 1 1000\nrequests_total{code="200"} 61 61000\n'


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(build_app(), list(arguments))
    return result.exit_code, result.output


@pytest.fixture
def samples(tmp_path: Path) -> str:
    file = tmp_path / "samples.txt"
    file.write_text(SAMPLES)
    return str(file)


def test_a_query_over_a_file_prints_labels_and_values(samples: str) -> None:
    assert run("query", "requests_total", "--file", samples) == (0, 'requests_total{code="200"} 61\n')
    assert run("query", "requests_total", "--file", samples, "--time", "2") == (0, 'requests_total{code="200"} 1\n')
    assert run("query", "nothing", "--file", samples) == (0, "no series\n")
    assert run("query", "1 + 1", "--file", samples) == (0, "2\n")


def test_a_range_prints_its_points(samples: str) -> None:
    code, text = run("query", "requests_total", "--file", samples, "--start", "1", "--step", "60")
    assert (code, text) == (0, 'requests_total{code="200"}\n  1 1\n  61 61\n')


def test_json_is_the_api_s(samples: str) -> None:
    code, text = run("query", "requests_total", "--file", samples, "--json")
    assert code == 0
    assert json.loads(text)["result"][0]["value"] == [61, "61"]


def test_open_metrics_are_read_too(tmp_path: Path) -> None:
    file = tmp_path / "samples.om"
    file.write_text("# TYPE a counter\na_total 5 10\n# EOF\n")
    assert run("query", "a_total", "--file", str(file)) == (0, "a_total{} 5\n")


def test_notes_of_a_query_are_shown(tmp_path: Path) -> None:
    file = tmp_path / "samples.txt"
    file.write_text("gauge 1 1000\ngauge 2 2000\n")
    code, text = run("query", "rate(gauge[5s])", "--file", str(file))
    assert code == 0
    assert "note: PromQL info: metric might not be a counter" in text


def test_a_script_that_passes_says_so(tmp_path: Path) -> None:
    file = tmp_path / "ok.test"
    file.write_text("load 1m\n  up 1\n\neval instant at 0 up\n  up 1\n")
    assert run("test", "promql", str(file)) == (0, "1 passed, 0 failed\n")


def test_a_script_that_fails_prints_a_line_a_failure(tmp_path: Path) -> None:
    file = tmp_path / "wrong.test"
    file.write_text("load 1m\n  up 1\n\neval instant at 0 up\n  up 2\n\neval instant at 0 up\n  up 1\n")
    code, text = run("test", "promql", str(file), str(tmp_path / "missing.test"))
    assert code == 1
    lines = text.splitlines()
    assert lines[0].startswith(f"{file}:4: up: ")
    assert "missing.test" in lines[1]
    assert lines[-1] == "1 passed, 2 failed"


def test_a_script_that_is_none_counts_as_a_failure(tmp_path: Path) -> None:
    file = tmp_path / "no.test"
    file.write_text("nonsense\n")
    code, text = run("test", "promql", str(file))
    assert code == 1
    assert f"{file}:1: unknown command" in text
