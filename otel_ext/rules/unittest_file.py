"""The file format of ``promtool test rules``, read strictly into values.

Stateless. Imports the strict YAML reader, the series notation, values and errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml

from otel_ext.errors import RuleError
from otel_ext.model.labels import Labels
from otel_ext.model.native_histograms import NativeHistogram
from otel_ext.rules.series_notation import SeriesValue, parse_histogram, parse_labels, parse_values
from otel_ext.rules.yaml_nodes import Fields, Reader, compose

__all__ = [
    "AlertCase",
    "ExpectedAlert",
    "ExpectedSample",
    "ExprCase",
    "InputSeries",
    "RuleTest",
    "RuleTestFile",
    "load_test_file",
]

_T = TypeVar("_T")
DEFAULT_INTERVAL_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSeries:
    """A series and its values, one a step of the test's interval from time 0."""

    labels: Labels
    values: tuple[SeriesValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedAlert:
    """Labels without ``alertname``, and annotations."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCase:
    """Which alerts of a name fire at a time."""

    eval_time_ms: int
    alertname: str
    expected: tuple[ExpectedAlert, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedSample:
    """One element of an expected result."""

    labels: Labels
    value: float | NativeHistogram


@dataclass(frozen=True, slots=True, kw_only=True)
class ExprCase:
    """What an expression gives at a time."""

    eval_time_ms: int
    expr: str
    expected: tuple[ExpectedSample, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTest:
    """One entry of ``tests``."""

    name: str
    interval_ms: int
    series: tuple[InputSeries, ...]
    alert_cases: tuple[AlertCase, ...]
    expr_cases: tuple[ExprCase, ...]
    external_labels: Mapping[str, str]
    external_url: str
    line: int

    @property
    def end_ms(self) -> int:
        """The latest time that is asked about."""
        alerts = (case.eval_time_ms for case in self.alert_cases)
        return max(*alerts, *(case.eval_time_ms for case in self.expr_cases), 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTestFile:
    """A unit test file; ``rule_files`` are patterns relative to it."""

    path: str
    rule_files: tuple[str, ...]
    evaluation_interval_ms: int
    group_eval_order: tuple[str, ...]
    fuzzy_compare: bool
    tests: tuple[RuleTest, ...]


def load_test_file(path: str | Path) -> RuleTestFile:
    """Read a unit test file.

    Raises:
        RuleError: it cannot be read or has problems, each with its line.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(f"{path}: cannot read the test file: {error}") from error
    node, problem = compose(text, str(path))
    if problem is not None:
        raise RuleError(str(problem))
    loader = _Loader(str(path))
    loaded = loader.file(node)
    if loader.reader.problems:
        raise RuleError("\n".join(str(problem) for problem in loader.reader.problems))
    return loaded


class _Loader:
    def __init__(self, path: str) -> None:
        self._path = path
        self.reader = Reader(path)

    def file(self, node: yaml.Node | None) -> RuleTestFile:
        node = node or yaml.MappingNode("tag:yaml.org,2002:map", [])
        known = ("rule_files", "evaluation_interval", "group_eval_order", "fuzzy_compare", "tests")
        fields = self.reader.fields(node, "a unit test file", known)
        interval_ms = fields.duration_ms("evaluation_interval") or DEFAULT_INTERVAL_MS
        order = tuple(self.reader.scalar(item, "a group name") for item in fields.items("group_eval_order"))
        for name in {name for name in order if order.count(name) > 1}:
            self.reader.problem(fields.at("group_eval_order"), f"group {name!r} is repeated in the evaluation order")
        return RuleTestFile(
            path=self._path,
            rule_files=tuple(self.reader.scalar(item, "a rule file") for item in fields.items("rule_files")),
            evaluation_interval_ms=interval_ms,
            group_eval_order=order,
            fuzzy_compare=fields.boolean("fuzzy_compare"),
            tests=tuple(self._test(item, interval_ms) for item in fields.items("tests")),
        )

    def _test(self, node: yaml.Node, interval_ms: int) -> RuleTest:
        known = (
            "name", "interval", "input_series", "alert_rule_test", "promql_expr_test", "external_labels",
            "external_url",
        )  # fmt: skip
        fields = self.reader.fields(node, "a test", known)
        return RuleTest(
            name=fields.text("name"),
            interval_ms=fields.duration_ms("interval") or interval_ms,
            series=tuple(self._series(item) for item in fields.items("input_series")),
            alert_cases=tuple(self._alert_case(item) for item in fields.items("alert_rule_test")),
            expr_cases=tuple(self._expr_case(item) for item in fields.items("promql_expr_test")),
            external_labels=fields.string_map("external_labels"),
            external_url=fields.text("external_url"),
            line=node.start_mark.line + 1,
        )

    def _series(self, node: yaml.Node) -> InputSeries:
        fields = self.reader.fields(node, "an input series", ("series", "values"))
        return InputSeries(
            labels=self._parsed(fields, "series", parse_labels, Labels()),
            values=tuple(self._parsed(fields, "values", parse_values, [])),
        )

    def _parsed(self, fields: Fields, name: str, parse: Callable[[str], _T], default: _T) -> _T:
        return fields.read(name, parse, default)

    def _alert_case(self, node: yaml.Node) -> AlertCase:
        fields = self.reader.fields(node, "an alert test", ("eval_time", "alertname", "exp_alerts"))
        if not fields.text("alertname"):
            self.reader.problem(node, "an alert test needs an alertname")
        return AlertCase(
            eval_time_ms=fields.duration_ms("eval_time") or 0,
            alertname=fields.text("alertname"),
            expected=tuple(self._alert(item) for item in fields.items("exp_alerts")),
        )

    def _alert(self, node: yaml.Node) -> ExpectedAlert:
        fields = self.reader.fields(node, "an expected alert", ("exp_labels", "exp_annotations"))
        return ExpectedAlert(labels=fields.string_map("exp_labels"), annotations=fields.string_map("exp_annotations"))

    def _expr_case(self, node: yaml.Node) -> ExprCase:
        fields = self.reader.fields(node, "an expression test", ("eval_time", "expr", "exp_samples"))
        return ExprCase(
            eval_time_ms=fields.duration_ms("eval_time") or 0,
            expr=fields.text("expr"),
            expected=tuple(self._sample(item) for item in fields.items("exp_samples")),
        )

    def _sample(self, node: yaml.Node) -> ExpectedSample:
        fields = self.reader.fields(node, "an expected sample", ("labels", "value", "histogram"))
        labels = self._parsed(fields, "labels", parse_labels, Labels())
        if fields.text("histogram"):
            histogram = self._parsed(fields, "histogram", parse_histogram, NativeHistogram())
            return ExpectedSample(labels=labels, value=histogram)
        return ExpectedSample(labels=labels, value=fields.read("value", _number, 0.0))


def _number(text: str) -> float:
    """A YAML number: decimal, hexadecimal, ``.inf``, ``.nan``."""
    plain = text.replace("_", "").lower()
    if plain.lstrip("+-") in (".inf", ".nan"):
        return float(plain.replace(".", ""))
    try:
        return float(int(plain, 16)) if plain.lstrip("+-").startswith("0x") else float(plain)
    except ValueError:
        raise ValueError(f"must be a number, not {text!r}") from None
