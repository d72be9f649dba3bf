"""One table: the values, the variables, the documentation and the examples agree with it."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from operator import attrgetter
from pathlib import Path

import pytest

from otel_ext.config import Settings, load_settings
from otel_ext.config.nodes import Style, wrap
from otel_ext.config.problems import example_of
from otel_ext.config.schema import BY_NAME, GROUPS, SETTINGS, Setting, environment_names
from otel_ext.config.slo_entries import SLO_KEYS

_PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
_NAMES = [setting.name for setting in SETTINGS]


def fields_of(value: object, prefix: str = "") -> list[str]:
    found: list[str] = []
    for field in dataclasses.fields(value):  # type: ignore[arg-type]
        inner = getattr(value, field.name)
        is_group = field.name in GROUPS and dataclasses.is_dataclass(inner)
        found += fields_of(inner, f"{field.name}.") if is_group else [prefix + field.name]
    return found


def test_the_table_and_the_dataclass_have_the_same_fields_in_the_same_order() -> None:
    assert [setting.field for setting in SETTINGS] == fields_of(Settings())


@pytest.mark.parametrize(
    "setting", [setting for setting in SETTINGS if setting.default is not None], ids=lambda s: s.name
)
def test_the_written_default_is_the_default(setting: Setting) -> None:
    def fail(rejected: Exception) -> None:
        raise rejected

    node = wrap(setting.default, where="default", base=Path(), style=Style.DEFAULT)
    assert setting.kind.parse(node, fail) == attrgetter(setting.field)(Settings())


def test_settings_without_a_written_default_have_none() -> None:
    for setting in SETTINGS:
        if setting.default is None:
            assert attrgetter(setting.field)(Settings()) is None


def test_names_are_unique_in_every_form() -> None:
    assert len(BY_NAME) == len(SETTINGS)
    assert len({setting.flat_name for setting in SETTINGS} | set(GROUPS)) == len(SETTINGS) + len(GROUPS)
    assert len(environment_names()) == len(SETTINGS) + sum(leaf is not None for leaf in GROUPS.values())
    assert {name.partition(".")[0] for name in BY_NAME if "." in name} == set(GROUPS)


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize("style", [Style.ARGUMENT, Style.VARIABLE, Style.YAML, Style.TOML])
def test_every_example_is_correct_in_every_syntax(name: str, style: Style, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text("groups: []\n")
    example = example_of(name, style)
    kwargs: dict[str, object] = {}
    env: dict[str, str] = {}
    if style is Style.ARGUMENT:
        kwargs = eval(example, {"install": dict})
    elif style is Style.VARIABLE:
        variable, _, value = example.partition("=")
        env = {variable: value.strip("'")}
    elif style is Style.YAML:
        (tmp_path / "otel-ext.yaml").write_text(example)
    else:
        (tmp_path / "pyproject.toml").write_text(f"[tool.otel_ext]\n{example}\n")
    loaded = load_settings(kwargs, env=env, cwd=tmp_path)
    assert loaded.origins[name] != "default"


def documented() -> dict[str, tuple[str, ...]]:
    rows = re.findall(
        r"^\| `([a-z_.]+)` \| (.*?) \| (.*?) \| `(OTEL_EXT_[A-Z_]+)` \| (.*?) \|$", _PAGE.read_text(), re.M
    )
    return {row[0]: row[1:] for row in rows}


def test_the_page_documents_every_setting_as_the_table_has_it() -> None:
    expected = {
        setting.name: (
            setting.kind.type_name,
            "none" if setting.default is None else f"`{example_default(setting)}`",
            setting.variable,
            f"{setting.doc} Allowed: {setting.kind.allowed}.",
        )
        for setting in SETTINGS
    }
    assert documented() == expected


def example_default(setting: Setting) -> str:
    from otel_ext.config.problems import written_as_yaml

    return written_as_yaml(setting.default)


def test_the_page_documents_every_key_of_an_slo() -> None:
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| ([^|]*) \|$", _PAGE.read_text(), re.M))
    assert rows == dict(SLO_KEYS)


def test_the_example_the_page_begins_with_works(tmp_path: Path) -> None:
    text = _PAGE.read_text()
    block = re.search(r"```yaml\n(.*?)```", text, re.S)
    assert block is not None
    assert text.index("```yaml") < 600
    (tmp_path / "otel-ext.yaml").write_text(block[1])
    (tmp_path / "rules.yml").write_text("groups: []\n")
    loaded = load_settings(env={}, cwd=tmp_path)
    assert loaded.settings != Settings()


def test_every_other_yaml_and_toml_example_of_the_page_works(tmp_path: Path) -> None:
    blocks = re.findall(r"```(yaml|toml)\n(.*?)```", _PAGE.read_text(), re.S)
    assert len(blocks) >= 3
    for number, (language, text) in enumerate(blocks):
        directory = tmp_path / str(number)
        directory.mkdir()
        (directory / "rules.yml").write_text("groups: []\n")
        file = directory / ("pyproject.toml" if language == "toml" else "file.yaml")
        file.write_text(text)
        is_otel = "file_format" in text
        env = {"OTEL_CONFIG_FILE" if is_otel else "OTEL_EXT_CONFIG": str(file)}
        loaded = load_settings(env=env, cwd=directory)
        assert any(origin != "default" for origin in loaded.origins.values())


def test_importing_the_settings_imports_no_parser_and_nothing_heavy() -> None:
    code = (
        "import sys, otel_ext.config; otel_ext.config.load_settings(env={}, cwd=__import__('pathlib').Path('/'));"
        "print([m for m in ('yaml', 'tomllib', 'glob', 'difflib', 'numpy', 'opentelemetry.sdk') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", done.stderr
