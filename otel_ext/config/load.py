"""Loading: every source is read, each setting takes the strongest valid value, and what is wrong is told at once.

Stateless; called in the caller's thread at start-up. Reads files through ``sources``, imports this package only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any

from otel_ext.config.nodes import Rejected
from otel_ext.config.problems import SettingProblem, config_error, problem_of
from otel_ext.config.schema import SETTINGS, Setting
from otel_ext.config.settings import (
    AlertmanagerSettings,
    AnomalySettings,
    ForwardSettings,
    HttpSettings,
    SamplingSettings,
    Settings,
)
from otel_ext.config.sources import Source, read_arguments, read_files, read_variables

__all__ = ["LoadedSettings", "load_settings"]

_NOTHING: Mapping[str, object] = MappingProxyType({})
_DEFAULTS = Settings()
_GROUP_TYPES = MappingProxyType(
    {
        "http": HttpSettings,
        "anomaly": AnomalySettings,
        "alertmanager": AlertmanagerSettings,
        "forward": ForwardSettings,
        "sampling": SamplingSettings,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSettings:
    """What was loaded.

    Args:
        settings: the effective settings.
        problems: what was wrong and left out; empty when loaded strictly.
        origins: dotted name of each setting to where its value came from (``default`` when nothing set it).
    """

    settings: Settings
    problems: tuple[SettingProblem, ...]
    origins: Mapping[str, str]


def load_settings(
    kwargs: Mapping[str, object] = _NOTHING,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    strict: bool = True,
) -> LoadedSettings:
    """Settings from arguments, variables, files and defaults, in this order, merged setting by setting.

    Args:
        kwargs: as given to ``install()``: grouped (``http={"port": 5000}``) or flat (``http_port=5000``).
        env: the environment, by default the process's.
        cwd: where files are looked for and relative paths of arguments and variables start, by default the working
            directory.
        strict: raise when anything is wrong. Otherwise a bad value gives way to the next source's, a bad item of a
            list to the list without it, and ``problems`` tells.

    Raises:
        ConfigError: strict, and there are problems; the message lists all of them.
    """
    variables = os.environ if env is None else env
    directory = _working_directory() if cwd is None else cwd
    sources = [
        read_arguments(kwargs, directory),
        read_variables(variables, directory),
        *read_files(kwargs, variables, directory),
    ]
    problems = [problem for source in sources for problem in source.problems]
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    for setting in SETTINGS:
        values[setting.field], origins[setting.name] = _effective(setting, sources, problems)
    if strict and problems:
        raise config_error(problems)
    return LoadedSettings(settings=_build(values), problems=tuple(problems), origins=MappingProxyType(origins))


def _effective(setting: Setting, sources: Sequence[Source], problems: list[SettingProblem]) -> tuple[object, str]:
    for source in sources:
        node = source.entries.get(setting.name)
        if node is None:
            continue
        try:
            value = setting.kind.parse(node, lambda rejected: problems.append(problem_of(rejected, setting.name)))
        except Rejected as rejected:
            problems.append(problem_of(rejected, setting.name))
        else:
            return value, node.where
    return attrgetter(setting.field)(_DEFAULTS), "default"


def _build(values: Mapping[str, Any]) -> Settings:
    groups = {
        group: made(**{name.partition(".")[2]: value for name, value in values.items() if name.startswith(f"{group}.")})
        for group, made in _GROUP_TYPES.items()
    }
    return Settings(**groups, **{name: value for name, value in values.items() if "." not in name})


def _working_directory() -> Path:
    try:
        return Path.cwd()
    except OSError:  # it was deleted; absolute paths still work
        return Path(os.sep)
