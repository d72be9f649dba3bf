"""One incident, seen by the process itself and by a real Alertmanager: fires in time, is told, resolves in both.

Four checkouts fail. An SLO's burn-rate alert and two alert rules (one with ``for``) must fire; then good requests
dilute the errors and everything must resolve.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from tests.support.load import Call, LoadGenerator
from tests.support.otlp_sink import OtlpSink, Received, Signal
from tests.support.processes import ProcessFactory, wait_until
from tests.support.servers import Alertmanager
from tests.support.shop import Shop, break_shop, checkouts

pytestmark = pytest.mark.real

TICK_SECONDS = 1.0
SLACK_SECONDS = 0.75  # a machine that is busy with other tests
FOR_SECONDS = 3.0
# The window is wide enough that the errors are still in it when `for` is over.
EXPRESSION = (
    'sum(rate(http_server_duration_milliseconds_count{http_target="/checkout",http_status_code=~"5.."}[10s]))'
    ' / sum(rate(http_server_duration_milliseconds_count{http_target="/checkout"}[10s])) > 0.05'
)
RULES = f"""\
groups:
  - name: checkout
    interval: 1s
    rules:
      - alert: CheckoutErrors
        expr: {EXPRESSION}
        labels: {{severity: page}}
        annotations: {{summary: '{{{{ $value | humanizePercentage }}}} of checkouts fail'}}
      - alert: CheckoutErrorsForAWhile
        expr: {EXPRESSION}
        for: {FOR_SECONDS:g}s
        labels: {{severity: ticket}}
"""
# Of 10,000 requests at most one may fail: three errors in four requests page once the process has run for 7 seconds.
SETTINGS = """\
slos:
  - {{name: money, objective: "99.99", match: {{http.route: "/c*"}}, labels: {{team: payments}}}}
rules: [{rules}]
alertmanager: {alertmanager}
external_labels: {{cluster: test}}
collect_interval: 1s
"""
GOOD_CALL = Call(method="GET", route="/carts/{cart_id}", path="/carts/1")


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@dataclass
class Incident:
    """What was seen while it lasted, by alert name."""

    shop: Shop
    load: LoadGenerator
    log_sink: OtlpSink
    third_error_at: float = 0.0
    local: dict[str, dict[str, Any]] = field(default_factory=dict)
    alertmanager: dict[str, dict[str, Any]] = field(default_factory=dict)
    resolved: dict[str, dict[str, Any]] = field(default_factory=dict)
    first_true_at: float = 0.0

    def detail(self, name: str, state: str) -> dict[str, Any] | None:
        """The alert in the process's own API."""
        found = self.shop.local.get("/v1/observability/alerts", state=state)["alerts"]
        return next((alert for alert in found if _name(alert) == name), None)

    def uptime(self) -> float:
        """Seconds since the process began to measure."""
        return float(self.shop.local.get("/v1/observability/status")["uptime_seconds"])

    def fail_checkouts(self) -> None:
        """The incident itself: one checkout that succeeds, then four errors in a row, the first of their series."""
        slowly = self.shop.load(threads=1)
        slowly.run(checkouts(1))
        wait_until(lambda: self.uptime() > 9, "the process to have run for 9 seconds")
        sent = slowly.run([break_shop(error_ratio=1.0), *checkouts(4), break_shop()])
        errors = [one for one in sent if one.status == 503]
        assert len(errors) == 4
        self.third_error_at = errors[2].ended_at

    def see_firing(self, name: str) -> None:
        """Wait for it locally, by its own API."""
        self.local[name] = wait_until(lambda: self.detail(name, "firing"), f"{name} to fire")

    def find_first_true(self) -> None:
        """The first instant at which the expression holds, asked of the process itself, to a quarter of a second."""
        fired_at = _unix(self.local["CheckoutErrors"]["active_at"])
        instants = [fired_at - 0.25 * step for step in range(24)]
        true = itertools.takewhile(lambda at: self.shop.local.instant(EXPRESSION, at), instants)
        self.first_true_at = min(true)

    def dilute(self) -> None:
        """Good requests until the budget burns slowly again."""
        for _ in range(20):
            self.load.run([GOOD_CALL] * 500)
            if self.detail(SLO_ALERT, "firing") is None:
                break


SLO_ALERT = "SloBurnRate"
NAMES = [SLO_ALERT, "CheckoutErrors", "CheckoutErrorsForAWhile"]


def _name(alert: dict[str, Any]) -> str:
    """Only the page of the SLO: its ticket needs hours."""
    if alert["labels"]["alertname"] == SLO_ALERT and alert["labels"].get("severity") != "page":
        return ""
    return str(alert["labels"]["alertname"])


def _told(alertmanager: Alertmanager, name: str) -> dict[str, Any] | None:
    return next((alert for alert in alertmanager.alerts(cluster="test") if _name(alert) == name), None)


@pytest.fixture(scope="module")
def incident(
    session_processes: ProcessFactory, alertmanager: Alertmanager, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Incident]:
    rules = tmp_path_factory.mktemp("rules") / "rules.yml"
    rules.write_text(RULES)
    with OtlpSink() as log_sink:
        env = {
            "OTEL_LOGS_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": f"{log_sink.http_endpoint}/v1/logs",
            "OTEL_BLRP_SCHEDULE_DELAY": "200",
        }
        settings = SETTINGS.format(rules=rules, alertmanager=alertmanager.url)
        shop = Shop(processes=session_processes, settings=settings, env=env).start()
        found = Incident(shop, shop.load(), log_sink)
        found.fail_checkouts()
        for name in NAMES:
            found.see_firing(name)
            found.alertmanager[name] = wait_until(lambda: _told(alertmanager, name), f"{name} in Alertmanager")  # noqa: B023
        found.find_first_true()
        found.dilute()
        for name in NAMES:
            found.resolved[name] = wait_until(lambda: found.detail(name, "resolved"), f"{name} to resolve", seconds=60)  # noqa: B023
            wait_until(lambda: _told(alertmanager, name) is None, f"{name} to resolve in Alertmanager")  # noqa: B023
        yield found
        shop.process.kill()


def test_the_slo_alert_fires_within_a_tick_of_the_error_that_makes_it_true(incident: Incident) -> None:
    delay = _unix(incident.local[SLO_ALERT]["fired_at"]) - incident.third_error_at
    assert -0.05 < delay < TICK_SECONDS + SLACK_SECONDS


def test_the_rule_fires_within_a_tick_of_its_expression_becoming_true(incident: Incident) -> None:
    delay = _unix(incident.local["CheckoutErrors"]["fired_at"]) - incident.first_true_at
    assert 0 <= delay < TICK_SECONDS + SLACK_SECONDS


def test_the_rule_sees_the_first_errors_of_a_series_with_the_next_collection(incident: Incident) -> None:
    assert -0.5 < incident.first_true_at - incident.third_error_at < 1.0 + SLACK_SECONDS


def test_a_rule_with_for_is_pending_for_that_long(incident: Incident) -> None:
    alert = incident.local["CheckoutErrorsForAWhile"]
    pending = _unix(alert["fired_at"]) - _unix(alert["active_at"])
    assert FOR_SECONDS <= pending < FOR_SECONDS + TICK_SECONDS + SLACK_SECONDS


@pytest.mark.parametrize("name", NAMES)
def test_alertmanager_hears_what_the_process_says(incident: Incident, name: str) -> None:
    local, told = incident.local[name], incident.alertmanager[name]
    assert local["labels"].items() <= told["labels"].items()
    assert set(told["labels"]) - set(local["labels"]) <= {"cluster", "job", "instance"}
    assert told["labels"]["job"] == "shop"
    assert told["annotations"].keys() == local["annotations"].keys()  # a value in them may be a tick newer
    assert told["status"]["state"] == "active"
    assert abs(_unix(told["startsAt"]) - _unix(local["fired_at"])) < 0.01


def test_templates_are_filled_in(incident: Incident) -> None:
    summary = incident.alertmanager["CheckoutErrors"]["annotations"]["summary"]
    assert summary.endswith("% of checkouts fail")


@pytest.mark.parametrize("name", NAMES)
def test_alerts_resolve_locally_and_in_alertmanager(incident: Incident, name: str) -> None:
    resolved = incident.resolved[name]
    assert resolved["fired_at"] == incident.local[name]["fired_at"]
    assert _unix(resolved["resolved_at"]) > _unix(resolved["fired_at"])
    assert incident.shop.local.firing(alertname=name, severity=resolved["labels"]["severity"]) == []


def test_the_slo_alert_carries_traces_of_failed_requests(incident: Incident) -> None:
    trace_ids = incident.local[SLO_ALERT]["evidence"]["trace_ids"]
    trace = incident.shop.local.get(f"/v1/observability/traces/{trace_ids[0]}")
    assert any(span["attributes"].get("http.status_code") == 503 for span in trace["spans"])


def test_transitions_leave_as_log_events_with_trace_context(incident: Incident) -> None:
    def is_firing_page(one: Received) -> bool:
        return (
            one.record.event_name == "otel_ext.alert.state_change"
            and one.attributes["otel_ext.alert.rule.name"] == SLO_ALERT
            and one.attributes["otel_ext.alert.state"] == "firing"
            and one.attributes["otel_ext.alert.label.severity"] == "page"
        )

    event = incident.log_sink.wait_for(Signal.LOGS, is_firing_page)[0]
    assert event.record.trace_id.hex() in incident.local[SLO_ALERT]["evidence"]["trace_ids"]
    assert abs(event.record.time_unix_nano / 1e9 - _unix(incident.local[SLO_ALERT]["fired_at"])) < 0.01
    states = [
        (one.attributes["otel_ext.alert.previous_state"], one.attributes["otel_ext.alert.state"])
        for one in incident.log_sink.logs()
        if one.attributes.get("otel_ext.alert.rule.name") == "CheckoutErrorsForAWhile"
    ]
    assert states == [("inactive", "pending"), ("pending", "firing"), ("firing", "resolved")]
