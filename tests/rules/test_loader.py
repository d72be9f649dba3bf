"""Rule files load strictly; every problem says file, line, group and rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_ext.errors import QueryError, RuleError
from otel_ext.rules import check_rule_text, load_rule_file, load_rule_text


def parse(expr: str) -> None:
    if expr.count("(") != expr.count(")"):
        raise QueryError(f"unclosed parenthesis in {expr!r}")


GOOD = """
groups:
  - name: shop
    interval: 30s
    limit: 10
    query_offset: 5s
    labels: {team: web, tier: "1"}
    rules:
      - record: job:requests:rate5m
        expr: sum by (job) (rate(requests_total[5m]))
        labels: {tier: ""}
      - alert: Down
        expr: up == 0
        for: 5m
        keep_firing_for: 1m30s
        labels:
          severity: page
          team: db
        annotations:
          summary: "{{ $labels.instance }} is down"
  - name: empty
"""


def test_a_file_becomes_groups_and_rules() -> None:
    shop, empty = load_rule_text(GOOD, path="r.yml", parse=parse).groups
    assert (shop.name, shop.interval_ms, shop.limit, shop.query_offset_ms) == ("shop", 30_000, 10, 5000)
    record, alert = shop.rules
    assert (record.record, record.alert, record.labels) == ("job:requests:rate5m", "", {"team": "web", "tier": ""})
    assert (alert.alert, alert.for_ms, alert.keep_firing_for_ms) == ("Down", 300_000, 90_000)
    assert alert.labels == {"team": "db", "tier": "1", "severity": "page"}
    assert alert.annotations == {"summary": "{{ $labels.instance }} is down"}
    assert (empty.rules, empty.interval_ms, empty.query_offset_ms) == ((), None, None)


@pytest.mark.parametrize("text", ["", "# nothing\n", "groups:\n", "groups: []\n"])
def test_a_file_without_groups_is_valid(text: str) -> None:
    assert load_rule_text(text, path="r.yml", parse=parse).groups == ()


def test_scalars_are_read_as_written() -> None:
    text = "groups:\n- name: 1\n  rules:\n  - {alert: A, expr: 1, labels: {on: yes, n: 1.50, z: null}}\n"
    (group,) = load_rule_text(text, path="r.yml", parse=parse).groups
    assert (group.name, group.rules[0].expr, group.rules[0].labels) == ("1", "1", {"on": "yes", "n": "1.50", "z": ""})


def test_anchors_and_merge_keys_work() -> None:
    text = """
groups:
- name: g
  rules:
  - &base {alert: A, expr: up, labels: {severity: page}}
  - <<: *base
    alert: B
"""
    (group,) = load_rule_text(text, path="r.yml", parse=parse).groups
    assert [(rule.alert, rule.expr, rule.labels) for rule in group.rules] == [
        ("A", "up", {"severity": "page"}),
        ("B", "up", {"severity": "page"}),
    ]


def problems(rule: str) -> list[str]:
    text = f"groups:\n- name: g\n  rules:\n  - {rule}\n"
    return [str(problem) for problem in check_rule_text(text, path="r.yml", parse=parse)[1]]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("{alert: A, record: b, expr: up}", "only one of 'record' and 'alert' may be set"),
        ("{expr: up}", "one of 'record' or 'alert' must be set"),
        ("{alert: A}", "field 'expr' must be set, for example 'expr: up == 0'"),
        ("{alert: A, expr: 'sum(up'}", "could not parse expression: unclosed parenthesis in 'sum(up'"),
        ("{record: a, expr: up, for: 0s}", "field 'for' is for alerting rules; this is a recording rule"),
        ("{record: a, expr: up, keep_firing_for: 1m}", "'keep_firing_for' is for alerting rules"),
        ("{record: a, expr: up, annotations: {a: b}}", "'annotations' is for alerting rules"),
        ("{record: 'a{b=\"c\"}', expr: up}", "braces are no part of a series name"),
        ("{alert: A, expr: up, for: 5}", "field 'for': not a valid duration string: '5'; a correct one is '1m30s'"),
        ("{alert: A, expr: up, fro: 5m}", "unknown field 'fro' in a rule; did you mean 'for'?"),
        ("{alert: A, expr: up, zzz: 5m}", "unknown field 'zzz' in a rule; known fields: record, alert, expr"),
        ("{alert: A, expr: up, expr: up}", "field 'expr' is repeated in a rule"),
        ("{alert: A, expr: up, labels: {__name__: x}}", "invalid label name: '__name__'"),
        ("{alert: A, expr: up, labels: [a]}", "field 'labels' must be a mapping, not a list"),
        ("{alert: A, expr: up, labels: {a: [b]}}", "labels.a must be text, not a list"),
        ("{alert: A, expr: [up]}", "field 'expr' must be text, not a list"),
        ("{alert: A, expr: up, labels: {s: '{{ $label.x }}'}}", "label 's': template: line 1: undefined variable"),
        ("{alert: A, expr: up, annotations: {s: '{{ end }}'}}", "annotation 's': template: line 1: unexpected {{end}}"),
        ("up", "a rule must be a mapping, not 'up'"),
    ],
)
def test_a_wrong_rule_is_named_with_its_place(rule: str, expected: str) -> None:
    found = problems(rule)
    assert any(expected in text for text in found), found
    assert all(text.startswith('r.yml:4: group "g": ') for text in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("groups:\n- {name: g}\n- {name: g}\n", 'r.yml:3: group name "g" is repeated; the first is in line 2'),
        ("groups:\n- rules: []\n", "r.yml:2: a rule group needs a name, for example 'name: checkout'"),
        ("group: []\n", "r.yml:1: unknown field 'group' in a rule file; did you mean 'groups'?"),
        ("groups: 5\n", "r.yml:1: field 'groups' must be a list, not '5'"),
        ("- a\n", "r.yml:1: a rule file must be a mapping, not a list"),
        ("groups:\n- name: g\n  limit: x\n", "r.yml:3: group \"g\": field 'limit': must be a whole number, not 'x'"),
        ("groups:\n- name: g\n  interval: 1x\n", "r.yml:3: group \"g\": field 'interval': not a valid duration"),
        ("groups: [\n", "r.yml:2: malformed YAML"),
        ("a: 1\n---\nb: 1\n", "r.yml:2: malformed YAML: expected a single document"),
    ],
)
def test_a_wrong_file_is_named_with_its_place(text: str, expected: str) -> None:
    assert expected in "\n".join(str(problem) for problem in check_rule_text(text, path="r.yml", parse=parse)[1])


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text("groups:\n- name: g\n  rules:\n  - {alert: A}\n  - {record: b, expr: '('}\n")
    with pytest.raises(RuleError) as error:
        load_rule_file(path, parse=parse)
    lines = str(error.value).splitlines()
    assert lines[0].startswith(f'{path}:4: group "g": rule "A": ')
    assert lines[1].startswith(f'{path}:5: group "g": rule "b": could not parse expression')


def test_a_missing_file_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=r"absent\.yml: cannot read the rule file: No such file"):
        load_rule_file(tmp_path / "absent.yml", parse=parse)
