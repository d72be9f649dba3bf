"""The engines of one process and how data moves through them; no threads, no clock, no SDK.

``Engines`` is built from settings and rebuilt in a forked child. ``ingest`` and ``tick`` are called by the pipeline
thread, ``count`` also by producing threads under overload; everybody else reads the engines' snapshots.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from otel_ext.alerting import AlertMachine
from otel_ext.anomaly import AnomalyEngine
from otel_ext.config import Settings
from otel_ext.connectors.sli import SliCounter
from otel_ext.connectors.spanmetrics import SpanMetrics
from otel_ext.health import HealthRegistry
from otel_ext.model.alerts import Transition
from otel_ext.model.anomalies import Anomaly
from otel_ext.model.logs import LogEntry
from otel_ext.model.metrics import CollectedMetrics, MetricsData
from otel_ext.model.spans import SpanRecord
from otel_ext.promql import QueryEngine, parse
from otel_ext.rules import RuleManager, load_rule_file
from otel_ext.slo import SloEngine
from otel_ext.storage.logs import LogStore
from otel_ext.storage.metrics import MetricStore
from otel_ext.storage.traces import TraceStore

__all__ = ["Changes", "Engines", "Totals"]


QUERY_TIMEOUT_MS = 10_000  # a query runs in the web thread, before the next probe is answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What one tick changed: alert transitions, and anomalies that began or ended."""

    transitions: tuple[Transition, ...]
    anomalies: tuple[Anomaly, ...]


@dataclass(slots=True)
class Totals:
    """Plain counters of what came in, written by the threads that ingest."""

    spans: int = 0
    spans_sampled: int = 0
    logs: int = 0
    collections: int = 0
    span_bodies_dropped: int = 0
    log_bodies_dropped: int = 0


class Engines:
    """Stores, connectors, evaluators and the alert machine, wired.

    Args:
        settings: validated settings; rule files are loaded here and raise RuleError.
        start_ms: when this process began to count.
    """

    def __init__(self, settings: Settings, start_ms: int) -> None:
        self.settings = settings
        self.start_ms = start_ms
        self.totals = Totals()
        self._totals_lock = threading.Lock()
        self.alerts = AlertMachine()
        self.sli = SliCounter(settings.slos)
        self.slo = SloEngine(settings.slos, self.alerts)
        self.span_metrics = SpanMetrics()
        self.traces = TraceStore(max_bytes=settings.max_trace_bytes, max_age_ms=settings.retention_ms)
        self.logs = LogStore(max_bytes=settings.max_log_bytes, max_age_ms=settings.retention_ms)
        self.metrics = MetricStore(retention_ms=settings.retention_ms, max_bytes=settings.max_metric_bytes)
        self.queries = QueryEngine(self.metrics, timeout_ms=QUERY_TIMEOUT_MS)
        self.rules = self._load_rules()
        self.anomalies = AnomalyEngine(
            false_alarms_per_week=settings.anomaly.false_alarms_per_week,
            interval_ms=max(settings.collect_interval_ms, settings.tick_interval_ms),
        )
        self.health = HealthRegistry()
        self.slo.tick(start_ms, self.sli.counts())  # time is measured from here, not from the first event
        self._last_collection_ms = start_ms
        self._collected = False

    def _load_rules(self) -> RuleManager:
        return RuleManager(
            files=tuple(load_rule_file(path, parse=parse) for path in self.settings.rules),
            query=self.queries.instant,
            append=self.metrics.append,
            mark_stale=self.metrics.mark_stale,
            machine=self.alerts,
            external_labels=self.settings.external_labels,
            default_interval_ms=self.settings.collect_interval_ms,
            monotonic_seconds=time.perf_counter,
        )

    def count(self, batch: Iterable[Any]) -> None:
        """Count a batch without keeping its bodies: what a producing thread does when the queue is full."""
        spans: list[SpanRecord] = []
        for item in batch:
            if type(item) is LogEntry:
                self.totals.logs += 1
                self.totals.log_bodies_dropped += 1
            elif type(item) is SpanRecord:
                spans.append(item)
        self._count_spans(spans)
        self.totals.span_bodies_dropped += len(spans)

    def _count_spans(self, spans: Sequence[SpanRecord]) -> None:
        if not spans:
            return
        with self._totals_lock:  # producers count too when the queue is full
            self.totals.spans += len(spans)
            self.totals.spans_sampled += sum(span.sampled for span in spans)
        self.sli.count(spans)
        self.span_metrics.count(spans)

    def ingest(self, batch: Sequence[Any], ts_ms: int) -> None:
        """Take a batch off the queue: ended spans, log entries and metric collections, in any order."""
        spans: list[SpanRecord] = []
        logs: list[LogEntry] = []
        for item in batch:
            kind = type(item)
            if kind is SpanRecord:
                spans.append(item)
            elif kind is LogEntry:
                logs.append(item)
            else:
                self._append_metrics(item)
        if spans:
            self._count_spans(spans)
            self.traces.append(spans, ts_ms)
        if logs:
            self.totals.logs += len(logs)
            self.logs.append(logs)

    def _append_metrics(self, collected: CollectedMetrics) -> None:
        """One column: what the SDK collected and the RED series of the same instant."""
        resources = list(collected.data.resource_metrics)
        resources += self.span_metrics.metrics(collected.ts_ms * 1_000_000, self.start_ms * 1_000_000)
        merged = CollectedMetrics(ts_ms=collected.ts_ms, data=MetricsData(resource_metrics=resources))
        self.metrics.append_otlp(merged)
        self.totals.collections += 1
        self._last_collection_ms = collected.ts_ms
        self._collected = True

    def tick(self, ts_ms: int, *, queue_saturation: float = 0.0) -> Changes:
        """Ask every engine what is true at ``ts_ms``; ``queue_saturation`` is the share of the queue in use."""
        transitions = list(self.slo.tick(ts_ms, self.sli.counts(), self.sli.exemplars()))
        if self._rules_due(ts_ms):
            transitions += self.rules.tick(ts_ms)
        anomalies: tuple[Anomaly, ...] = ()
        if self.settings.anomaly.enabled and self.anomalies.due(ts_ms):
            anomalies = self.anomalies.tick(ts_ms, self.span_metrics.golden())
            for rule, active in self.anomalies.alerts(ts_ms):
                transitions += self.alerts.observe(rule, active, ts_ms)
        self.health.heartbeat(ts_ms, queue_saturation=queue_saturation)
        return Changes(transitions=tuple(transitions), anomalies=anomalies)

    def _rules_due(self, ts_ms: int) -> bool:
        """Rules are evaluated right after a collection, or without one when collections fail to come."""
        overdue = ts_ms - self._last_collection_ms > 2 * self.settings.collect_interval_ms
        due, self._collected = self._collected or overdue, False
        return due

    def example_span(self, labels: Mapping[str, str], trace_ids: Sequence[str] = ()) -> tuple[int, int] | None:
        """Trace and span id of an example for an alert or anomaly, ``None`` when no trace fits.

        The first of ``trace_ids`` that is still stored; else the newest trace of the operation or route that
        ``labels`` name, a failed one first; for labels that name neither the newest failed trace.
        """
        for trace_id in (*trace_ids, *self._traces_of(labels)):
            trace = self.traces.get(trace_id)
            if trace is not None and trace.spans:
                return trace.spans[0].trace_id, trace.spans[0].span_id
        return None

    def _traces_of(self, labels: Mapping[str, str]) -> Iterator[str]:
        operation, route = labels.get("span_name"), labels.get("http_route")
        attributes = {"http.route": route} if route else None
        named = operation is not None or route is not None
        for error in (True, None) if named else (True,):
            found = self.traces.search(operation=operation, attributes=attributes, error=error, limit=1)
            yield from (summary.trace_id for summary in found)

    def ingest_totals(self) -> Mapping[str, int]:
        """What came in and what was given up, by kind."""
        totals = self.totals
        return {
            "spans": totals.spans,
            "spans_sampled": totals.spans_sampled,
            "logs": totals.logs,
            "span_bodies_dropped": totals.span_bodies_dropped,
            "log_bodies_dropped": totals.log_bodies_dropped,
        }

