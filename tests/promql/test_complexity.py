"""Expressions that would end the process are refused before the native parser sees them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from otel_ext.errors import QueryLimitError
from otel_ext.promql import parse
from otel_ext.promql.complexity import check_complexity

HOSTILE = {
    "chain": "1" + "+1" * 20_000,
    "nesting": "(" * 20_000,
    "signs": "-" * 20_000 + "1",
    "words": "a or " * 4_000 + "a",
    "calls": "abs(" * 5_000 + "a" + ")" * 5_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_expression_is_refused(name: str) -> None:
    with pytest.raises(QueryLimitError, match="at most"):
        parse(HOSTILE[name])


def test_what_is_just_allowed_is_parsed_in_a_thread_without_ending_the_process() -> None:
    code = """
import threading
from otel_ext.promql import parse
def run():
    parse("1" + "+1" * 249)
    parse("(" * 100 + "1" + ")" * 100)
    print("fine")
thread = threading.Thread(target=run); thread.start(); thread.join()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "fine"


def test_operators_and_brackets_inside_texts_do_not_count() -> None:
    check_complexity('a{b=~"' + "(+|-)" * 1000 + '"}')
    check_complexity("a # " + "((((+" * 1000)
