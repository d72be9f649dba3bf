"""SLOs in settings: mappings and objects, each right or left out whole."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ext.config.nodes import Rejected, Style, wrap
from otel_ext.config.slo_entries import SLO_KEYS, slo_list
from otel_ext.model.slos import Slo


def parse(value: object, style: Style = Style.ARGUMENT) -> tuple[tuple[Slo, ...], list[Rejected]]:
    dropped: list[Rejected] = []
    found = slo_list().parse(wrap(value, where="test", base=Path(), style=style), dropped.append)
    assert isinstance(found, tuple)
    return found, dropped


def test_all_keys_of_an_slo() -> None:
    entry = {
        "name": "checkout",
        "objective": 99.95,
        "latency": "0.3s",
        "window": "4w",
        "match": {"http.route": "/checkout"},
        "description": "customers can pay",
        "labels": {"team": "shop", "tier": 1},
    }
    slo = Slo(
        name="checkout",
        objective="99.95",
        latency_ms=300,
        window_days=28,
        match={"http.route": "/checkout"},
        description="customers can pay",
        labels={"team": "shop", "tier": "1"},
    )
    assert parse([entry]) == ((slo,), [])
    assert set(entry) | {"latency_ms", "window_days"} == set(SLO_KEYS)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"latency": "300ms"}, {"latency_ms": 300.0}),
        ({"latency": "0.5ms"}, {"latency_ms": 0.5}),
        ({"latency_ms": 300}, {"latency_ms": 300.0}),
        ({"latency_ms": "250.5"}, {"latency_ms": 250.5}),
        ({"window": "7d"}, {"window_days": 7}),
        ({"window": "168h"}, {"window_days": 7}),
        ({"window_days": 7}, {"window_days": 7}),
        ({"objective": "99.9%"}, {"objective": "99.9"}),
        ({"objective": 95}, {"objective": "95"}),
        ({"objective": Fraction(999, 10)}, {"objective": Fraction(999, 10)}),
        ({"description": None}, {}),
    ],
)
def test_the_ways_to_write_one_value(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    base: dict[str, Any] = {"name": "a", "objective": "99"}
    assert parse([base | fields]) == ((Slo(**base | expected),), [])


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"name": ""}, ".name"),
        ({"name": 5}, ".name"),
        ({"objective": 100}, ".objective"),
        ({"objective": 0}, ".objective"),
        ({"objective": True}, ".objective"),
        ({"objective": "1/0"}, ".objective"),
        ({"objective": "1e999999999"}, ".objective"),
        ({"objective": float("nan")}, ".objective"),
        ({"latency": 300}, ".latency"),
        ({"latency": "0s"}, ".latency"),
        ({"latency_ms": 0}, ".latency_ms"),
        ({"latency_ms": 1e400}, ".latency_ms"),
        ({"latency": "1s", "latency_ms": 1}, ".latency_ms"),
        ({"window": 30}, ".window"),
        ({"window": "36h"}, ".window"),
        ({"window": "91d"}, ".window"),
        ({"window_days": 0}, ".window_days"),
        ({"window_days": float("inf")}, ".window_days"),
        ({"match": "x"}, ".match"),
        ({"match": {"a b": "x"}}, ".match.a b"),
        ({"labels": {"a-b": "x"}}, ".labels.a-b"),
        ({"description": []}, ".description"),
        ({"latencyy": "1s"}, ".latencyy"),
    ],
)
def test_what_is_wrong_is_placed_in_the_slo(fields: dict[str, Any], path: str) -> None:
    good = {"name": "good", "objective": "99"}
    slos, dropped = parse([good, {"name": "bad", "objective": "99"} | fields])
    assert [slo.name for slo in slos] == ["good"]
    assert [rejected.path for rejected in dropped] == [f"[1]{path}"]


def test_everything_wrong_with_one_slo_is_told() -> None:
    slos, dropped = parse([{"name": "good", "objective": "99"}, {"objektive": 5, "window": "1h"}])
    assert len(slos) == 1
    assert [rejected.path for rejected in dropped] == ["[1].objektive", "[1].name", "[1].objective", "[1].window"]
    assert "did you mean 'objective'?" in dropped[0].reason


def test_objects_are_taken_as_they_are_and_names_are_unique() -> None:
    first = Slo(name="a", objective="99.9")
    slos, dropped = parse([first, {"name": "a", "objective": "99"}, "x"])
    assert slos == (first,)
    assert slos[0] is first
    assert [rejected.path for rejected in dropped] == ["[1].name", "[2]"]


def test_nothing_usable_is_a_rejection_of_the_whole_and_an_empty_list_is_not() -> None:
    assert parse([]) == ((), [])
    with pytest.raises(Rejected):
        parse(["x"])
    with pytest.raises(Rejected):
        parse("x")


def test_a_variable_holds_inline_yaml() -> None:
    slos, _ = parse("[{name: a, objective: 99.9}]", Style.VARIABLE)
    assert slos == (Slo(name="a", objective="99.9"),)
    assert parse("- name: a\n  objective: '99.9'", Style.VARIABLE)[0] == slos
    with pytest.raises(Rejected, match="not valid YAML"):
        parse("[{name: a", Style.VARIABLE)
    _, dropped = parse("[{name: a, name: b, objective: 99.9}]", Style.VARIABLE)
    assert [rejected.path for rejected in dropped] == ["[0].name"]


@given(st.decimals(min_value="0.001", max_value="99.999", places=3))
def test_an_objective_is_exact_however_it_is_written(percent: Any) -> None:
    for written in (str(percent), float(percent)):
        assert parse([{"name": "a", "objective": written}])[0][0].target == Fraction(str(percent)) / 100
