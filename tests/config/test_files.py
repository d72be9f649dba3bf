"""Which file is read, in which order, and what is told about a file that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_ext.config import LoadedSettings, load_settings
from otel_ext.errors import ConfigError


def load(cwd: Path, *, strict: bool = True, env: dict[str, str] | None = None, **kwargs: object) -> LoadedSettings:
    return load_settings(kwargs, env=env or {}, cwd=cwd, strict=strict)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_files_are_discovered_in_order(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[tool.otel_ext]\nqueue_size = 101\n")
    assert load(tmp_path).origins["queue_size"] == "pyproject.toml:2"
    write(tmp_path / "otel-ext.yml", "queue_size: 102\n")
    assert load(tmp_path).origins["queue_size"] == "otel-ext.yml:1"
    write(tmp_path / "otel-ext.yaml", "queue_size: 103\n")
    assert load(tmp_path).settings.queue_size == 103
    write(tmp_path / "deploy" / "a.yaml", "queue_size: 104\n")
    assert load(tmp_path, env={"OTEL_EXT_CONFIG": "deploy/a.yaml"}).origins["queue_size"] == "deploy/a.yaml:1"
    other = write(tmp_path / "b.toml", "queue_size = 105\n")
    assert load(tmp_path, env={"OTEL_EXT_CONFIG": "deploy/a.yaml"}, config_file=other).settings.queue_size == 105


def test_only_one_file_of_ours_is_read(tmp_path: Path) -> None:
    write(tmp_path / "otel-ext.yaml", "queue_size: 103\n")
    write(tmp_path / "pyproject.toml", "[tool.otel_ext]\nnonsense = 1\n")
    assert load(tmp_path).settings.queue_size == 103


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("file_format: '1.0'\ndistribution:\n  otel_ext:\n    http: false\n", 4),
        ("otel_ext: {http: false}\n", 1),
        ("instrumentation/development:\n  python:\n    otel_ext:\n      http: false\n", 4),
    ],
)
def test_our_block_in_the_file_of_opentelemetry_is_read_below_our_own_file(
    tmp_path: Path, text: str, line: int
) -> None:
    write(tmp_path / "otel.yaml", text)
    env = {"OTEL_CONFIG_FILE": "otel.yaml"}
    assert load(tmp_path, env=env).origins["http.enabled"] == f"otel.yaml:{line}"
    write(tmp_path / "otel-ext.yaml", "http: true\nqueue_size: 100\n")
    loaded = load(tmp_path, env=env)
    assert loaded.settings.http.enabled
    assert loaded.settings.queue_size == 100


def test_the_blocks_of_one_file_have_an_order_too(tmp_path: Path) -> None:
    text = (
        "instrumentation/development: {python: {otel_ext: {queue_size: 101, service: c}}}\n"
        "otel_ext: {queue_size: 102, http: false}\n"
        "distribution: {otel_ext: {queue_size: 103}}\n"
    )
    write(tmp_path / "otel.yaml", text)
    settings = load(tmp_path, env={"OTEL_CONFIG_FILE": "otel.yaml"}).settings
    assert (settings.queue_size, settings.http.enabled, settings.service) == (103, False, "c")


def test_the_rest_of_the_file_of_opentelemetry_is_none_of_our_business(tmp_path: Path) -> None:
    text = "a: 1\na: 2\nresource: !x {}\ndistribution: {otel_ext: {service: '${NAME:-shop}'}}\n"
    write(tmp_path / "otel.yaml", text)
    assert load(tmp_path, env={"OTEL_CONFIG_FILE": "otel.yaml"}).settings.service == "shop"
    assert load(tmp_path, env={"OTEL_CONFIG_FILE": "otel.yaml", "NAME": "till"}).settings.service == "till"
    write(tmp_path / "otel.yaml", "broken: [\n")
    assert load(tmp_path, env={"OTEL_CONFIG_FILE": "otel.yaml"}).problems == ()


def test_another_tools_broken_pyproject_is_none_of_our_business(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[tool.x\n")
    assert load(tmp_path).problems == ()
    write(tmp_path / "pyproject.toml", "[tool.otel_ext]\nhttp = \n")
    with pytest.raises(ConfigError, match=r"pyproject\.toml:2 is not valid TOML"):
        load(tmp_path)


def test_paths_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    write(tmp_path / "deploy" / "rules" / "a.yml", "")
    write(tmp_path / "deploy" / "otel-ext.yaml", "rules: [rules/*.yml]\nstate_dir: state\n")
    settings = load(tmp_path, config_file="deploy/otel-ext.yaml").settings
    assert settings.rules == (tmp_path / "deploy" / "rules" / "a.yml",)
    assert settings.state_dir == tmp_path / "deploy" / "state"
    write(tmp_path / "b.yml", "")
    assert load(tmp_path, rules="b.yml").settings.rules == (tmp_path / "b.yml",)
    assert load(tmp_path, env={"OTEL_EXT_RULES": "b.yml"}).settings.rules == (tmp_path / "b.yml",)


@pytest.mark.parametrize(
    "name", ["missing.yaml", "directory.yaml", "settings.ini", "", "\0.yaml", "x" * 5000 + ".yaml"]
)
def test_a_named_file_that_cannot_be_read_is_told_and_the_next_one_is_used(tmp_path: Path, name: str) -> None:
    (tmp_path / "directory.yaml").mkdir()
    write(tmp_path / "settings.ini", "")
    write(tmp_path / "otel-ext.yaml", "queue_size: 100\n")
    with pytest.raises(ConfigError, match="config_file"):
        load(tmp_path, config_file=name)
    loaded = load(tmp_path, config_file=name, strict=False)
    assert loaded.settings.queue_size == 100
    (problem,) = loaded.problems
    assert problem.source == "install(config_file=…)"
    assert problem.example == "install(config_file='otel-ext.yaml')"


def test_a_named_file_from_a_variable_that_is_missing_names_the_variable(tmp_path: Path) -> None:
    (problem,) = load(tmp_path, env={"OTEL_EXT_CONFIG": "no.yaml"}, strict=False).problems
    assert (problem.source, problem.value) == ("OTEL_EXT_CONFIG", "'no.yaml'")
    assert problem.example == "OTEL_EXT_CONFIG=otel-ext.yaml"
    (problem,) = load(tmp_path, env={"OTEL_CONFIG_FILE": "no.yaml"}, strict=False).problems
    assert (problem.setting, problem.source) == ("OTEL_CONFIG_FILE", "OTEL_CONFIG_FILE")
    assert problem.example == "OTEL_CONFIG_FILE=otel.yaml"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"\xff\xfe", "UTF-8"), (b"#" * (1024 * 1024 + 1), "larger than 1 MiB"), (b"- 1\n", "is not a mapping")],
)
def test_a_discovered_file_with_unusable_content_is_told(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "otel-ext.yaml").write_bytes(content)
    (problem,) = load(tmp_path, strict=False).problems
    assert reason in problem.reason
    assert problem.source.startswith("otel-ext.yaml")


def test_malformed_yaml_names_the_line_and_everything_else_is_used(tmp_path: Path) -> None:
    write(tmp_path / "otel-ext.yaml", "http:\n  port: [1\nqueue_size: 5\n")
    loaded = load(tmp_path, env={"OTEL_EXT_QUEUE_SIZE": "100"}, strict=False)
    assert loaded.settings.queue_size == 100
    (problem,) = loaded.problems
    assert problem.source == "otel-ext.yaml:3"
    assert problem.value == "'queue_size: 5'"


def test_an_empty_file_and_a_byte_order_mark_are_fine(tmp_path: Path) -> None:
    write(tmp_path / "otel-ext.yaml", "")
    assert load(tmp_path).problems == ()
    (tmp_path / "otel-ext.yaml").write_bytes(b"\xef\xbb\xbfqueue_size: 100\n")
    assert load(tmp_path).settings.queue_size == 100


def test_unknown_and_repeated_keys_of_a_file_name_their_line(tmp_path: Path) -> None:
    write(tmp_path / "otel-ext.yaml", "http:\n  prot: 1\nhttp_port: 2\nqueue_size: 100\nqueue_size: 200\n")
    loaded = load(tmp_path, strict=False)
    assert loaded.settings.queue_size == 100
    told = {problem.source: str(problem) for problem in loaded.problems}
    assert set(told) == {"otel-ext.yaml:2", "otel-ext.yaml:3", "otel-ext.yaml:5"}
    assert "did you mean 'http.port'?" in told["otel-ext.yaml:2"]
    assert "did you mean 'http.port'?" in told["otel-ext.yaml:3"]
    assert "line 4" in told["otel-ext.yaml:5"]
