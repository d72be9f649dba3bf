"""What is forwarded is what is known locally: spans in Jaeger, series in Prometheus, log records at the sink."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.support.load import LoadGenerator
from tests.support.otlp_sink import OtlpSink, Received, Signal
from tests.support.processes import ProcessFactory, wait_until
from tests.support.servers import Jaeger, Prometheus
from tests.support.shop import Shop, break_shop, checkouts, shopping

pytestmark = pytest.mark.real

SETTINGS = """\
slos:
  - {name: everything, objective: "99"}
collect_interval: 1s
"""
# Labels that a scrape adds or that OTLP ingestion and a scrape are known to place differently.
SERIES_OF_THE_SHOP = ["http_server_duration_milliseconds_count", "http_server_duration_milliseconds_bucket",
    "http_server_duration_milliseconds_sum", "shop_orders_total", "shop_orders_waiting"]  # fmt: skip
VERDICTS = ["otel_ext_slo_events_total", "otel_ext_slo_events_good_total", "otel_ext_slo_objective_ratio"]


@dataclass(frozen=True)
class Forwarded:
    """A shop that forwards everything, after its load."""

    shop: Shop
    load: LoadGenerator
    log_sink: OtlpSink
    at: float

    def local(self, expr: str) -> dict[frozenset[tuple[str, str]], str]:
        """Series and values as the process answers itself."""
        return _by_labels(self.shop.local.instant(expr))


def _by_labels(result: list[dict[str, Any]]) -> dict[frozenset[tuple[str, str]], str]:
    return {frozenset(one["metric"].items()): one["value"][1] for one in result}


@pytest.fixture(scope="module")
def forwarded(
    session_processes: ProcessFactory, jaeger: Jaeger, prometheus_otlp: Prometheus, prometheus: Prometheus
) -> Iterator[Forwarded]:
    with OtlpSink() as log_sink:
        env = {
            "OTEL_SERVICE_NAME": "shop-forwarding",
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_METRICS_EXPORTER": "otlp",
            "OTEL_LOGS_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": jaeger.otlp_traces_endpoint,
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": prometheus_otlp.otlp_metrics_endpoint,
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": f"{log_sink.http_endpoint}/v1/logs",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
            "OTEL_BSP_SCHEDULE_DELAY": "300",
            "OTEL_BLRP_SCHEDULE_DELAY": "300",
        }
        shop = Shop(processes=session_processes, settings=SETTINGS, env=env).start()
        prometheus.scrape(shop.local_port)
        load = shop.load()
        load.run([break_shop(error_ratio=0.2)])
        sent = load.run(shopping(300))
        shipped = load.total(lambda one: one.route == "/checkout" and one.status == 201)
        total = len(load.sent) + shipped
        wait_until(lambda: shop.local.counts("everything")[1] == total, f"{total} events locally")
        yield Forwarded(shop, load, log_sink, max(one.ended_at for one in sent))
        shop.process.kill()


def _settled(forwarded: Forwarded, prometheus: Prometheus, expr: str, **added: str) -> None:
    """Wait until both answer alike; counters stand still, so once both have the last collection they must."""
    here: dict[frozenset[tuple[str, str]], str] = {}
    there: dict[frozenset[tuple[str, str]], str] = {}

    def alike() -> bool:
        nonlocal here, there
        here = forwarded.local(expr)
        there = _by_labels(_without(prometheus.instant(expr), added))
        return bool(here) and here == there

    try:
        wait_until(alike, f"{expr} to be the same in both", seconds=12)
    except AssertionError:
        assert there == here, expr
        raise


def _without(result: list[dict[str, Any]], labels: dict[str, str]) -> list[dict[str, Any]]:
    for one in result:
        for name in labels:
            one["metric"].pop(name, None)
    return result


@pytest.mark.parametrize("name", [*SERIES_OF_THE_SHOP, "target_info"])
def test_series_pushed_to_prometheus_have_the_same_names_labels_and_values(
    forwarded: Forwarded, prometheus_otlp: Prometheus, name: str
) -> None:
    _settled(forwarded, prometheus_otlp, f'{name}{{job="shop-forwarding"}}')


@pytest.mark.parametrize("name", VERDICTS)
def test_the_processs_own_verdicts_are_pushed_as_series(
    forwarded: Forwarded, prometheus_otlp: Prometheus, name: str
) -> None:
    _settled(forwarded, prometheus_otlp, f'{name}{{job="shop-forwarding"}}')


def test_the_counted_events_are_those_of_the_load(forwarded: Forwarded, prometheus_otlp: Prometheus) -> None:
    good, total = forwarded.shop.local.counts("everything")
    expr = 'otel_ext_slo_events_total{job="shop-forwarding"}'
    wait_until(lambda: prometheus_otlp.instant(expr)[0]["value"][1] == str(total), f"{total} events in Prometheus")
    good_expr = 'otel_ext_slo_events_good_total{job="shop-forwarding"}'
    assert prometheus_otlp.instant(good_expr)[0]["value"][1] == str(good)


@pytest.mark.parametrize(
    "expr",
    [
        'sum by (http_target) (http_server_duration_milliseconds_count{job="shop-forwarding"})',
        'sum by (http_status_code) (http_server_duration_milliseconds_count{job="shop-forwarding",http_target!=""})',
        'max by (le) (http_server_duration_milliseconds_bucket{job="shop-forwarding",http_target="/checkout"})',
        'count({__name__=~"http_server_.*",job="shop-forwarding"})',
    ],
)
def test_promql_answers_alike_in_both_places(forwarded: Forwarded, prometheus_otlp: Prometheus, expr: str) -> None:
    _settled(forwarded, prometheus_otlp, expr)


def test_prometheus_scrapes_the_processs_own_page(forwarded: Forwarded, prometheus: Prometheus) -> None:
    wait_until(lambda: prometheus.targets() and prometheus.targets()[0]["health"] == "up", "a healthy target")
    target = prometheus.targets()[0]
    assert target["lastError"] == ""
    expr = 'sum by (http_target, http_status_code) (http_server_duration_milliseconds_count{job="shop-forwarding"})'
    _settled(forwarded, prometheus, expr)


def test_scraped_series_carry_the_same_names_as_local_ones(forwarded: Forwarded, prometheus: Prometheus) -> None:
    wait_until(lambda: prometheus.instant('shop_orders_total{job="shop-forwarding"}'), "a scraped series")
    names = 'count by (__name__) ({__name__=~"http_server_.*|shop_.*|otel_ext_slo_.*",job="shop-forwarding"})'
    _settled(forwarded, prometheus, names)


def test_scraped_exemplars_lead_to_traces_that_jaeger_has(
    forwarded: Forwarded, prometheus: Prometheus, jaeger: Jaeger
) -> None:
    # Which reader a measurement's exemplar goes to, ours or the exporter's, is chance; spans keep one for each bucket.
    query = '{__name__=~"http_server_duration_milliseconds_bucket|traces_span_metrics_duration_seconds_bucket"}'
    params: dict[str, str | float] = {"query": query, "start": forwarded.at - 120, "end": forwarded.at + 120}

    def exemplars() -> list[dict[str, Any]]:
        answer = httpx.get(f"{prometheus.url}/api/v1/query_exemplars", params=params, trust_env=False)
        return list(answer.json()["data"])

    found = wait_until(exemplars, "exemplars in Prometheus")
    trace_id = found[0]["exemplars"][0]["labels"]["trace_id"]
    assert jaeger.trace(trace_id) is not None


def test_a_failed_checkout_is_the_same_trace_in_jaeger(forwarded: Forwarded, jaeger: Jaeger) -> None:
    found = forwarded.shop.local.get("/v1/observability/traces", operation="POST /checkout", status="error")
    trace_id = found["traces"][0]["trace_id"]
    local = forwarded.shop.local.get(f"/v1/observability/traces/{trace_id}")
    there = wait_until(lambda: _whole(jaeger, trace_id, len(local["spans"])), "the trace in Jaeger")
    assert sorted(_local_span(span) for span in local["spans"]) == sorted(_jaeger_span(span) for span in there["spans"])


def _whole(jaeger: Jaeger, trace_id: str, spans: int) -> dict[str, Any] | None:
    trace = jaeger.trace(trace_id)
    return trace if trace and len(trace["spans"]) == spans else None


def _local_span(span: dict[str, Any]) -> tuple[str, str, int, bool]:
    microseconds = int(span["start_unix_nano"]) // 1000
    return span["span_id"], span["name"], microseconds, span["status"] == "error"


def _jaeger_span(span: dict[str, Any]) -> tuple[str, str, int, bool]:
    tags = {tag["key"]: tag["value"] for tag in span["tags"]}
    return span["spanID"], span["operationName"], span["startTime"], bool(tags.get("error", False))


def test_jaegers_search_finds_as_many_failed_checkouts_as_the_load_saw(forwarded: Forwarded, jaeger: Jaeger) -> None:
    failed = forwarded.load.counts()["POST", "/checkout", 503]
    assert failed > 0

    def found() -> bool:
        tags = '{"http.status_code":"503"}'
        return len(jaeger.traces("shop-forwarding", operation="POST /checkout", tags=tags)) == failed

    wait_until(found, f"{failed} failed checkouts in Jaeger")


def test_the_shops_log_records_arrive_with_their_trace_and_are_kept_locally(forwarded: Forwarded) -> None:
    failed = forwarded.load.counts()["POST", "/checkout", 503]

    def says_so(one: Received) -> bool:
        return "checkout failed" in one.record.body.string_value

    sent = [one.record for one in forwarded.log_sink.wait_for(Signal.LOGS, says_so, count=failed)]
    local = forwarded.shop.local.get("/v1/observability/logs", query="checkout failed", limit=1000)["logs"]
    assert {entry["trace_id"] for entry in local} == {record.trace_id.hex() for record in sent}
    assert len(local) == failed


def test_nothing_of_our_own_is_forwarded_as_the_services_spans(forwarded: Forwarded, jaeger: Jaeger) -> None:
    operations = {span["operationName"] for trace in jaeger.traces("shop-forwarding") for span in trace["spans"]}
    foreign = [name for name in operations if "/v1/observability" in name or "/api/v1" in name or "/metrics" in name]
    assert foreign == []


def test_forwarding_is_counted_and_nothing_was_lost(forwarded: Forwarded) -> None:
    load = forwarded.load
    load.run(checkouts(1))

    def settled() -> bool:
        status = forwarded.shop.local.get("/v1/observability/status")["stats"]
        traces = next(one for one in status["forward"] if one["signal"] == "traces")
        return bool(traces["exported"] == status["spans_sampled"] and traces["queued"] == 0)

    wait_until(settled, "every span to be exported")
    for one in forwarded.shop.local.get("/v1/observability/status")["stats"]["forward"]:
        assert (one["failed"], one["dropped"]) == (0, 0), one
