"""Unit tests of rules in promtool's format have promtool's verdicts."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_ext.rules.unittest import RuleTestReport, run_test_file

RULES = """
groups:
- name: g
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
  - alert: Down
    expr: job:up:sum == 0
    for: 2m
    keep_firing_for: 1m
    labels: {severity: page}
    annotations: {summary: "{{ $labels.job }} in {{ $externalLabels.region }} {{ externalURL }}"}
"""


def run(folder: Path, tests: str, rules: str = RULES, **settings: str) -> RuleTestReport:
    (folder / "rules.yml").write_text(rules)
    head = "".join(f"{name}: {value}\n" for name, value in settings.items())
    (folder / "test.yml").write_text(f"rule_files: [rules.yml]\n{head}tests:\n{tests}")
    return run_test_file(folder / "test.yml")


DOWN = """
- name: down
  interval: 1m
  external_labels: {region: eu}
  external_url: http://x
  input_series:
  - {series: 'up{job="a"}', values: 1 0x5 1x5}
  - {series: 'up{job="b"}', values: 1x20}
"""
ALERT = """
    exp_alerts:
    - exp_labels: {severity: page, job: a}
      exp_annotations: {summary: "a in eu http://x"}
"""


@pytest.mark.parametrize(
    ("eval_time", "fires"),
    [("0", False), ("2m", False), ("3m", True), ("3m59s", True), ("6m", True), ("7m", True), ("8m", False)],
)
def test_an_alert_fires_from_for_to_the_end_of_keep_firing_for(tmp_path: Path, eval_time: str, fires: bool) -> None:
    right, wrong = (ALERT, "\n    exp_alerts: []\n") if fires else ("\n    exp_alerts: []\n", ALERT)
    case = f"  alert_rule_test:\n  - eval_time: {eval_time}\n    alertname: Down"
    assert run(tmp_path, DOWN + case + right).failures == ()
    (failure,) = run(tmp_path, DOWN + case + wrong).failures
    assert failure.startswith("name: down,\nalertname: Down, time: ")


def test_expressions_see_input_recorded_series_and_alerts(tmp_path: Path) -> None:
    cases = """
  promql_expr_test:
  - {expr: 'job:up:sum', eval_time: 1m, exp_samples: [{labels: 'job:up:sum{job="b"}', value: 1},
     {labels: 'job:up:sum{job="a"}', value: 0}]}
  - {expr: 'ALERTS', eval_time: 1m, exp_samples: [
     {labels: 'ALERTS{alertname="Down",alertstate="pending",job="a",severity="page"}', value: 1}]}
  - {expr: 'ALERTS_FOR_STATE', eval_time: 4m, exp_samples: [
     {labels: 'ALERTS_FOR_STATE{alertname="Down",job="a",severity="page"}', value: 60}]}
  - {expr: '1 + 1', eval_time: 4m, exp_samples: [{value: 2}]}
  - {expr: 'count_over_time(up{job="b"}[5m:])', eval_time: 10m, exp_samples: [{labels: '{job="b"}', value: 5}]}
"""
    assert run(tmp_path, DOWN + cases).failures == ()


def test_native_histograms_are_recorded_and_alerted_on(tmp_path: Path) -> None:
    rules = """
groups:
- name: g
  rules:
  - {record: copy, expr: h}
  - {alert: A, expr: h, annotations: {a: "{{ $value }}"}}
"""
    tests = """
- input_series: [{series: h, values: '{{sum:3 count:2 buckets:[2]}}x3'}]
  promql_expr_test:
  - {expr: copy, eval_time: 1m, exp_samples: [{labels: copy, histogram: '{{sum:3 count:2 buckets:[2]}}'}]}
  alert_rule_test:
  - {eval_time: 1m, alertname: A, exp_alerts: [{exp_annotations: {a: '{count:2, sum:3, (0.5,1]:2}'}}]}
"""
    assert run(tmp_path, tests, rules).failures == ()


def test_a_wrong_expectation_shows_both_sides(tmp_path: Path) -> None:
    case = "  promql_expr_test:\n  - {expr: 'up{job=\"a\"}', eval_time: 1m, exp_samples: [{labels: up, value: 7}]}\n"
    (failure,) = run(tmp_path, DOWN + case).failures
    assert "expr: 'up{job=\"a\"}', time: 1m," in failure
    assert "exp: up{} 7.0" in failure
    assert 'got: up{job="a"} 0.0' in failure


@pytest.mark.parametrize(("fuzzy", "passes"), [("true", True), ("false", False)])
def test_fuzzy_compare_forgives_one_unit_in_the_last_place(tmp_path: Path, fuzzy: str, passes: bool) -> None:
    tests = """
- input_series: [{series: x, values: 2.9999999999999996}]
  promql_expr_test: [{expr: x, eval_time: 0, exp_samples: [{labels: x, value: 3}]}]
"""
    assert run(tmp_path, tests, fuzzy_compare=fuzzy).passed is passes


def test_a_failing_rule_fails_the_test_and_is_named(tmp_path: Path) -> None:
    rules = "groups:\n- name: g\n  rules:\n  - {record: r, expr: 'a + on (j) b'}\n"
    tests = """
- input_series:
  - {series: 'a{j="1"}', values: 1}
  - {series: 'b{j="1",k="1"}', values: 1}
  - {series: 'b{j="1"}', values: 1}
"""
    (failure,) = run(tmp_path, tests, rules).failures
    assert failure.startswith("rule: r, time: 0s, err: ")


def test_groups_are_evaluated_in_the_order_asked_for(tmp_path: Path) -> None:
    rules = """
groups:
- {name: late, rules: [{record: b, expr: a}]}
- {name: early, rules: [{record: a, expr: time()}]}
"""
    tests = "- promql_expr_test: [{expr: b, eval_time: 1m, exp_samples: [{labels: b, value: %d}]}]\n"
    assert run(tmp_path, tests % 0, rules).passed
    assert run(tmp_path, tests % 60, rules, group_eval_order="[early, late]").passed
    assert run(tmp_path, tests % 0, rules, group_eval_order="[late, early]").passed


def test_only_tests_whose_name_matches_are_run(tmp_path: Path) -> None:
    tests = "- {name: good}\n- {name: bad, promql_expr_test: [{expr: '1', exp_samples: []}]}\n"
    run(tmp_path, tests)
    assert run_test_file(tmp_path / "test.yml", run="good").tests == 1
    assert run_test_file(tmp_path / "test.yml", run="good").passed
    assert not run_test_file(tmp_path / "test.yml").passed


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("testz: []", "test.yml:1: unknown field 'testz' in a unit test file; did you mean 'tests'?"),
        ("tests:\n- {interval: x}", "test.yml:2: field 'interval': not a valid duration"),
        ("tests:\n- {input_series: [{series: 'a{', values: 1}]}", "test.yml:2: field 'series': not a series: 'a{'"),
        ("tests:\n- {input_series: [{series: a, values: 1+x}]}", "field 'values': not a series value: '1+x'"),
        ("tests:\n- alert_rule_test: [{eval_time: 1m}]", "an alert test needs an alertname"),
        ("group_eval_order: [a, a]", "group 'a' is repeated in the evaluation order"),
        ("fuzzy_compare: maybe", "must be true or false, not 'maybe'"),
        ("tests:\n- promql_expr_test: [{exp_samples: [{value: x}]}]", "must be a number, not 'x'"),
        ("rule_files: [bad.yml]", 'bad.yml:1: group "g": rule "A": field \'expr\' must be set'),
        ("tests: [", "malformed YAML"),
    ],
)
def test_a_malformed_file_is_a_failure_with_its_place(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "bad.yml").write_text("groups: [{name: g, rules: [{alert: A}]}]")
    (tmp_path / "test.yml").write_text(content)
    (failure,) = run_test_file(tmp_path / "test.yml").failures
    assert problem in failure


def test_a_pattern_without_files_is_a_warning_and_a_missing_test_file_a_failure(tmp_path: Path) -> None:
    (tmp_path / "test.yml").write_text("rule_files: ['*.rules']")
    report = run_test_file(tmp_path / "test.yml")
    assert (report.passed, report.warnings) == (True, ("no file matches '*.rules'",))
    assert "cannot read the test file" in run_test_file(tmp_path / "absent.yml").failures[0]


@pytest.mark.conformance
@pytest.mark.parametrize(
    ("name", "run", "passes"),
    [
        ("unittest.yml", "", True),
        ("long-period.yml", "", True),
        ("at-modifier-test.yml", "", True),
        ("no-test-group-interval.yml", "", True),
        ("rules_run.yml", "", False),
        ("rules_run.yml", "correct", True),
        ("rules_run.yml", "wrong", False),
        ("rules_run_no_fuzzy.yml", "", False),
        ("failing.yml", "", False),
        ("bad-input-series.yml", "", False),
        ("bad-rules-error-test.yml", "", False),
    ],
)
def test_promtools_own_files_have_promtools_verdict(
    conformance_folder: Path, name: str, run: str, passes: bool
) -> None:
    report = run_test_file(conformance_folder / "promtool" / name, run=run)
    assert report.passed is passes, "\n".join(report.failures)
