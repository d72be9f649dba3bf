"""YAML files as nodes that know their line; ``${VAR}`` is substituted as in OpenTelemetry's configuration files.

A document belongs to the call that loads settings. Imports yaml, therefore imported only where there is YAML.
Substitution: https://opentelemetry.io/docs/specs/otel/configuration/data-model/#environment-variable-substitution
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from otel_ext.config.nodes import Node, Rejected, Style

__all__ = ["YamlDocument"]

_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = {_TAG + name for name in ("bool", "float", "int", "null", "str", "timestamp", "value")}
_REFERENCE = re.compile(r"\$\$|\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}\n]*))?\}")
_DEEPEST = 16
_MOST_NODES = 20_000


class YamlDocument:
    """One parsed document; ``at(path)`` turns a part of it into nodes and collects what is wrong in ``rejected``."""

    def __init__(
        self,
        root: yaml.Node | None,
        *,
        place: Callable[[int], str],
        base: Path,
        style: Style,
        env: Mapping[str, str] | None,
    ) -> None:
        self.rejected: list[Rejected] = []
        self._root = root
        self._place = place
        self._base = base
        self._style = style
        self._env = env
        self._resolver = yaml.SafeLoader("")
        self._nodes_left = _MOST_NODES

    @classmethod
    def parse(
        cls, text: str, *, place: Callable[[int], str], base: Path, style: Style, env: Mapping[str, str] | None
    ) -> YamlDocument | Rejected:
        """Parse ``text``.

        Args:
            text: the document.
            place: the source's name for a line (1-based).
            base: the directory relative paths start from.
            style: the style given to all nodes.
            env: variables for ``${VAR}``; ``None`` leaves the text as it is.

        Returns:
            The document, or what is wrong with it as YAML, with the line.
        """
        try:
            loader = _LOADER(text)
            try:
                root = loader.get_single_node()
            finally:
                loader.dispose()
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            line, reason = _fault(error, text)
            at_fault = text.splitlines()[line - 1 : line] or [""]
            node = Node(value=at_fault[0].strip(), where=place(line), base=base, style=style)
            return Rejected(node, f"is not valid YAML: {reason}", allowed="a YAML mapping of settings")
        return cls(root, place=place, base=base, style=style, env=env)

    def at(self, path: tuple[str, ...]) -> Node | None:
        """The part under these keys, ``None`` when there is none."""
        found = self._root
        for key in path:
            pairs = found.value if isinstance(found, yaml.MappingNode) else []
            found = next((value for name, value in pairs if name.value == key), None)
        return None if found is None else self._node(found, _line_of(found), "", 0)

    def _node(self, found: yaml.Node, line: int, path: str, depth: int) -> Node:
        self._nodes_left -= 1
        here = Node(value=None, where=self._place(line), base=self._base, style=self._style)
        if depth > _DEEPEST or self._nodes_left < 0:
            return here.with_value(_Unsupported("nested too deeply or too long"))
        if isinstance(found, yaml.ScalarNode):
            return here.with_value(self._scalar(found))
        if isinstance(found, yaml.SequenceNode) and found.tag == _TAG + "seq":
            items = enumerate(found.value)
            return here.with_value(
                tuple(self._node(item, _line_of(item), f"{path}[{at}]", depth + 1) for at, item in items)
            )
        if isinstance(found, yaml.MappingNode) and found.tag == _TAG + "map":
            return here.with_value(self._mapping(found, path, depth))
        return here.with_value(_Unsupported(found.tag))

    def _mapping(self, found: yaml.MappingNode, path: str, depth: int) -> dict[str, Node]:
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        first_lines: dict[str, int] = {}
        for key_node, value_node in found.value:
            line = _line_of(key_node)
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "a mapping or a list"
            if key_node.tag == _TAG + "merge":
                merged = {**self._merged(value_node, path, depth), **merged}
                continue
            item = self._node(value_node, line, f"{path}.{key}" if path else key, depth + 1)
            if key in own:
                reason = f"is given a second time (the first is in line {first_lines[key]} and is used)"
                self.rejected.append(Rejected(item, reason, allowed="each key once", path=f"{path}.{key}".lstrip(".")))
                continue
            own[key], first_lines[key] = item, line
        return {**merged, **own}

    def _merged(self, found: yaml.Node, path: str, depth: int) -> dict[str, Node]:
        """The pairs of a merge key ``<<``: one mapping or a list of them, the first one wins."""
        sources = found.value if isinstance(found, yaml.SequenceNode) else [found]
        pairs: dict[str, Node] = {}
        for source in sources:
            node = self._node(source, _line_of(source), path, depth + 1)
            pairs = {**node.value, **pairs} if isinstance(node.value, dict) else pairs
        return pairs

    def _scalar(self, found: yaml.ScalarNode) -> object:
        text, tag = found.value, found.tag
        if self._env is not None and "$" in text:
            text = _substitute(text, self._env)
            if not found.style and tag == _TAG + "str":
                tag = self._resolver.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        return _value_of(tag, text) if tag in _PLAIN_TAGS else _Unsupported(tag)


class _Unsupported:
    """Stands for a YAML construct that no setting can have (a tag, an endless alias)."""

    def __init__(self, what: str) -> None:
        self._what = what

    def shown_as(self) -> str:
        return self._what


def _value_of(tag: str, text: str) -> object:
    name = tag.removeprefix(_TAG)
    if name == "null":
        return None
    if name == "bool":
        return text.lower() in {"true", "yes", "on"}
    try:
        if name == "int":
            return int(text.replace("_", ""), 0)
        if name == "float":
            return float(text.replace("_", ""))
    except ValueError:  # sexagesimal and old octal numbers of YAML 1.1: nobody means them, they stay text
        return text
    return text


def _substitute(text: str, env: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        if found[1] is None:
            return "$"
        return env.get(found[1]) or found[2] or ""

    return _REFERENCE.sub(value, text)


def _line_of(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _fault(error: Exception, text: str) -> tuple[int, str]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or type(error).__name__
    if mark is not None:
        return int(mark.line) + 1, str(reason)
    position = getattr(error, "position", None)
    return (text.count("\n", 0, position) + 1 if isinstance(position, int) else 1), str(reason)
