"""A replay says when alerts would have fired, from each kind of recording."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from otel_ext.model.labels import METRIC_NAME, Labels
from otel_ext.promql import parse
from otel_ext.rules import RuleFile, load_rule_text
from otel_ext.rules.backtest import AlertPeriod, replay
from otel_ext.rules.replay_data import (
    ReplayDataError,
    read_recording,
    recording_from_prometheus,
    recording_of_samples,
)

T0 = 1_700_000_040_000
MINUTE = 60_000
RULES = """
groups:
- name: g
  rules:
  - {record: "job:up:sum", expr: sum by (job) (up)}
  - alert: Down
    expr: job:up:sum == 0
    for: 2m
    keep_firing_for: 1m
    annotations: {summary: "{{ $labels.job }} is {{ $value }}"}
  - {alert: Broken, expr: up + on () up}
  - {alert: Silent, expr: nothing_here > 1}
"""


def rules(text: str = RULES) -> list[RuleFile]:
    return [load_rule_text(text, path="r.yml", parse=parse)]


def up(values: str, job: str = "a") -> list[tuple[Labels, int, float]]:
    labels = Labels({METRIC_NAME: "up", "job": job})
    return [(labels, T0 + index * MINUTE, float(value)) for index, value in enumerate(values)]


def spans(period: AlertPeriod) -> tuple[int, int | None, int | None]:
    """Minutes of active, fired, ended."""
    fired, ended = period.fired_at_ms, period.ended_at_ms
    return (
        (period.active_at_ms - T0) // MINUTE,
        None if fired is None else (fired - T0) // MINUTE,
        None if ended is None else (ended - T0) // MINUTE,
    )


def test_periods_have_their_beginning_firing_and_end() -> None:
    report = replay(rules(), recording_of_samples(up("1000011101110000")))
    downs = [period for period in report.periods if period.alertname == "Down"]
    assert [spans(period) for period in downs] == [(1, 3, 6), (8, None, 9), (12, 14, None)]
    assert downs[0].annotations == {"summary": "a is 0"}
    assert [spans(item) for item in report.fired if item.alertname == "Down"] == [(1, 3, 6), (12, 14, None)]
    assert (report.evaluations, report.samples) == (16 * 4, 16)


def test_failures_and_rules_without_a_result_are_told() -> None:
    report = replay(rules(), recording_of_samples([*up("111"), *up("111", job="b")]))
    assert [(item.rule, item.count) for item in report.failures] == [("Broken", 3)]
    assert "Silent" in report.silent
    assert "job:up:sum" not in report.silent


def test_a_part_of_a_recording_can_be_replayed_with_what_was_before_in_view() -> None:
    text = "groups: [{name: g, rules: [{alert: Lost, expr: 'increase(up[5m]) < 0 or changes(up[5m]) > 0'}]}]"
    recording = recording_of_samples(up("0111111111"))
    assert [spans(item) for item in replay(rules(text), recording).fired] == [(1, 1, 5)]
    report = replay(rules(text), recording, start_ms=T0 + 3 * MINUTE, end_ms=T0 + 4 * MINUTE)
    assert [spans(item) for item in report.fired] == [(3, 3, None)]
    assert report.evaluations == 2


def test_groups_run_at_their_own_interval() -> None:
    text = "groups: [{name: g, interval: 15s, rules: [{alert: A, expr: up == 0}]}]"
    told: list[int] = []
    report = replay(rules(text), recording_of_samples(up("1111")), default_interval_ms=15_000, on_progress=told.append)
    assert report.evaluations == len(told) == 13
    assert told == sorted(told)


OPENMETRICS = """\
# TYPE up gauge
up{job="a",note="x} 1"} 1 1700000040
up{job="a",note="x} 1"} 0 1700000100.5 # {trace_id="1"} 0.5
plain 2.5e3 1700000040
# EOF
"""


def test_openmetrics_text_is_read_with_its_timestamps(tmp_path: Path) -> None:
    path = tmp_path / "data.om"
    path.write_text(OPENMETRICS)
    recording = read_recording(path)
    assert [step.ts_ms for step in recording.steps] == [T0, T0 + 60_500]
    report = replay(rules("groups: [{name: g, rules: [{alert: A, expr: 'up == 0'}]}]"), recording, end_ms=T0 + 120_000)
    assert [period.labels for period in report.fired] == [{"alertname": "A", "job": "a", "note": "x} 1"}]


def export(minute: int, errors: int) -> str:
    nanos = str((T0 + minute * MINUTE) * 1_000_000)
    start = str(T0 * 1_000_000)
    attributes = [{"key": "code", "value": {"intValue": "500"}}, {"key": "tags", "value": {"arrayValue": {}}}]
    common = {"timeUnixNano": nanos, "startTimeUnixNano": start, "attributes": attributes}
    histogram = {**common, "count": "2", "sum": 3.0, "bucketCounts": ["1", "1"], "explicitBounds": [1.0]}
    exponential = {
        **common,
        "count": "1",
        "scale": 1,
        "zeroCount": "0",
        "positive": {"offset": 1, "bucketCounts": ["1"]},
    }
    cumulative = "AGGREGATION_TEMPORALITY_CUMULATIVE"
    metrics = [
        {"name": "errors", "unit": "1", "sum": {"dataPoints": [{**common, "asInt": str(errors)}],
         "isMonotonic": True, "aggregationTemporality": cumulative}},
        {"name": "depth", "gauge": {"dataPoints": [{**common, "asDouble": 1.5}]}},
        {"name": "size", "unit": "By", "histogram": {"dataPoints": [histogram], "aggregationTemporality": 2}},
        {"name": "wait", "unit": "s", "exponentialHistogram": {"dataPoints": [exponential],
         "aggregationTemporality": 2}},
    ]  # fmt: skip
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    return json.dumps(
        {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"scope": {}, "metrics": metrics}]}]}
    )


def test_otlp_json_lines_are_read_as_if_they_had_been_collected(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(export(minute, max(0, minute - 2)) for minute in range(5)))
    text = """
groups:
- name: g
  rules:
  - {alert: Errors, expr: 'increase(errors_total{job="shop", code="500"}[2m]) > 0'}
  - alert: Size
    expr: size_bytes_bucket{le="1"} == 1 and on () depth == 1.5 and on () histogram_count(wait_seconds) == 1
"""
    report = replay(rules(text), read_recording(path))
    assert report.failures == ()
    fired = {period.alertname: spans(period) for period in report.fired}
    assert fired == {"Errors": (3, 3, None), "Size": (0, 0, None)}


def test_a_range_of_a_prometheus_server_is_a_recording() -> None:
    values = [[(T0 + minute * MINUTE) / 1000, "0"] for minute in range(4)]
    recording = recording_from_prometheus([{"metric": {"__name__": "up", "job": "a"}, "values": values}])
    assert [spans(item) for item in replay(rules(), recording).fired if item.alertname == "Down"] == [(0, 2, None)]


def test_nothing_recorded_is_nothing_replayed(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    report = replay(rules("groups: []"), read_recording(tmp_path / "empty"))
    assert (report.evaluations, report.periods) == (0, ())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("up 1 1\nup\n", "data:2: not a sample: 'up'"),
        ("up 1\n", "data:1: the sample has no timestamp"),
        ("up x 1\n", "data:1: could not convert string to float"),
        ('up{a="b" 1 1\n', "data:1: not a sample"),
        ("{}\n", "data:1: not an OTLP metrics export: KeyError: 'resourceMetrics'"),
        ('{"resourceMetrics": []}\n{"a"', "data:1: not an OTLP metrics export: ValueError: there is no data point"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "data"
    path.write_text(content)
    with pytest.raises(ReplayDataError) as error:
        read_recording(path)
    assert problem in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReplayDataError, match="absent: cannot read"):
        read_recording(tmp_path / "absent")
