"""Duration expressions (``[5m*2]``, ``offset -(1h/2)``) folded to plain durations before the parser, which knows none.

Operators and precedence of Prometheus 3.5's experimental duration expressions; what is newer (``step()``, ``min()``)
stays as it is, for the parser to refuse. Pure functions.
"""

from __future__ import annotations

import math
import re

from otel_ext.errors import QueryError

__all__ = ["fold_durations"]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0, "y": 31_536_000.0}
_TOKEN = re.compile(r"\s*(?:((?:\d+(?:ms|[smhdwy]))+)|(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|([-+*/^%()]))")
_PART = re.compile(r"(\d+)(ms|[smhdwy])")
_PLAIN = re.compile(r"\s*(?:(?:\d+(?:ms|[smhdwy]))+|\d+\.?\d*(?:[eE][+-]?\d+)?|)\s*")
_SKIPPED = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`|#[^\n]*', re.DOTALL)
_RANGE = re.compile(r"\[([^\]\[]*)\]")
_OFFSET = re.compile(r"\b(offset\s*)((?:[-+]\s*)*)(?=\()", re.IGNORECASE)
_ZERO_OFFSET = re.compile(r"\boffset\s*[-+]?\s*0+(?:ms|[smhdwy])?(?![\w.])", re.IGNORECASE)  # the parser refuses it
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2, "^": 3}


def fold_durations(expr: str) -> str:
    """The expression with its duration arithmetic carried out; QueryError for a division by zero or an empty range."""
    if "[" not in expr and "offset" not in expr.lower():
        return expr
    pieces: list[str] = []
    position = 0
    for skipped in _SKIPPED.finditer(expr):
        pieces += [_fold(expr[position : skipped.start()]), skipped.group(0)]
        position = skipped.end()
    return "".join([*pieces, _fold(expr[position:])])


def _fold(text: str) -> str:
    return _ZERO_OFFSET.sub(" ", _fold_offsets(_RANGE.sub(_folded_range, text)))


def _folded_range(match: re.Match[str]) -> str:
    parts = match.group(1).split(":")
    if len(parts) > 2 or all(_PLAIN.fullmatch(part) for part in parts):
        return match.group(0)
    folded = []
    for part in parts:
        if _PLAIN.fullmatch(part):
            folded.append(part)
            continue
        seconds = _value(part)
        if seconds is None:
            return match.group(0)
        if seconds <= 0:
            raise QueryError(f"duration must be greater than 0, {part.strip()!r} is not")
        folded.append(_text(seconds))
    return f"[{':'.join(folded)}]"


def _fold_offsets(text: str) -> str:
    position = 0
    while (match := _OFFSET.search(text, position)) is not None:
        end = _closing(text, match.end())
        seconds = None if end is None else _value(match.group(2) + text[match.end() : end])
        if seconds is None or end is None:
            position = match.end()
            continue
        replacement = f"{match.group(1).rstrip()} {'-' if seconds < 0 else ''}{_text(abs(seconds))}" if seconds else ""
        text = text[: match.start()] + replacement + text[end:]
        position = match.start() + len(replacement)
    return text


def _closing(text: str, opening: int) -> int | None:
    depth = 0
    for position in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth == 0:
            return position + 1
    return None


def _text(seconds: float) -> str:
    return f"{int(seconds * 1000)}ms"


def _value(text: str) -> float | None:
    """The seconds of an expression; None when it is none."""
    tokens, position = [], 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return None
        tokens.append(match)
        position = match.end()
    reader = _Reader(tokens)
    try:
        value = reader.expression(0)
    except IndexError:
        return None
    return value if reader.done and value is not None else None


class _Reader:
    """Precedence climbing over the tokens of one expression."""

    def __init__(self, tokens: list[re.Match[str]]) -> None:
        self._tokens = tokens
        self._position = 0

    @property
    def done(self) -> bool:
        return self._position == len(self._tokens)

    def expression(self, minimum: int) -> float | None:
        """A chain of operators that bind at least as tightly as ``minimum``."""
        left = self._operand()
        while left is not None and not self.done:
            operator = self._tokens[self._position].group(3)
            if operator not in _PRECEDENCE or _PRECEDENCE[operator] < minimum:
                break
            self._position += 1
            right = self.expression(_PRECEDENCE[operator] + (operator != "^"))
            if right is None:
                return None
            left = _apply(operator, left, right)
        return left

    def _operand(self) -> float | None:
        duration, number, symbol = self._tokens[self._position].groups()
        self._position += 1
        if duration:
            return sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(duration))
        if number:
            return float(number)
        if symbol in "+-":
            value = self.expression(_PRECEDENCE["^"])
            return None if value is None else -value if symbol == "-" else value
        if symbol != "(":
            return None
        value = self.expression(0)
        if self._tokens[self._position].group(3) != ")":
            return None
        self._position += 1
        return value


def _apply(operator: str, left: float, right: float) -> float:
    if operator in "/%" and right == 0:
        raise QueryError(f"{'division' if operator == '/' else 'modulo'} by zero in a duration expression")
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left / right
        case "%":
            return math.fmod(left, right)
    return float(left**right)
