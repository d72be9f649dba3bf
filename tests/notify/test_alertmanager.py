"""The Alertmanager API v2 as a receiver over HTTP sees it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from otel_ext.alerting import AlertMachine
from otel_ext.model.alerts import ActiveAlert, Alert, AlertRule, AlertSource
from otel_ext.model.labels import Labels
from otel_ext.notify import AlertmanagerNotifier

T0 = 1_700_000_000_000


class Receiver:
    """An HTTP server on loopback that records requests and answers with ``status``."""

    def __init__(self) -> None:
        self.status, self.headers, self.body = 200, dict[str, str](), b""
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((self.path, dict(self.headers), json.loads(content)))
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def notifier(receiver: Receiver) -> Iterator[AlertmanagerNotifier]:
    made = AlertmanagerNotifier([receiver.url], external_labels={"instance": "pod-1", "job": "shop"})
    yield made
    made.close()


def alert(*, resolved: bool = False, interval_ms: int = 0, **evidence: object) -> Alert:
    machine = AlertMachine()
    rule = AlertRule(key="r", name="Down", source=AlertSource.RULE, for_ms=1000, interval_ms=interval_ms)
    active = ActiveAlert(labels=Labels(job="own"), value=1.5, annotations={"summary": "it is"}, evidence=evidence)
    machine.observe(rule, [active], T0)
    machine.observe(rule, [active], T0 + 1500)
    if resolved:
        machine.observe(rule, [], T0 + 2000)
    return machine.alerts()[0]


def test_a_firing_alert_has_the_shape_of_the_v2_api(receiver: Receiver, notifier: AlertmanagerNotifier) -> None:
    assert notifier.send([alert(expr="up == 0")], T0 + 2000).ok
    ((path, headers, body),) = receiver.requests
    assert path == "/api/v2/alerts"
    assert headers["Content-Type"] == "application/json"
    assert body == [
        {
            "labels": {"alertname": "Down", "job": "own", "instance": "pod-1"},
            "annotations": {"summary": "it is"},
            "startsAt": "2023-11-14T22:13:21.500Z",
            "endsAt": "2023-11-14T22:17:22.000Z",
            "generatorURL": "http://localhost/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
        }
    ]


def test_a_resolved_alert_ends_when_it_was_resolved(receiver: Receiver, notifier: AlertmanagerNotifier) -> None:
    notifier.send([alert(resolved=True)], T0 + 60_000)
    sent = receiver.requests[0][2][0]
    assert (sent["startsAt"], sent["endsAt"]) == ("2023-11-14T22:13:21.500Z", "2023-11-14T22:13:22.000Z")
    assert sent["generatorURL"] == "http://localhost/alerts"


def test_a_slow_rule_is_tolerated_longer_silences(notifier: AlertmanagerNotifier) -> None:
    assert notifier.payload(alert(interval_ms=300_000), T0)["endsAt"] == "2023-11-14T22:33:20.000Z"


@pytest.mark.parametrize(
    ("status", "recoverable"), [(400, False), (401, False), (404, False), (422, False), (429, True), (500, True)]
)
def test_the_status_decides_whether_to_try_again(
    receiver: Receiver, notifier: AlertmanagerNotifier, status: int, recoverable: bool
) -> None:
    receiver.status, receiver.body, receiver.headers = status, b"no\n thanks", {"Retry-After": "7"}
    delivery = notifier.send([alert()], T0)
    assert (delivery.ok, delivery.recoverable, delivery.retry_after_seconds) == (False, recoverable, 7.0)
    assert delivery.error == f"{receiver.url}/api/v2/alerts: HTTP {status}: no thanks"


def test_one_of_several_alertmanagers_is_enough(receiver: Receiver) -> None:
    notifier = AlertmanagerNotifier(["http://127.0.0.1:9", receiver.url + "/prefix/"])
    assert notifier.send([alert()], T0).ok
    assert receiver.requests[0][0] == "/prefix/api/v2/alerts"
    notifier.close()


def test_a_dead_receiver_is_worth_another_try_and_its_password_stays_secret() -> None:
    notifier = AlertmanagerNotifier(["http://user:hunter2@127.0.0.1:9/?token=abcdef"], timeout_seconds=0.5)
    delivery = notifier.send([alert()], T0)
    assert delivery.recoverable
    for text in (delivery.error, repr(notifier)):
        assert "hunter2" not in text
        assert "abcdef" not in text
        assert "127.0.0.1:9" in text
    notifier.close()


def test_credentials_of_the_url_are_sent_as_basic_auth(receiver: Receiver) -> None:
    notifier = AlertmanagerNotifier([receiver.url.replace("http://", "http://user:hunter2@")])
    assert notifier.send([alert()], T0).ok
    assert receiver.requests[0][1]["Authorization"].startswith("Basic ")
    notifier.close()


@pytest.mark.parametrize("url", ["am:9093", "ftp://am", "http://", "http://am:no", ""])
def test_an_address_that_is_none_is_refused_where_it_is_given(url: str) -> None:
    with pytest.raises(ValueError, match=r"absolute http or https URL, for example"):
        AlertmanagerNotifier([url])
    with pytest.raises(ValueError, match="generator_url"):
        AlertmanagerNotifier(["http://am"], generator_url=url)


def test_no_address_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one URL"):
        AlertmanagerNotifier([])
