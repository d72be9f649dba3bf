"""The syntax tree of a Go template, and the one error of this package.

Values only; imports nothing of the package.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Action",
    "Assign",
    "Branch",
    "Chain",
    "Command",
    "Dot",
    "Expression",
    "Field",
    "Function",
    "If",
    "Include",
    "Leave",
    "Literal",
    "Node",
    "Pipeline",
    "Range",
    "TemplateError",
    "Text",
    "Variable",
    "With",
]


class TemplateError(ValueError):
    """A template cannot be parsed or executed; the message says what stands where."""


@dataclass(frozen=True, slots=True)
class Dot:
    """``.``"""


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, string, boolean, character or ``nil``."""

    value: object


@dataclass(frozen=True, slots=True)
class Field:
    """``.A.B`` applied to dot."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """``$x.A.B``; the name keeps its ``$``."""

    name: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    """A function name in operand position."""

    name: str


@dataclass(frozen=True, slots=True)
class Chain:
    """``(pipeline).A.B``"""

    base: Expression
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """One stage of a pipeline: an operand, or a function with its arguments."""

    words: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands joined by ``|``."""

    commands: tuple[Command, ...]
    line: int = 1


Expression = Dot | Literal | Field | Variable | Function | Chain | Pipeline


@dataclass(frozen=True, slots=True)
class Text:
    """Text outside of actions."""

    text: str


@dataclass(frozen=True, slots=True)
class Action:
    """``{{ pipeline }}``: its value is printed."""

    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class Assign:
    """``{{ $x := pipeline }}`` (``declare``) or ``{{ $x = pipeline }}``; prints nothing."""

    name: str
    declare: bool
    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class Branch:
    """What ``if``, ``with`` and ``range`` share; ``names`` are the variables set from the pipeline."""

    pipeline: Pipeline
    names: tuple[str, ...]
    declare: bool
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class If(Branch):
    """``{{ if }} … {{ else }} … {{ end }}``"""


@dataclass(frozen=True, slots=True)
class With(Branch):
    """``{{ with }} … {{ else }} … {{ end }}``: dot becomes the value."""


@dataclass(frozen=True, slots=True)
class Range(Branch):
    """``{{ range }} … {{ else }} … {{ end }}``: dot becomes each element."""


@dataclass(frozen=True, slots=True)
class Include:
    """``{{ template "name" pipeline }}``; dot of the other template is ``nil`` without a pipeline."""

    name: str
    pipeline: Pipeline | None


@dataclass(frozen=True, slots=True)
class Leave:
    """``{{ break }}`` or ``{{ continue }}``."""

    again: bool


Node = Text | Action | Assign | If | With | Range | Include | Leave
