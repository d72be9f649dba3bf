"""The sources of settings, each read into nodes by dotted name: arguments, variables, files.

Stateless; files are read once a call, in the caller's thread. Imports this package; yaml and tomllib only where a file
needs them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from otel_ext.config.files import ConfigFile, discovered_file, named_file, otel_file
from otel_ext.config.nodes import Node, Rejected, Style, wrap
from otel_ext.config.problems import GENERAL_EXAMPLE, SettingProblem, problem_of
from otel_ext.config.schema import (
    BY_NAME,
    CONFIG_FILE,
    CONFIG_VARIABLE,
    GROUPS,
    OTEL_CONFIG_VARIABLE,
    PREFIX,
    SETTINGS,
    environment_names,
)
from otel_ext.config.suggest import closest

__all__ = ["Source", "read_arguments", "read_files", "read_variables"]

# Variables with our prefix that set nothing here: the command line's URL of a running process, those of the package's
# own tests, and those that Kubernetes makes for a Service named otel-ext (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
_NOT_SETTINGS = (
    r"OTEL_EXT_(?:URL|CONFORMANCE|TEST_\w*|(?:\w+_)?SERVICE_(?:HOST|PORT(?:_\w+)?)|(?:\w+_)?PORT_\d+_(?:TCP|UDP)\w*)"
)
_GROUP_EXAMPLES = {group: next(name for name in BY_NAME if name.startswith(f"{group}.")) for group in GROUPS}
_FILE_KEYS = {**_GROUP_EXAMPLES, **{name: name for name in BY_NAME}}


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Source:
    """What one source says: nodes by dotted name, and what is wrong with the source itself."""

    entries: dict[str, Node] = field(default_factory=dict)
    problems: list[SettingProblem] = field(default_factory=list)

    def put(self, name: str, node: Node) -> None:
        """Take a value for a setting; null says nothing, and the first of two values is used."""
        if node.value is None:
            return
        first = self.entries.setdefault(name, node)
        if first is not node:
            reason = f"is a second value (the first, from {first.where}, is used)"
            self.reject(name, Rejected(node, reason, allowed="one value for each setting"))

    def reject(self, name: str, rejected: Rejected) -> None:
        """Note what is wrong."""
        self.problems.append(problem_of(rejected, name))

    def unknown(self, name: str, node: Node, known: Mapping[str, str]) -> None:
        """Note a name that is no setting; ``known`` gives the names there are, and a setting to show as example."""
        nearest = closest(name, known)
        reason = "is not used: there is no setting of this name" + (f"; did you mean {nearest!r}?" if nearest else "")
        allowed = ", ".join(known) if len(known) < 10 else "the settings listed in docs/configuration.md"
        example = known[nearest] if nearest else GENERAL_EXAMPLE
        self.problems.append(problem_of(Rejected(node, reason, allowed=allowed), name, example=example))


def read_arguments(kwargs: Mapping[str, object], cwd: Path) -> Source:
    """Keyword arguments: ``http={"port": 5000}``, ``http_port=5000``, ``http=False``."""
    source = Source()
    flat = {setting.flat_name: setting.name for setting in SETTINGS}
    known = {**_GROUP_EXAMPLES, **flat, CONFIG_FILE: CONFIG_FILE}
    for key, value in kwargs.items():
        node = _argument(str(key), value, cwd)
        if key == CONFIG_FILE or node.value is None:
            continue
        if key in GROUPS:
            _take_group(source, key, node)
        elif key in flat:
            source.put(flat[key], node)
        else:
            source.unknown(str(key), node, known)
    return source


def read_variables(env: Mapping[str, str], cwd: Path) -> Source:
    """Variables ``OTEL_EXT_*``; an empty one says nothing, as everywhere in OpenTelemetry."""
    source = Source()
    names = environment_names()
    for name in sorted(variable for variable in env if variable.startswith(PREFIX)):
        node = _variable(name, env, cwd)
        if node is None or name == CONFIG_VARIABLE:
            continue
        if name in names:
            source.put(names[name], node)
        elif not re.fullmatch(_NOT_SETTINGS, name) and not str(node.value).startswith(("tcp://", "udp://")):
            source.unknown(name, node, {**names, CONFIG_VARIABLE: CONFIG_FILE})
    return source


def read_files(kwargs: Mapping[str, object], env: Mapping[str, str], cwd: Path) -> list[Source]:
    """What files say, strongest first.

    The file named by the argument ``config_file``, else by ``OTEL_EXT_CONFIG``, else ``otel-ext.yaml``,
    ``otel-ext.yml`` or ``[tool.otel_ext]`` of ``pyproject.toml`` in ``cwd``; then our blocks in ``OTEL_CONFIG_FILE``.
    A named file that cannot be read is a problem, and the next one is read instead.
    """
    sources: list[Source] = []
    for node in (_argument(CONFIG_FILE, kwargs.get(CONFIG_FILE), cwd), _variable(CONFIG_VARIABLE, env, cwd)):
        if node is None or node.value is None:
            continue
        file = named_file(node, env=env, cwd=cwd)
        sources += _sources_of(file)
        if file.readable:
            break
    else:
        found = discovered_file(env=env, cwd=cwd)
        sources += _sources_of(found) if found else []
    node = _variable(OTEL_CONFIG_VARIABLE, env, cwd)
    return sources + (_sources_of(otel_file(node, env=env, cwd=cwd)) if node is not None else [])


def _sources_of(file: ConfigFile) -> list[Source]:
    sources = [_tree(block) for block in file.blocks]
    problems = [problem_of(rejected, rejected_in) for rejected_in, rejected in file.rejected]
    return [Source(problems=problems), *sources]


def _tree(root: Node) -> Source:
    source = Source()
    if not isinstance(root.value, dict):
        if root.value is not None:
            source.reject(root.where, Rejected(root, "is not a mapping", allowed="a mapping of settings"))
        return source
    for key, node in root.value.items():
        if key in GROUPS:
            _take_group(source, key, node)
        elif key in BY_NAME:
            source.put(key, node)
        else:
            source.unknown(key, node, _FILE_KEYS)
    return source


def _take_group(source: Source, group: str, node: Node) -> None:
    members = {name: name for name in BY_NAME if name.startswith(f"{group}.")}
    short_form = GROUPS[group]
    if isinstance(node.value, dict):
        for leaf, item in node.value.items():
            name = f"{group}.{leaf}"
            if name in BY_NAME:
                source.put(name, item)
            else:
                source.unknown(name, item, members)
    elif short_form is not None:
        source.put(short_form, node)
    elif node.value is not None:
        source.reject(group, Rejected(node, "is not a mapping", allowed=f"a mapping with {', '.join(members)}"))


def _argument(key: str, value: object, cwd: Path) -> Node:
    lines: dict[str, str] = {}
    if isinstance(value, Mapping):
        lines = {str(leaf): f"install({key}={{{str(leaf)!r}: …}})" for leaf in value}
    return wrap(value, where=f"install({key}=…)", base=cwd, style=Style.ARGUMENT, lines=lines)


def _variable(name: str, env: Mapping[str, str], cwd: Path) -> Node | None:
    value = env.get(name, "").strip()
    return Node(value=value, where=name, base=cwd, style=Style.VARIABLE) if value else None
