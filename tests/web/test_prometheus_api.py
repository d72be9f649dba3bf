"""Prometheus' HTTP API: the shapes, codes and error types that its clients expect."""

from __future__ import annotations

import pytest
from starlette.routing import Route, Router

from otel_ext.errors import QueryTimeoutError
from otel_ext.promql.values import QueryResult
from otel_ext.web.guard import Guard
from otel_ext.web.prometheus_api import PrometheusApi
from tests.web.world import TRACE_ID, Client, World

BAD = 400
REQUESTS = {"__name__": "http_requests_total", "http_route": "/", "instance": "one", "job": "shop"}


def test_an_instant_query_gives_a_vector_at_the_time_asked_for(web: Client, world: World) -> None:
    at = world.clock.now_ms() // 1000
    body = web.json("/api/v1/query", query="http_requests_total", time=at)
    assert body == {
        "status": "success",
        "data": {"resultType": "vector", "result": [{"metric": REQUESTS, "value": [at, "240"]}]},
    }


def test_an_instant_query_without_a_time_is_of_now(web: Client, world: World) -> None:
    (series,) = web.json("/api/v1/query", query="http_requests_total")["data"]["result"]
    assert series["value"] == [world.clock.now_ms() / 1000, "240"]


def test_the_check_that_grafana_sends_is_answered(web: Client) -> None:
    answer = web.request("POST", "/api/v1/query", data={"query": "1+1", "time": "1700000000.5"})
    assert answer.json()["data"] == {"resultType": "scalar", "result": [1700000000.5, "2"]}


def test_nan_and_infinities_are_strings(web: Client) -> None:
    assert web.json("/api/v1/query", query="1/0")["data"]["result"][1] == "+Inf"
    assert web.json("/api/v1/query", query="-1/0")["data"]["result"][1] == "-Inf"
    assert web.json("/api/v1/query", query="0/0")["data"]["result"][1] == "NaN"
    assert web.json("/api/v1/query", query="odd")["data"]["result"][0]["value"][1] == "NaN"


def test_a_string_stays_a_string(web: Client) -> None:
    assert web.json("/api/v1/query", query='"a"', time=5)["data"] == {"resultType": "string", "result": [5, "a"]}


def test_a_range_query_gives_a_matrix_with_a_point_a_step(web: Client, world: World) -> None:
    end = world.clock.now_ms() // 1000
    body = web.json("/api/v1/query_range", query="http_requests_total", start=end - 10, end=end, step="5")
    assert body["data"] == {
        "resultType": "matrix",
        "result": [{"metric": REQUESTS, "values": [[end - 10, "220"], [end - 5, "230"], [end, "240"]]}],
    }


@pytest.mark.parametrize("step", ["5s", "5", "5.0", "0.005e3"])
def test_a_step_is_a_duration_or_seconds(web: Client, world: World, step: str) -> None:
    end = world.clock.now_ms() // 1000
    answer = web.request("POST", "/api/v1/query_range", data={"query": "1", "start": end - 5, "end": end, "step": step})
    assert len(answer.json()["data"]["result"][0]["values"]) == 2


def test_a_form_comes_before_the_query_string(web: Client) -> None:
    answer = web.request("POST", "/api/v1/query?query=1", data={"query": "2"})
    assert answer.json()["data"]["result"][1] == "2"


@pytest.mark.parametrize(
    ("path", "params", "says"),
    [
        ("query", {}, 'invalid parameter "query": it is missing'),
        ("query", {"query": "  "}, 'invalid parameter "query": it is missing'),
        ("query", {"query": "sum("}, 'invalid parameter "query": cannot parse'),
        ("query", {"query": "1", "time": "noon"}, 'invalid parameter "time": cannot parse "noon"'),
        ("query_range", {"query": "1", "end": 1, "step": 1}, 'invalid parameter "start": it is missing'),
        ("query_range", {"query": "1", "start": 1, "step": 1}, 'invalid parameter "end": it is missing'),
        ("query_range", {"query": "1", "start": 1, "end": 2}, 'invalid parameter "step": it is missing'),
        ("query_range", {"query": "1", "start": 2, "end": 1, "step": 1}, "end timestamp must not be before start time"),
        ("query_range", {"query": "1", "start": 1, "end": 2, "step": 0}, "zero or negative query resolution"),
        ("query_range", {"query": "1", "start": 1, "end": 2, "step": -5}, "zero or negative query resolution"),
        ("query_range", {"query": "1", "start": 0, "end": 11_000, "step": 1}, "exceeded maximum resolution of 11,000"),
        ("series", {}, "no match[] parameter provided"),
        ("series", {"match[]": "rate(up[5m])"}, "is not a series selector"),
        ("series", {"match[]": "up offset 5m"}, "is not a series selector"),
        ("series", {"match[]": "up{"}, 'invalid parameter "match[]": cannot parse'),
        ("labels", {"start": 5, "end": 1}, "end timestamp must not be before start time"),
        ("labels", {"limit": "many"}, 'invalid parameter "limit"'),
        ("rules", {"type": "banana"}, "not supported value 'banana'"),
    ],
)
def test_bad_parameters_are_400_bad_data(web: Client, path: str, params: dict[str, object], says: str) -> None:
    answer = web.get(f"/api/v1/{path}", **params)
    body = answer.json()
    assert (answer.status_code, body["status"], body["errorType"]) == (BAD, "error", "bad_data")
    assert says in body["error"]


def test_what_fails_at_evaluation_is_422_execution(web: Client) -> None:
    answer = web.get("/api/v1/query", query='http_requests_total * on (nothing) {__name__=~".+"}')
    assert (answer.status_code, answer.json()["errorType"]) == (422, "execution")


def test_a_range_vector_cannot_be_queried_over_a_range(web: Client) -> None:
    answer = web.get("/api/v1/query_range", query="up[5m]", start=1, end=2, step=1)
    assert answer.status_code in (400, 422)


class _Slow:
    def instant(self, expr: str, ts_ms: int) -> QueryResult:
        raise QueryTimeoutError(f"{expr} took too long")


def test_what_runs_out_of_time_is_503_timeout(world: World) -> None:
    world.__dict__["queries"] = _Slow()
    app = Guard(Router([Route("/api/v1/query", PrometheusApi(world).query)]), None)
    answer = Client(app).get("/api/v1/query", query="up")
    assert (answer.status_code, answer.json()["errorType"]) == (503, "timeout")


def test_labels_and_their_values(web: Client) -> None:
    names = web.json("/api/v1/labels")["data"]
    assert {"__name__", "job", "instance", "http_route", "le"} <= set(names)
    assert names == sorted(names)
    assert web.json("/api/v1/label/job/values")["data"] == ["shop"]
    assert "http_requests_total" in web.json("/api/v1/label/__name__/values", limit=40000)["data"]
    assert web.json("/api/v1/label/nothing/values")["data"] == []


def test_labels_of_a_selection(web: Client) -> None:
    names = web.json("/api/v1/labels", **{"match[]": "http_requests_total"})["data"]
    assert names == ["__name__", "http_route", "instance", "job"]
    values = web.json("/api/v1/label/__name__/values", **{"match[]": ['{le="0.5"}', "odd"]})["data"]
    assert values == ["http_latency_seconds_bucket", "odd"]


def test_series_are_listed_once_for_selectors_that_overlap(web: Client) -> None:
    found = web.json("/api/v1/series", **{"match[]": ["http_requests_total", '{http_route="/",le=""}']})["data"]
    assert found.count(REQUESTS) == 1
    assert web.json("/api/v1/series", **{"match[]": '{__name__!=""}'})["data"]


def test_a_list_that_was_cut_says_so(web: Client) -> None:
    body = web.json("/api/v1/labels", limit=1)
    assert body["data"] == ["__name__"]
    assert body["warnings"] == ["results truncated due to limit"]


def test_metadata(web: Client) -> None:
    everything = web.json("/api/v1/metadata")["data"]
    (latency,) = everything["http_latency_seconds"]
    assert latency == {"type": "histogram", "unit": "s", "help": "Latency"}
    assert list(web.json("/api/v1/metadata", metric="http_latency_seconds")["data"]) == ["http_latency_seconds"]
    assert len(web.json("/api/v1/metadata", limit=1)["data"]) == 1


def test_exemplars_lead_from_a_query_to_a_trace(web: Client, world: World) -> None:
    end = world.clock.now_ms() / 1000
    query = "histogram_quantile(0.9, sum by (le) (rate(http_latency_seconds_bucket[1m])))"
    (series,) = web.json("/api/v1/query_exemplars", query=query, start=end - 60, end=end)["data"]
    assert series["seriesLabels"]["__name__"] == "http_latency_seconds_bucket"
    exemplar = series["exemplars"][-1]
    assert exemplar["labels"]["trace_id"] == format(TRACE_ID, "032x")
    assert exemplar["value"] == "0.3"
    assert exemplar["timestamp"] == end


def test_rule_groups_have_prometheus_shape(web: Client) -> None:
    (group,) = web.json("/api/v1/rules")["data"]["groups"]
    assert (group["name"], group["file"], group["interval"]) == ("shop", "rules.yml", 5)
    record, alerting = group["rules"]
    assert (record["type"], record["name"], record["health"]) == ("recording", "job:http_requests:rate1m", "ok")
    assert (alerting["type"], alerting["state"], alerting["duration"]) == ("alerting", "firing", 60)
    (alert,) = alerting["alerts"]
    assert alert["state"] == "firing"
    assert alert["labels"] == {"alertname": "TooManyRequests", "severity": "page"}
    assert float(alert["value"]) == pytest.approx(2)
    assert "e+" in alert["value"]


def test_rules_can_be_chosen(web: Client) -> None:
    def names(**params: str) -> list[str]:
        groups = web.json("/api/v1/rules", **params)["data"]["groups"]
        return [rule["name"] for group in groups for rule in group["rules"]]

    assert names(type="record") == ["job:http_requests:rate1m"]
    assert names(**{"rule_name[]": "TooManyRequests"}) == ["TooManyRequests"]
    assert names(**{"rule_group[]": "other"}) == []
    assert names(**{"file[]": "rules.yml", "type": "alert"}) == ["TooManyRequests"]
    assert (
        web.json("/api/v1/rules", type="alert", exclude_alerts="true")["data"]["groups"][0]["rules"][0]["alerts"] == []
    )


def test_alerts_of_every_source_are_listed_while_they_last(web: Client, world: World) -> None:
    world.fire("FromCode", labels={"team": "a"})
    alerts = {alert["labels"]["alertname"]: alert for alert in web.json("/api/v1/alerts")["data"]["alerts"]}
    assert alerts.keys() == {"FromCode", "TooManyRequests"}
    assert alerts["FromCode"]["value"] == "+Inf"


def test_build_info_has_no_features(web: Client) -> None:
    data = web.json("/api/v1/status/buildinfo")["data"]
    assert data["features"] == {}
    assert data["version"]


def test_a_form_that_is_too_large_is_refused(web: Client) -> None:
    answer = web.request("POST", "/api/v1/query", data={"query": "x" * (1 << 20)})
    assert answer.status_code == 413


def test_too_many_parameters_are_refused(web: Client) -> None:
    answer = web.request(
        "POST", "/api/v1/query", content="a=1&" * 2000, headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert (answer.status_code, answer.json()["errorType"]) == (BAD, "bad_data")
