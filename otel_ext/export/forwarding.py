"""Forwarding health and exit: counts what exporters send, fail and drop, and shuts providers down in bounded time.

Works on the providers' own pipelines, ours or the user's: each exporter is wrapped by a counter. At exit the SDK
would wait up to 30 s for a dead collector; the forward threads do that waiting, and the process leaves without them
after ``shutdown_timeout``. Counters are written by the SDK's export threads and read by any.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

from otel_ext import sdk_private
from otel_ext.guard import guard

__all__ = ["ForwardStats", "Forwarding"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardStats:
    """Items of one signal (spans, log records, metric data points) by what became of them.

    ``queued`` wait in the SDK's batch queue; ``in_flight`` are in an export that runs; ``dropped`` fell out of the
    queue when it was full; ``failed`` were handed to an exporter that gave up.
    """

    signal: str
    exported: int
    failed: int
    dropped: int
    queued: int
    in_flight: int
    last_error: str | None


class _Counter:
    """Counts of one signal; each field is written under the lock, export threads may be several."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.exported = self.failed = self.dropped = self.in_flight = 0
        self.last_error: str | None = None

    def begin(self, size: int) -> None:
        with self._lock:
            self.in_flight += size

    def add(self, *, exported: int = 0, failed: int = 0, dropped: int = 0, error: str | None = None) -> None:
        with self._lock:
            self.in_flight -= exported + failed
            self.exported += exported
            self.failed += failed
            self.dropped += dropped
            self.last_error = error if failed else self.last_error


class _CountingExporter:
    """An exporter that counts the outcome of each export and is its delegate in everything else."""

    def __init__(self, exporter: Any, counter: _Counter) -> None:
        self._exporter = exporter
        self._counter = counter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._exporter, name)

    def export(self, batch: Any, *args: Any, **kwargs: Any) -> Any:
        size = _size(batch)
        self._counter.begin(size)
        try:
            result = self._exporter.export(batch, *args, **kwargs)
        except Exception as error:
            self._counter.add(failed=size, error=f"{type(error).__name__}: {error}")
            raise
        if getattr(result, "name", "SUCCESS") == "SUCCESS":
            self._counter.add(exported=size)
        else:
            self._counter.add(failed=size, error="the exporter gave up (its own log says why)")
        return result


def _size(batch: Any) -> int:
    resources = getattr(batch, "resource_metrics", None)
    if resources is None:
        return len(batch)
    return sum(len(m.data.data_points) for r in resources for s in r.scope_metrics for m in s.metrics)


class _Exit:
    """One provider's forward thread: flushes when asked, shuts the provider down when closing."""

    def __init__(self, provider: Any) -> None:
        self.provider = provider
        self.wake = threading.Event()
        self.closing = False
        self.flushed = threading.Event()
        self.done = threading.Event()

    def run(self) -> None:
        while not self.closing:
            self.wake.wait()
            self.wake.clear()
            if not self.closing:
                with guard("forward flush"):  # a provider that raises must not cost the exit its thread
                    self.provider.force_flush()
                self.flushed.set()
        try:
            self.provider.shutdown()
        finally:
            self.done.set()


class Forwarding:
    """The forwarding pipelines of a process: one signal, one provider, one thread that flushes and shuts it down."""

    def __init__(self) -> None:
        self._counters: dict[str, _Counter] = {}
        self._pipelines: dict[str, tuple[Any, ...]] = {}
        self._at_exit: dict[str, _Exit] = {}
        self._waiting: set[str] = set()

    def watch(self, signal: str, provider: Any) -> bool:
        """Count what this provider's exporters do; whether it has any that send."""
        counter = self._counters.setdefault(signal, _Counter())
        watched = []
        for pipeline in sdk_private.signal_pipelines(provider):
            if sdk_private.replace_exporter(pipeline, lambda exporter: _CountingExporter(exporter, counter)):
                sdk_private.on_queue_full(pipeline, lambda count: counter.add(dropped=count))
                watched.append(pipeline)
        self._pipelines[signal] = tuple(watched)
        return bool(watched)

    def shut_down_at_exit(self, signal: str, provider: Any) -> None:
        """Take over this provider's shutdown at exit, with a bound."""
        self._at_exit[signal] = _Exit(provider)

    def unattended(self) -> tuple[str, ...]:
        """The signals whose providers are shut down at exit and that no thread in :meth:`run` waits for yet."""
        signals = tuple(signal for signal in self._at_exit if signal not in self._waiting)
        self._waiting.update(signals)
        return signals

    def run(self, signal: str) -> None:
        """Body of a daemon thread: flushes on request, and on :meth:`close` shuts the provider down."""
        self._at_exit[signal].run()

    def flush(self, timeout_seconds: float) -> bool:
        """Push what is queued to the backends, all signals at once; whether all of it finished in time."""
        attended = [ending for signal, ending in self._at_exit.items() if signal in self._waiting]
        for ending in attended:
            ending.flushed.clear()
            ending.wake.set()
        deadline = time.monotonic() + timeout_seconds
        return all(ending.flushed.wait(max(0.0, deadline - time.monotonic())) for ending in attended)

    def close(self, timeout_seconds: float) -> None:
        """Shut all providers down at once and wait at most this long; says on stderr what was not sent."""
        attended = {signal: ending for signal, ending in self._at_exit.items() if signal in self._waiting}
        for ending in attended.values():
            ending.closing = True
            ending.wake.set()
        deadline = time.monotonic() + timeout_seconds
        late = [
            signal
            for signal, ending in attended.items()
            if not ending.done.wait(max(0.0, deadline - time.monotonic()))
        ]
        for stats in self.stats():
            unsent = stats.queued + stats.in_flight + stats.failed + stats.dropped
            if stats.signal in late and unsent:
                print(  # noqa: T201 (the process is leaving; logging may be gone)
                    f"otel_ext: left without waiting for the {stats.signal} backend after {timeout_seconds:g} s; "
                    f"not sent: {stats.queued + stats.in_flight} waiting, {stats.failed} failed, "
                    f"{stats.dropped} dropped",
                    file=sys.stderr,
                )

    def renew_after_fork(self) -> None:
        """In a forked child: an export that was running in the parent must not hold the child's locks."""
        self._waiting.clear()
        self._at_exit = {signal: _Exit(ending.provider) for signal, ending in self._at_exit.items()}
        for pipelines in self._pipelines.values():
            for pipeline in pipelines:
                sdk_private.renew_export_lock(pipeline)

    def stats(self) -> tuple[ForwardStats, ...]:
        """What became of the items of each watched signal."""
        return tuple(
            ForwardStats(
                signal=signal,
                exported=counter.exported,
                failed=counter.failed,
                dropped=counter.dropped,
                queued=sum(sdk_private.queued_items(p) for p in self._pipelines.get(signal, ())),
                in_flight=counter.in_flight,
                last_error=counter.last_error,
            )
            for signal, counter in self._counters.items()
            if self._pipelines.get(signal)
        )
