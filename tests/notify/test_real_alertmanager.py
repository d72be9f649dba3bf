"""A real Alertmanager takes our alerts, tells its receiver once when one fires and once when it resolves."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from otel_ext.alerting import AlertMachine
from otel_ext.clock import SystemClock
from otel_ext.model.alerts import ActiveAlert, AlertRule, AlertSource
from otel_ext.model.labels import Labels
from otel_ext.notify import AlertmanagerNotifier, NotifyQueue
from tests.support.processes import ProcessFactory, wait_until
from tests.support.servers import Alertmanager

pytestmark = pytest.mark.real

MINUTE = 60_000
RULE = AlertRule(key="rule/down", name="Down", source=AlertSource.RULE)
CLOCK = SystemClock()


class Webhook:
    """Alertmanager's receiver: what it was told, in order, as (alertname, instance, status)."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for alert in message["alerts"]:
                    labels = alert["labels"]
                    outer.told.append((labels["alertname"], labels.get("instance", ""), alert["status"]))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    made = Webhook()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def alertmanager(processes: ProcessFactory, webhook: Webhook) -> Alertmanager:
    server = Alertmanager(processes=processes)
    server.start()
    (server.folder / "alertmanager.yml").write_text(
        "route: {receiver: hook, group_by: [alertname, instance], group_wait: 0s, group_interval: 1s}\n"
        f"receivers: [{{name: hook, webhook_configs: [{{url: '{webhook.url}'}}]}}]\n"
    )
    httpx.post(f"{server.url}/-/reload", trust_env=False).raise_for_status()
    return server


class Process:
    """One of our processes as an Alertmanager sees it: a machine, a queue, and an instance of its own."""

    def __init__(self, alertmanager: Alertmanager, instance: str) -> None:
        self.machine = AlertMachine()
        labels = {"instance": instance, "job": "shop"}
        self.notifier = AlertmanagerNotifier([alertmanager.url], external_labels=labels)
        self.queue = NotifyQueue(self.notifier)

    def tell(self, *names: str, ahead_ms: int = 0, rule: AlertRule = RULE) -> None:
        """Observe and send, ``ahead_ms`` from now: enough for a repetition to be due."""
        now = CLOCK.now_ms()
        active = [ActiveAlert(labels=Labels(route=name), value=1, annotations={"summary": "é"}) for name in names]
        self.machine.observe(rule, active, now)
        self.queue.offer(self.machine.alerts(), now + ahead_ms)
        assert self.queue.run_once(now) is None
        stats = self.queue.stats()
        assert (stats.failed, stats.retries, stats.last_error) == (0, 0, "")


def test_an_alert_arrives_is_told_once_and_resolves_without_flapping(
    alertmanager: Alertmanager, webhook: Webhook
) -> None:
    process = Process(alertmanager, "pod-1")
    process.tell("/pay")
    (seen,) = wait_until(lambda: alertmanager.alerts(alertname="Down"), "the alert in Alertmanager")
    assert seen["labels"] == {"alertname": "Down", "instance": "pod-1", "job": "shop", "route": "/pay"}
    assert seen["annotations"] == {"summary": "é"}
    assert seen["generatorURL"] == "http://localhost/alerts"
    wait_until(lambda: webhook.told, "the notification that it fires")
    for minute in range(1, 6):
        process.tell("/pay", ahead_ms=minute * MINUTE)
    assert process.queue.stats().sent == 6

    process.tell(ahead_ms=6 * MINUTE)
    wait_until(lambda: ("Down", "pod-1", "resolved") in webhook.told, "the notification that it resolved")
    assert alertmanager.alerts(alertname="Down") == []
    for minute in range(7, 12):
        process.tell(ahead_ms=minute * MINUTE)
    marker = AlertRule(key="rule/marker", name="Marker", source=AlertSource.RULE)
    process.tell("/x", rule=marker)
    wait_until(lambda: ("Marker", "pod-1", "firing") in webhook.told, "a later notification")
    assert [item for item in webhook.told if item[0] == "Down"] == [
        ("Down", "pod-1", "firing"),
        ("Down", "pod-1", "resolved"),
    ]
    process.notifier.close()


def test_two_processes_with_the_same_rules_do_not_end_each_others_alerts(
    alertmanager: Alertmanager, webhook: Webhook
) -> None:
    one, two = Process(alertmanager, "pod-1"), Process(alertmanager, "pod-2")
    one.tell("/pay")
    two.tell("/pay")
    wait_until(lambda: len(alertmanager.alerts(alertname="Down")) == 2, "both alerts in Alertmanager")
    two.tell()
    wait_until(lambda: ("Down", "pod-2", "resolved") in webhook.told, "the second to resolve")
    one.tell("/pay", ahead_ms=MINUTE)
    two.tell(ahead_ms=MINUTE)
    (left,) = alertmanager.alerts(alertname="Down")
    assert left["labels"]["instance"] == "pod-1"
    assert ("Down", "pod-1", "resolved") not in webhook.told
    for process in (one, two):
        process.notifier.close()


def test_amtool_lists_and_silences_what_we_sent(alertmanager: Alertmanager) -> None:
    amtool = shutil.which("amtool")
    if amtool is None:
        pytest.skip("amtool is not installed")

    def ask(*arguments: str) -> str:
        command = [amtool, f"--alertmanager.url={alertmanager.url}", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout

    process = Process(alertmanager, "pod-1")
    process.tell("/pay", "/cart")
    wait_until(lambda: len(alertmanager.alerts(alertname="Down")) == 2, "both alerts")
    listed: list[dict[str, Any]] = json.loads(ask("alert", "query", "route=/pay", "-o", "json"))
    assert [alert["labels"]["route"] for alert in listed] == ["/pay"]
    ask("silence", "add", "route=/pay", "--comment=known", "--author=me", "--duration=1h")
    wait_until(lambda: "/pay" not in ask("alert", "query", "alertname=Down"), "the silence to hold")
    assert "/cart" in ask("alert", "query", "alertname=Down", "-o", "extended")
    process.notifier.close()


def test_an_alertmanager_that_is_away_gets_everything_when_it_is_back(alertmanager: Alertmanager) -> None:
    process, now = Process(alertmanager, "pod-1"), CLOCK.now_ms()
    alertmanager.kill()
    process.machine.observe(RULE, [ActiveAlert(labels=Labels(route="/pay"), value=1)], now)
    process.queue.offer(process.machine.alerts(), now)
    again = process.queue.run_once(now)
    assert again is not None
    assert process.queue.stats().pending == 1
    alertmanager.start()
    assert process.queue.run_once(again) is None
    assert process.queue.stats().sent == 1
    wait_until(lambda: alertmanager.alerts(alertname="Down"), "the alert after the restart")
    process.notifier.close()
