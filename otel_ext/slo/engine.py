"""The SLO engine: cumulative counts in, statuses and burn-rate alerts out.

Owns one ring and the alert conditions of each SLO. ``tick`` is called by the pipeline thread alone; ``statuses``,
``status``, ``history`` and ``facts`` return immutable values replaced at each tick and may be read by any thread.
Imports the model, errors and stats; the alert state machine arrives as an argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol, TypeVar

from otel_ext.errors import ConfigError, NotFoundError
from otel_ext.model.alerts import ActiveAlert, AlertRule, AlertSource, Transition
from otel_ext.model.slos import Slo, SloStatus
from otel_ext.slo.budget import Budget
from otel_ext.slo.burn import BurnCondition
from otel_ext.slo.catalog import WORKBOOK, BurnRateAlert, BurnRateCatalog
from otel_ext.slo.history import SloPoint, chart_points, chart_step_ms
from otel_ext.slo.status import active_alert, status_of
from otel_ext.stats.ring import SnapshotRing, WindowCount, levels_for

__all__ = ["AlertObserver", "SloEngine"]

_MIN_CHART_INTERVAL_MS = 10_000
_NO_EXEMPLARS: Mapping[str, Sequence[str]] = MappingProxyType({})
_T = TypeVar("_T")


class AlertObserver(Protocol):
    """The part of the alert state machine that the engine needs."""

    def observe(self, rule: AlertRule, active: Sequence[ActiveAlert], ts_ms: int, /) -> tuple[Transition, ...]:
        """Take one evaluation of ``rule`` and say what changed."""


class _SloAlert:
    """One alert of one SLO: its rule and its window pairs."""

    __slots__ = ("conditions", "rule", "severity")

    def __init__(self, slo: Slo, alert: BurnRateAlert, conditions: tuple[BurnCondition, ...]) -> None:
        self.severity = alert.severity
        self.conditions = conditions
        self.rule = AlertRule(
            key=f"slo/{slo.name}/{alert.severity}",
            name=alert.name,
            source=AlertSource.SLO,
            for_ms=alert.for_ms,
            keep_firing_for_ms=alert.keep_firing_for_ms,
        )


class _Tracked:
    """All state of one SLO."""

    __slots__ = ("alerts", "budget", "chart_due_ms", "newest_data_ms", "ring", "slo", "window_lengths")

    def __init__(self, slo: Slo, alerts: tuple[_SloAlert, ...], max_gap_ms: int) -> None:
        self.slo = slo
        self.budget = Budget.of(slo)
        self.alerts = alerts
        self.ring = SnapshotRing(levels_for(slo.window_ms), max_gap_ms=max_gap_ms)
        thresholds = [condition.threshold for alert in alerts for condition in alert.conditions]
        lengths = {slo.window_ms, *(t.long_ms for t in thresholds), *(t.short_ms for t in thresholds)}
        self.window_lengths = tuple(sorted(lengths))
        self.newest_data_ms: int | None = None
        self.chart_due_ms = 0

    def record(self, ts_ms: int, good: int, total: int) -> None:
        if total > self.ring.total:
            self.newest_data_ms = ts_ms
        self.ring.record(ts_ms, good, total)

    def windows(self, ts_ms: int) -> dict[int, WindowCount]:
        return {length: self.ring.window(ts_ms, length) for length in self.window_lengths}

    def status(
        self, ts_ms: int, windows: Mapping[int, WindowCount], burning: bool, examples: Sequence[str] = ()
    ) -> SloStatus:
        return status_of(self.slo, self.budget, ts_ms, windows, burning, self.newest_data_ms, examples)


class SloEngine:
    """Evaluates a fixed set of SLOs.

    Args:
        slos: the definitions, with unique names.
        machine: takes every alert's evaluation at every tick.
        catalog: which burn-rate alerts each SLO gets.
        max_gap_ms: ticks further apart than this leave time that counts as not measured.

    Raises:
        ConfigError: for two SLOs of one name, or an alert of a strict catalog that can never fire.
    """

    def __init__(
        self,
        slos: Sequence[Slo],
        machine: AlertObserver,
        catalog: BurnRateCatalog = WORKBOOK,
        *,
        max_gap_ms: int = 60_000,
    ) -> None:
        names = [slo.name for slo in slos]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"slos: the name {name!r} is used {names.count(name)} times; names must be unique")
        self._machine = machine
        self._facts: list[str] = []
        self._tracked = tuple(_Tracked(slo, self._alerts_of(slo, catalog), max_gap_ms) for slo in slos)
        self._statuses: Mapping[str, SloStatus] = {t.slo.name: t.status(0, t.windows(0), False) for t in self._tracked}
        self._charts: dict[str, tuple[SloPoint, ...]] = {slo.name: () for slo in slos}

    def _alerts_of(self, slo: Slo, catalog: BurnRateCatalog) -> tuple[_SloAlert, ...]:
        alerts = []
        for alert in catalog.alerts:
            thresholds, facts = catalog.thresholds(slo, alert)
            self._facts += facts
            if thresholds:
                alerts.append(_SloAlert(slo, alert, tuple(BurnCondition(t, slo.budget) for t in thresholds)))
        return tuple(alerts)

    def tick(
        self,
        ts_ms: int,
        counts: Mapping[str, tuple[int, int]],
        exemplars: Mapping[str, Sequence[str]] = _NO_EXEMPLARS,
    ) -> tuple[Transition, ...]:
        """Take the cumulative ``(good, total)`` of each SLO, decide its alerts, and publish all statuses.

        Tick once at the start, before the first event, so that time is measured from there. An SLO that is
        missing from ``counts`` is evaluated on what it has. ``exemplars`` are trace ids of bad events.

        Raises:
            ValueError: when a count is lower than before.
        """
        for tracked in self._tracked:
            pair = counts.get(tracked.slo.name)
            if pair is not None:
                tracked.record(ts_ms, *pair)
        return self._publish(ts_ms, exemplars)

    def _publish(self, ts_ms: int, exemplars: Mapping[str, Sequence[str]]) -> tuple[Transition, ...]:
        transitions: list[Transition] = []
        statuses: dict[str, SloStatus] = {}
        for tracked in self._tracked:
            name = tracked.slo.name
            windows, examples = tracked.windows(ts_ms), exemplars.get(name, ())
            burning = self._evaluate(tracked, ts_ms, windows, examples, transitions)
            statuses[name] = tracked.status(ts_ms, windows, burning, examples)
            self._draw_chart(tracked, ts_ms)
        self._statuses = statuses
        return tuple(transitions)

    def _evaluate(
        self,
        tracked: _Tracked,
        ts_ms: int,
        windows: Mapping[int, WindowCount],
        examples: Sequence[str],
        transitions: list[Transition],
    ) -> bool:
        any_burning = False
        for alert in tracked.alerts:
            burning = [condition for condition in alert.conditions if condition.update(windows)]
            active = (
                [active_alert(tracked.slo, tracked.budget, alert.severity, burning, windows, examples)]
                if burning
                else []
            )
            transitions += self._machine.observe(alert.rule, active, ts_ms)
            any_burning = any_burning or bool(burning)
        return any_burning

    def _draw_chart(self, tracked: _Tracked, ts_ms: int) -> None:
        if ts_ms < tracked.chart_due_ms or tracked.ring.first_ms is None:
            return
        self._charts[tracked.slo.name] = chart_points(tracked.slo, tracked.budget, tracked.ring, ts_ms)
        interval = max(_MIN_CHART_INTERVAL_MS, chart_step_ms(tracked.slo, tracked.ring, ts_ms))
        tracked.chart_due_ms = ts_ms - ts_ms % interval + interval

    def statuses(self) -> tuple[SloStatus, ...]:
        """How each SLO stood at the last tick, in the order they were given."""
        return tuple(self._statuses.values())

    def status(self, name: str) -> SloStatus:
        """How one SLO stood at the last tick.

        Raises:
            NotFoundError: there is none of that name; the message lists the names there are.
        """
        return _found(self._statuses, name)

    def history(self, name: str) -> tuple[SloPoint, ...]:
        """Points for a chart over the SLO window, or over what there is of it, renewed every 10 seconds at most.

        Raises:
            NotFoundError: there is no SLO of that name.
        """
        return _found(self._charts, name)

    def facts(self) -> tuple[str, ...]:
        """What was left out and why, one sentence each."""
        return tuple(self._facts)


def _found(values: Mapping[str, _T], name: str) -> _T:
    try:
        return values[name]
    except KeyError:
        names = ", ".join(sorted(values)) or "none is defined"
        raise NotFoundError(f"no SLO is named {name!r}; there are: {names}") from None
