"""What the web reads, as protocols: ``Pipeline`` satisfies :class:`ObservabilitySource`, a test's plain object as well.

Every engine answers with immutable snapshots and holds a lock for no longer than a copy. The engines are looked up
through the source at each request, because a forked child has others. Imports the layers below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from otel_ext.clock import Clock
from otel_ext.config.settings import Settings
from otel_ext.health import HealthRegistry
from otel_ext.model.alerts import Alert
from otel_ext.model.anomalies import Anomaly
from otel_ext.model.slos import SloStatus
from otel_ext.promql.values import QueryResult
from otel_ext.rules.status import GroupStatus
from otel_ext.storage.logs import LogStore
from otel_ext.storage.metrics import MetricStore
from otel_ext.storage.traces import TraceStore

__all__ = ["AlertSource", "AnomalySource", "ObservabilitySource", "QueryRunner", "RuleSource", "SloSource"]


class SloSource(Protocol):
    """The SLO engine's snapshots."""

    def statuses(self) -> Sequence[SloStatus]:
        """Every SLO as it stood at the last tick."""

    def status(self, name: str) -> SloStatus:
        """One of them; ``NotFoundError`` lists the names."""


class AlertSource(Protocol):
    """The alert machine's snapshot."""

    def alerts(self) -> Sequence[Alert]:
        """Pending, firing and recently resolved alerts."""


class AnomalySource(Protocol):
    """The anomaly engine's snapshots."""

    def open(self) -> Sequence[Anomaly]:
        """Anomalies that last."""

    def recent(self) -> Sequence[Anomaly]:
        """Anomalies that lasted or last, newest first."""


class QueryRunner(Protocol):
    """PromQL over the local store, bounded by limits of its own."""

    def instant(self, expr: str, ts_ms: int) -> QueryResult:
        """The value at one instant; ``QueryError`` says what is wrong."""

    def range(self, expr: str, start_ms: int, end_ms: int, step_ms: int) -> QueryResult:
        """A matrix with one point a step, both ends included."""


class RuleSource(Protocol):
    """The rule engine's snapshot."""

    def groups(self) -> Sequence[GroupStatus]:
        """Groups in the order of their files."""


class ObservabilitySource(Protocol):
    """The pipeline, as far as the web knows it."""

    @property
    def settings(self) -> Settings: ...
    @property
    def origins(self) -> Mapping[str, str]: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def started_at_ms(self) -> int: ...
    @property
    def slo(self) -> SloSource: ...
    @property
    def alerts(self) -> AlertSource: ...
    @property
    def anomalies(self) -> AnomalySource: ...
    @property
    def traces(self) -> TraceStore: ...
    @property
    def logs(self) -> LogStore: ...
    @property
    def metrics(self) -> MetricStore: ...
    @property
    def queries(self) -> QueryRunner: ...
    @property
    def rules(self) -> RuleSource: ...
    @property
    def health(self) -> HealthRegistry: ...

    def facts(self) -> Sequence[str]:
        """Fallbacks that were taken and what limits the numbers, one sentence each."""

    def stats(self) -> object:
        """A dataclass of counters."""
