"""`/v1/observability`: what the process concluded and keeps."""

from __future__ import annotations

import pytest

from otel_ext.config import AlertmanagerSettings, Settings
from tests.web.world import TRACE_ID, Client, World, client

API = "/v1/observability"


def test_slos_are_counted_and_named(web: Client, world: World) -> None:
    world.step(good=9, bad=1)
    first, second = web.json(f"{API}/slos")["slos"]
    assert (first["name"], first["good"], first["bad"], first["total"]) == ("requests", 249, 1, 250)
    assert first["objective"] == 0.999
    assert first["error_budget"] == pytest.approx(0.001)
    assert first["budget_remaining"] == pytest.approx(-3)
    assert {"window_seconds", "burn_rate", "bad", "total", "coverage"} == set(first["burn_rates"][0])
    assert (second["latency_ms"], second["window_days"]) == (300, 30)


@pytest.mark.parametrize("path", ["a/b c", "a%2Fb%20c"])
def test_one_slo_by_any_name(web: Client, path: str) -> None:
    assert web.json(f"{API}/slos/{path}")["name"] == "a/b c"


def test_an_unknown_slo_is_404_and_lists_the_names(web: Client) -> None:
    answer = web.get(f"{API}/slos/nothing")
    assert answer.status_code == 404
    assert answer.json()["errorType"] == "not_found"
    assert "requests" in answer.json()["error"]


def test_alerts_of_all_sources_with_their_evidence(web: Client, world: World) -> None:
    world.fire("FromCode", labels={"team": "a"})
    world.fire("Later", for_ms=60_000)
    alerts = {alert["name"]: alert for alert in web.json(f"{API}/alerts")["alerts"]}
    assert alerts.keys() == {"FromCode", "Later", "TooManyRequests"}
    code = alerts["FromCode"]
    assert (code["state"], code["source"], code["value"], code["evidence"]) == ("firing", "code", None, {"ratio": None})
    assert code["labels"] == {"alertname": "FromCode", "team": "a"}
    assert code["fired_at"].endswith("Z")
    assert [alert["name"] for alert in web.json(f"{API}/alerts", state="pending")["alerts"]] == ["Later"]
    assert len(web.json(f"{API}/alerts", state=["pending", "firing"])["alerts"]) == 3


def test_an_unknown_state_is_refused_with_the_allowed_ones(web: Client) -> None:
    answer = web.get(f"{API}/alerts", state="on fire")
    assert answer.status_code == 400
    assert "allowed are pending, firing, resolved" in answer.json()["error"]


def test_anomalies_are_open_or_ended(web: Client) -> None:
    assert web.json(f"{API}/anomalies") == {"open": [], "ended": []}


def test_traces_are_found_by_what_they_did(web: Client, world: World) -> None:
    world.span(name="GET /", **{"http.route": "/"})
    world.span(trace_id=2, name="POST /checkout", failed=True, **{"http.response.status_code": 503})

    def found(**params: object) -> list[str]:
        return [trace["root_operation"] for trace in web.json(f"{API}/traces", **params)["traces"]]

    assert sorted(found()) == ["GET /", "POST /checkout"]
    assert found(status="error") == ["POST /checkout"]
    assert found(status="ok") == ["GET /"]
    assert found(operation="GET /") == ["GET /"]
    assert found(service="other") == []
    assert found(attribute="http.response.status_code=503") == ["POST /checkout"]
    assert found(attribute=["http.response.status_code=503", "http.route=/"]) == []
    assert found(min_duration="200ms") == []
    assert len(found(max_duration="0.2")) == 2
    assert len(found(limit=1)) == 1
    assert found(start=world.clock.now_ms() / 1000 + 1) == []
    assert web.json(f"{API}/traces")["kept"]["traces"] == 2


@pytest.mark.parametrize(
    ("route", "params", "says"),
    [
        ("traces", {"status": "bad"}, "allowed are error and ok"),
        ("traces", {"attribute": "x"}, "is not name=value"),
        ("traces", {"min_duration": "fast"}, 'invalid parameter "min_duration"'),
        ("traces", {"limit": "-1"}, 'invalid parameter "limit"'),
        ("logs", {"severity": "loud"}, "allowed are trace, debug, info"),
        ("logs", {"severity": "25"}, "numbers 1 to 24"),
        ("logs", {"start": "noon"}, 'invalid parameter "start"'),
    ],
)
def test_bad_parameters_are_named(web: Client, route: str, params: dict[str, str], says: str) -> None:
    answer = web.get(f"{API}/{route}", **params)
    assert answer.status_code == 400
    assert says in answer.json()["error"]


def test_a_trace_has_its_spans(web: Client, world: World) -> None:
    world.span(failed=True, ratio=float("nan"), big=2**63)
    body = web.json(f"{API}/traces/{TRACE_ID:032x}")
    (span,) = body["spans"]
    assert body["trace_id"] == format(TRACE_ID, "032x")
    assert (span["kind"], span["status"], span["status_message"]) == ("server", "error", "boom")
    assert span["duration_ms"] == 120
    assert span["attributes"] == {"ratio": None, "big": 2**63}
    assert int(span["end_unix_nano"]) == world.clock.now_ms() * 1_000_000


@pytest.mark.parametrize("trace_id", ["1", "zz", "%3Cscript%3E"])
def test_an_unknown_trace_is_404(web: Client, trace_id: str) -> None:
    answer = web.get(f"{API}/traces/{trace_id}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"


def test_logs_are_searched_newest_first(web: Client, world: World) -> None:
    world.log("order placed")
    world.clock.advance(1)
    world.log("payment failed", severity=17, logger="app.payment", trace_id=TRACE_ID)

    def bodies(**params: object) -> list[str]:
        return [entry["body"] for entry in web.json(f"{API}/logs", **params)["logs"]]

    assert bodies() == ["payment failed", "order placed"]
    assert bodies(query="PLACED") == ["order placed"]
    assert bodies(severity="warn") == ["payment failed"]
    assert bodies(severity="17") == ["payment failed"]
    assert bodies(logger="app.payment") == ["payment failed"]
    assert bodies(trace_id=format(TRACE_ID, "032x")) == ["payment failed"]
    assert bodies(limit=1) == ["payment failed"]
    entry = web.json(f"{API}/logs")["logs"][0]
    assert (entry["trace_id"], entry["span_id"]) == (format(TRACE_ID, "032x"), None)
    assert entry["attributes"] == {"n": None}


def test_health_shows_both_probes(web: Client, world: World) -> None:
    world.health.mark_started()
    world.health.register("database", lambda: False)
    body = web.json(f"{API}/health")
    assert body["liveness"]["status"] == "pass"
    assert body["readiness"]["status"] == "fail"
    assert body["readiness"]["output"].startswith("database:")


def test_status_tells_facts_counters_and_where_each_setting_came_from(web: Client, world: World) -> None:
    world.said = ("state is kept in memory only",)
    body = web.json(f"{API}/status")
    assert body["facts"] == ["state is kept in memory only"]
    assert body["stats"]["spans"] == 12
    assert body["uptime_seconds"] == 120
    settings = {setting["name"]: setting for setting in body["settings"]}
    assert settings["http.port"] == {
        "name": "http.port",
        "value": "4319",
        "origin": "environment variable OTEL_EXT_HTTP_PORT",
    }
    assert settings["queue_size"]["origin"] == "unknown"
    assert settings["slos"]["value"] == "['requests 99.9 %', 'a/b c 95 %']"


def test_credentials_in_settings_are_masked() -> None:
    settings = Settings(alertmanager=AlertmanagerSettings(urls=("https://user:geheim@alerts.example/api",)))
    text = client(World(settings)).get(f"{API}/status").text
    assert "geheim" not in text
    assert "alerts.example" in text
