"""What is due, what is retried, what is dropped."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from otel_ext.alerting import AlertMachine
from otel_ext.model.alerts import ActiveAlert, Alert, AlertRule, AlertSource
from otel_ext.model.labels import Labels
from otel_ext.notify import Delivery, NotifyQueue

T0 = 1_700_000_000_000
MINUTE = 60_000
RULE = AlertRule(key="r", name="Down", source=AlertSource.RULE)


class Receiver:
    """A notifier of the test: remembers what it was sent, answers as told."""

    def __init__(self, *answers: Delivery) -> None:
        self.answers = list(answers)
        self.batches: list[list[tuple[str, str]]] = []
        self.timeouts: list[float | None] = []

    def send(self, alerts: Sequence[Alert], now_ms: int, *, timeout_seconds: float | None = None) -> Delivery:
        self.batches.append([(alert.labels["instance"], alert.state.value) for alert in alerts])
        self.timeouts.append(timeout_seconds)
        return self.answers.pop(0) if self.answers else Delivery()


LATER = Delivery(error="HTTP 503", recoverable=True)
NEVER = Delivery(error="HTTP 422", recoverable=False)


def observe(machine: AlertMachine, ts_ms: int, *instances: str) -> Sequence[Alert]:
    machine.observe(RULE, [ActiveAlert(labels=Labels(instance=name), value=1) for name in instances], ts_ms)
    return machine.alerts()


def queue(receiver: Receiver, **settings: int) -> NotifyQueue:
    return NotifyQueue(receiver, rng=random.Random(7), **settings)


def test_a_firing_alert_is_sent_at_once_and_again_each_minute() -> None:
    receiver, machine = Receiver(), AlertMachine()
    notify = queue(receiver)
    for second in range(121):
        notify.offer(observe(machine, T0 + second * 1000, "a"), T0 + second * 1000)
        notify.run_once(T0 + second * 1000)
    assert receiver.batches == [[("a", "firing")]] * 3
    assert notify.stats().sent == 3


def test_a_resolved_alert_is_sent_at_once_and_for_fifteen_minutes() -> None:
    receiver, machine = Receiver(), AlertMachine()
    notify = queue(receiver)
    notify.offer(observe(machine, T0, "a"), T0)
    notify.run_once(T0)
    for second in range(10, 1200, 10):
        notify.offer(observe(machine, T0 + second * 1000), T0 + second * 1000)
        notify.run_once(T0 + second * 1000)
    assert receiver.batches == [[("a", "firing")]] + [[("a", "resolved")]] * 16


def test_an_alert_that_fires_anew_is_sent_at_once() -> None:
    receiver, machine = Receiver(), AlertMachine()
    notify = queue(receiver)
    for offset, present in enumerate((True, False, True)):
        notify.offer(observe(machine, T0 + offset, *(["a"] if present else [])), T0 + offset)
        notify.run_once(T0 + offset)
    assert receiver.batches == [[("a", "firing")], [("a", "resolved")], [("a", "firing")]]


def test_pending_alerts_are_nobodys_business() -> None:
    receiver, machine = Receiver(), AlertMachine()
    rule = AlertRule(key="p", name="Slow", source=AlertSource.RULE, for_ms=MINUTE)
    machine.observe(rule, [ActiveAlert(labels=Labels(instance="a"), value=1)], T0)
    notify = queue(receiver)
    assert notify.offer(machine.alerts(), T0) == 0
    assert notify.run_once(T0) is None
    assert receiver.batches == []


def test_a_recoverable_failure_is_retried_with_growing_waits_and_the_newest_state() -> None:
    receiver, machine = Receiver(LATER, LATER, LATER), AlertMachine()
    notify = queue(receiver)
    notify.offer(observe(machine, T0, "a"), T0)
    waits, now = [], T0
    for _ in range(3):
        again = notify.run_once(now)
        assert again is not None
        assert notify.run_once(again - 1) == again
        waits.append(again - now)
        now = again
    assert 500 <= waits[0] <= 1000 <= waits[1] <= 2000 <= waits[2] <= 4000
    notify.offer(observe(machine, now), now)
    assert notify.run_once(now) is None
    assert receiver.batches == [[("a", "firing")]] * 3 + [[("a", "resolved")]]
    stats = notify.stats()
    assert (stats.sent, stats.retries, stats.pending, stats.last_error) == (1, 3, 0, "HTTP 503")


def test_the_receiver_may_say_when_to_come_back() -> None:
    receiver, machine = Receiver(Delivery(error="HTTP 429", recoverable=True, retry_after_seconds=30)), AlertMachine()
    notify = queue(receiver)
    notify.offer(observe(machine, T0, "a"), T0)
    assert notify.run_once(T0) == T0 + 30_000


def test_what_is_refused_for_good_is_counted_and_does_not_hold_up_the_rest() -> None:
    receiver, machine = Receiver(NEVER), AlertMachine()
    notify = queue(receiver, batch_size=1)
    notify.offer(observe(machine, T0, "a", "b"), T0)
    assert notify.run_once(T0) is None
    stats = notify.stats()
    assert (stats.sent, stats.failed, stats.last_error) == (1, 1, "HTTP 422")


def test_a_full_queue_drops_the_oldest_and_says_how_many() -> None:
    receiver, machine = Receiver(LATER), AlertMachine()
    notify = queue(receiver, capacity=3)
    notify.offer(observe(machine, T0, "a", "b", "c", "d", "e"), T0)
    assert notify.stats().dropped == 2
    notify.run_once(T0)
    notify.offer(observe(machine, T0 + 1, "a", "b", "c", "d", "e", "f"), T0 + 1)
    assert (notify.stats().dropped, notify.stats().pending) == (3, 3)
    notify.run_once(T0 + MINUTE)
    assert receiver.batches[-1] == [("d", "firing"), ("e", "firing"), ("f", "firing")]


def test_batches_hold_at_most_their_size() -> None:
    receiver, machine = Receiver(), AlertMachine()
    notify = queue(receiver)
    notify.offer(observe(machine, T0, *(f"i{number:04}" for number in range(600))), T0)
    notify.run_once(T0)
    assert [len(batch) for batch in receiver.batches] == [256, 256, 88]


def test_a_notifier_that_raises_is_counted_not_fatal() -> None:
    class Broken:
        def send(self, alerts: Sequence[Alert], now_ms: int, *, timeout_seconds: float | None = None) -> Delivery:
            raise KeyError("oops")

    notify = NotifyQueue(Broken())
    notify.offer(observe(AlertMachine(), T0, "a"), T0)
    assert notify.run_once(T0) is None
    assert notify.stats().last_error == "Broken: KeyError: 'oops'"


@pytest.mark.parametrize(("failed_before", "sends"), [(False, 1), (True, 0)])
def test_closing_sends_what_waits_unless_the_receiver_is_down(failed_before: bool, sends: int) -> None:
    receiver, machine = Receiver(LATER), AlertMachine()
    notify = queue(receiver)
    notify.offer(observe(machine, T0, "a"), T0)
    if failed_before:
        notify.run_once(T0)
    before = len(receiver.batches)
    notify.close(1.0)
    assert len(receiver.batches) - before == sends
    assert receiver.timeouts[before:] == [0.5] * sends
    notify.offer(observe(machine, T0 + 1, "b"), T0 + 1)
    assert notify.run_once(T0 + MINUTE) is None
    notify.close(1.0)


def test_a_forked_child_starts_empty() -> None:
    receiver = Receiver()
    notify = queue(receiver)
    notify.offer(observe(AlertMachine(), T0, "a"), T0)
    notify.forked()
    assert notify.run_once(T0) is None
    assert notify.stats().pending == 0
