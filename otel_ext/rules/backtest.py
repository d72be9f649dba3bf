"""Backtests: which alerts rule files would have fired when, over recorded metrics, in virtual time.

The same manager, machine and engine that run live, so that ``for`` and ``keep_firing_for`` count too. Called by the
command line and by tests. Imports the metric store, the query engine and the package's own parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from otel_ext.alerting import AlertMachine
from otel_ext.model.alerts import Alert, AlertState, Transition
from otel_ext.model.labels import Labels
from otel_ext.promql import QueryEngine
from otel_ext.rules.manager import RuleManager
from otel_ext.rules.model import RuleFile
from otel_ext.rules.replay_data import Recording
from otel_ext.storage.metrics import MetricStore

__all__ = ["AlertPeriod", "ReplayReport", "RuleFailures", "replay"]

_UNBOUNDED_MS = 1 << 60
_STORE_BYTES = 2 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPeriod:
    """One alert from its first sight to its end. ``fired_at_ms`` is ``None`` when it never fired, ``ended_at_ms`` when
    it was still there at the end of the replay. ``value`` is the one it began with."""

    alertname: str
    labels: Labels
    active_at_ms: int
    fired_at_ms: int | None
    ended_at_ms: int | None
    value: float
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFailures:
    """How often a rule failed, and its last error."""

    rule: str
    count: int
    last_error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """What the replay saw. ``silent`` names the rules that never gave a result: perhaps the recording lacks their
    metrics."""

    start_ms: int
    end_ms: int
    evaluations: int
    samples: int
    periods: tuple[AlertPeriod, ...]
    failures: tuple[RuleFailures, ...]
    silent: tuple[str, ...]

    @property
    def fired(self) -> tuple[AlertPeriod, ...]:
        """The periods that reached firing."""
        return tuple(period for period in self.periods if period.fired_at_ms is not None)


def replay(
    files: Sequence[RuleFile],
    recording: Recording,
    *,
    start_ms: int | None = None,
    end_ms: int | None = None,
    default_interval_ms: int = 60_000,
    external_labels: Mapping[str, str] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> ReplayReport:
    """Evaluate every slot of every group from ``start_ms`` to ``end_ms`` (by default the span of the recording).

    Samples before ``start_ms`` are there for windows that reach back. Groups without an interval take
    ``default_interval_ms``. ``on_progress`` is told the virtual time.
    """
    first = recording.start_ms if start_ms is None else start_ms
    last = recording.end_ms if end_ms is None else end_ms
    run = _Replay(files, recording, default_interval_ms, external_labels or {})
    run.go(first, last, on_progress)
    return run.report(first, last)


class _Replay:
    def __init__(
        self, files: Sequence[RuleFile], recording: Recording, interval_ms: int, external_labels: Mapping[str, str]
    ) -> None:
        self._steps = recording.steps
        self._next = 0
        self._samples = 0
        self._store = MetricStore(retention_ms=_UNBOUNDED_MS, max_bytes=_STORE_BYTES)
        self._manager = RuleManager(
            files=files,
            query=QueryEngine(self._store, timeout_ms=None, default_step_ms=interval_ms).instant,
            append=self._store.append,
            mark_stale=self._store.mark_stale,
            machine=AlertMachine(),
            monotonic_seconds=lambda: 0.0,
            external_labels=external_labels,
            default_interval_ms=interval_ms,
            history_size=1,
        )
        self._open: dict[tuple[str, Labels], AlertPeriod] = {}
        self._periods: list[AlertPeriod] = []
        self._failures: dict[str, RuleFailures] = {}
        self._seen: set[str] = set()

    def go(self, first_ms: int, last_ms: int, on_progress: Callable[[int], None] | None) -> None:
        self._manager.start(first_ms)
        while (slot := self._manager.next_evaluation_ms()) is not None and slot <= last_ms:
            self._load_until(slot)
            for transition in self._manager.tick(slot):
                self._note(transition)
            self._note_rules(slot)
            if on_progress is not None:
                on_progress(slot)

    def _load_until(self, ts_ms: int) -> None:
        while self._next < len(self._steps) and self._steps[self._next].ts_ms <= ts_ms:
            self._samples += self._steps[self._next].load(self._store)
            self._next += 1

    def _note(self, transition: Transition) -> None:
        alert = transition.alert
        key = alert.rule.key, alert.labels
        if transition.previous in (AlertState.INACTIVE, AlertState.RESOLVED):
            self._open[key] = _period(alert)
        elif alert.state is AlertState.FIRING:
            self._open[key] = replace(self._open[key], fired_at_ms=alert.fired_at_ms, annotations=alert.annotations)
        else:
            self._periods.append(replace(self._open.pop(key), ended_at_ms=transition.ts_ms))

    def _note_rules(self, ts_ms: int) -> None:
        for group in self._manager.groups():
            if group.last_evaluation_ms != ts_ms:
                continue
            for rule in group.rules:
                if rule.last_error:
                    known = self._failures.get(rule.key)
                    count = known.count + 1 if known else 1
                    self._failures[rule.key] = RuleFailures(rule=rule.name, count=count, last_error=rule.last_error)
                if rule.history and rule.history[-1].total:
                    self._seen.add(rule.key)

    def report(self, first_ms: int, last_ms: int) -> ReplayReport:
        groups = self._manager.groups()
        periods = [*self._periods, *self._open.values()]
        return ReplayReport(
            start_ms=first_ms,
            end_ms=last_ms,
            evaluations=sum(group.evaluations * len(group.rules) for group in groups),
            samples=self._samples,
            periods=tuple(sorted(periods, key=lambda period: (period.active_at_ms, period.labels.items_sorted))),
            failures=tuple(self._failures.values()),
            silent=tuple(rule.name for group in groups for rule in group.rules if rule.key not in self._seen),
        )


def _period(alert: Alert) -> AlertPeriod:
    return AlertPeriod(
        alertname=alert.rule.name,
        labels=alert.labels,
        active_at_ms=alert.active_at_ms,
        fired_at_ms=alert.fired_at_ms,
        ended_at_ms=None,
        value=alert.value,
        annotations=alert.annotations,
    )
