"""Arguments and variables become nodes by dotted name; what nobody knows is told with what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_ext.config.sources import Source, read_arguments, read_variables

_CWD = Path("/nowhere")


def found(source: Source) -> dict[str, tuple[object, str]]:
    return {name: (node.value, node.where) for name, node in source.entries.items()}


def test_arguments_are_grouped_or_flat() -> None:
    source = read_arguments({"http": {"port": 1}, "forward_enabled": True, "queue_size": 5, "service": None}, _CWD)
    assert found(source) == {
        "http.port": (1, "install(http={'port': …})"),
        "forward.enabled": (True, "install(forward_enabled=…)"),
        "queue_size": (5, "install(queue_size=…)"),
    }
    assert source.problems == []


@pytest.mark.parametrize(
    ("kwargs", "name", "value"),
    [
        ({"http": False}, "http.enabled", False),
        ({"anomaly": False}, "anomaly.enabled", False),
        ({"forward": "auto"}, "forward.enabled", "auto"),
        ({"alertmanager": "http://a"}, "alertmanager.urls", "http://a"),
    ],
)
def test_a_value_in_place_of_a_group_is_its_short_form(kwargs: dict[str, object], name: str, value: object) -> None:
    assert read_arguments(kwargs, _CWD).entries[name].value == value


def test_a_group_without_short_form_must_be_a_mapping() -> None:
    (problem,) = read_arguments({"sampling": 0.1}, _CWD).problems
    assert problem.setting == "sampling"
    assert "sampling.record_all" in problem.allowed


def test_a_setting_given_twice_in_one_source_is_told() -> None:
    (problem,) = read_arguments({"http": {"port": 1}, "http_port": 2}, _CWD).problems
    assert problem.source == "install(http_port=…)"
    assert "install(http={'port': …})" in problem.reason
    (problem,) = read_variables({"OTEL_EXT_HTTP": "false", "OTEL_EXT_HTTP_ENABLED": "true"}, _CWD).problems
    assert problem.source == "OTEL_EXT_HTTP_ENABLED"


@pytest.mark.parametrize(
    ("kwargs", "meant"),
    [
        ({"htp_port": 1}, "'http_port'"),
        ({"tick_interval_ms": 1}, "'tick_interval'"),
        ({"http": {"prot": 1}}, "'http.port'"),
        ({"slo": []}, "'slos'"),
        ({"configfile": "x"}, "'config_file'"),
    ],
)
def test_unknown_arguments_get_a_suggestion(kwargs: dict[str, object], meant: str) -> None:
    (problem,) = read_arguments(kwargs, _CWD).problems
    assert f"did you mean {meant}?" in str(problem)


def test_variables_of_our_prefix_are_read_and_empty_ones_say_nothing() -> None:
    env = {
        "OTEL_EXT_HTTP": "false",
        "OTEL_EXT_HTTP_PORT": " 5 ",
        "OTEL_EXT_SERVICE": " ",
        "OTHER": "x",
        "OTEL_EXT_CONFIG": "f",
    }
    source = read_variables(env, _CWD)
    assert found(source) == {"http.enabled": ("false", "OTEL_EXT_HTTP"), "http.port": ("5", "OTEL_EXT_HTTP_PORT")}
    assert source.problems == []


def test_unknown_variables_get_a_suggestion() -> None:
    (problem,) = read_variables({"OTEL_EXT_HTTPPORT": "5"}, _CWD).problems
    assert "did you mean 'OTEL_EXT_HTTP_PORT'?" in str(problem)
    assert problem.example == "OTEL_EXT_HTTP_PORT=4319"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXT_CONFORMANCE", "/data"),
        ("OTEL_EXT_URL", "http://127.0.0.1:4319"),
        ("OTEL_EXT_TEST_PROMETHEUS", "/usr/bin/prometheus"),
        ("OTEL_EXT_SERVICE_HOST", "10.0.0.11"),
        ("OTEL_EXT_SERVICE_PORT", "4319"),
        ("OTEL_EXT_SERVICE_PORT_HTTP", "4319"),
        ("OTEL_EXT_PORT", "tcp://10.0.0.11:4319"),
        ("OTEL_EXT_PORT_4319_TCP", "tcp://10.0.0.11:4319"),
        ("OTEL_EXT_PORT_4319_TCP_ADDR", "10.0.0.11"),
        ("OTEL_EXT_CONSOLE_SERVICE_HOST", "10.0.0.12"),
    ],
)
def test_variables_that_others_make_with_our_prefix_are_left_alone(name: str, value: str) -> None:
    source = read_variables({name: value}, _CWD)
    assert source.entries == {}
    assert source.problems == []
