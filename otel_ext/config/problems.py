"""What is wrong with a setting, in words that name the setting, its source, the value, what is allowed, an example.

Immutable values and stateless functions; used while loading. Imports this package and ``otel_ext.errors``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from otel_ext.config.display import mask, show, show_name
from otel_ext.config.nodes import Rejected, Style
from otel_ext.config.schema import BY_NAME, CONFIG_FILE, CONFIG_VARIABLE, GROUPS, OTEL_CONFIG_VARIABLE
from otel_ext.errors import ConfigError

__all__ = ["GENERAL_EXAMPLE", "SettingProblem", "config_error", "example_of", "problem_of", "written_as_yaml"]

GENERAL_EXAMPLE = "http.port"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingProblem:
    """One problem; ``str()`` is the whole text. Values are shown with secrets masked.

    Args:
        setting: dotted name, with a place inside lists: ``slos[1].objective``; a file's name when the file is at fault.
        source: ``install(http_port=…)``, a variable's name, or ``file:line``.
        value: the offending value as shown to people.
        reason: what is wrong with it.
        allowed: what is allowed.
        example: a correct value in the syntax of the source.
    """

    setting: str
    source: str
    value: str
    reason: str
    allowed: str
    example: str

    def __str__(self) -> str:
        stop = "" if self.reason.endswith("?") else "."
        return (
            f"{self.setting}: {self.value} from {self.source} {self.reason}{stop} "
            f"Allowed: {self.allowed}. Example: {self.example}"
        )


def problem_of(rejected: Rejected, setting: str, *, example: str = "") -> SettingProblem:
    """The problem of a rejected value of ``setting`` (a dotted name, known or not).

    ``example`` names the setting to give as an example, by default this one.
    """
    name = _known_part(setting + rejected.path)
    return SettingProblem(
        setting=show_name(setting + rejected.path),
        source=show_name(rejected.node.where),
        value=show(rejected.node.value),
        reason=" ".join(mask(rejected.reason).split()),
        allowed=rejected.allowed or (BY_NAME[name].kind.allowed if name in BY_NAME else "another value"),
        example=example_of(example or name, rejected.node.style),
    )


def config_error(problems: Sequence[SettingProblem]) -> ConfigError:
    """One error that lists all problems."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = "\n".join(f"  - {problem}" for problem in problems)
    return ConfigError(f"{count} in the settings of otel_ext:\n{lines}")


def example_of(name: str, style: Style) -> str:
    """The example of the setting ``name``, as it is written in a source of this style."""
    if name == OTEL_CONFIG_VARIABLE:
        return f"{name}=otel.yaml"
    if name == CONFIG_FILE:
        in_code = style is Style.ARGUMENT
        return "install(config_file='otel-ext.yaml')" if in_code else f"{CONFIG_VARIABLE}=otel-ext.yaml"
    name = name if name in BY_NAME else GENERAL_EXAMPLE
    setting = BY_NAME[name]
    if style is Style.ARGUMENT:
        return f"install({setting.flat_name}={setting.example!r})"
    if style is Style.VARIABLE:
        return f"{setting.variable}={_as_variable(setting.example)}"
    if style is Style.TOML:
        return f"{name} = {_as_toml(setting.example)}"
    group, _, leaf = name.rpartition(".")
    value = written_as_yaml(setting.example)
    return f"{group}: {{{leaf}: {value}}}" if group else f"{leaf}: {value}"


def _known_part(setting: str) -> str:
    name = setting.partition("[")[0]
    if name in GROUPS:
        return GROUPS[name] or "sampling.record_all"
    parts = name.split(".")
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in BY_NAME), name)


def _as_variable(value: object) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{key}={item}" for key, item in value.items())
    if isinstance(value, list):
        inline = any(isinstance(item, Mapping) for item in value)
        return f"'{json.dumps(value)}'" if inline else ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def written_as_yaml(value: object) -> str:
    """``value`` on one line of YAML."""
    return json.dumps(value, ensure_ascii=False)


def _as_toml(value: object) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{json.dumps(key)} = {_as_toml(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(_as_toml(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False)
