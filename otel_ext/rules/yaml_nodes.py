"""Strict reading of YAML with positions: every field is known, unique and of its type, every problem has a line.

Stateless; a :class:`Reader` collects the problems of one document. Imports nothing of the package but values.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import yaml

from otel_ext.rules.durations import parse_duration_ms
from otel_ext.rules.model import RuleProblem

__all__ = ["Fields", "Reader", "compose"]

_T = TypeVar("_T")
_NULL = "tag:yaml.org,2002:null"
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def compose(text: str, path: str) -> tuple[yaml.Node | None, RuleProblem | None]:
    """The node tree of the only document of ``text``, or the problem that prevents it."""
    loader = _LOADER(text)
    try:
        return loader.get_single_node(), None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = ", ".join(part for part in (error.context, error.problem) if part)
        return None, RuleProblem(path=path, line=mark.line + 1 if mark else 1, message=f"malformed YAML: {what}")
    except yaml.YAMLError as error:
        return None, RuleProblem(path=path, line=1, message=f"malformed YAML: {error}")
    finally:
        loader.dispose()


def _describe(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "nothing" if node.tag == _NULL else repr(node.value)


class Reader:
    """Collects problems; ``group`` and ``rule`` say where the walk is."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.problems: list[RuleProblem] = []
        self.group = ""
        self.rule = ""

    def problem(self, node: yaml.Node | None, message: str) -> None:
        """Note a problem at the line of ``node``."""
        line = node.start_mark.line + 1 if node is not None and node.start_mark else 1
        self.problems.append(RuleProblem(path=self._path, line=line, message=message, group=self.group, rule=self.rule))

    def fields(self, node: yaml.Node, what: str, known: Iterable[str]) -> Fields:
        """The fields of a mapping; unknown and repeated names are problems. ``what`` names the object for people."""
        return Fields(self, node, self.mapping(node, what, known))

    def mapping(self, node: yaml.Node, what: str, known: Iterable[str] | None = None) -> dict[str, yaml.Node]:
        """Key to value node; ``known`` of ``None`` allows any key."""
        if isinstance(node, yaml.ScalarNode) and node.tag == _NULL:
            return {}
        if not isinstance(node, yaml.MappingNode):
            self.problem(node, f"{what} must be a mapping, not {_describe(node)}")
            return {}
        names = None if known is None else tuple(known)
        found: dict[str, yaml.Node] = {}
        merged: list[yaml.Node] = []
        for key, value in node.value:
            name = str(key.value)
            if key.tag == "tag:yaml.org,2002:merge":
                merged.append(value)
            elif name in found:
                self.problem(key, f"field {name!r} is repeated in {what}")
            elif names is not None and name not in names:
                self.problem(key, f"unknown field {name!r} in {what}; {_known(name, names)}")
            else:
                found[name] = value
        for source in merged:
            self._merge(found, source, what, names)
        return found

    def _merge(self, found: dict[str, yaml.Node], node: yaml.Node, what: str, known: tuple[str, ...] | None) -> None:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            for name, value in self.mapping(source, what, known).items():
                found.setdefault(name, value)

    def sequence(self, node: yaml.Node | None, what: str) -> list[yaml.Node]:
        """The items of a list; nothing at all is an empty list."""
        if node is None or (isinstance(node, yaml.ScalarNode) and node.tag == _NULL):
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.problem(node, f"{what} must be a list, not {_describe(node)}")
            return []
        return list(node.value)

    def scalar(self, node: yaml.Node, what: str) -> str:
        """The text of a scalar as written; ``null`` is empty."""
        if not isinstance(node, yaml.ScalarNode):
            self.problem(node, f"{what} must be text, not {_describe(node)}")
            return ""
        return "" if node.tag == _NULL else str(node.value)


def _known(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known fields: {', '.join(known)}"


class Fields:
    """Typed access to the fields of one mapping."""

    def __init__(self, reader: Reader, node: yaml.Node, values: Mapping[str, yaml.Node]) -> None:
        self._reader = reader
        self.node = node
        self._values = values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def at(self, name: str) -> yaml.Node:
        """The node of a field, or of the mapping when the field is absent: for positions."""
        return self._values.get(name, self.node)

    def get(self, name: str) -> yaml.Node | None:
        """The node of a field."""
        return self._values.get(name)

    def text(self, name: str) -> str:
        """The text of a field, empty when absent."""
        node = self._values.get(name)
        return "" if node is None else self._reader.scalar(node, f"field {name!r}")

    def read(self, name: str, convert: Callable[[str], _T], default: _T) -> _T:
        """A converted field; a ``ValueError`` of ``convert`` becomes a problem at its line."""
        text = self.text(name)
        if not text:
            return default
        try:
            return convert(text)
        except ValueError as error:
            self._reader.problem(self.at(name), f"field {name!r}: {error}")
            return default

    def integer(self, name: str) -> int:
        """A whole number, 0 when absent."""

        def convert(text: str) -> int:
            if not text.lstrip("-").isdecimal():
                raise ValueError(f"must be a whole number, not {text!r}; for example 100")
            return int(text)

        return self.read(name, convert, 0)

    def boolean(self, name: str) -> bool:
        """``true`` or ``false``, false when absent."""

        def convert(text: str) -> bool:
            if text.lower() not in ("true", "false"):
                raise ValueError(f"must be true or false, not {text!r}")
            return text.lower() == "true"

        return self.read(name, convert, default=False)

    def duration_ms(self, name: str) -> int | None:
        """A Prometheus duration, ``None`` when absent."""
        return self.read(name, lambda text: int(parse_duration_ms(text)), None)

    def string_map(self, name: str) -> dict[str, str]:
        """A mapping of text to text."""
        node = self._values.get(name)
        if node is None:
            return {}
        items = self._reader.mapping(node, f"field {name!r}")
        return {key: self._reader.scalar(value, f"{name}.{key}") for key, value in items.items()}

    def items(self, name: str) -> list[yaml.Node]:
        """The items of a list field."""
        return self._reader.sequence(self._values.get(name), f"field {name!r}")
