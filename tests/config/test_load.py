"""Precedence setting by setting; strict tells everything at once, lenient runs with the valid remainder."""

from __future__ import annotations

import json
import os
import tempfile
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_ext.config import LoadedSettings, Settings, load_settings
from otel_ext.config.schema import BY_NAME, GROUPS, SETTINGS, environment_names
from otel_ext.errors import ConfigError
from otel_ext.model.slos import Slo

# Two or more valid values of each setting, as they are written in every source, with what the engines get.
_VALUES: dict[str, list[tuple[str, Any]]] = {
    "enabled": [("true", True), ("false", False)],
    "service": [("a", "a"), ("b", "b")],
    "http.enabled": [("true", True), ("off", False)],
    "http.host": [("localhost", "localhost"), ("0.0.0.0", "0.0.0.0")],
    "http.port": [("0", 0), ("4320", 4320)],
    "anomaly.enabled": [("true", True), ("no", False)],
    "anomaly.false_alarms_per_week": [("0.5", 0.5), ("7", 7.0)],
    "alertmanager.timeout": [("1s", 1000), ("250ms", 250)],
    "forward.enabled": [("auto", "auto"), ("true", True), ("false", False)],
    "forward.shutdown_timeout": [("0s", 0), ("3", 3000)],
    "tick_interval": [("500ms", 500), ("2s", 2000)],
    "collect_interval": [("1s", 1000), ("1m", 60_000)],
    "retention": [("1h30m", 5_400_000), ("1d", 86_400_000)],
    "max_metric_bytes": [("1MiB", 1_048_576), ("16MB", 16_000_000)],
    "max_trace_bytes": [("1MiB", 1_048_576), ("16MB", 16_000_000)],
    "max_log_bytes": [("1MiB", 1_048_576), ("16MB", 16_000_000)],
    "queue_size": [("16", 16), ("100", 100)],
    "sampling.record_all": [("true", True), ("false", False)],
    "banner": [("auto", "auto"), ("false", False)],
}
_SOURCES = ("argument", "variable", "file", "otel")


@st.composite
def assignments(draw: st.DrawFn) -> dict[str, dict[str, tuple[str, Any]]]:
    """For each source, some settings with values."""
    names = st.sampled_from(sorted(_VALUES))
    return {
        source: {name: draw(st.sampled_from(_VALUES[name])) for name in draw(st.sets(names, max_size=8))}
        for source in _SOURCES
    }


def nested(values: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, (written, _) in values.items():
        group, _, leaf = name.rpartition(".")
        (tree.setdefault(group, {}) if group else tree)[leaf] = written
    return tree


def load(cwd: Path, *, strict: bool = True, env: dict[str, str] | None = None, **kwargs: object) -> LoadedSettings:
    return load_settings(kwargs, env=env or {}, cwd=cwd, strict=strict)


def value_of(loaded: LoadedSettings, name: str) -> Any:
    return attrgetter(BY_NAME[name].field)(loaded.settings)


@given(assignments(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_each_setting_comes_from_the_strongest_source_that_has_it(
    given_values: dict[str, dict[str, tuple[str, Any]]], flat: bool
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        cwd = Path(directory)
        (cwd / "otel-ext.yaml").write_text(json.dumps(nested(given_values["file"])))
        (cwd / "otel.yaml").write_text(json.dumps({"distribution": {"otel_ext": nested(given_values["otel"])}}))
        env = {BY_NAME[name].variable: written for name, (written, _) in given_values["variable"].items()}
        arguments = {BY_NAME[name].flat_name: written for name, (written, _) in given_values["argument"].items()}
        loaded = load_settings(
            arguments if flat else nested(given_values["argument"]),
            env={**env, "OTEL_CONFIG_FILE": "otel.yaml"},
            cwd=cwd,
        )
    marks = {"argument": "install(", "variable": "OTEL_EXT_", "file": "otel-ext.yaml:", "otel": "otel.yaml:"}
    for name in _VALUES:
        source = next((source for source in _SOURCES if name in given_values[source]), None)
        if source is None:
            assert loaded.origins[name] == "default"
            assert value_of(loaded, name) == attrgetter(BY_NAME[name].field)(Settings())
        else:
            assert loaded.origins[name].startswith(marks[source])
            assert value_of(loaded, name) == given_values[source][name][1]


@given(st.sampled_from(sorted(_VALUES)), st.sets(st.sampled_from(_SOURCES[:3]), min_size=1), st.data())
@settings(max_examples=60, deadline=None)
def test_a_bad_value_gives_way_to_the_next_source(name: str, bad: set[str], data: st.DataObject) -> None:
    written, expected = data.draw(st.sampled_from(_VALUES[name]))
    values: dict[str, Any] = {source: "\x07 bad" if source in bad else written for source in _SOURCES[:3]}
    with tempfile.TemporaryDirectory() as directory:
        cwd = Path(directory)
        (cwd / "otel-ext.yaml").write_text(json.dumps(nested({name: (values["file"], None)})))
        kwargs = {BY_NAME[name].flat_name: values["argument"]}
        env = {BY_NAME[name].variable: values["variable"]}
        loaded = load_settings(kwargs, env=env, cwd=cwd, strict=False)
    good = [source for source in _SOURCES[:3] if source not in bad]
    assert value_of(loaded, name) == (expected if good else attrgetter(BY_NAME[name].field)(Settings()))
    # A source below the one that is used is not asked.
    assert len(loaded.problems) == (_SOURCES.index(good[0]) if good else 3)
    assert {problem.setting for problem in loaded.problems} <= {name}


def test_without_any_source_there_are_the_defaults(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert loaded.settings == Settings()
    assert set(loaded.origins) == set(BY_NAME)
    assert set(loaded.origins.values()) == {"default"}


def test_strict_tells_all_problems_at_once(tmp_path: Path) -> None:
    (tmp_path / "otel-ext.yaml").write_text("tick_interval: 5ms\nslos:\n  - {name: a, objective: 101}\n")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, env={"OTEL_EXT_HTTPPORT": "1"}, http_port=70000, rules=["nope.yml"])
    text = str(caught.value)
    assert text.startswith("5 problems")
    for part in (
        "install(http_port=…)",
        "OTEL_EXT_HTTPPORT",
        "otel-ext.yaml:1",
        "otel-ext.yaml:3",
        "nope.yml",
        "65535",
    ):
        assert part in text


def test_the_text_names_setting_source_value_allowed_and_example(tmp_path: Path) -> None:
    (problem,) = load(tmp_path, env={"OTEL_EXT_HTTP_PORT": "70000"}, strict=False).problems
    assert str(problem) == (
        "http.port: '70000' from OTEL_EXT_HTTP_PORT is too large. "
        "Allowed: a whole number from 0 to 65535 (0 takes any free port). Example: OTEL_EXT_HTTP_PORT=4319"
    )


def test_one_bad_item_drops_this_item_only(tmp_path: Path) -> None:
    (tmp_path / "good.yml").write_text("")
    slos = [{"name": "a", "objective": "99"}, {"name": "b"}, Slo(name="c", objective="95")]
    loaded = load(tmp_path, strict=False, slos=slos, rules=["good.yml", "missing.yml"])
    assert [slo.name for slo in loaded.settings.slos] == ["a", "c"]
    assert loaded.settings.rules == (tmp_path / "good.yml",)
    assert [problem.setting for problem in loaded.problems] == ["slos[1].objective", "rules[1]"]


def test_a_list_without_one_good_item_gives_way_to_the_next_source(tmp_path: Path) -> None:
    loaded = load(tmp_path, strict=False, slos=[{"name": "a"}], env={"OTEL_EXT_SLOS": "[{name: b, objective: 99}]"})
    assert [slo.name for slo in loaded.settings.slos] == ["b"]
    assert load(tmp_path, slos=[]).settings.slos == ()


def test_equal_sources_give_equal_settings(tmp_path: Path) -> None:
    slo = {"name": "a", "objective": 99.9, "labels": {"team": "x"}}
    (tmp_path / "otel-ext.yaml").write_text(json.dumps({"slos": [slo], "http": {"port": 5}, "retention": "2h"}))
    by_file = load(tmp_path).settings
    by_argument = load(
        Path("/"), slos=[Slo(name="a", objective="99.9", labels={"team": "x"})], http_port=5, retention=7200
    ).settings
    assert by_file == by_argument


def test_secrets_are_in_the_settings_but_in_nothing_that_is_printed(tmp_path: Path) -> None:
    (tmp_path / "otel-ext.yaml").write_text("alertmanager: {urls: ['http://u:pa55@a:9093', 'ftp://u:pa55@b']}\n")
    loaded = load(tmp_path, strict=False, **{"http://u:pa55@x": 1, "service": "a\nhttp://u:pa55@x"})
    assert loaded.settings.alertmanager.urls == ("http://u:pa55@a:9093",)
    assert len(loaded.problems) == 3
    assert "pa55" not in repr(loaded) + "".join(map(str, loaded.problems))


def test_the_environment_and_directory_of_the_process_are_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    (tmp_path / "otel-ext.yaml").write_text("queue_size: 100\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OTEL_EXT_HTTP", "false")
    loaded = load_settings()
    assert (loaded.settings.queue_size, loaded.settings.http.enabled) == (100, False)


def test_a_working_directory_that_was_deleted_is_no_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert load_settings(env={}, strict=False).problems == ()


class _Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("never called")

    def __bool__(self) -> bool:
        raise RuntimeError("never called")


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**40)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=5)
    | st.builds(object)
    | st.sampled_from(["1s", "auto", "99.9", "http://u:p@h", "", "30d", "64MiB", "*.yml", "a=b", "[{name: a}]"])
)
_KEYS = st.text(max_size=8) | st.sampled_from(["name", "objective", "latency", "window", "match", "labels", "enabled"])
_GARBAGE = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=12
)
_NAMES = st.sampled_from([*(setting.flat_name for setting in SETTINGS), *GROUPS, "config_file"]) | st.text(max_size=12)
_VARIABLES = st.sampled_from([*environment_names(), "OTEL_EXT_CONFIG", "OTEL_CONFIG_FILE", "OTEL_EXT_X"])


@given(
    st.dictionaries(_NAMES, _GARBAGE, max_size=6),
    st.dictionaries(_VARIABLES, st.text(max_size=30), max_size=6),
    st.text(max_size=60),
)
@settings(max_examples=150, deadline=None)
def test_garbage_never_crashes_and_every_problem_says_what_where_and_how(
    kwargs: dict[str, object], env: dict[str, str], text: str
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        cwd = Path(directory)
        (cwd / "otel-ext.yaml").write_text(text, encoding="utf-8", errors="surrogatepass")
        loaded = load_settings(kwargs, env=env, cwd=cwd, strict=False)
        assert_told_well(loaded)
        if loaded.problems:
            with pytest.raises(ConfigError):
                load_settings(kwargs, env=env, cwd=cwd)


@given(st.dictionaries(_NAMES, _GARBAGE, max_size=5))
@settings(max_examples=80, deadline=None)
def test_garbage_in_a_file_never_crashes_either(tree: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        cwd = Path(directory)
        (cwd / "otel-ext.yaml").write_text(json.dumps(tree, default=str_or_type, skipkeys=True))
        assert_told_well(load_settings(env={}, cwd=cwd, strict=False))


@pytest.mark.parametrize("name", [*(setting.flat_name for setting in SETTINGS), *GROUPS, "config_file", "x"])
def test_values_that_cannot_be_printed_never_crash(name: str) -> None:
    for value in (10**6000, -(10**6000), _Hostile(), [_Hostile()], {"a": _Hostile()}, {1: 10**6000}):
        assert_told_well(load_settings({name: value}, env={}, cwd=Path("/"), strict=False))


def str_or_type(value: object) -> str:
    return type(value).__name__


def assert_told_well(loaded: LoadedSettings) -> None:
    assert isinstance(loaded.settings, Settings)
    assert 0 <= loaded.settings.http.port <= 65535
    for problem in loaded.problems:
        told = str(problem)
        assert all((problem.setting, problem.source, problem.value, problem.reason, problem.allowed, problem.example))
        assert all(part in told for part in (problem.source, problem.value, problem.allowed, problem.example))
        assert len(told.splitlines()) == 1
