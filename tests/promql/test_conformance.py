"""Prometheus' own engine scripts, where they are present: every evaluation passes, with both re-runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_ext.promql.testscript import run_script

pytestmark = pytest.mark.conformance

SCRIPTS = (
    "aggregators", "at_modifier", "collision", "functions_part", "histograms", "literals", "native_histograms_part",
    "operators", "range_queries", "selectors", "staleness", "trig_functions",
)  # fmt: skip


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_evaluation_of_the_script_passes(conformance_folder: Path, name: str) -> None:
    report = run_script(conformance_folder / "promql" / f"{name}.test")
    assert not report.failures, "\n".join(map(str, report.failures))
    assert report.passed


def test_no_script_is_left_out(conformance_folder: Path) -> None:
    assert {path.stem for path in (conformance_folder / "promql").glob("*.test")} == set(SCRIPTS)
