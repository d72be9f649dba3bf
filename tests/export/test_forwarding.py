"""Forwarding health is counted, and a dead backend delays nobody's exit."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from otel_ext.export.forwarding import Forwarding


class Backend(SpanExporter):
    """A backend that answers as told, and hangs while ``hang`` is set."""

    def __init__(self) -> None:
        self.result = SpanExportResult.SUCCESS
        self.error: Exception | None = None
        self.free = threading.Event()
        self.free.set()
        self.received = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.free.wait()
        if self.error is not None:
            raise self.error
        self.received += len(spans)
        return self.result

    def shutdown(self) -> None:
        pass


def forwarding_to(backend: Backend, *, attended: bool = True) -> tuple[Forwarding, TracerProvider]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(backend, schedule_delay_millis=1e8, max_queue_size=100, max_export_batch_size=100)
    )
    forwarding = Forwarding()
    assert forwarding.watch("traces", provider)
    forwarding.shut_down_at_exit("traces", provider)
    if attended:
        for signal in forwarding.unattended():
            threading.Thread(target=forwarding.run, args=(signal,), daemon=True).start()
        assert forwarding.unattended() == ()
    return forwarding, provider


def spans(provider: TracerProvider, count: int) -> None:
    tracer = provider.get_tracer("app")
    for _ in range(count):
        tracer.start_span("x").end()


def test_sent_failed_and_queued_items_are_counted() -> None:
    backend = Backend()
    forwarding, provider = forwarding_to(backend)
    spans(provider, 7)
    assert forwarding.stats()[0].queued == 7
    assert forwarding.flush(10)
    backend.result = SpanExportResult.FAILURE
    spans(provider, 2)
    assert forwarding.flush(10)
    stats = forwarding.stats()[0]
    assert (stats.exported, stats.failed, stats.dropped, stats.queued) == (7, 2, 0, 0)
    assert stats.last_error is not None
    forwarding.close(5)


@pytest.mark.filterwarnings("ignore")
def test_an_exporter_that_raises_counts_as_failed_with_its_error() -> None:
    backend = Backend()
    forwarding, provider = forwarding_to(backend)
    backend.error = ConnectionError("refused")
    spans(provider, 3)
    forwarding.flush(10)
    assert (forwarding.stats()[0].failed, forwarding.stats()[0].last_error) == (3, "ConnectionError: refused")
    forwarding.close(5)


def test_items_dropped_by_a_full_queue_are_counted() -> None:
    backend = Backend()
    backend.free.clear()
    forwarding, provider = forwarding_to(backend)
    spans(provider, 350)
    stats = forwarding.stats()[0]
    assert stats.dropped + stats.queued <= 350
    assert stats.dropped >= 150, "at most one batch is in flight and one queue is full"
    backend.free.set()
    assert forwarding.flush(10)
    stats = forwarding.stats()[0]
    lost = 350 - stats.exported
    assert lost <= stats.dropped <= lost + 10, "the SDK may count a drop that its worker just made room for"
    forwarding.close(5)


def test_a_backend_that_hangs_delays_the_exit_by_the_bound_only_and_it_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    backend = Backend()
    forwarding, provider = forwarding_to(backend)
    backend.free.clear()
    spans(provider, 20)
    assert not forwarding.flush(0.05)
    spans(provider, 5)
    before = time.monotonic()
    forwarding.close(0.2)
    assert time.monotonic() - before < 2
    assert "left without waiting for the traces backend" in capsys.readouterr().err
    backend.free.set()


def test_what_is_queued_is_sent_at_exit_when_the_backend_lives() -> None:
    backend = Backend()
    forwarding, provider = forwarding_to(backend)
    spans(provider, 20)
    forwarding.close(10)
    assert backend.received == 20


def test_nobody_is_waited_for_where_no_thread_attends() -> None:
    forwarding, _ = forwarding_to(Backend(), attended=False)
    assert forwarding.flush(10)
    forwarding.close(10)


def test_a_provider_without_exporters_has_nothing_to_watch() -> None:
    forwarding = Forwarding()
    assert not forwarding.watch("traces", TracerProvider(shutdown_on_exit=False))
    assert forwarding.stats() == ()
