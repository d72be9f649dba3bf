"""The notation of input series."""

from __future__ import annotations

import math

import pytest

from otel_ext.model.labels import Labels
from otel_ext.model.native_histograms import CUSTOM_SCHEMA, CounterResetHint, NativeHistogram
from otel_ext.rules.series_notation import STALE, parse_histogram, parse_labels, parse_values


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("", {}),
        ("{}", {}),
        ("up", {"__name__": "up"}),
        ("up{}", {"__name__": "up"}),
        ("a:b_1 { x = \"y\" , z='w', }", {"__name__": "a:b_1", "x": "y", "z": "w"}),
        ('{a="}", b="\\"\\n", c=`\\n`}', {"a": "}", "b": '"\n', "c": "\\n"}),
        ('{"my.metric", "a.b"="c"}', {"__name__": "my.metric", "a.b": "c"}),
        ('{__name__="x"}', {"__name__": "x"}),
    ],
)
def test_series(text: str, labels: dict[str, str]) -> None:
    assert parse_labels(text) == Labels(labels)


@pytest.mark.parametrize("text", ["up{", 'up{a="b"', "up{a=b}", "1up", "up{a}", 'up{a="b" c="d"}', 'up{a="1",a="2"}'])
def test_what_is_no_series_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a series"):
        parse_labels(text)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("1 -2 +3 1e3 .5", [1, -2, 3, 1000, 0.5]),
        ("1x2", [1, 1, 1]),
        ("1+2x3", [1, 3, 5, 7]),
        ("-1-1x2", [-1, -2, -3]),
        ("0+0x2", [0, 0, 0]),
        ("_ 1 _x2", [None, 1, None, None]),
        ("stale 1 stalex1", [STALE, 1, STALE, STALE]),
        ("Inf -inf", [math.inf, -math.inf]),
        ("0+0.1x3", [0, 0.1, 0.2, 0.1 + 0.1 + 0.1]),
    ],
)
def test_values(text: str, values: list[object]) -> None:
    assert parse_values(text) == values


def test_not_a_number_is_a_value() -> None:
    (value,) = parse_values("NaN")
    assert isinstance(value, float)
    assert math.isnan(value)


def test_histograms_expand_like_numbers() -> None:
    first, second, third = parse_values("{{sum:3 count:2 buckets:[2]}}+{{sum:1.5 count:1 buckets:[1]}}x2")
    assert first == NativeHistogram(sum=3, count=2, positive={0: 2})
    assert second == NativeHistogram(sum=4.5, count=3, positive={0: 3})
    assert third == NativeHistogram(sum=6, count=4, positive={0: 4})


def test_every_field_of_a_histogram_is_read() -> None:
    buckets = "buckets:[5.1 0 7] offset:-3 n_buckets:[4.1] n_offset:2"
    text = f"schema:1 sum:-0.3 count:3.1 z_bucket:7.1 z_bucket_w:0.05 {buckets}"
    assert parse_histogram(f"{{{{{text}}}}}") == NativeHistogram(
        schema=1, sum=-0.3, count=3.1, zero_count=7.1, zero_threshold=0.05, positive={-3: 5.1, -1: 7}, negative={2: 4.1}
    )
    custom = parse_histogram("{{custom_values:[1 2] buckets:[1 2 3] counter_reset_hint:gauge}}")
    assert (custom.schema, custom.custom_bounds) == (CUSTOM_SCHEMA, (1.0, 2.0))
    assert custom.counter_reset_hint is CounterResetHint.GAUGE


@pytest.mark.parametrize("text", ["1+x", "x", "1xx2", "{{sum:}} 1", "{{zum:1}}", "1 {{sum:1"])
def test_what_is_no_value_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a (series value|histogram)"):
        parse_values(text)
