"""Splits Go template text into literal text and actions, and actions into tokens (text/template, lexical rules).

Stateless. Imports the package's error alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from otel_ext.rules.template.nodes import TemplateError

__all__ = ["ActionTokens", "Token", "split", "unquote"]


@dataclass(frozen=True, slots=True)
class Token:
    """``kind`` is a group name of the token pattern."""

    kind: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class ActionTokens:
    """The tokens between ``{{`` and ``}}``."""

    tokens: tuple[Token, ...]
    line: int


_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<string>"(?:[^"\\\n]|\\.)*")
    | (?P<raw>`[^`]*`)
    | (?P<char>'(?:[^'\\\n]|\\.)+')
    | (?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+
        |(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?))
    | (?P<field>\.[^\W\d]\w*)
    | (?P<variable>\$\w*)
    | (?P<dot>\.)
    | (?P<declare>:=)
    | (?P<assign>=)
    | (?P<pipe>\|)
    | (?P<comma>,)
    | (?P<left>\()
    | (?P<right>\))
    | (?P<name>[^\W\d]\w*)
    """,
    re.VERBOSE,
)
_CLOSE = re.compile(r"\s+-}}|}}")
_COMMENT = re.compile(r"/\*.*?\*/(\s-)?}}", re.DOTALL)
_SPACE = " \t\r\n"


def split(text: str) -> list[str | ActionTokens]:
    """Text pieces and actions in order, with ``{{-`` and ``-}}`` already trimmed away.

    Raises:
        TemplateError: an action is not closed or holds a character that starts no token.
    """
    pieces: list[str | ActionTokens] = []
    position, trim_next = 0, False
    while True:
        start = text.find("{{", position)
        literal = text[position:] if start < 0 else text[position:start]
        if trim_next:
            literal = literal.lstrip(_SPACE)
        trim_before = start >= 0 and text[start + 2 : start + 3] == "-" and text[start + 3 : start + 4] in _SPACE_SET
        if trim_before:
            literal = literal.rstrip(_SPACE)
        if literal:
            pieces.append(literal)
        if start < 0:
            return pieces
        action, position, trim_next = _action(text, start + (4 if trim_before else 2))
        if action is not None:
            pieces.append(action)


_SPACE_SET = frozenset(_SPACE)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.?))", re.DOTALL)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"', "'": "'"}


def unquote(quoted: str) -> str:
    """The text of a Go string or character literal with its escapes resolved.

    Raises:
        ValueError: an escape that Go does not know.
    """

    def resolve(match: re.Match[str]) -> str:
        hexadecimal = match.group(1) or match.group(2) or match.group(3)
        if hexadecimal:
            return chr(int(hexadecimal, 16))
        if match.group(4):
            return chr(int(match.group(4), 8))
        if match.group(5) not in _SIMPLE:
            raise ValueError(f"unknown escape {match.group()}")
        return _SIMPLE[match.group(5)]

    return _ESCAPE.sub(resolve, quoted[1:-1])


def _action(text: str, position: int) -> tuple[ActionTokens | None, int, bool]:
    """One action from behind its opening: its tokens (``None`` for a comment), where it ends, whether it trims."""
    line = text.count("\n", 0, position) + 1
    comment = _COMMENT.match(text, position)
    if comment:
        return None, comment.end(), comment.group(1) is not None
    if text.startswith("/*", position):
        raise TemplateError(f"line {line}: the comment is not closed by '*/}}}}'")
    tokens: list[Token] = []
    while True:
        close = _CLOSE.match(text, position)
        if close:
            return ActionTokens(tuple(tokens), line), close.end(), close.group() != "}}"
        token = _TOKEN.match(text, position)
        if token is None:
            raise TemplateError(_unexpected(text, position, line))
        tokens.append(Token(str(token.lastgroup), token.group(), line))
        line += token.group().count("\n")
        position = token.end()


def _unexpected(text: str, position: int, line: int) -> str:
    if position >= len(text):
        return f"line {line}: unclosed action, '}}}}' is missing"
    if text[position] in "\"'`":
        return f"line {line}: the quoted text {text[position : position + 20]!r} is not closed"
    return f"line {line}: unexpected character {text[position]!r} in an action"
