"""Runs promqltest scripts (``load``/``eval``/``clear``): the conformance suite of Prometheus, or a user's own.

Each instant evaluation is also run pinned by ``@`` at other evaluation times and as the middle of a range query, as
the suite's Go runner does. Single-threaded; owns its store.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from otel_ext.errors import QueryError
from otel_ext.model.labels import Labels
from otel_ext.model.native_histograms import CounterResetHint, NativeHistogram
from otel_ext.promql.engine import QueryEngine
from otel_ext.promql.nodes import Expr, ValueType, value_type
from otel_ext.promql.parser import parse
from otel_ext.promql.pinning import pinned
from otel_ext.promql.script_data import ScriptData
from otel_ext.promql.script_file import Clear, Eval, Load, parse_script
from otel_ext.promql.values import Matrix, QueryResult, Scalar, String, Vector
from otel_ext.storage.metrics.markers import is_stale

__all__ = ["ScriptFailure", "ScriptReport", "run_script", "run_script_text"]

_MINUTE_MS = 60_000
_EPSILON = 1e-6
_MIN_NORMAL = 2.2250738585072014e-308

Number = float | NativeHistogram


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptFailure:
    """One evaluation that did not give what the script expects."""

    file: str
    line: int
    expr: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.expr}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptReport:
    """Evaluations of one script."""

    passed: int
    failures: tuple[ScriptFailure, ...]


class _MismatchError(Exception):
    """A result is not the expected one."""


def run_script(path: str | Path) -> ScriptReport:
    """Run a script file. ScriptError when it cannot be parsed, OSError when it cannot be read."""
    return run_script_text(Path(path).read_text(encoding="utf-8", errors="surrogateescape"), str(path))


def run_script_text(text: str, name: str = "script") -> ScriptReport:
    """Run a script with delayed name removal on, as the suite is written for."""
    data = ScriptData()
    passed, failures = 0, []
    for command in parse_script(text, name):
        match command:
            case Clear():
                data.clear()
            case Load():
                data.load(command)
            case Eval():
                try:
                    _Check(command, QueryEngine(data.store(), delayed_name_removal=True)).run()
                    passed += 1
                except _MismatchError as error:
                    failures.append(ScriptFailure(file=name, line=command.line, expr=command.expr, message=str(error)))
    return ScriptReport(passed=passed, failures=tuple(failures))


class _Check:
    """One evaluation with its re-runs."""

    def __init__(self, command: Eval, engine: QueryEngine) -> None:
        self._command = command
        self._engine = engine

    def run(self) -> None:
        command = self._command
        if command.step_ms:
            self._checked(
                lambda: self._engine.range(command.expr, command.start_ms, command.end_ms, command.step_ms),
                "",
            )
            return
        ts_ms = command.start_ms
        if self._checked(lambda: self._engine.instant(command.expr, ts_ms), "") is None:
            return
        tree = parse(command.expr)
        at_modified = pinned(tree, ts_ms)
        if at_modified is not None:
            for other_ms in _other_times(ts_ms):
                self._pinned_run(at_modified, other_ms)
        self._as_range(tree)

    def _pinned_run(self, tree: Expr, ts_ms: int) -> None:
        self._checked(lambda: self._engine.instant(tree, ts_ms), f"pinned by @, evaluated at {ts_ms} ms: ")

    def _as_range(self, tree: Expr) -> None:
        command = self._command
        if command.ordered or value_type(tree) not in (ValueType.VECTOR, ValueType.SCALAR):
            return
        ts_ms = command.start_ms
        try:
            result = self._engine.range(tree, ts_ms - _MINUTE_MS, ts_ms + _MINUTE_MS, _MINUTE_MS).value
        except QueryError as error:
            raise _MismatchError(f"as a range query: {error}") from error
        assert isinstance(result, Matrix)
        _check_sorted(result)
        middle = [
            (series.labels, point.value) for series in result.series for point in series.points if point.ts_ms == ts_ms
        ]
        try:
            if command.scalar is not None:
                _compare_scalar(command.scalar, middle[0][1])
            else:
                _compare_vector(command.series, middle, ordered=False)
        except _MismatchError as error:
            raise _MismatchError(f"as a range query: {error}") from error

    def _checked(self, evaluate: Callable[[], QueryResult], how: str) -> QueryResult | None:
        """Evaluate and compare; None when it failed as expected."""
        command = self._command
        try:
            result = evaluate()
        except QueryError as error:
            self._check_failure(error, how)
            return None
        if command.fail:
            raise _MismatchError(f"{how}expected a failure, got {result.value}")
        try:
            self._check_annotations(result)
            self._compare(result)
        except _MismatchError as error:
            raise _MismatchError(f"{how}{error}") from error
        return result

    def _check_failure(self, error: QueryError, how: str) -> None:
        command = self._command
        if not command.fail:
            raise _MismatchError(f"{how}unexpected error: {error}") from error
        if command.fail_message is not None and command.fail_message not in str(error):
            raise _MismatchError(f"{how}expected the error {command.fail_message!r}, got {error}") from error
        if command.fail_regexp is not None and not re.search(command.fail_regexp, str(error)):
            raise _MismatchError(f"{how}expected an error like {command.fail_regexp!r}, got {error}") from error

    def _check_annotations(self, result: QueryResult) -> None:
        for kind, expected, found in (
            ("warnings", self._command.warn, result.warnings),
            ("infos", self._command.info, result.infos),
        ):
            if expected is not None and expected != bool(found):
                raise _MismatchError(f"expected {kind if expected else f'no {kind}'}, got {list(found)}")

    def _compare(self, result: QueryResult) -> None:
        command, value = self._command, result.value
        match value:
            case Scalar():
                if command.scalar is None:
                    raise _MismatchError(f"expected {_shown(command)}, got the scalar {value.value}")
                _compare_scalar(command.scalar, value.value)
            case String():
                if command.string is not None and command.string != value.value:
                    raise _MismatchError(f"expected the string {command.string!r}, got {value.value!r}")
            case Vector():
                found = [(sample.labels, sample.value) for sample in value.samples]
                if command.scalar is not None:
                    raise _MismatchError(f"expected the scalar {command.scalar}, got {found}")
                _compare_vector(command.series, found, ordered=command.ordered)
            case Matrix():
                _check_sorted(value)
                self._compare_matrix(value)

    def _compare_matrix(self, matrix: Matrix) -> None:
        command = self._command
        start, _, step = command.range_ms or (command.start_ms, command.end_ms, command.step_ms)
        found = {series.labels: {point.ts_ms: point.value for point in series.points} for series in matrix.series}
        for labels, values in command.series:
            points = {start + index * step: value for index, value in enumerate(values) if value is not None}
            got = found.pop(labels, None)
            if got is None:
                raise _MismatchError(f"expected series {labels!r} is missing; got {list(found)}")
            if got.keys() != points.keys() or any(not _equal(points[ts], got[ts]) for ts in points):
                raise _MismatchError(f"{labels!r}: expected {points}, got {got}")
        if found:
            raise _MismatchError(f"unexpected series {found}")


def _other_times(ts_ms: int) -> tuple[int, ...]:
    return (-1000, 0, 1000) if ts_ms == 0 else (-10 * ts_ms, 0, ts_ms // 5, ts_ms, 10 * ts_ms)


def _shown(command: Eval) -> str:
    return f"the string {command.string!r}" if command.string is not None else f"the vector {list(command.series)}"


def _check_sorted(matrix: Matrix) -> None:
    keys = [series.labels.items_sorted for series in matrix.series]
    if keys != sorted(keys):
        raise _MismatchError("the series of the matrix are not sorted by their labels")


def _compare_scalar(expected: float, got: Number) -> None:
    if not _equal(expected, got):
        raise _MismatchError(f"expected the scalar {expected}, got {got}")


def _compare_vector(
    expected: Sequence[tuple[Labels, Sequence[Number | None]]], got: Sequence[tuple[Labels, Number]], *, ordered: bool
) -> None:
    wanted = [(labels, values[0] if values else None) for labels, values in expected]
    found = dict(got)
    if len(found) != len(got):
        raise _MismatchError(f"duplicate label sets in {list(got)}")
    for labels, value in wanted:
        if labels not in found:
            raise _MismatchError(f"expected {labels!r} {value} is missing; got {list(got)}")
        if value is None or not _equal(value, found[labels]):
            raise _MismatchError(f"{labels!r}: expected {value}, got {found[labels]}")
    if len(wanted) != len(got):
        raise _MismatchError(f"unexpected {[item for item in got if item[0] not in dict(wanted)]}")
    if ordered and [labels for labels, _ in wanted] != [labels for labels, _ in got]:
        raise _MismatchError(f"expected the order {[labels for labels, _ in wanted]}, got {[item for item, _ in got]}")


def _equal(expected: Number, got: Number) -> bool:
    if isinstance(expected, NativeHistogram) or isinstance(got, NativeHistogram):
        if not isinstance(expected, NativeHistogram) or not isinstance(got, NativeHistogram):
            return False
        return _same_histogram(expected, got)
    return _close(expected, got)


def _same_histogram(expected: NativeHistogram, got: NativeHistogram) -> bool:
    hint = expected.counter_reset_hint
    return (
        expected.schema == got.schema
        and expected.zero_threshold == got.zero_threshold
        and expected.custom_bounds == got.custom_bounds
        and (hint is CounterResetHint.UNKNOWN or hint is got.counter_reset_hint)
        and all(
            _close(left, right)
            for left, right in (
                (expected.count, got.count),
                (expected.sum, got.sum),
                (expected.zero_count, got.zero_count),
            )
        )
        and _same_buckets(expected.positive, got.positive)
        and _same_buckets(expected.negative, got.negative)
    )


def _same_buckets(expected: Mapping[int, float], got: Mapping[int, float]) -> bool:
    return all(_close(expected.get(index, 0.0), got.get(index, 0.0)) for index in {*expected, *got})


def _close(expected: float, got: float) -> bool:
    """Equal within a millionth of the sum of magnitudes; NaN equals NaN, the stale marker only itself."""
    if is_stale(expected) or is_stale(got):
        return is_stale(expected) and is_stale(got)
    if math.isnan(expected) or math.isnan(got):
        return math.isnan(expected) and math.isnan(got)
    if expected == got:
        return True
    total, gap = abs(expected) + abs(got), abs(expected - got)
    if expected == 0 or got == 0 or total < _MIN_NORMAL:
        return gap < _EPSILON * _MIN_NORMAL
    return gap / min(total, 1.7976931348623157e308) < _EPSILON
