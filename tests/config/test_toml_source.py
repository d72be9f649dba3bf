"""TOML becomes nodes that know their line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ext.config.nodes import Node, Rejected
from otel_ext.config.toml_source import read_toml

_TEXT = """
[tool.other]
port = 1

[tool.otel_ext]
tick_interval = "1s"
forward.enabled = false
anomaly = { enabled = false, false_alarms_per_week = 2 }

[tool.otel_ext.http]
port = 5000

[[tool.otel_ext.slos]]
name = "a"

[[tool.otel_ext.slos]]
name = "b"
[tool.otel_ext.slos.labels]
team = "x"
"""


def read(text: str, table: tuple[str, ...] = ()) -> Node | Rejected | None:
    return read_toml(text, table, place=lambda line: f"f:{line}", base=Path())


def lines(node: Node, path: str = "") -> dict[str, str]:
    found = {path: node.where}
    value: Any = node.value
    if isinstance(value, dict):
        for key, item in value.items():
            found |= lines(item, f"{path}.{key}".lstrip("."))
    if isinstance(value, tuple):
        for index, item in enumerate(value):
            found |= lines(item, f"{path}[{index}]")
    return found


def test_every_node_knows_the_line_of_its_key() -> None:
    root = read(_TEXT, ("tool", "otel_ext"))
    assert isinstance(root, Node)
    assert lines(root) == {
        "": "f:5",
        "tick_interval": "f:6",
        "forward": "f:5",
        "forward.enabled": "f:7",
        "anomaly": "f:8",
        "anomaly.enabled": "f:8",
        "anomaly.false_alarms_per_week": "f:8",
        "http": "f:10",
        "http.port": "f:11",
        "slos": "f:5",
        "slos[0]": "f:13",
        "slos[0].name": "f:14",
        "slos[1]": "f:16",
        "slos[1].name": "f:17",
        "slos[1].labels": "f:18",
        "slos[1].labels.team": "f:19",
    }


def test_a_whole_file_can_be_the_table() -> None:
    root = read("queue_size = 100\n[http]\nport = 1\n")
    assert isinstance(root, Node)
    assert lines(root)["http.port"] == "f:3"
    assert lines(root)["queue_size"] == "f:1"


def test_a_missing_table_is_nothing() -> None:
    assert read("[tool]\nx = 1\n", ("tool", "otel_ext")) is None
    assert read("tool = 1\n", ("tool", "otel_ext")) is None


@pytest.mark.parametrize(
    ("text", "line"), [("a = 1\nb = \n", 2), ("a = 1\na = 2\n", 2), ("[a\n", 1), ("a = 1\nb = [1", 2), ("", 0)]
)
def test_malformed_toml_names_the_line_of_the_parser(text: str, line: int) -> None:
    found = read(text)
    if not line:
        assert isinstance(found, Node)
        return
    assert isinstance(found, Rejected)
    assert found.node.where == f"f:{line}"
    assert "not valid TOML" in found.reason
    assert "(at" not in found.reason


@given(st.text())
def test_any_text_is_a_table_or_a_rejection(text: str) -> None:
    assert isinstance(read(text), Node | Rejected)
