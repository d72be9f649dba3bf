"""The evaluation of one rule: query, labels and templates, alerts, the series it writes.

A :class:`RuleRunner` owns the state of one rule between evaluations; the thread of its manager calls it. Imports
the vocabulary, templates and the package's own values; what it reads and writes is passed in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from otel_ext.alerting import AlertMachine
from otel_ext.errors import OtelExtError, RuleError
from otel_ext.model.alerts import ActiveAlert, Alert, AlertRule, AlertSource, AlertState, Transition
from otel_ext.model.labels import METRIC_NAME, Labels
from otel_ext.model.native_histograms import NativeHistogram
from otel_ext.rules.keeping import alerts_to_keep
from otel_ext.rules.model import Rule
from otel_ext.rules.ports import AppendFunc, MarkStaleFunc, QueryFunc, SampleLike, samples_of
from otel_ext.rules.status import RuleEvaluation, RuleHealth, RuleStatus
from otel_ext.rules.template import Expander

__all__ = ["RuleContext", "RuleRunner"]

_SHOWN_SAMPLES = 10
_LISTED = (AlertState.FIRING, AlertState.PENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleContext:
    """What every rule of a manager shares."""

    query: QueryFunc
    append: AppendFunc
    mark_stale: MarkStaleFunc
    machine: AlertMachine
    expander: Expander
    monotonic_seconds: Callable[[], float]
    history_size: int


@dataclass(frozen=True, slots=True)
class _Output:
    """What an evaluation yields: series to write, transitions, and words for the history."""

    series: Sequence[tuple[Labels, float | NativeHistogram]]
    transitions: tuple[Transition, ...]
    reason: str


class RuleRunner:
    """One rule, its health, the series it wrote last and its evaluation history."""

    def __init__(self, rule: Rule, key: str, interval_ms: int, context: RuleContext) -> None:
        self.rule = rule
        self.key = key
        self.written: frozenset[Labels] = frozenset()
        self._interval_ms = interval_ms
        self._context = context
        self._health = RuleHealth.UNKNOWN
        self._error = ""
        self._last_ms: int | None = None
        self._duration_seconds = 0.0
        self._warnings: tuple[str, ...] = ()
        self._alert_names: dict[tuple[Labels, AlertState], tuple[Labels, Labels]] = {}
        self._history: deque[RuleEvaluation] = deque(maxlen=context.history_size)

    def adopt(self, other: RuleRunner) -> None:
        """Go on where ``other``, the same rule before a reload, stood."""
        self.written = other.written
        self._health, self._error = other._health, other._error
        self._last_ms, self._duration_seconds = other._last_ms, other._duration_seconds
        self._history.extend(other._history)

    def evaluate(self, ts_ms: int, *, query_offset_ms: int, limit: int) -> tuple[Transition, ...]:
        """Evaluate at ``ts_ms``, write the results, and return what changed. Never raises for a bad rule.

        A failing rule keeps its alerts as they are and writes nothing (Prometheus, rules/group.go).
        """
        started = self._context.monotonic_seconds()
        samples: tuple[SampleLike, ...] = ()
        try:
            result = self._context.query(self.rule.expr, ts_ms - query_offset_ms)
            samples = samples_of(result)
            output = (self._alert if self.rule.is_alerting else self._record)(samples, ts_ms, query_offset_ms, limit)
            self._write(output.series, ts_ms - query_offset_ms)
            warnings = tuple(result.warnings)
        except OtelExtError as error:
            return self._failed(str(error), samples, ts_ms, started)
        except Exception as error:  # noqa: BLE001 - the edge: one broken rule must not stop the others
            return self._failed(f"{type(error).__name__}: {error}", samples, ts_ms, started)
        self._health, self._error, self._warnings = RuleHealth.OK, "", warnings
        self._note(samples, ts_ms, started, output.reason)
        return output.transitions

    def status(self) -> RuleStatus:
        """A frozen picture of the rule now."""
        alerts = self._context.machine.for_rule(self.key) if self.rule.is_alerting else ()
        states = {alert.state for alert in alerts}
        return RuleStatus(
            kind="alerting" if self.rule.is_alerting else "recording",
            name=self.rule.name,
            key=self.key,
            expr=self.rule.expr,
            labels=self.rule.labels,
            annotations=self.rule.annotations,
            for_ms=self.rule.for_ms,
            keep_firing_for_ms=self.rule.keep_firing_for_ms,
            health=self._health,
            last_error=self._error,
            last_evaluation_ms=self._last_ms,
            evaluation_duration_seconds=self._duration_seconds,
            state=next((state for state in _LISTED if state in states), AlertState.INACTIVE),
            alerts=tuple(alert for alert in alerts if alert.state in _LISTED),
            warnings=self._warnings,
            history=tuple(self._history),
        )

    def _record(self, samples: Sequence[SampleLike], _ts_ms: int, _query_offset_ms: int, limit: int) -> _Output:
        series: dict[Labels, float | NativeHistogram] = {}
        for sample in samples:
            labels = sample.labels.with_labels({**self.rule.labels, METRIC_NAME: self.rule.record})
            if labels in series:
                raise RuleError(
                    f"recording rule {self.rule.record!r}: two elements of the result have the same labels {labels!r} "
                    "after the rule's labels were applied"
                )
            series[labels] = sample.value
        if limit and len(series) > limit:
            raise RuleError(f"recording rule {self.rule.record!r}: {len(series)} series exceed the limit of {limit}")
        return _Output(tuple(series.items()), (), f"{len(series)} series written")

    def _alert(self, samples: Sequence[SampleLike], ts_ms: int, query_offset_ms: int, limit: int) -> _Output:
        machine = self._context.machine
        active = [self._active(sample, ts_ms - query_offset_ms) for sample in samples]
        rule = AlertRule(
            key=self.key,
            name=self.rule.alert,
            source=AlertSource.RULE,
            for_ms=self.rule.for_ms,
            keep_firing_for_ms=self.rule.keep_firing_for_ms,
            interval_ms=self._interval_ms,
        )
        keep = alerts_to_keep(
            self.rule, machine.for_rule(self.key), active, self._context.query, ts_ms - query_offset_ms
        )
        transitions = machine.observe(rule, active, ts_ms, limit=limit, keep=keep)
        alerts = [alert for alert in machine.for_rule(self.key) if alert.state in _LISTED]
        return _Output(self._alert_series(alerts), transitions, _describe(alerts, transitions))

    def _active(self, sample: SampleLike, query_ts_ms: int) -> ActiveAlert:
        expand = self._context.expander.expand
        seen, value = sample.labels, sample.value
        own = {
            name: expand(text, labels=seen, value=value, ts_ms=query_ts_ms) for name, text in self.rule.labels.items()
        }
        annotations = {
            name: expand(text, labels=seen, value=value, ts_ms=query_ts_ms)
            for name, text in self.rule.annotations.items()
        }
        return ActiveAlert(
            labels=seen.with_labels({**own, METRIC_NAME: "", "alertname": self.rule.alert}),
            value=0.0 if isinstance(value, NativeHistogram) else value,
            annotations=MappingProxyType(annotations),
            evidence=MappingProxyType({"expr": self.rule.expr}),
        )

    def _alert_series(self, alerts: Sequence[Alert]) -> list[tuple[Labels, float | NativeHistogram]]:
        """``ALERTS`` with the state, and ``ALERTS_FOR_STATE`` with the Unix time in seconds it became active."""
        names = {(alert.labels, alert.state): self._alert_names.get((alert.labels, alert.state)) for alert in alerts}
        self._alert_names = {key: known or _series_names(*key) for key, known in names.items()}
        series: list[tuple[Labels, float | NativeHistogram]] = []
        for alert in alerts:
            state, since = self._alert_names[alert.labels, alert.state]
            series += [(state, 1.0), (since, float(alert.active_at_ms // 1000))]
        return series

    def _write(self, series: Sequence[tuple[Labels, float | NativeHistogram]], ts_ms: int) -> None:
        written = frozenset(labels for labels, _ in series)
        if series:
            self._context.append(ts_ms, series)
        gone = self.written - written
        if gone:
            self._context.mark_stale(ts_ms, sorted(gone, key=lambda labels: labels.items_sorted))
        self.written = written

    def _failed(self, error: str, samples: Sequence[SampleLike], ts_ms: int, started: float) -> tuple[Transition, ...]:
        self._health, self._error = RuleHealth.ERR, error
        self._context.machine.hold(self.key, ts_ms)
        self._note(samples, ts_ms, started, "failed; alerts keep their state", error)
        return ()

    def _note(self, samples: Sequence[SampleLike], ts_ms: int, started: float, reason: str, error: str = "") -> None:
        self._last_ms = ts_ms
        self._duration_seconds = self._context.monotonic_seconds() - started
        self._history.append(
            RuleEvaluation(
                ts_ms=ts_ms,
                duration_seconds=self._duration_seconds,
                samples=tuple((sample.labels, _shown(sample.value)) for sample in samples[:_SHOWN_SAMPLES]),
                total=len(samples),
                reason=reason,
                error=error,
            )
        )


def _shown(value: float | NativeHistogram) -> float | str:
    return str(value) if isinstance(value, NativeHistogram) else value


def _series_names(labels: Labels, state: AlertState) -> tuple[Labels, Labels]:
    return (
        labels.with_labels({METRIC_NAME: "ALERTS", "alertstate": state.value}),
        labels.with_labels({METRIC_NAME: "ALERTS_FOR_STATE"}),
    )


def _describe(alerts: Sequence[Alert], transitions: Sequence[Transition]) -> str:
    if not alerts and not transitions:
        return "the condition does not hold"
    firing = sum(alert.state is AlertState.FIRING for alert in alerts)
    text = f"{firing} firing, {len(alerts) - firing} pending"
    changes = ", ".join(f"{item.previous.value} to {item.alert.state.value}" for item in transitions[:5])
    return f"{text}; {changes}" if changes else text
