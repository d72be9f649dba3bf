"""Label matchers with RE2 semantics: fully anchored, dot matches a newline, results cached per label value.

Values; each matcher owns its own bounded cache (a race computes an answer twice). Imports errors only.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterable, Mapping

import re2

from otel_ext.errors import QueryError

__all__ = ["MatchType", "Matcher", "compile_re2", "matches_all"]

_CACHE_LIMIT = 100_000


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


class Matcher:
    """``name op value``; an absent label has the value ""."""

    __slots__ = ("_cache", "_hash", "_pattern", "name", "type", "value")

    def __init__(self, match_type: MatchType, name: str, value: str) -> None:
        self.type = match_type
        self.name = name
        self.value = value
        regex = match_type in (MatchType.REGEX, MatchType.NOT_REGEX)
        self._pattern = compile_re2(value) if regex else None
        self._cache: dict[str, bool] = {}
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
        known = self._cache.get(value)
        if known is None:
            found = self._pattern.fullmatch(value) is not None
            known = found is (self.type is MatchType.REGEX)
            if len(self._cache) >= _CACHE_LIMIT:
                self._cache.clear()
            self._cache[value] = known
        return known


def matches_all(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether a label set passes every matcher."""
    return all(matcher.matches(labels.get(matcher.name, "")) for matcher in matchers)
