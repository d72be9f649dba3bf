"""Random queries over random series against the oracle `promtool test rules`, where it is installed.

The seed is printed; OTEL_EXT_FUZZ_SEED and OTEL_EXT_FUZZ_QUERIES repeat or lengthen a run.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from otel_ext.errors import QueryError
from otel_ext.model.labels import Labels
from otel_ext.promql import QueryEngine, Vector
from otel_ext.promql.script_data import ScriptData
from otel_ext.promql.script_file import Load
from otel_ext.promql.series_notation import parse_series_labels, parse_series_values
from tests.promql.random_queries import INTERVAL_SECONDS, QueryGenerator, RandomSeries

PROMTOOL = shutil.which("promtool")
QUERIES = int(os.environ.get("OTEL_EXT_FUZZ_QUERIES", "5000"))
BATCH = 500

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)"),
]

Result = dict[Labels, float] | str


def promtool_major() -> int:
    assert PROMTOOL is not None
    text = subprocess.run([PROMTOOL, "--version"], capture_output=True, text=True, check=True)
    match = re.search(r"version (\d+)\.", text.stdout + text.stderr)
    assert match is not None
    return int(match.group(1))


def ask_promtool(folder: Path, series: list[RandomSeries], queries: list[tuple[str, int]]) -> dict[int, Result]:
    """What promtool computes for each query: its samples, or "error"; an empty result is what it says nothing of."""
    lines = ["evaluation_interval: 1s", "tests:", f"  - interval: {INTERVAL_SECONDS}s", "    input_series:"]
    for item in series:
        lines += [f"      - series: {quote(item.name)}", f"        values: {quote(item.values)}"]
    lines.append("    promql_expr_test:")
    for expr, seconds in queries:
        lines += [f"      - expr: {quote(expr)}", f"        eval_time: {seconds}s"]
        # a sample that is never there: every result, empty ones too, is printed
        lines += ["        exp_samples:", "          - labels: never_there", "            value: 1"]
    file = folder / "fuzz.yml"
    file.write_text("\n".join(lines))
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, "test", "rules", str(file)], capture_output=True, text=True, check=False)
    return parse_output(done.stdout + done.stderr, len(queries))


def quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def parse_output(text: str, expected: int) -> dict[int, Result]:
    """Blocks in the order of the queries."""
    blocks = re.split(r'\n    expr: "', text)[1:]
    assert len(blocks) == expected, text[:2000]
    found: dict[int, Result] = {}
    for index, block in enumerate(blocks):
        got = re.search(r"\n        got: ?(.*)", block, re.DOTALL)
        if got is None:
            found[index] = "error"
            continue
        found[index] = parse_samples(got.group(1).strip())
    return found


def parse_samples(text: str) -> dict[Labels, float]:
    samples: dict[Labels, float] = {}
    if text == "nil":
        return samples
    for line in re.findall(r"(\{.*?\}) ([-+0-9.eEINnaf]+)(?:,?\s|$)", text):
        samples[parse_series_labels(line[0])] = float(line[1])
    return samples


def our_store(series: list[RandomSeries]) -> QueryEngine:
    data = ScriptData()
    named = [(parse_series_labels(item.name), tuple(parse_series_values(item.values))) for item in series]
    loaded = tuple(sorted(named, key=lambda item: item[0].items_sorted))  # Prometheus' order: sums round alike
    data.load(Load(line=0, step_ms=INTERVAL_SECONDS * 1000, series=loaded, with_nhcb=False))
    return QueryEngine(data.store(), default_step_ms=1000)


def ask_ourselves(engine: QueryEngine, expr: str, seconds: int) -> Result:
    try:
        value = engine.instant(expr, seconds * 1000).value
    except QueryError:
        return "error"
    if isinstance(value, Vector):
        return {sample.labels: float(sample.value) for sample in value.samples}  # type: ignore[arg-type]
    return {Labels(): value.value}  # type: ignore[union-attr,dict-item]


def close(left: float, right: float) -> bool:
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    return left == right or math.isclose(left, right, rel_tol=1e-12, abs_tol=1e-12)


def differs(theirs: Result, ours: Result) -> bool:
    if isinstance(theirs, str) or isinstance(ours, str):
        return theirs != ours
    return theirs.keys() != ours.keys() or any(not close(theirs[key], ours[key]) for key in theirs)


def test_random_queries_give_what_promtool_gives(tmp_path: Path) -> None:
    seed = int(os.environ.get("OTEL_EXT_FUZZ_SEED", str(time.time_ns() % 1_000_000)))
    print(f"OTEL_EXT_FUZZ_SEED={seed}")  # noqa: T201  a failing run can be repeated
    modern = promtool_major() >= 3
    wrong: list[str] = []
    for batch in range(math.ceil(QUERIES / BATCH)):
        generator = QueryGenerator(seed + batch, modern=modern)
        series = generator.series()
        engine = our_store(series)
        queries = [(generator.expression(), generator.eval_seconds()) for _ in range(BATCH)]
        theirs = ask_promtool(tmp_path, series, queries)
        for index, (expr, seconds) in enumerate(queries):
            ours = ask_ourselves(engine, expr, seconds)
            if differs(theirs[index], ours):
                wrong.append(f"{expr} at {seconds}s (seed {seed}, batch {batch}): {theirs[index]} != {ours}")
    assert not wrong, f"{len(wrong)} of {QUERIES} differ; seed {seed}\n" + "\n".join(wrong[:10])
