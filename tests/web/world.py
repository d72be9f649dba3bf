"""A service in virtual time for the web's tests: the real engines, fed by hand, without threads or the SDK."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx

from otel_ext.alerting import AlertMachine
from otel_ext.anomaly import AnomalyEngine
from otel_ext.clock import ManualClock
from otel_ext.config import Settings
from otel_ext.health import HealthRegistry
from otel_ext.model.alerts import ActiveAlert, AlertRule, AlertSource
from otel_ext.model.labels import Labels
from otel_ext.model.logs import LogEntry
from otel_ext.model.metrics import (
    CollectedMetrics,
    Exemplar,
    Gauge,
    Histogram,
    HistogramDataPoint,
    InstrumentationScope,
    Metric,
    MetricsData,
    NumberDataPoint,
    Resource,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
    Temporality,
)
from otel_ext.model.slos import Slo
from otel_ext.model.spans import SpanKind, SpanRecord, SpanStatus
from otel_ext.promql import QueryEngine, parse
from otel_ext.rules import RuleManager, load_rule_text
from otel_ext.slo import SloEngine
from otel_ext.storage.logs import LogStore
from otel_ext.storage.metrics import MetricStore
from otel_ext.storage.traces import TraceStore
from otel_ext.web.app import build_app

NANO = 1_000_000
RESOURCE = {"service.name": "shop", "service.instance.id": "one"}
TRACE_ID = 0x4BF92F3577B34DA6A3CE929D0E0E4736
SPAN_ID = 0x00F067AA0BA902B7
RULES = """
groups:
  - name: shop
    rules:
      - record: job:http_requests:rate1m
        expr: sum by (job) (rate(http_requests_total[1m]))
      - alert: TooManyRequests
        expr: sum(rate(http_requests_total[1m])) > 0.01
        for: 1m
        labels: {severity: page}
        annotations: {summary: "{{ $value }} a second"}
"""


@dataclass(frozen=True, kw_only=True)
class Stats:
    """Counters as the pipeline has them."""

    spans: int = 12
    queue_length: int = 0
    hook_errors: dict[str, int] = field(default_factory=dict)
    last_tick_ms: int | None = None


class World:
    """The engines of a service that began at the clock's start; ``step()`` is one collection and one tick."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.clock = ManualClock()
        self.started_at_ms = self.clock.now_ms()
        self.settings = settings or Settings(
            service="shop",
            slos=(Slo(name="requests", objective="99.9"), Slo(name="a/b c", objective="95", latency_ms=300)),
        )
        self.origins: Mapping[str, str] = {"http.port": "environment variable OTEL_EXT_HTTP_PORT"}
        self.alerts = AlertMachine()
        self.slo = SloEngine(self.settings.slos, self.alerts)
        self.anomalies = AnomalyEngine()
        self.traces = TraceStore()
        self.logs = LogStore()
        self.metrics = MetricStore(retention_ms=3_600_000, max_bytes=8_000_000)
        self.health = HealthRegistry(clock=self.clock)
        self.requests = 0
        self.good = 0
        self.said: tuple[str, ...] = ()
        self.slo.tick(self.clock.now_ms(), {slo.name: (0, 0) for slo in self.settings.slos})

    @cached_property
    def queries(self) -> QueryEngine:
        return QueryEngine(self.metrics, clock=self.clock)

    @cached_property
    def rules(self) -> RuleManager:
        return RuleManager(
            files=(load_rule_text(RULES, path="rules.yml", parse=parse),),
            query=self.queries.instant,
            append=self.metrics.append,
            mark_stale=self.metrics.mark_stale,
            machine=self.alerts,
            monotonic_seconds=lambda: self.clock.now_ms() / 1000,
            default_interval_ms=5_000,
        )

    def facts(self) -> tuple[str, ...]:
        return self.said

    def stats(self) -> Stats:
        return Stats()

    def step(self, *, good: int = 10, bad: int = 0, seconds: float = 5) -> None:
        """Time passes, requests come in, everything is collected and judged."""
        now_ms = self.clock.advance(seconds)
        self.requests += good + bad
        self.metrics.append_otlp(CollectedMetrics(ts_ms=now_ms, data=self._collected(now_ms)))
        self.good += good
        counts = {slo.name: (self.good, self.requests) for slo in self.settings.slos}
        self.slo.tick(now_ms, counts)
        self.rules.tick(now_ms)
        self.health.heartbeat(now_ms)

    def _collected(self, now_ms: int) -> MetricsData:
        common: dict[str, Any] = {
            "attributes": {"http.route": "/"},
            "start_time_unix_nano": self.started_at_ms * NANO,
            "time_unix_nano": now_ms * NANO,
        }
        exemplar = Exemplar(
            filtered_attributes={}, value=0.3, time_unix_nano=now_ms * NANO, span_id=SPAN_ID, trace_id=TRACE_ID
        )
        cumulative = int(Temporality.CUMULATIVE)
        counter = NumberDataPoint(**common, value=self.requests)
        histogram = HistogramDataPoint(
            **common,
            count=self.requests,
            sum=self.requests * 0.3,
            bucket_counts=[0, self.requests, 0],
            explicit_bounds=[0.1, 0.5],
            exemplars=[exemplar],
        )
        metrics = [
            Metric(
                name="http.requests",
                description="Requests",
                unit="{request}",
                data=Sum(data_points=[counter], aggregation_temporality=cumulative, is_monotonic=True),
            ),
            Metric(
                name="http.latency",
                description="Latency",
                unit="s",
                data=Histogram(data_points=[histogram], aggregation_temporality=cumulative),
            ),
            Metric(
                name="odd",
                description=None,
                unit=None,
                data=Gauge(data_points=[NumberDataPoint(**{**common, "attributes": {}}, value=float("nan"))]),
            ),
        ]
        scope = ScopeMetrics(scope=InstrumentationScope(name="shop"), metrics=metrics)
        return MetricsData(
            resource_metrics=[ResourceMetrics(resource=Resource(attributes=RESOURCE), scope_metrics=[scope])]
        )

    def span(
        self, *, trace_id: int = TRACE_ID, name: str = "GET /", failed: bool = False, **attributes: Any
    ) -> SpanRecord:
        """A span that ended now and took 120 ms, kept in the trace store."""
        end = self.clock.now_ms() * NANO
        record = SpanRecord(
            trace_id=trace_id,
            span_id=SPAN_ID,
            parent_span_id=None,
            name=name,
            kind=int(SpanKind.SERVER),
            start_unix_nano=end - 120 * NANO,
            end_unix_nano=end,
            status=int(SpanStatus.ERROR if failed else SpanStatus.UNSET),
            status_message="boom" if failed else None,
            attributes=attributes,
            events=(),
            links=(),
            resource=RESOURCE,
            scope="test",
            sampled=True,
        )
        self.traces.append([record], self.clock.now_ms())
        return record

    def log(self, body: str, *, severity: int = 9, logger: str = "app", trace_id: int = 0) -> None:
        """A log record of now."""
        self.logs.append(
            [
                LogEntry(
                    time_unix_nano=self.clock.now_ms() * NANO,
                    severity_number=severity,
                    severity_text="INFO",
                    body=body,
                    attributes={"n": float("nan")},
                    trace_id=trace_id,
                    span_id=0,
                    logger=logger,
                    event_name=None,
                    resource=RESOURCE,
                )
            ]
        )

    def fire(self, name: str, *, labels: Mapping[str, str] | None = None, for_ms: int = 0) -> None:
        """An alert of the application's own code becomes true."""
        rule = AlertRule(key=f"code/{name}", name=name, source=AlertSource.CODE, for_ms=for_ms)
        active = ActiveAlert(labels=Labels(labels), value=float("inf"), evidence={"ratio": float("nan")})
        self.alerts.observe(rule, [active], self.clock.now_ms())


class Client:
    """Asks the app over ASGI, in the thread of the test."""

    def __init__(self, app: Any, host: str = "127.0.0.1:4319") -> None:
        self.app = app
        self.host = host

    def get(self, path: str, *, headers: Mapping[str, str] | None = None, **params: Any) -> httpx.Response:
        return self.request("GET", path, headers=headers, params=params or None)

    def json(self, path: str, **params: Any) -> Any:
        """The JSON of a 200; NaN is refused as strict readers do."""
        answer = self.get(path, **params)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.text, parse_constant=_refuse)

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{self.host}") as client:
                return await client.request(method, path, **arguments)

        return asyncio.run(ask())


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def client(world: World) -> Client:
    """A client of an app over this world."""
    return Client(build_app(world))
