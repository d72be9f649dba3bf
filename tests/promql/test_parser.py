"""Parsing: our nodes, and every trap of the parser underneath refused by name."""

from __future__ import annotations

import pytest

from otel_ext.errors import QueryError
from otel_ext.promql import parse
from otel_ext.promql.nodes import At, BinaryExpr, Call, Cardinality, MatrixSelector, SubqueryExpr, VectorSelector


def test_selectors_carry_matchers_offset_and_at() -> None:
    selector = parse('up{job="a",code=~"5.."} offset -1m @ 12.5')
    assert isinstance(selector, VectorSelector)
    assert [repr(matcher) for matcher in selector.matchers] == ['__name__="up"', 'job="a"', 'code=~"5.."']
    assert (selector.offset_ms, selector.at) == (-60_000, At(anchor="ts", ts_ms=12_500))


def test_subqueries_keep_their_step_or_have_none() -> None:
    with_step, without = parse("rate(a[1m])[1h:5m]"), parse("rate(a[1m])[1h:]")
    assert isinstance(with_step, SubqueryExpr)
    assert isinstance(without, SubqueryExpr)
    assert (with_step.range_ms, with_step.step_ms, without.step_ms) == (3_600_000, 300_000, None)


def test_vector_matching_is_converted() -> None:
    expr = parse("a / on (x) group_left (y) b")
    assert isinstance(expr, BinaryExpr)
    assert expr.matching.card is Cardinality.MANY_TO_ONE
    assert (expr.matching.labels, expr.matching.on, expr.matching.include) == (("x",), True, ("y",))


def test_equal_expressions_are_parsed_once() -> None:
    assert parse("rate(a[5m])") is parse("rate(a[5m])")


@pytest.mark.parametrize(
    ("expr", "cause"),
    [
        ("sum(", "unclosed"),
        ('up{a="b" or c="d"}', "'or' between matchers"),
        ("up @ -1", "negative @"),
        ("min_of(1, 2)", "unknown function 'min_of'"),
        ("first_over_time(a[5m])", "unknown function"),
        ("{}", "non-empty matcher"),
        ('{a=""}', "matcher"),
        ("a[step()]", "duration expression"),
        ('a{b=~"("}', "illegal regex"),
        ("rate(a)", "expected type"),
        ("1 == 1", "BOOL"),
        ('"a" + 1', ""),
        ("a[5m", ""),
        ("a + fill(0) b", ""),
        ("info(a, b + c)", ""),
    ],
)
def test_what_cannot_be_evaluated_is_refused_with_its_expression(expr: str, cause: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(expr)
    assert repr(expr)[1:-1] in str(caught.value) or expr in str(caught.value)
    assert cause in str(caught.value)


def test_times_beyond_the_year_9999_are_read() -> None:
    selector = parse("up @ 1e14")
    assert isinstance(selector, VectorSelector)
    assert selector.at == At(anchor="ts", ts_ms=10**17)


def test_ranges_too_long_for_the_parser_are_refused() -> None:
    with pytest.raises(QueryError, match=r"out of range|cannot parse"):
        parse("a[30000000y]")


def test_byte_escapes_are_bytes_not_characters() -> None:
    selector = parse(r'{a="\xe2\x82\xac", b="\xc5"}')
    assert isinstance(selector, VectorSelector)
    assert [matcher.value for matcher in selector.matchers] == ["€", "\udcc5"]


@pytest.mark.parametrize(
    ("expr", "range_ms", "offset_ms"),
    [
        ("a[5m+1m]", 360_000, 0),
        ("a[2*(30s-10)]", 40_000, 0),
        ("a[2^3]", 8_000, 0),
        ("a[1m%35s]", 25_000, 0),
        ("a[-(-1m)]", 60_000, 0),
        ("a[1m30s/2] offset (1m*2)", 45_000, 120_000),
        ("a[1m] offset -(1m/2)", 60_000, -30_000),
        ("a[1m] offset (1m-60)", 60_000, 0),
        ("a[1m] offset 0s", 60_000, 0),
    ],
)
def test_duration_arithmetic_is_carried_out(expr: str, range_ms: int, offset_ms: int) -> None:
    matrix = parse(expr)
    assert isinstance(matrix, MatrixSelector)
    assert (matrix.range_ms, matrix.selector.offset_ms) == (range_ms, offset_ms)


def test_brackets_in_strings_are_no_durations() -> None:
    call = parse("rate(a{x=\"[1m+1m]\",y='offset (1m)'}[1m]) # [2m+1m]")
    assert isinstance(call, Call)
    (matrix,) = call.args
    assert isinstance(matrix, MatrixSelector)
    assert [matcher.value for matcher in matrix.selector.matchers] == ["a", "[1m+1m]", "offset (1m)"]


@pytest.mark.parametrize("expr", ["a[1m-1m]", "a[30s-1m]", "a[1m/0]", "a[1m%0]"])
def test_durations_must_be_positive_and_finite(expr: str) -> None:
    with pytest.raises(QueryError, match=r"^cannot parse .*(greater than 0|by zero)"):
        parse(expr)
