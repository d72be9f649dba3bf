"""The command line as a user meets it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def otel_ext(*arguments: str, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    path = os.pathsep.join(filter(None, [str(ROOT), environment.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, "-m", "otel_ext.cli", *arguments],
        cwd=cwd, env={**environment, "PYTHONPATH": path, **variables}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


def test_help_lists_the_commands() -> None:
    result = otel_ext("--help")

    assert result.returncode == 0
    for command in ("demo", "bench", "slo", "alerts", "status", "config"):
        assert command in result.stdout


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from otel_ext.cli.app import build_app\n"
        "build_app()\n"
        "heavy = {'numpy', 'requests', 'httpx', 'rich', 'fastapi', 'opentelemetry', 'yaml', 'promql_parser', 're2'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=True
    )

    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("arguments", [["status"], ["alerts"], ["slo", "list"], ["slo", "status", "checkout"]])
def test_a_process_that_does_not_answer_is_one_clear_line(arguments: list[str]) -> None:
    result = otel_ext(*arguments, "--url", "http://127.0.0.1:1")

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        "otel-ext: no process answers at http://127.0.0.1:1; start one with otel_ext, "
        "or name its URL with --url or OTEL_EXT_URL\n"
    )


def test_the_url_may_come_from_the_environment() -> None:
    result = otel_ext("status", OTEL_EXT_URL="http://127.0.0.1:2")

    assert "http://127.0.0.1:2" in result.stderr


def test_a_url_that_is_none_is_wrong_usage() -> None:
    result = otel_ext("status", "--url", "localhost")

    assert result.returncode == 2
    assert "--url http://127.0.0.1:4319" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_unknown_command_is_wrong_usage() -> None:
    result = otel_ext("nonsense")

    assert result.returncode == 2
    assert "nonsense" in result.stderr


@pytest.mark.parametrize(("duration", "said"), [("soon", "'soon' is not a duration"), ("1s", "at least 8s")])
def test_a_demo_of_a_wrong_length_is_wrong_usage(duration: str, said: str) -> None:
    result = otel_ext("demo", "--duration", duration)

    assert result.returncode == 2
    assert said in result.stderr
