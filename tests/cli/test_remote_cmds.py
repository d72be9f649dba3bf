"""`status`, `alerts` and `slo` against a process that runs otel_ext."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_ext.cli import remote_cmds
from otel_ext.cli.output import CommandError

ROOT = Path(__file__).resolve().parents[2]

SERVICE = """
import sys
from opentelemetry import trace
import otel_ext

handle = otel_ext.install(
    service="till",
    http={"port": 0},
    slos=[
        otel_ext.Slo(name="payments", objective="99.9", match={"http.route": "/pay"}, labels={"team": "[a] team"}),
        otel_ext.Slo(name="unused", objective="99", latency_ms=300, match={"http.route": "/none"}),
    ],
)
tracer = trace.get_tracer("till")
for number in range(400):
    with tracer.start_as_current_span("POST /pay", kind=trace.SpanKind.SERVER) as span:
        span.set_attribute("http.route", "/pay")
        if number % 4 == 0:
            span.set_status(trace.StatusCode.ERROR)
handle.force_flush()
print(handle.url, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    path = os.pathsep.join(filter(None, [str(ROOT), environment.get("PYTHONPATH", "")]))
    process = subprocess.Popen(
        [sys.executable, "-c", SERVICE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**environment, "PYTHONPATH": path},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.communicate("")


def test_slo_list_shows_what_was_promised(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    remote_cmds.list_slos(url, as_json=False)

    out = capsys.readouterr().out
    assert "payments" in out
    assert "99.9 %" in out
    assert "http.route=/pay" in out
    assert "300 ms" in out
    assert "team=[a] team" in out  # as it is, not as markup


def test_slo_status_shows_counts_and_budgets(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    remote_cmds.show_slos(url, None, as_json=False)

    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert "75 %" in lines["payments"]
    assert " 400 " in lines["payments"]
    assert "no data" in lines["unused"]


def test_one_slo_shows_its_windows(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    remote_cmds.show_slos(url, "payments", as_json=False)

    out = capsys.readouterr().out
    assert "unused" not in out
    assert "250.0x" in out  # a quarter bad, a thousandth allowed
    for window in ("5m", "1h", "6h", "3d", "30d"):
        assert window in out


def test_an_unknown_slo_is_answered_with_the_names_there_are(url: str) -> None:
    with pytest.raises(CommandError, match=r"no SLO is named 'payment'; there are: payments, unused") as caught:
        remote_cmds.show_slos(url, "payment", as_json=False)

    assert caught.value.exit_code == 1


def test_status_says_how_the_process_is(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    remote_cmds.show_status(url, as_json=False)

    out = capsys.readouterr().out
    assert "liveness" in out
    assert "400 spans" in out
    assert "note: no state_dir" in out


def test_alerts_are_listed(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    remote_cmds.show_alerts(url, as_json=False)

    assert "Alerts" in capsys.readouterr().out


def test_json_is_the_answer_of_the_process(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    remote_cmds.show_slos(url, "payments", as_json=True)
    assert json.loads(capsys.readouterr().out)["bad"] == 100

    remote_cmds.show_status(url, as_json=True)
    assert set(json.loads(capsys.readouterr().out)) == {"status", "health", "slos", "alerts", "anomalies"}

    remote_cmds.show_alerts(url, as_json=True)
    assert "alerts" in json.loads(capsys.readouterr().out)


def test_a_server_that_is_not_otel_ext_is_told_apart(url: str) -> None:
    with pytest.raises(CommandError, match="is this otel_ext"):
        remote_cmds.show_alerts(f"{url}/static", as_json=False)
