"""The queue between the alert machine and a notifier: decides what is due, retries, drops the oldest when full.

``offer`` is called by the pipeline thread and never blocks on the network; ``run_once`` by the notify thread;
``stats`` and ``close`` by any. Imports the vocabulary and the Notifier protocol.
"""

from __future__ import annotations

import random
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from otel_ext.model.alerts import Alert, AlertState
from otel_ext.model.labels import Labels
from otel_ext.notify.alertmanager import RESEND_MS
from otel_ext.notify.notifier import Delivery, Notifier

__all__ = ["NotifyQueue", "NotifyStats"]

_Key = tuple[str, Labels]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyStats:
    """Counters since the start, in alerts: ``sent``, ``failed`` (refused for good), ``dropped`` (the queue was full).

    ``retries`` counts sends that will be tried again, ``pending`` the alerts that wait, ``last_error`` is the last
    failure with credentials masked, empty before one.
    """

    sent: int
    failed: int
    dropped: int
    retries: int
    pending: int
    last_error: str
    last_success_ms: int | None


@dataclass(frozen=True, slots=True)
class _Told:
    """What was last queued of an alert, and when."""

    incarnation: tuple[int | None, int | None]
    ts_ms: int


class NotifyQueue:
    """Level-triggered delivery: the newest state of each alert waits until the receiver has it.

    A firing alert is due when it begins to fire and each ``resend_ms`` while it lasts; a resolved one when it resolves
    and each ``resend_ms`` while the machine still lists it (15 minutes).

    Args:
        notifier: where to.
        capacity: alerts that may wait; beyond it the oldest are dropped and counted.
        batch_size: alerts in one send.
        resend_ms: time between repetitions.
        backoff_ms: wait after the first failed send; doubles up to ``max_backoff_ms``, with jitter of a half.
        rng: source of the jitter.
    """

    def __init__(
        self,
        notifier: Notifier,
        *,
        capacity: int = 10_000,
        batch_size: int = 256,
        resend_ms: int = RESEND_MS,
        backoff_ms: int = 1000,
        max_backoff_ms: int = 60_000,
        rng: random.Random | None = None,
    ) -> None:
        self._notifier = notifier
        self._capacity = capacity
        self._batch_size = batch_size
        self._resend_ms = resend_ms
        self._backoff_ms = backoff_ms
        self._max_backoff_ms = max_backoff_ms
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self.forked()

    def forked(self) -> None:
        """Start empty, with locks of its own: what a forked child must do before it uses its copy."""
        self._told: dict[_Key, _Told] = {}
        self._lock = threading.Lock()  # guards the pending alerts and counters; never held during I/O
        self._sending = threading.Lock()  # one send at a time
        self._pending: OrderedDict[_Key, Alert] = OrderedDict()
        self._attempts = 0
        self._not_before_ms = 0
        self._closed = False
        self._sent = self._failed = self._dropped = self._retries = 0
        self._last_error = ""
        self._last_success_ms: int | None = None

    def offer(self, alerts: Sequence[Alert], ts_ms: int) -> int:
        """Queue what is due of a snapshot of all alerts; returns how many. Called at every tick."""
        told: dict[_Key, _Told] = {}
        due: list[tuple[_Key, Alert]] = []
        for alert in alerts:
            if alert.state not in (AlertState.FIRING, AlertState.RESOLVED):
                continue
            key = alert.rule.key, alert.labels
            last, incarnation = self._told.get(key), (alert.fired_at_ms, alert.resolved_at_ms)
            if last is None or last.incarnation != incarnation or ts_ms - last.ts_ms >= self._resend_ms:
                last = _Told(incarnation, ts_ms)
                due.append((key, alert))
            told[key] = last
        self._told = told
        with self._lock:
            if not self._closed:
                self._enqueue(due)
        return len(due)

    def run_once(self, now_ms: int) -> int | None:
        """Send what waits, batch by batch; returns when to come again in Unix ms, ``None`` when nothing waits."""
        with self._sending:
            while not self._closed:
                with self._lock:
                    if not self._pending:
                        return None
                    if now_ms < self._not_before_ms:
                        return self._not_before_ms
                if not self._send_batch(now_ms, None):
                    return self._not_before_ms
        return None

    def close(self, timeout_seconds: float = 0.0) -> None:
        """Take nothing more; if sends have been working, make one last one within about ``timeout_seconds``."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            hopeful = bool(self._pending) and self._attempts == 0
        if hopeful and timeout_seconds > 0 and self._sending.acquire(timeout=timeout_seconds / 2):
            try:
                newest = max((alert.updated_at_ms for alert in self._pending.values()), default=0)
                self._send_batch(newest, timeout_seconds / 2)
            finally:
                self._sending.release()

    def stats(self) -> NotifyStats:
        """The counters now."""
        with self._lock:
            return NotifyStats(
                sent=self._sent,
                failed=self._failed,
                dropped=self._dropped,
                retries=self._retries,
                pending=len(self._pending),
                last_error=self._last_error,
                last_success_ms=self._last_success_ms,
            )

    def _enqueue(self, items: Iterable[tuple[_Key, Alert]]) -> None:
        for key, alert in items:
            self._pending[key] = alert
        while len(self._pending) > self._capacity:
            self._pending.popitem(last=False)
            self._dropped += 1

    def _send_batch(self, now_ms: int, timeout_seconds: float | None) -> bool:
        """Take one batch and send it; false when sending must pause."""
        with self._lock:
            keys = [key for key, _ in zip(self._pending, range(self._batch_size), strict=False)]
            batch = OrderedDict((key, self._pending.pop(key)) for key in keys)
        try:
            delivery = self._notifier.send(tuple(batch.values()), now_ms, timeout_seconds=timeout_seconds)
        except Exception as error:  # noqa: BLE001 - the edge to notifiers of others
            delivery = Delivery(error=f"{type(self._notifier).__name__}: {type(error).__name__}: {error}")
        with self._lock:
            return self._account(batch, delivery, now_ms)

    def _account(self, batch: OrderedDict[_Key, Alert], delivery: Delivery, now_ms: int) -> bool:
        if delivery.ok:
            self._attempts = 0
            self._sent += len(batch)
            self._last_success_ms = now_ms
            return True
        self._last_error = delivery.error
        if not delivery.recoverable:
            self._failed += len(batch)
            return True
        newer = self._pending
        self._pending = OrderedDict({**batch, **newer})
        self._enqueue(())
        self._retries += 1
        self._not_before_ms = now_ms + self._wait_ms(delivery)
        self._attempts += 1
        return False

    def _wait_ms(self, delivery: Delivery) -> int:
        backoff = min(self._max_backoff_ms, self._backoff_ms << min(self._attempts, 30))
        jittered = round(backoff * self._rng.uniform(0.5, 1.0))
        asked = min(self._max_backoff_ms, round((delivery.retry_after_seconds or 0) * 1000))
        return max(jittered, asked)
