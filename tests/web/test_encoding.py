"""JSON that every reader understands."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ext.model.labels import Labels
from otel_ext.web.encoding import json_bytes, plain, rfc3339, seconds, span_id, trace_id


class _Kind(enum.StrEnum):
    A = "a"


class _Level(enum.IntEnum):
    HIGH = 3


class _Pair(NamedTuple):
    left: int
    right: float


@dataclasses.dataclass(frozen=True, slots=True)
class _Value:
    ratio: float
    labels: Labels


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (math.nan, None),
        (math.inf, None),
        (1.5, 1.5),
        (True, True),
        (_Kind.A, "a"),
        (_Level.HIGH, 3),
        (Fraction(1, 4), 0.25),
        (b"\x00\xff", "00ff"),
        (np.float64(2.5), 2.5),
        (np.int64(7), 7),
        ({"a": [math.nan, (1, 2)]}, {"a": [None, [1, 2]]}),
        (_Pair(1, math.inf), {"left": 1, "right": None}),
        (_Value(math.nan, Labels(a="b")), {"ratio": None, "labels": {"a": "b"}}),
        ({1: {2}}, {"1": [2]}),
        (range(0), "range(0, 0)"),
    ],
)
def test_values_become_json_types(value: object, shape: object) -> None:
    assert plain(value) == shape
    json_bytes(plain(value))


def test_a_value_that_contains_itself_ends() -> None:
    ring: list[object] = []
    ring.append(ring)
    json_bytes(plain(ring))


def test_nan_is_refused_where_it_was_forgotten() -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_bytes({"a": math.nan})


@given(st.text())
def test_every_string_survives_also_one_that_utf8_cannot_hold(text: str) -> None:
    assert json.loads(json_bytes({"a": text}))["a"] == text


@pytest.mark.parametrize(
    ("ts_ms", "text"),
    [
        (None, None),
        (0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
        (-5, "1970-01-01T00:00:00.000Z"),
        (10**18, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_times_are_rfc3339_and_never_out_of_the_calendar(ts_ms: int | None, text: str | None) -> None:
    assert rfc3339(ts_ms) == text


def test_seconds_have_a_fraction_only_when_there_is_one() -> None:
    assert json_bytes([seconds(1_700_000_000_000), seconds(1_700_000_000_500)]) == b"[1700000000,1700000000.5]"


def test_ids_keep_their_leading_zeros() -> None:
    assert trace_id(1) == "0" * 31 + "1"
    assert span_id(0xABC) == "0000000000000abc"
