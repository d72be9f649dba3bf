"""Names and labels as Prometheus' OTLP receiver makes them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from otel_ext.storage.metrics.otlp_histograms import bound_text
from otel_ext.storage.metrics.translation import (
    MetricKind,
    TranslationStrategy,
    attribute_text,
    label_name,
    label_pairs,
    metric_name,
)

ESCAPED = TranslationStrategy.UNDERSCORE_ESCAPING_WITH_SUFFIXES
PLAIN = TranslationStrategy.UNDERSCORE_ESCAPING_WITHOUT_SUFFIXES
UTF8 = TranslationStrategy.NO_UTF8_ESCAPING_WITH_SUFFIXES
NONE = TranslationStrategy.NO_TRANSLATION
COUNTER, GAUGE, HISTOGRAM, UP_DOWN = (
    MetricKind.COUNTER, MetricKind.GAUGE, MetricKind.HISTOGRAM, MetricKind.UP_DOWN_COUNTER,
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "unit", "kind", "strategy", "expected"),
    [
        ("http.server.request.duration", "s", HISTOGRAM, ESCAPED, "http_server_request_duration_seconds"),
        ("http.requests", "1", COUNTER, ESCAPED, "http_requests_total"),
        ("http.requests", "{request}", COUNTER, ESCAPED, "http_requests_total"),
        ("requests.total", "", COUNTER, ESCAPED, "requests_total"),
        ("total.requests", "", COUNTER, ESCAPED, "requests_total"),
        ("cpu.utilization", "1", GAUGE, ESCAPED, "cpu_utilization_ratio"),
        ("queue.length", "1", UP_DOWN, ESCAPED, "queue_length"),
        ("disk.io", "By", COUNTER, ESCAPED, "disk_io_bytes_total"),
        ("disk_io_bytes", "By", COUNTER, ESCAPED, "disk_io_bytes_total"),
        ("speed", "m/s", GAUGE, ESCAPED, "speed_meters_per_second"),
        ("rate", "{packets}/s", GAUGE, ESCAPED, "rate_per_second"),
        ("load", "%", GAUGE, ESCAPED, "load_percent"),
        ("a.b", "foo_bar", GAUGE, ESCAPED, "a_b_foo_bar"),
        ("2xx.count", "", GAUGE, ESCAPED, "_2xx_count"),
        ("a--b..c", "", GAUGE, ESCAPED, "a_b_c"),
        ("temp", "Cel", GAUGE, ESCAPED, "temp_celsius"),
        ("http.requests", "By", COUNTER, PLAIN, "http_requests"),
        ("http.requests", "By", COUNTER, UTF8, "http.requests_bytes_total"),
        ("http.requests_total", "", COUNTER, UTF8, "http.requests_total"),
        ("speed", "m/s", GAUGE, UTF8, "speed_meters_per_second"),
        ("cpu", "1", GAUGE, UTF8, "cpu_ratio"),
        ("http.requests", "By", COUNTER, NONE, "http.requests"),
    ],
)
def test_metric_names(name: str, unit: str, kind: MetricKind, strategy: TranslationStrategy, expected: str) -> None:
    assert metric_name(name, unit, kind, strategy) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("http.route", "http_route"), ("2nd", "key_2nd"), ("_own", "key_own"), ("__reserved", "__reserved"), ("ok", "ok")],
)
def test_label_names(name: str, expected: str) -> None:
    assert label_name(name, ESCAPED) == expected
    assert label_name(name, NONE) == name


def test_keys_that_become_one_name_join_their_values() -> None:
    assert label_pairs({"a.b": "2", "a_b": "1"}, ESCAPED) == {"a_b": "2;1"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [("x", "x"), (True, "true"), (3, "3"), (2.0, "2"), (0.5, "0.5"), (math.inf, "+Inf"), (("a", 1), '["a",1]')],
)
def test_attribute_values_as_text(value: Any, expected: str) -> None:
    assert attribute_text(value) == expected


@pytest.mark.parametrize(
    ("bound", "expected"),
    [(5.0, "5"), (0.005, "0.005"), (1e-7, "0.0000001"), (1e21, "1" + "0" * 21), (2.5e22, "25" + "0" * 21)],
)
def test_bounds_never_have_an_exponent(bound: float, expected: str) -> None:
    assert bound_text(bound) == expected
