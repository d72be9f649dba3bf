"""A value together with the place it came from: what every source is turned into before it is checked.

Immutable values; made by the source readers, read by the parsers in ``kinds``. Imports the standard library and
``display``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

__all__ = ["Node", "Rejected", "Report", "Style", "wrap"]

_DEEPEST = 16


class Style(StrEnum):
    """The syntax a source is written in, so that examples can be given in the same syntax."""

    ARGUMENT = "argument"
    VARIABLE = "variable"
    YAML = "yaml"
    TOML = "toml"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Node:
    """One value of a source.

    Args:
        value: a scalar, a tuple of nodes, or a dict of text to nodes.
        where: the source as people find it: ``install(http_port=…)``, a variable's name, or ``file:line``.
        base: the directory relative paths start from.
        style: the source's syntax.
    """

    value: object
    where: str
    base: Path
    style: Style

    def shown_as(self) -> object:
        """The plain value, for ``display.show``."""
        return self.value

    def with_value(self, value: object) -> Node:
        """Another value from the same place."""
        return Node(value=value, where=self.where, base=self.base, style=self.style)


class Rejected(Exception):  # noqa: N818  (a signal between parser and loader, never seen by users)
    """A value is not acceptable.

    Args:
        node: the value and its place.
        reason: what is wrong with it, continuing the sentence "the value …".
        allowed: what is allowed instead, when it differs from what the setting as a whole allows.
        path: where inside the setting: ``[1].objective``.
        also: what else is wrong in the same list item.
    """

    def __init__(
        self, node: Node, reason: str, *, allowed: str = "", path: str = "", also: Sequence[Rejected] = ()
    ) -> None:
        super().__init__(reason)
        self.node = node
        self.reason = reason
        self.allowed = allowed
        self.path = path
        self.also = tuple(also)


Report = Callable[[Rejected], None]


def wrap(value: object, *, where: str, base: Path, style: Style, lines: Mapping[str, str] | None = None) -> Node:
    """Plain Python data as nodes; ``lines`` gives the place of a dotted path inside it (``slos[0].name``)."""
    return _wrap(value, Node(value=None, where=where, base=base, style=style), lines or {}, "", 0)


def _wrap(value: object, parent: Node, lines: Mapping[str, str], path: str, depth: int) -> Node:
    here = Node(value=None, where=lines.get(path, parent.where), base=parent.base, style=parent.style)
    if depth < _DEEPEST and isinstance(value, Mapping):
        return here.with_value(
            {
                str(key): _wrap(item, here, lines, f"{path}.{key}" if path else str(key), depth + 1)
                for key, item in value.items()
            }
        )
    if depth < _DEEPEST and isinstance(value, list | tuple):
        return here.with_value(
            tuple(_wrap(item, here, lines, f"{path}[{index}]", depth + 1) for index, item in enumerate(value))
        )
    return here.with_value(value)
