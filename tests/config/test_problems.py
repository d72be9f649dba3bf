"""What is told about a rejected value."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_ext.config.nodes import Rejected, Style, wrap
from otel_ext.config.problems import config_error, example_of, problem_of


def rejected(value: object, *, style: Style = Style.ARGUMENT, path: str = "") -> Rejected:
    return Rejected(wrap(value, where="somewhere", base=Path(), style=style), "is wrong", path=path)


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        (Style.ARGUMENT, "install(http_port=4319)"),
        (Style.VARIABLE, "OTEL_EXT_HTTP_PORT=4319"),
        (Style.YAML, "http: {port: 4319}"),
        (Style.TOML, "http.port = 4319"),
    ],
)
def test_the_example_is_in_the_syntax_of_the_source(style: Style, expected: str) -> None:
    assert problem_of(rejected("x", style=style), "http.port").example == expected


@pytest.mark.parametrize(
    ("setting", "path", "example"),
    [
        ("slos", "[1].objective", "slos"),
        ("", "slos[1].labels.team", "slos"),
        ("", "http", "http.enabled"),
        ("external_labels", ".1", "external_labels"),
        ("no.such", "", "http.port"),
        ("sampling", "", "sampling.record_all"),
    ],
)
def test_a_place_inside_a_setting_gets_the_example_of_the_setting(setting: str, path: str, example: str) -> None:
    problem = problem_of(rejected("x", path=path), setting)
    assert problem.setting == setting + path
    assert problem.example == example_of(example, Style.ARGUMENT)


def test_a_problem_is_one_line_without_secrets() -> None:
    problem = problem_of(rejected({"a\nb": "http://u:pa55@h"}), "weird\nhttp://u:pa55@name")
    assert len(str(problem).splitlines()) == 1
    assert "pa55" not in str(problem)


def test_one_error_lists_all_problems() -> None:
    problems = [problem_of(rejected(1), "http.port"), problem_of(rejected(2), "slos")]
    assert str(config_error(problems[:1])).startswith("1 problem in")
    text = str(config_error(problems))
    assert text.startswith("2 problems in")
    assert all(f"  - {problem}" in text for problem in problems)
