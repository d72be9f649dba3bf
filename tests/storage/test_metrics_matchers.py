"""Matchers: RE2, anchored, absent is empty."""

from __future__ import annotations

import pytest

from otel_ext.errors import QueryError
from otel_ext.storage.metrics import Matcher, MatchType
from otel_ext.storage.metrics.matchers import matches_all


@pytest.mark.parametrize(
    ("kind", "value", "passes", "fails"),
    [
        (MatchType.EQUAL, "a", "a", "b"),
        (MatchType.EQUAL, "", "", "b"),
        (MatchType.NOT_EQUAL, "a", "b", "a"),
        (MatchType.REGEX, "a|b", "b", "ab"),
        (MatchType.REGEX, "a.*c", "a\nc", "xac"),
        (MatchType.REGEX, "((?i)PRO).*", "production", "xpro"),
        (MatchType.REGEX, r"\pL+", "äö", "1"),
        (MatchType.REGEX, "", "", "a"),
        (MatchType.REGEX, "a.b", "a-b", "a--b"),
        (MatchType.NOT_REGEX, "5..", "404", "503"),
        (MatchType.NOT_REGEX, "a|b", "c", "a"),
    ],
)
def test_values_pass_or_fail(kind: MatchType, value: str, passes: str, fails: str) -> None:
    matcher = Matcher(kind, "l", value)
    assert [matcher.matches(passes), matcher.matches(fails), matcher.matches(passes)] == [True, False, True]


def test_an_absent_label_is_an_empty_one() -> None:
    assert matches_all([Matcher(MatchType.EQUAL, "x", ""), Matcher(MatchType.NOT_EQUAL, "y", "1")], {"z": "1"})


def test_what_re2_refuses_is_a_query_error() -> None:
    with pytest.raises(QueryError, match="not RE2 syntax"):
        Matcher(MatchType.REGEX, "l", r"(a)\1")


def test_equal_matchers_are_equal() -> None:
    assert Matcher(MatchType.REGEX, "l", "a") == Matcher(MatchType.REGEX, "l", "a")
    assert len({Matcher(MatchType.EQUAL, "l", "a"), Matcher(MatchType.EQUAL, "l", "a")}) == 1
    assert Matcher(MatchType.EQUAL, "l", "a") != Matcher(MatchType.NOT_EQUAL, "l", "a")
