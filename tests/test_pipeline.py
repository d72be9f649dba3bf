"""The pipeline in virtual time: counting under overload, alerts within a tick, what is announced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind, StatusCode

from otel_ext.clock import ManualClock
from otel_ext.config import Settings, load_settings
from otel_ext.ingest.spans import LocalSpanProcessor
from otel_ext.model.alerts import AlertState
from otel_ext.model.metrics import CollectedMetrics, MetricsData
from otel_ext.pipeline import Pipeline


def settings(**values: Any) -> Settings:
    return load_settings({"http": False, **values}, env={}).settings


class Service:
    """A pipeline that nobody's thread runs, and a tracer whose spans flow into it."""

    def __init__(self, **values: Any) -> None:
        self.clock = ManualClock()
        self.pipeline = Pipeline(settings(**values), clock=self.clock)
        hook = LocalSpanProcessor()
        hook.connect(self.pipeline.queue.put, self.pipeline.start)
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(hook)
        self.tracer = provider.get_tracer("app")

    def serve(self, count: int, *, status: int = 200) -> None:
        for _ in range(count):
            start = self.clock.now_ms() * 1_000_000
            self.tracer.start_span(
                "GET /", kind=SpanKind.SERVER, start_time=start, attributes={"http.response.status_code": status}
            ).end(end_time=start + 1_000_000)

    def tick(self, seconds: float = 1.0) -> None:
        self.clock.advance(seconds)
        self.pipeline.cycle(tick=True)

    def collect(self) -> None:
        self.pipeline.collect()


@pytest.fixture
def service() -> Service:
    return Service()


def test_nothing_is_lost_when_producers_overflow_the_queue() -> None:
    service = Service(queue_size=16)
    service.serve(1000)
    service.serve(10, status=500)
    service.pipeline.queue.put(CollectedMetrics(ts_ms=service.clock.now_ms(), data=MetricsData(resource_metrics=())))
    service.serve(1000)
    service.tick()
    status = service.pipeline.slo.status("requests")
    assert (status.good, status.total) == (2000, 2010)
    stats = service.pipeline.stats()
    assert stats.spans == 2010
    assert 0 < stats.span_bodies_dropped < 2010
    assert stats.collections == 1, "a collection is never given up"
    assert stats.queue_length == 0


def page_states(service: Service) -> list[AlertState]:
    return [a.state for a in service.pipeline.alerts.alerts() if a.labels.get("severity") == "page"]


def test_an_outage_pages_within_a_tick_and_the_page_resolves_after_it(service: Service) -> None:
    for _ in range(60):
        service.serve(10)
        service.tick()
    seconds = 0
    while AlertState.FIRING not in page_states(service):
        service.serve(10, status=500)
        service.tick()
        seconds += 1
        assert seconds < 120
    status = service.pipeline.slo.status("requests")
    assert status.state in {"at_risk", "breached"}
    quiet = 0
    while AlertState.RESOLVED not in page_states(service):
        service.serve(1)
        service.tick()
        quiet += 1
        assert quiet < 3600, "the short windows are clean after half an hour"


def test_rules_see_the_collection_of_the_same_instant(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(
        "groups:\n- name: shop\n  rules:\n"
        "  - alert: Errors\n"
        '    expr: sum(rate(traces_span_metrics_calls_total{http_response_status_code="500"}[1m])) > 1\n'
        "    labels: {severity: page}\n"
    )
    service = Service(rules=[rules], collect_interval="1s")
    for _ in range(30):
        service.serve(10)
        service.clock.advance(1)
        service.collect()
        service.pipeline.cycle(tick=True)
    assert service.pipeline.alerts.alerts() == ()
    seconds = 0
    while not any(a.rule.name == "Errors" for a in service.pipeline.alerts.alerts()):
        service.serve(100, status=500)
        service.clock.advance(1)
        service.collect()
        service.pipeline.cycle(tick=True)
        seconds += 1
        assert seconds < 5
    assert seconds <= 2, "two samples make a rate"
    assert service.pipeline.queries.instant("ALERTS", service.clock.now_ms()).value.samples  # type: ignore[union-attr]


def test_the_red_series_count_every_request(service: Service) -> None:
    service.serve(7)
    service.pipeline.cycle(tick=False)
    service.clock.advance(1)
    service.collect()
    service.tick(0)
    result = service.pipeline.queries.instant("sum(traces_span_metrics_calls_total)", service.clock.now_ms())
    assert result.value.samples[0].value == 7  # type: ignore[union-attr]


def test_readiness_says_starting_and_then_ready(service: Service) -> None:
    assert not service.pipeline.health.readiness(service.clock.now_ms()).ok
    service.pipeline.start()
    service.tick()
    assert service.pipeline.health.readiness(service.clock.now_ms()).ok
    service.pipeline.stop()
    assert not service.pipeline.health.readiness(service.clock.now_ms()).ok


def test_starting_twice_starts_once_and_stopping_twice_stops_once(service: Service) -> None:
    service.pipeline.start()
    threads = list(service.pipeline._threads)
    service.pipeline.start()
    assert service.pipeline._threads == threads
    assert all(thread.daemon for thread in threads)
    service.pipeline.stop()
    service.pipeline.stop()
    assert not service.pipeline.running


def test_a_firing_alert_survives_a_restart(tmp_path: Path) -> None:
    service = Service(state_dir=tmp_path)
    service.pipeline._open_state()
    for _ in range(120):
        service.serve(10, status=500)
        service.tick()
    assert AlertState.FIRING in page_states(service)
    fired = next(a.fired_at_ms for a in service.pipeline.alerts.alerts() if a.labels.get("severity") == "page")
    service.pipeline.stop()
    again = Service(state_dir=tmp_path)
    again.clock.advance((service.clock.now_ms() - again.clock.now_ms()) / 1000 + 5)
    again.pipeline._open_state()
    again.pipeline._restore_state()
    again.tick()
    restored = [a for a in again.pipeline.alerts.alerts() if a.labels.get("severity") == "page"]
    assert [(a.state, a.fired_at_ms) for a in restored] == [(AlertState.FIRING, fired)]
    again.pipeline.stop()


def test_a_hanging_health_check_holds_up_nobody_but_the_next_check(service: Service) -> None:
    import threading

    free = threading.Event()
    hanging = service.pipeline.submit(free.wait)
    assert not hanging.done()
    free.set()
    assert hanging.result(timeout=10) is True
    assert service.pipeline.submit(lambda: 5).result(timeout=10) == 5
    with pytest.raises(ZeroDivisionError):
        service.pipeline.submit(lambda: 1 // 0).result(timeout=10)


def test_anomalies_watch_what_the_spans_say(service: Service) -> None:
    for _ in range(400):
        service.serve(20)
        service.tick(5)
    for _ in range(6):
        service.serve(20, status=500)
        service.tick(5)
    assert [a.watch for a in service.pipeline.anomalies.open()] != []


def test_an_alert_without_traces_of_its_own_gets_those_of_its_route_or_the_newest_failed_one(service: Service) -> None:
    service.serve(3)
    service.tick()
    example = service.pipeline.engines.example_span
    assert example({}) is None, "nothing has failed"
    assert example({"span_name": "GET /"}) is not None
    assert example({"span_name": "GET /other"}) is None
    failed = service.tracer.start_span("POST /pay", kind=SpanKind.SERVER)
    failed.set_status(StatusCode.ERROR)
    failed.end()
    service.tick()
    context = failed.get_span_context()
    assert example({"alertname": "Errors"}) == (context.trace_id, context.span_id)
    assert example({}, [format(context.trace_id, "032x")]) == (context.trace_id, context.span_id)
