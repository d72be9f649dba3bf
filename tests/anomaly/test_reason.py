"""Verdicts in words."""

from __future__ import annotations

import pytest

from otel_ext.anomaly.reason import sentence, subject, value_text
from otel_ext.anomaly.signals import GOLDEN_SIGNALS
from otel_ext.model.anomalies import Anomaly
from otel_ext.model.labels import Labels


def anomaly(actual: float, expected: float, lower: float, upper: float) -> Anomaly:
    return Anomaly(
        watch="golden_signals",
        series=Labels(span_name="GET /x", signal="any"),
        kind="spike",
        actual=actual,
        expected=expected,
        lower=lower,
        upper=upper,
        score=0.9,
        started_at_ms=1_000_000,
        ended_at_ms=None,
        reason="",
    )


RATE, ERRORS, LATENCY = GOLDEN_SIGNALS


def test_a_large_rise_is_told_as_a_factor_with_band_and_duration() -> None:
    said = sentence(LATENCY, anomaly(1.25, 0.25, 0.2, 0.31), 1_090_000)
    assert said == ("mean latency of GET /x is 1.25 s, 5 times the expected 250 ms (band 200 ms to 310 ms), for 90 s")


def test_a_fall_is_told_as_below() -> None:
    said = sentence(RATE, anomaly(10, 50, 35, 66), 1_000_000)
    assert said == "request rate of GET /x is 10/s, below the expected 50/s (band 35/s to 66/s)"


def test_an_error_ratio_is_told_in_percent() -> None:
    said = sentence(ERRORS, anomaly(0.2, 0.001, 0.0, 0.02), 8_300_000)
    assert said.startswith("error ratio of GET /x is 20 %, 200 times the expected 0.1 % (band 0 % to 2 %), for 2.0 h")


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        (Labels(span_name="GET /x", http_route="/x"), "GET /x"),
        (Labels(http_route="/x"), "/x"),
        (Labels(queue="mail", signal="any"), '{queue="mail"}'),
    ],
)
def test_the_subject_is_the_operation_or_all_labels(labels: Labels, name: str) -> None:
    assert subject(labels) == name


@pytest.mark.parametrize(("value", "unit", "text"), [(0.0123, "s", "12.3 ms"), (2.5, "s", "2.5 s"), (0.5, "%", "50 %")])
def test_values_carry_their_unit(value: float, unit: str, text: str) -> None:
    assert value_text(value, unit) == text
