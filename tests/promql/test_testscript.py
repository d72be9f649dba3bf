"""The script runner, and what our own scripts say of the language."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_ext.promql.script_file import ScriptError, parse_duration_ms
from otel_ext.promql.testscript import run_script, run_script_text

SCRIPTS = Path(__file__).parent / "scripts"


@pytest.mark.parametrize("name", ["names", "language", "native"])
def test_our_own_script_passes(name: str) -> None:
    report = run_script(SCRIPTS / f"{name}.test")
    assert not report.failures, "\n".join(map(str, report.failures))


LOAD = "load 1m\n  up 1 2 3\n\n"


@pytest.mark.parametrize(
    ("evaluation", "message"),
    [
        ("eval instant at 1m up\n  up 3", "expected 3.0, got 2.0"),
        ("eval instant at 1m up", "unexpected"),
        ("eval instant at 1m up\n  up 2\n  down 1", "is missing"),
        ("eval_fail instant at 1m up", "expected a failure"),
        ("eval instant at 1m sum(", "unexpected error"),
        ("eval_warn instant at 1m up\n  up 2", "expected warnings"),
        ("eval_info instant at 1m up\n  up 2", "expected infos"),
        ("eval instant at 1m quantile(2, up)\n  {} Inf", "expected no warnings"),
        ("eval instant at 1m 1 + 1\n  3", "expected the scalar 3.0"),
        ("eval range from 0 to 2m step 1m up\n  up 1 2 4", "expected"),
        ('eval instant at 1m "a"\n  expect string "b"', "expected the string"),
        (
            "eval_ordered instant at 1m sort(up or label_replace(up, 'a', 'b', '', '') * 2)\n  {a='b'} 4\n  up 2",
            "the order",
        ),
        ("eval instant at 1m up\n  expect fail msg: nothing", "expected a failure"),
        ("eval_fail instant at 1m sum(\n  expected_fail_message something else", "expected the error"),
    ],
)
def test_a_wrong_expectation_is_a_failure_with_its_line(evaluation: str, message: str) -> None:
    report = run_script_text(LOAD + evaluation, "wrong.test")
    assert report.passed == 0
    (failure,) = report.failures
    assert failure.line == 4
    assert message in str(failure)
    assert str(failure).startswith("wrong.test:4: ")


@pytest.mark.parametrize(
    "text",
    ["load\n  up 1", "load 1m\n  up banana", "eval instant at 1m", "evaluate", "load 1m\n  {{ 1", "load x\n up 1"],
)
def test_what_is_no_script_is_an_error_that_names_the_line(text: str) -> None:
    with pytest.raises(ScriptError, match=r"^bad\.test:1: "):
        run_script_text(text, "bad.test")


def test_annotations_that_are_asserted_one_by_one_leave_the_others_open() -> None:
    text = LOAD + "eval instant at 1m quantile(2, up)\n  expect warn\n  expect no_info\n  {} Inf"
    assert run_script_text(text).passed == 1


def test_clear_forgets_what_was_loaded() -> None:
    assert run_script_text(LOAD + "clear\n\neval instant at 1m up").passed == 1


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("5m", 300_000), ("1h30m", 5_400_000), ("0", 0), ("-10s", -10_000), ("1.5", 1500)]
)
def test_durations_are_read(text: str, milliseconds: int) -> None:
    assert parse_duration_ms(text) == milliseconds
