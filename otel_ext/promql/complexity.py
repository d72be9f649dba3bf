"""Refuses expressions that would overflow the native parser's stack, which ends the process, or hold it for seconds.

Stateless; called before every parse. What people write has a nesting of ten and a few dozen operators.
"""

from __future__ import annotations

import re

from otel_ext.errors import QueryLimitError

__all__ = ["check_complexity"]

MAX_NESTING = 100
MAX_OPERATORS = 250

_TEXT = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`|#[^\n]*', re.DOTALL)
_OPERATOR = re.compile(r"[-+*/%^<>=!]+|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)


def check_complexity(expr: str) -> None:
    """Raise QueryLimitError for an expression nested deeper or chained longer than any rule is."""
    code = _TEXT.sub(" ", expr)
    depth = deepest = 0
    for character in code:
        if character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}":
            depth -= 1
    if deepest > MAX_NESTING:
        raise QueryLimitError(f"the expression is nested {deepest} deep, at most {MAX_NESTING} are allowed")
    operators = sum(len(found) if found[0] in "-+" else 1 for found in _OPERATOR.findall(code))
    if operators > MAX_OPERATORS:
        raise QueryLimitError(f"the expression has {operators} operators, at most {MAX_OPERATORS} are allowed")
