"""Runs unit tests of rules: promtool's format unchanged, with promtool's verdicts (Prometheus 3.5).

Each test gets a store of its own in virtual time. Called by the command line and by pytest. Imports the metric store,
the query engine, the rule manager and the test file's values.
"""

from __future__ import annotations

import glob
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from otel_ext.alerting import AlertMachine
from otel_ext.errors import QueryError, RuleError
from otel_ext.model.alerts import AlertState
from otel_ext.model.labels import Labels
from otel_ext.model.native_histograms import NativeHistogram
from otel_ext.promql import QueryEngine, parse
from otel_ext.rules.durations import format_duration
from otel_ext.rules.loader import load_rule_file
from otel_ext.rules.manager import RuleManager
from otel_ext.rules.model import RuleFile
from otel_ext.rules.ports import samples_of
from otel_ext.rules.series_notation import STALE, SeriesValue
from otel_ext.rules.unittest_file import AlertCase, ExprCase, RuleTest, RuleTestFile, load_test_file
from otel_ext.storage.metrics import MetricStore

__all__ = ["RuleTestReport", "run_test_file"]

_UNBOUNDED_MS = 1 << 60
_STORE_BYTES = 1 << 30

_Value = float | NativeHistogram
_Element = tuple[Labels, _Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTestReport:
    """What one unit test file said: passed when there are no failures. ``warnings`` change no verdict."""

    path: str
    tests: int
    failures: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every test of the file passed."""
        return not self.failures


def run_test_file(path: str | Path, *, run: str = "") -> RuleTestReport:
    """Run the tests of a file whose name matches the regular expression ``run`` (all by default).

    An unreadable or malformed file is a failure in the report, not an exception.
    """
    try:
        file = load_test_file(path)
        files, warnings = _rule_files(file)
        groups = _ordered_groups(files, file.group_eval_order)
    except RuleError as error:
        return RuleTestReport(path=str(path), tests=0, failures=(str(error),))
    chosen = [test for test in file.tests if re.search(run, test.name)]
    failures = [text for test in chosen for text in _Run(file, test, groups).failures()]
    return RuleTestReport(path=str(path), tests=len(chosen), failures=tuple(failures), warnings=warnings)


def _rule_files(file: RuleTestFile) -> tuple[list[RuleFile], tuple[str, ...]]:
    base, found, warnings = Path(file.path).parent, list[RuleFile](), list[str]()
    for pattern in file.rule_files:
        paths = sorted(glob.glob(str(base / pattern)))
        if not paths:
            warnings.append(f"no file matches {pattern!r}")
        found += [load_rule_file(path, parse=parse) for path in paths]
    return found, tuple(warnings)


def _ordered_groups(files: Iterable[RuleFile], order: Sequence[str]) -> list[RuleFile]:
    """One group a file, so that the manager evaluates them in the order asked for."""
    rank = {name: index for index, name in enumerate(order)}
    single = [RuleFile(path=file.path, groups=(group,)) for file in files for group in file.groups]
    return sorted(single, key=lambda file: rank.get(file.groups[0].name, 0))


class _Run:
    """One test: its store, engine and manager, and the steps of its input."""

    def __init__(self, file: RuleTestFile, test: RuleTest, groups: Sequence[RuleFile]) -> None:
        self._file = file
        self._test = test
        self._store = MetricStore(retention_ms=_UNBOUNDED_MS, max_bytes=_STORE_BYTES)
        self._engine = QueryEngine(self._store, default_step_ms=file.evaluation_interval_ms, timeout_ms=None)
        self._machine = AlertMachine()
        self._rules = RuleManager(
            files=groups,
            query=self._engine.instant,
            append=self._store.append,
            mark_stale=self._store.mark_stale,
            machine=self._machine,
            monotonic_seconds=lambda: 0.0,
            external_labels=test.external_labels,
            external_url=test.external_url,
            default_interval_ms=test.interval_ms,
            history_size=1,
        )
        self._loaded = 0

    def failures(self) -> list[str]:
        """Evaluate from time 0 on, checking alerts on the way and expressions at the end."""
        failures: list[str] = []
        interval_ms = self._file.evaluation_interval_ms
        waiting = sorted(self._test.alert_cases, key=lambda case: case.eval_time_ms)
        for ts_ms in range(0, self._test.end_ms + 1, interval_ms):
            self._load_until(ts_ms)
            self._rules.evaluate_all(ts_ms)
            errors = self._rule_errors(ts_ms)
            if errors:
                return failures + errors
            while waiting and waiting[0].eval_time_ms < ts_ms + interval_ms:
                failures += self._check_alerts(waiting.pop(0))
        return failures + [text for case in self._test.expr_cases for text in self._check_expr(case)]

    def _load_until(self, ts_ms: int) -> None:
        """Append the input samples up to and including ``ts_ms``."""
        while (at := self._loaded * self._test.interval_ms) <= ts_ms:
            step = self._loaded
            present: list[tuple[Labels, SeriesValue]] = [
                (series.labels, series.values[step]) for series in self._test.series if step < len(series.values)
            ]
            if not present and all(len(series.values) <= step for series in self._test.series):
                return
            samples = [(labels, value) for labels, value in present if isinstance(value, float | NativeHistogram)]
            if samples:
                self._store.append(at, samples)
            stale = [labels for labels, value in present if value is STALE]
            if stale:
                self._store.mark_stale(at, stale)
            self._loaded += 1

    def _rule_errors(self, ts_ms: int) -> list[str]:
        return [
            self._named(f"rule: {rule.name}, time: {format_duration(ts_ms)}, err: {rule.last_error}")
            for group in self._rules.groups()
            for rule in group.rules
            if rule.last_error
        ]

    def _check_alerts(self, case: AlertCase) -> list[str]:
        got = [
            _alert_key(alert.labels, alert.annotations)
            for alert in self._machine.alerts()
            if alert.rule.name == case.alertname and alert.state is AlertState.FIRING
        ]
        expected = [
            _alert_key(Labels({**alert.labels, "alertname": case.alertname}), alert.annotations)
            for alert in case.expected
        ]
        if sorted(got) == sorted(expected):
            return []
        place = f"alertname: {case.alertname}, time: {format_duration(case.eval_time_ms)},"
        return [self._named(f"{place}\n    exp: {_show_alerts(expected)}\n    got: {_show_alerts(got)}")]

    def _check_expr(self, case: ExprCase) -> list[str]:
        place = f"expr: {case.expr!r}, time: {format_duration(case.eval_time_ms)},"
        try:
            result = samples_of(self._engine.instant(case.expr, case.eval_time_ms))
        except QueryError as error:
            return [self._named(f"{place} err: {error}")]
        got = _sorted_elements((sample.labels, sample.value) for sample in result)
        expected = _sorted_elements((sample.labels, sample.value) for sample in case.expected)
        if _equal(expected, got, fuzzy=self._file.fuzzy_compare):
            return []
        return [self._named(f"{place}\n    exp: {_show_elements(expected)}\n    got: {_show_elements(got)}")]

    def _named(self, text: str) -> str:
        return f"name: {self._test.name},\n{text}" if self._test.name else text


_AlertKey = tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]


def _alert_key(labels: Labels, annotations: Mapping[str, str]) -> _AlertKey:
    return labels.items_sorted, Labels(annotations).items_sorted


def _show_alerts(alerts: Sequence[_AlertKey]) -> str:
    lines = [f"Labels:{Labels(dict(labels))!r} Annotations:{Labels(dict(notes))!r}" for labels, notes in sorted(alerts)]
    return "\n         ".join(lines) or "[]"


def _sorted_elements(elements: Iterable[_Element]) -> list[_Element]:
    return sorted(elements, key=lambda element: element[0].items_sorted)


def _show_elements(elements: Sequence[_Element]) -> str:
    shown = (f"{labels!r} {value if isinstance(value, NativeHistogram) else repr(value)}" for labels, value in elements)
    return "\n         ".join(shown) or "nil"


def _equal(expected: Sequence[_Element], got: Sequence[_Element], *, fuzzy: bool) -> bool:
    if [labels for labels, _ in expected] != [labels for labels, _ in got]:
        return False
    pairs = zip(expected, got, strict=True)
    return all(_same_value(wanted, found, fuzzy=fuzzy) for (_, wanted), (_, found) in pairs)


def _same_value(wanted: _Value, found: _Value, *, fuzzy: bool) -> bool:
    """Equal; with ``fuzzy`` also the two floats next to each other. Hints of histograms are a matter of storage."""
    if isinstance(wanted, NativeHistogram) or isinstance(found, NativeHistogram):
        return wanted == found
    if wanted == found or (math.isnan(wanted) and math.isnan(found)):
        return True
    return fuzzy and math.nextafter(wanted, found) == found
