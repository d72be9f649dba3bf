"""YAML becomes nodes that know their line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ext.config.nodes import Node, Rejected, Style
from otel_ext.config.yaml_source import YamlDocument


def document(text: str, env: dict[str, str] | None = None) -> YamlDocument:
    found = YamlDocument.parse(text, place=lambda line: f"f:{line}", base=Path(), style=Style.YAML, env=env)
    assert isinstance(found, YamlDocument), found
    return found


def plain(node: object) -> Any:
    value = node.value if isinstance(node, Node) else node
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple) else value


def loaded(text: str, env: dict[str, str] | None = None) -> Any:
    return plain(document(text, env).at(()))


def test_values_have_the_types_people_mean() -> None:
    text = """
    a: 1
    b: 99.9
    c: yes
    d: ~
    e: "5"
    f: 2024-01-01
    g: 1:30
    h: 010
    i: 0x10
    j: .inf
    k: [x, {y: z}]
    """
    assert loaded(text) == {
        "a": 1,
        "b": 99.9,
        "c": True,
        "d": None,
        "e": "5",
        "f": "2024-01-01",
        "g": "1:30",
        "h": "010",
        "i": 16,
        "j": ".inf",
        "k": ["x", {"y": "z"}],
    }


def test_every_node_knows_its_line() -> None:
    root = document("http:\n  port: 1\nslos:\n  - name: a\n  - name: b\n").at(())
    assert root is not None
    assert isinstance(root.value, dict)
    assert root.value["http"].where == "f:1"
    assert root.value["http"].value["port"].where == "f:2"
    assert root.value["slos"].where == "f:3"
    assert [item.where for item in root.value["slos"].value] == ["f:4", "f:5"]


def test_an_empty_document_has_no_nodes() -> None:
    assert document("# nothing\n").at(()) is None


def test_parts_are_found_by_path_without_looking_at_the_rest() -> None:
    found = document("file_format: '1.0'\nfile_format: x\ndistribution:\n  otel_ext: {http: false}\n")
    assert plain(found.at(("distribution", "otel_ext"))) == {"http": False}
    assert found.at(("distribution", "other")) is None
    assert found.at(("file_format", "x")) is None
    assert found.rejected == []


def test_a_key_given_twice_is_told_with_both_lines_and_the_first_is_used() -> None:
    found = document("http:\n  port: 1\n  port: 2\nhttp: false\n")
    assert plain(found.at(())) == {"http": {"port": 1}}
    assert [(rejected.path, rejected.node.where) for rejected in found.rejected] == [
        ("http.port", "f:3"),
        ("http", "f:4"),
    ]
    assert "line 2" in found.rejected[0].reason


def test_merge_keys_give_way_to_own_keys() -> None:
    text = "base: &base {a: 1, b: 2}\nmore: &more {b: 3, c: 4}\none: {<<: *base, b: 9}\ntwo: {<<: [*base, *more]}\n"
    found = loaded(text)
    assert found["one"] == {"a": 1, "b": 9}
    assert found["two"] == {"a": 1, "b": 2, "c": 4}


def test_variables_are_substituted_in_values_and_then_typed() -> None:
    env = {"PORT": "5000", "HOST": "am", "EMPTY": ""}
    text = """
    ${PORT}: key
    a: ${PORT}
    b: "${PORT}"
    c: http://${HOST}:${env:PORT}/
    d: ${MISSING}
    e: ${MISSING:-7}
    f: ${EMPTY:-x}
    g: $${PORT}
    h: ${1bad}
    """
    assert loaded(text, env) == {
        "${PORT}": "key",
        "a": 5000,
        "b": "5000",
        "c": "http://am:5000/",
        "d": None,
        "e": 7,
        "f": "x",
        "g": "${PORT}",
        "h": "${1bad}",
    }
    assert loaded("a: ${PORT}", None) == {"a": "${PORT}"}


def test_a_substituted_value_cannot_add_structure() -> None:
    assert loaded("a: ${X}", {"X": "{b: 1}\nc: 2"}) == {"a": "{b: 1}\nc: 2"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: [1\n", 3),
        ("a: 1\n\tb: 2\n", 2),
        ("a: *missing\n", 1),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: 1\nb: \x01\n", 2),
        ("a: '\udc80'\n", 1),
    ],
)
def test_malformed_yaml_names_the_line_of_the_parser(text: str, line: int) -> None:
    found = YamlDocument.parse(text, place=lambda at: f"f:{at}", base=Path(), style=Style.YAML, env=None)
    assert isinstance(found, Rejected)
    assert found.node.where == f"f:{line}"
    assert "not valid YAML" in found.reason


@pytest.mark.parametrize(
    "text", ["a: !!python/object:os.system {}", "a: !custom x", "a: !custom [x]", "a: !!binary aGk="]
)
def test_tags_are_never_followed(text: str) -> None:
    root = document(text).at(())
    assert root is not None
    assert isinstance(root.value, dict)
    assert not isinstance(root.value["a"].value, str | dict | tuple | bytes)


def test_endless_and_exploding_documents_are_cut() -> None:
    assert isinstance(loaded("&a [*a]"), list)
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert isinstance(loaded("\n".join(lines)), dict)


def test_deep_nesting_is_no_crash() -> None:
    found = YamlDocument.parse("[" * 5000, place=str, base=Path(), style=Style.YAML, env=None)
    assert isinstance(found, Rejected)


@given(st.text())
def test_any_text_is_a_document_or_a_rejection(text: str) -> None:
    found = YamlDocument.parse(text, place=str, base=Path(), style=Style.YAML, env={"A": "b"})
    if isinstance(found, YamlDocument):
        found.at(())
    else:
        assert found.node.where
