"""The composition root: threads and lifecycle around the engines.

One pipeline thread owns all engine state; a collect thread runs the user's observable callbacks; notify and forward
threads talk to the network; services (the HTTP port) get a thread each. All are daemons, all run with
instrumentation suppressed, and none is started anywhere else. None imports a package: the application's main thread may
be importing the same one and would find it half made. ``cycle`` may also be called by a thread that waits for results
(``force_flush``), under the same lock.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_ext.alert_state import AlertStateFile
from otel_ext.alerting import AlertMachine
from otel_ext.anomaly import AnomalyEngine
from otel_ext.clock import Clock, SystemClock
from otel_ext.config import Settings
from otel_ext.engines import Changes, Engines
from otel_ext.export.derived import VerdictEvents
from otel_ext.export.forwarding import Forwarding, ForwardStats
from otel_ext.guard import guard, hook_errors
from otel_ext.health import HealthRegistry
from otel_ext.ingest.metrics import MetricSource
from otel_ext.ingest.queue import IngestQueue
from otel_ext.model.alerts import Transition
from otel_ext.model.anomalies import Anomaly
from otel_ext.model.metrics import CollectedMetrics, MetricsData
from otel_ext.promql import QueryEngine
from otel_ext.rules import RuleManager
from otel_ext.slo import SloEngine
from otel_ext.storage.logs import LogStore
from otel_ext.storage.metrics import MetricStore
from otel_ext.storage.traces import TraceStore

if TYPE_CHECKING:
    from otel_ext.notify import NotifyQueue  # brings requests along, which only those need who notify

__all__ = ["Pipeline", "PipelineStats", "Service"]

DRAIN_INTERVAL_SECONDS = 0.1
DRAIN_BATCH = 512
ON_TIME_MS = 200  # a collection that began this soon after its slot stands for the slot
MAX_EVENTS = 1000
SAVE_INTERVAL_MS = 10_000
RESTORE_HOLD_MS = 300_000  # the windows of most queries are filled by then

T = TypeVar("T")
Event = tuple[Transition | Anomaly, int, tuple[int, int] | None]


class Service(Protocol):
    """Something that serves from a thread of its own until it is stopped."""

    def start(self) -> None:
        """Take what ``run`` needs (a port), on the starting thread."""

    def run(self) -> None:
        """Serve; returns after ``stop``."""

    def stop(self) -> None:
        """End ``run`` soon; safe to call twice and before ``run``."""

    def forked(self) -> None:
        """In a forked child: let go of what is the parent's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineStats:
    """Counters of the pipeline since this process started; ``*_dropped`` are bodies given up, never counts."""

    spans: int
    spans_sampled: int
    logs: int
    collections: int
    span_bodies_dropped: int
    log_bodies_dropped: int
    queue_length: int
    queue_capacity: int
    queue_high_water: int
    ticks: int
    last_tick_ms: int | None
    hook_errors: dict[str, int]
    forward: tuple[ForwardStats, ...]


class Pipeline:
    """Queue, engines and threads of one process.

    Args:
        settings: validated settings.
        clock: the time of all engines.
        notify: the queue of notifications, or ``None`` when nobody is to be told.
        forwarding: the process's forwarding pipelines; they outlive a pipeline that is replaced.
        origins: where each setting's value came from, for people.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        notify: NotifyQueue | None = None,
        forwarding: Forwarding | None = None,
        origins: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = settings
        self.origins = origins or {}
        self.clock = clock or SystemClock()
        self.notify = notify
        self.forwarding = forwarding or Forwarding()
        self.queue = IngestQueue(settings.queue_size, self._overload)
        self.source: MetricSource | None = None
        self.events: VerdictEvents | None = None
        self.start_at_fork = False
        self._alert_state: AlertStateFile | None = None
        self._checks: dict[str, Callable[[HealthRegistry], object]] = {}
        self._services: tuple[Service, ...] = ()
        self._facts: tuple[str, ...] = ()
        self._build()
        if settings.rules:
            _ = self.engines  # rule files are read now, where their errors can be raised
        weak = weakref.WeakMethod(self._after_fork)
        os.register_at_fork(after_in_child=lambda: _call(weak()))

    def _build(self) -> None:
        self.started_at_ms = self.clock.now_ms()
        self._engines: Engines | None = None
        self._engines_lock = threading.Lock()
        self._health_jobs: queue.SimpleQueue[Callable[[], None]] | None = None
        self._cycle_lock = threading.RLock()
        self._start_lock = threading.Lock()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._threads: list[threading.Thread] = []
        self._pending_events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._events_ready = threading.Event()
        self._pid = os.getpid()
        self._running = False
        self._ticks = 0
        self._last_tick_ms: int | None = None

    # -- what web, handle and exporters read -----------------------------------------------------------------

    @property
    def engines(self) -> Engines:
        """The engines of this process; made when first asked for, by the pipeline thread as a rule."""
        if self._engines is None:
            with self._engines_lock:
                if self._engines is None:
                    engines = Engines(self.settings, self.started_at_ms)
                    for register in self._checks.values():
                        register(engines.health)
                    self._engines = engines
        return self._engines

    @property
    def slo(self) -> SloEngine:
        """Budgets and burn rates."""
        return self.engines.slo

    @property
    def alerts(self) -> AlertMachine:
        """The one alert state machine."""
        return self.engines.alerts

    @property
    def anomalies(self) -> AnomalyEngine:
        """Anomaly watches."""
        return self.engines.anomalies

    @property
    def rules(self) -> RuleManager:
        """Prometheus rule groups."""
        return self.engines.rules

    @property
    def metrics(self) -> MetricStore:
        """Recent series."""
        return self.engines.metrics

    @property
    def queries(self) -> QueryEngine:
        """PromQL over the recent series."""
        return self.engines.queries

    @property
    def traces(self) -> TraceStore:
        """Recent traces."""
        return self.engines.traces

    @property
    def logs(self) -> LogStore:
        """Recent log records."""
        return self.engines.logs

    @property
    def health(self) -> HealthRegistry:
        """Liveness and readiness checks."""
        return self.engines.health

    # -- facts and counters ------------------------------------------------------------------------------------

    def state(self, fact: str) -> None:
        """Remember a fallback that was taken; shown by the banner, the status page and ``handle.facts``."""
        if fact not in self._facts:
            self._facts = (*self._facts, fact)

    def facts(self) -> tuple[str, ...]:
        """The fallbacks that were taken and what limits the numbers."""
        state = self._alert_state.fact if self._alert_state is not None else None
        engines = () if self._engines is None else self._engines.slo.facts()
        return (*self._facts, *((state,) if state else ()), *engines)

    def stats(self) -> PipelineStats:
        """Counters as of now; any thread."""
        totals = self.engines.totals
        return PipelineStats(
            spans=totals.spans,
            spans_sampled=totals.spans_sampled,
            logs=totals.logs,
            collections=totals.collections,
            span_bodies_dropped=totals.span_bodies_dropped,
            log_bodies_dropped=totals.log_bodies_dropped,
            queue_length=len(self.queue),
            queue_capacity=self.queue.capacity,
            queue_high_water=self.queue.high_water,
            ticks=self._ticks,
            last_tick_ms=self._last_tick_ms,
            hook_errors=hook_errors(),
            forward=self.forwarding.stats(),
        )

    # -- lifecycle ---------------------------------------------------------------------------------------------

    def add_service(self, service: Service) -> None:
        """Have this service run while the pipeline runs."""
        self._services = (*self._services, service)

    def add_health_check(self, name: str, register: Callable[[HealthRegistry], object]) -> None:
        """Have ``register`` add its check to the registry of this process, and of every child it forks."""
        register(self.health)
        self._checks[name] = register

    @property
    def running(self) -> bool:
        """Whether the threads of this process are started and not stopped."""
        return self._running and self._pid == os.getpid()

    def start(self) -> None:
        """Start the threads; again is a no-op. Also in a forked child, with engines that start from nothing."""
        if os.getpid() != self._pid:
            self._after_fork()  # forked without Python's hooks (uWSGI)
        with self._start_lock:
            if self._running or self._stop.is_set():
                return
            self._running = True
            self._open_state()
            for service in self._services:
                service.start()
            bodies: list[tuple[str, Callable[[], None]]] = [
                ("otel-ext-pipeline", self._run_pipeline),
                ("otel-ext-collect", self._run_collect),
                ("otel-ext-notify", self._run_notify),
                *(("otel-ext-web", service.run) for service in self._services),
                *(
                    (f"otel-ext-forward-{signal}", partial(self.forwarding.run, signal))
                    for signal in self.forwarding.unattended()
                ),
            ]
            self._threads = [threading.Thread(name=n, target=_quietly(n, body), daemon=True) for n, body in bodies]
            for thread in self._threads:
                thread.start()

    def stop(self, timeout_seconds: float = 2.0) -> None:
        """Stop evaluating and serving; returns within the time, whatever a backend does. Safe to call twice."""
        self._stop.set()
        if self._engines is not None:
            self._engines.health.mark_stopping()
        self._wake.set()
        self._events_ready.set()
        for service in self._services:
            service.stop()
        if self.notify is not None:
            self.notify.close(timeout_seconds / 2)
        for thread in self._threads:
            if thread.name == "otel-ext-pipeline" and thread is not threading.current_thread():
                thread.join(timeout_seconds / 2)
        self._running = False
        self._save_state()
        if self._alert_state is not None:
            self._alert_state.release()

    def _open_state(self) -> None:
        if self.settings.state_dir is None:
            return
        self._alert_state = AlertStateFile(self.settings.state_dir)
        if self._alert_state.fact is not None:
            print(f"otel_ext: {self._alert_state.fact}", file=sys.stderr)  # noqa: T201 (said once, at start)

    def _restore_state(self) -> None:
        saved = None if self._alert_state is None else self._alert_state.load()
        if saved is not None:
            self.alerts.restore(saved, self.clock.now_ms(), hold_ms=RESTORE_HOLD_MS)

    def _save_state(self) -> None:
        if self._alert_state is not None and self._engines is not None:
            self._alert_state.save(self._engines.alerts.dump(self.clock.now_ms()))

    def _after_fork(self) -> None:
        """In the child: queue, engines and threads are the parent's; begin anew, lazily."""
        for service in self._services:
            service.forked()
        if self.notify is not None:
            self.notify.forked()
        if self._alert_state is not None:
            self._alert_state.release()
        self.queue.reset()
        stopped = self._stop.is_set()
        self._build()
        self.forwarding.renew_after_fork()
        if stopped:
            self._stop.set()
        elif self.start_at_fork:
            with guard("start after fork"):
                self.start()

    # -- data --------------------------------------------------------------------------------------------------

    def _overload(self, batch: list[Any]) -> None:
        for item in batch:
            if type(item) is CollectedMetrics:
                self.queue.append(item)
        self.engines.count(batch)

    def collect(self) -> None:
        """Collect the instruments and queue them as one column. The collect thread, or one that waits for results."""
        now = self.clock.now_ms()
        slot = now - now % self.settings.collect_interval_ms
        ts_ms = slot if now - slot < ON_TIME_MS else now
        data = self.source() if self.source is not None else None
        self.queue.append(CollectedMetrics(ts_ms=ts_ms, data=data or MetricsData(resource_metrics=())))
        self._wake.set()

    def cycle(self, *, tick: bool) -> None:
        """Drain the queue and, with ``tick``, evaluate. One thread at a time."""
        with self._cycle_lock:
            now = self.clock.now_ms()
            saturation = len(self.queue) / self.queue.capacity
            while batch := self.queue.drain(DRAIN_BATCH):
                self.engines.ingest(batch, now)
            if not tick:
                return
            changes = self.engines.tick(now, queue_saturation=min(1.0, saturation))
            self._ticks += 1
            self._last_tick_ms = now
            self._announce(changes, now)

    def _announce(self, changes: Changes, now: int) -> None:
        for transition in changes.transitions:
            ids = transition.alert.evidence.get("trace_ids", ())
            known = ids if isinstance(ids, tuple | list) else ()
            example = self.engines.example_span(transition.alert.labels, known)
            self._pending_events.append((transition, transition.ts_ms, example))
        for anomaly in changes.anomalies:
            self._pending_events.append((anomaly, now, self.engines.example_span(anomaly.series)))
        if self.notify is not None:
            self.notify.offer(self.engines.alerts.alerts(), now)
        if changes.transitions or changes.anomalies:
            self._events_ready.set()

    def submit(self, job: Callable[[], T]) -> Future[T]:
        """Run a user's health check on the health thread: one that hangs holds up the next check and nobody else."""
        future: Future[T] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(job())
                except Exception as error:  # noqa: BLE001 (belongs to whoever waits)
                    future.set_exception(error)

        with self._start_lock:
            if self._health_jobs is None:
                self._health_jobs = queue.SimpleQueue()
                body = _quietly("otel-ext-health", self._run_health)
                threading.Thread(name="otel-ext-health", target=body, daemon=True).start()
            self._health_jobs.put(run)
        return future

    # -- thread bodies -----------------------------------------------------------------------------------------

    def _run_pipeline(self) -> None:
        with guard("restore state"):
            self._restore_state()
        self.health.mark_started()
        interval = self.settings.tick_interval_ms
        next_tick = self.clock.now_ms()
        pause = min(DRAIN_INTERVAL_SECONDS, interval / 1000)
        while not self._stop.is_set():
            self._wake.wait(pause)
            self._wake.clear()
            now = self.clock.now_ms()
            due = now >= next_tick
            if due:
                next_tick = max(next_tick + interval, now - now % interval + interval)
            with guard("pipeline"):
                self.cycle(tick=due)

    def _run_health(self) -> None:
        jobs = self._health_jobs
        while jobs is not None:
            jobs.get()()

    def _run_collect(self) -> None:
        interval = self.settings.collect_interval_ms
        while True:
            now = self.clock.now_ms()
            if self._stop.wait((interval - now % interval) / 1000):
                return
            with guard("collect"):
                self.collect()

    def _run_notify(self) -> None:
        last_save = 0
        while not self._stop.is_set():
            changed = self._events_ready.wait(1.0)
            self._events_ready.clear()
            now = self.clock.now_ms()
            if changed or now - last_save >= SAVE_INTERVAL_MS:
                last_save = now
                with guard("save state"):
                    self._save_state()
            with guard("events"):
                self._emit_events()
            if self.notify is not None:
                with guard("notify"):
                    self.notify.run_once(self.clock.now_ms())

    def _emit_events(self) -> None:
        events = self.events
        while self._pending_events and events is not None:
            subject, ts_ms, example = self._pending_events.popleft()
            if isinstance(subject, Anomaly):
                events.anomaly(subject, ts_ms, example)
            else:
                events.alert(subject, example)


def _call(function: Callable[[], None] | None) -> None:
    if function is not None:
        function()


def _quietly(name: str, body: Callable[[], None]) -> Callable[[], None]:
    """A thread body whose own HTTP, SQLite and notifications never become the user's spans."""

    def run() -> None:
        with guard(name), suppress_instrumentation():
            body()

    return run

