"""The benchmark's data and rules: monotonic but for the resets, every rule finds something."""

from __future__ import annotations

import numpy as np

from otel_ext.cli.bench_promql import measure, rules_of, workload
from otel_ext.promql import parse


def test_the_workload_is_counters_that_restart_once() -> None:
    data = workload(1_200, 20)
    assert data.columns.shape == (20, 2_400)
    assert int((np.diff(data.columns, axis=0) < 0).any(axis=0).sum()) == 12
    assert len(set(data.series)) == 2_400


def test_a_hundred_rules_parse() -> None:
    rules = rules_of(100)
    assert len(set(rules)) == 100
    for rule in rules:
        parse(rule)


def test_costs_are_measured() -> None:
    cost = measure(workload(120, 70), 2)
    assert cost.wall_ms > 0
    assert cost.ingest_ms > 0
    assert cost.size == 120
