"""Label matchers with RE2 semantics: fully anchored, dot matches a newline, answers cached per label value.

Values; the caches are bounded and shared by equal patterns (a race computes an answer twice). Imports errors only.
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Iterable, Mapping

import re2

from otel_ext.errors import QueryError

__all__ = ["MatchType", "Matcher", "compile_re2", "matches_all"]

_CACHE_LIMIT = 20_000
_LITERALS = re.compile(r"[\w \-/:@|]+")


class MatchType(enum.Enum):
    """The four operators of a selector."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@functools.lru_cache(maxsize=4096)
def compile_re2(pattern: str) -> re2._Regexp:
    """The anchored pattern as Prometheus compiles it; QueryError for what RE2 refuses."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(f"^(?s:{pattern})$", options)
    except re2.error as error:
        detail = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise QueryError(
            f"regular expression {pattern!r} is not RE2 syntax ({detail}); a valid one is 'api|web.*'"
        ) from error


class _Pattern:
    """A regular expression with its answers; alternatives of plain text need no regular expression at all."""

    __slots__ = ("_answers", "_literals", "_regex")

    def __init__(self, pattern: str) -> None:
        self._regex = compile_re2(pattern)
        self._literals = frozenset(pattern.split("|")) if _LITERALS.fullmatch(pattern) else None
        self._answers: dict[str, bool] = {}

    def matches(self, value: str) -> bool:
        if self._literals is not None:
            return value in self._literals
        known = self._answers.get(value)
        if known is None:
            if len(self._answers) >= _CACHE_LIMIT:
                self._answers = {}
            known = self._answers[value] = self._regex.fullmatch(value) is not None
        return known


@functools.lru_cache(maxsize=1024)
def _pattern(pattern: str) -> _Pattern:
    return _Pattern(pattern)


class Matcher:
    """``name op value``; an absent label has the value ""."""

    __slots__ = ("_hash", "_pattern", "name", "type", "value")

    def __init__(self, match_type: MatchType, name: str, value: str) -> None:
        self.type = match_type
        self.name = name
        self.value = value
        regex = match_type in (MatchType.REGEX, MatchType.NOT_REGEX)
        self._pattern = _pattern(value) if regex else None
        self._hash = hash((match_type, name, value))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Matcher):
            return NotImplemented
        return (self.type, self.name, self.value) == (other.type, other.name, other.value)

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f'{self.name}{self.type.value}"{self.value}"'

    def matches(self, value: str) -> bool:
        """Whether this label value passes."""
        if self._pattern is None:
            return (value == self.value) is (self.type is MatchType.EQUAL)
        return self._pattern.matches(value) is (self.type is MatchType.REGEX)


def matches_all(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether a label set passes every matcher."""
    return all(matcher.matches(labels.get(matcher.name, "")) for matcher in matchers)
