"""`otel-ext check rules`, `test rules` and `replay`, as typed."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from typer.testing import CliRunner, Result

from otel_ext.cli.app import build_app
from otel_ext.cli.output import CommandError
from otel_ext.errors import RuleError

RULES = "groups: [{name: g, rules: [{alert: Down, expr: 'up == 0', for: 1m}, {alert: Odd, expr: 'nope > 1'}]}]\n"
DATA = "".join(f'up{{job="a"}} {value} {1700000040 + 60 * index}\n' for index, value in enumerate([1, 0, 0, 0, 1]))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(build_app(), [str(argument) for argument in arguments])


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yml"
    path.write_text(RULES)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.om"
    path.write_text(DATA)
    return path


def test_good_rules_are_counted(rules: Path) -> None:
    result = run("check", "rules", rules)
    assert result.exit_code == 0
    assert "SUCCESS: 2 rules found" in result.output


def test_bad_rules_are_told_with_their_place_and_the_others_still_checked(tmp_path: Path, rules: Path) -> None:
    bad = tmp_path / "bad.yml"
    bad.write_text("groups:\n- name: g\n  rules:\n  - {alert: A, expr: 'sum('}\n")
    result = run("check", "rules", bad, rules)
    assert result.exit_code == 1
    assert f'{bad}:4: group "g": rule "A": could not parse expression' in result.output
    assert "SUCCESS: 2 rules found" in result.output


def test_rules_that_say_the_same_are_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "twice.yml"
    path.write_text("groups: [{name: g, rules: [{record: a, expr: '1'}, {record: a, expr: '2'}]}]")
    result = run("check", "rules", path)
    assert result.exit_code == 0
    assert "WARNING: 2 rules have the name 'a'" in result.output


def test_unit_tests_pass_or_fail_by_exit_code(tmp_path: Path, rules: Path) -> None:
    tests = tmp_path / "test.yml"
    case = "tests: [{name: %s, alert_rule_test: [{eval_time: 1m, alertname: Down, exp_alerts: [%s]}]}]\n"
    tests.write_text(f"rule_files: [{rules.name}]\n" + case % ("quiet", ""))
    good = run("test", "rules", tests)
    assert (good.exit_code, "SUCCESS" in good.output) == (0, True)
    tests.write_text(f"rule_files: [{rules.name}]\n" + case % ("quiet", "{exp_labels: {job: a}}"))
    bad = run("test", "rules", tests)
    assert bad.exit_code == 1
    assert "FAILED:" in bad.output
    assert "alertname: Down, time: 1m," in bad.output
    assert run("test", "rules", tests, "--run", "other").exit_code == 0


def test_a_replay_prints_what_would_have_fired(rules: Path, data: Path) -> None:
    result = run("replay", "--rules", rules, "--data", data)
    assert result.exit_code == 0
    assert "Down" in result.output
    assert "1 alerts fired, 0 stayed pending; 10 evaluations over 5 samples" in result.output
    assert "without any result: Odd" in result.output


def test_a_replay_speaks_json(rules: Path, data: Path) -> None:
    told = json.loads(run("replay", "--rules", rules, "--data", data, "--to", "2023-11-14T22:17:00Z", "--json").output)
    (alert,) = told["alerts"]
    assert (alert["labels"], alert["fired_at_ms"]) == ({"alertname": "Down", "job": "a"}, 1_700_000_160_000)
    assert alert["ended_at_ms"] is None
    assert told["silent"] == ["Odd"]


def test_a_range_is_pulled_from_a_prometheus_server(rules: Path) -> None:
    asked: list[dict[str, list[str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            values = [[1700000040 + 60 * index, text] for index, text in enumerate("10001")]
            series = [{"metric": {"__name__": "up", "job": "a"}, "values": values}] if "up" in str(asked[-1]) else []
            body = json.dumps({"status": "success", "data": {"result": series}}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        result = run("replay", "--rules", rules, "--data", url, "--from", 1700000040, "--to", 1700000280, "--json")
        server.shutdown()
    assert len(json.loads(result.output)["alerts"]) == 1
    assert {query["query"][0] for query in asked} == {'{__name__="nope"}[9m]', '{__name__="up"}[9m]'}
    assert {query["time"][0] for query in asked} == {"1700000280.0"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "yesterday"], "--from 'yesterday' is not a time; write for example"),
        (["--interval", "1x"], "--interval: not a valid duration"),
        (["--data", "http://127.0.0.1:9"], "needs --from and --to"),
        (["--data", "http://127.0.0.1:9", "--from", "1", "--to", "2"], "does not answer as a Prometheus"),
    ],
)
def test_what_a_replay_cannot_do_is_said_in_one_line(
    rules: Path, data: Path, arguments: list[str], message: str
) -> None:
    result = run("replay", "--rules", rules, "--data", data, *arguments)
    assert isinstance(result.exception, CommandError)
    assert message in str(result.exception)


def test_a_missing_rule_file_is_an_error(tmp_path: Path, data: Path) -> None:
    assert isinstance(run("replay", "--rules", tmp_path / "absent", "--data", data).exception, RuleError)
