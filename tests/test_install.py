"""install(): attaches, creates, never replaces; one handle a process; it leaves as it came."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry._logs import get_logger_provider, set_logger_provider
from opentelemetry.instrumentation.logging import LoggingInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import SpanKind

import otel_ext
from otel_ext.handle import Handle
from otel_ext.install import current

Install = Callable[..., Handle]
QUIET = {"http": False, "anomaly": False}


@pytest.fixture
def install() -> Iterator[Install]:
    root_handlers = list(logging.getLogger().handlers)

    def start(**settings: Any) -> Handle:
        return otel_ext.install(**{**QUIET, **settings})

    yield start
    handle = current()
    if handle is not None:
        handle.shutdown()
    logging.getLogger("opentelemetry.instrumentation.instrumentor").setLevel(logging.ERROR)
    LoggingInstrumentor().uninstrument()
    for handler in [h for h in logging.getLogger().handlers if h not in root_handlers]:
        logging.getLogger().removeHandler(handler)


def serve(count: int, *, failed: int = 0, kind: SpanKind = SpanKind.SERVER) -> None:
    tracer = trace.get_tracer("app")
    for index in range(count):
        status = 500 if index < failed else 200
        with tracer.start_as_current_span("GET /", kind=kind, attributes={"http.response.status_code": status}):
            pass


def test_it_creates_providers_that_are_missing_and_counts_what_they_make(install: Install) -> None:
    handle = install(service="checkout")
    assert isinstance(trace.get_tracer_provider(), TracerProvider)
    assert isinstance(metrics.get_meter_provider(), MeterProvider)
    assert isinstance(get_logger_provider(), LoggerProvider)
    serve(10, failed=2)
    handle.force_flush()
    status = handle.slo("requests")
    assert (status.good, status.total) == (8, 10)
    assert trace.get_tracer_provider().resource.attributes["service.name"] == "checkout"  # type: ignore[attr-defined]


def test_it_attaches_to_providers_that_exist_and_replaces_none(install: Install) -> None:
    tracer_provider, logger_provider = TracerProvider(), LoggerProvider()
    reader = InMemoryMetricReader()
    meter_provider = MeterProvider(metric_readers=[reader])
    trace.set_tracer_provider(tracer_provider)
    metrics.set_meter_provider(meter_provider)
    set_logger_provider(logger_provider)
    orders = metrics.get_meter("app").create_counter("orders")
    orders.add(3)
    handle = install()
    assert trace.get_tracer_provider() is tracer_provider
    assert metrics.get_meter_provider() is meter_provider
    assert get_logger_provider() is logger_provider
    serve(4)
    handle.force_flush()
    assert handle.slo("requests").total == 4
    assert [sample.value for sample in handle.query("orders_total").value.samples] == [3]  # type: ignore[union-attr]
    assert not any("second metric reader" in fact for fact in handle.facts)


def test_every_span_counts_at_ten_percent_sampling_also_those_of_earlier_tracers(install: Install) -> None:
    trace.set_tracer_provider(TracerProvider(sampler=TraceIdRatioBased(0.1)))
    serve(1)
    handle = install()
    serve(500, failed=5)
    handle.force_flush()
    assert (handle.slo("requests").good, handle.slo("requests").total) == (495, 500)


def test_the_same_settings_give_the_same_handle_and_others_are_an_error(install: Install) -> None:
    handle = install(tick_interval="2s")
    assert install(tick_interval=2) is handle
    with pytest.raises(otel_ext.AlreadyInstalledError, match="tick_interval_ms"):
        install(tick_interval="3s")
    serve(1)
    other = install(tick_interval="3s", replace=True)
    assert other is not handle
    serve(2)
    other.force_flush()
    assert other.slo("requests").total == 2, "a replaced installation counts anew, and nothing twice"


def test_a_notebook_cell_may_be_run_again_and_again(install: Install) -> None:
    provider = TracerProvider()
    trace.set_tracer_provider(provider)
    for seconds in range(1, 6):
        handle = install(tick_interval=seconds, replace=True)
    assert len(provider._active_span_processor._span_processors) == 1, "one hook, connected again"  # type: ignore[attr-defined]
    serve(3)
    handle.force_flush()
    assert handle.slo("requests").total == 3
    assert "requests" in handle._repr_html_()


def test_after_shutdown_the_service_has_its_own_sampler_back_and_nothing_is_counted(install: Install) -> None:
    sampler = TraceIdRatioBased(0.0)
    provider = TracerProvider(sampler=sampler)
    trace.set_tracer_provider(provider)
    handle = install()
    handle.shutdown()
    handle.shutdown()
    assert provider.sampler is sampler
    assert not trace.get_tracer("app").start_span("x").is_recording()
    assert current() is None


def test_internal_and_client_spans_are_no_requests_and_consumer_spans_are(install: Install) -> None:
    handle = install()
    for kind in SpanKind:
        serve(1, kind=kind)
    handle.force_flush()
    assert handle.slo("requests").total == 2


def test_an_unknown_setting_is_an_error_that_names_it(install: Install) -> None:
    with pytest.raises(otel_ext.ConfigError, match=r"(?s)tick_intervall.*did you mean.*tick_interval"):
        install(tick_intervall="1s")
    assert current() is None


def test_an_unknown_slo_names_the_ones_there_are(install: Install) -> None:
    with pytest.raises(otel_ext.NotFoundError, match="requests"):
        install().slo("checkout")


def test_a_broken_rule_file_is_an_error_at_start_up(install: Install, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: rate(x[5m\n")
    with pytest.raises(otel_ext.RuleError, match=r"(?s)rules\.yml.*"):
        install(rules=[rules])
    assert current() is None


def test_disabled_measures_nothing_and_says_so(install: Install) -> None:
    handle = install(enabled=False)
    assert "enabled is false" in handle.facts[0]
    assert type(trace.get_tracer_provider()).__name__ == "ProxyTracerProvider"


def test_warnings_of_a_program_that_never_configured_logging_stay_on_stderr(
    install: Install, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    handle = install()
    logging.getLogger("shop").warning("card declined")
    assert "card declined" in capsys.readouterr().err
    handle.force_flush()
    assert handle.stats.logs == 1
    logging.basicConfig(force=False)
    monkeypatch.setattr(root, "handlers", [*root.handlers])


def test_a_forked_child_counts_its_own_and_the_parent_its_own(install: Install) -> None:
    handle = install()
    serve(5)
    handle.force_flush()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        serve(3)
        handle.force_flush()
        os.write(writer, str(handle.slo("requests").total).encode())
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert os.read(reader, 10) == b"3"
    os.close(reader)
    os.close(writer)
    serve(1)
    handle.force_flush()
    assert handle.slo("requests").total == 6


def test_a_health_check_decides_readiness_also_in_a_forked_child(install: Install) -> None:
    handle = install()
    handle.force_flush()
    database = {"up": True}
    handle.health_check("database", lambda: database["up"], cache_ttl_ms=0)
    assert handle.health.ok
    database["up"] = False
    assert [handle.health.ok for _ in range(3)][-1] is False
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        names = {check.name for check in handle.health.checks}
        os.write(writer, b"yes" if "database" in names else b"no")
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(reader, 10) == b"yes"
    os.close(reader)
    os.close(writer)


def test_our_own_threads_make_no_spans(install: Install) -> None:
    handle = install(http={"port": 0})
    import requests
    from opentelemetry.instrumentation.requests import RequestsInstrumentor

    RequestsInstrumentor().instrument()
    try:
        assert requests.get(f"{handle.url}/livez", timeout=10).status_code == 200
    finally:
        RequestsInstrumentor().uninstrument()
    handle.force_flush()
    assert handle.stats.spans == 1, "the client's own request, and nothing of ours"
    assert handle.slo("requests").total == 0


def test_a_taken_port_is_stated_and_another_is_used(install: Install) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        handle = install(http={"port": port})
        assert handle.url is not None
        assert not handle.url.endswith(f":{port}")
        assert any(str(port) in fact for fact in handle.facts)
