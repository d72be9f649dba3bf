"""The engine over cumulative golden signals: what a service does, and what is said of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from otel_ext.anomaly import AnomalyEngine, ChangeKind
from otel_ext.model.alerts import AlertSource
from otel_ext.model.anomalies import Anomaly
from otel_ext.model.labels import Labels

START_MS = 1_700_000_000_000
INTERVAL_MS = 10_000
CHECKOUT = Labels(service_name="shop", span_name="POST /checkout", span_kind="SPAN_KIND_SERVER", http_route="/checkout")


class Row(NamedTuple):
    labels: Labels
    count: int  # type: ignore[assignment]
    errors: int
    duration_nano_sum: int


class Service:
    """One operation with real noise; counts are cumulative, as the connector's are."""

    def __init__(self, engine: AnomalyEngine, labels: Labels = CHECKOUT, *, per_tick: float = 500) -> None:
        self.engine = engine
        self.labels = labels
        self.per_tick = per_tick
        self.rng = np.random.default_rng()
        self.ts_ms = START_MS
        self.counts = [0, 0, 0.0]

    def rows(self) -> list[Row]:
        calls, errors, seconds = self.counts
        return [Row(self.labels, int(calls), int(errors), int(seconds * 1e9))]

    def serve(self, error_share: float = 0.001, latency_seconds: float = 0.05, traffic: float = 1.0) -> None:
        calls = int(self.rng.poisson(self.per_tick * traffic))
        self.counts[0] += calls
        self.counts[1] += int(self.rng.binomial(calls, error_share))
        self.counts[2] += float(self.rng.lognormal(np.log(latency_seconds), 0.5, calls).sum())

    def run(self, ticks: int, **how: float) -> list[Anomaly]:
        told: list[Anomaly] = []
        for _ in range(ticks):
            self.serve(**how)
            self.ts_ms += INTERVAL_MS
            told.extend(self.engine.tick(self.ts_ms, self.rows()))
        return told


@pytest.fixture
def engine() -> AnomalyEngine:
    return AnomalyEngine(interval_ms=INTERVAL_MS)


def test_a_calm_hour_is_silent(engine: AnomalyEngine) -> None:
    assert Service(engine).run(360) == []
    assert engine.open() == ()


@pytest.mark.parametrize(
    ("how", "signal", "kind"),
    [
        ({"error_share": 0.2}, "error_ratio", "spike"),
        ({"latency_seconds": 0.25}, "mean_latency", "spike"),
        ({"traffic": 0.2}, "request_rate", "drop"),
        ({"traffic": 4.0}, "request_rate", "spike"),
        ({"traffic": 0.0}, "request_rate", "drop"),
    ],
)
def test_an_incident_is_told_within_three_intervals_and_ends_after_recovery(
    engine: AnomalyEngine, how: dict[str, float], signal: str, kind: str
) -> None:
    service = Service(engine)
    assert service.run(60) == []
    (started,) = service.run(3, **how)
    assert started.series == CHECKOUT.with_labels(signal=signal)
    assert started.kind == kind
    assert started.watch == "golden_signals"
    assert not started.lower <= started.actual <= started.upper
    assert 0.5 <= started.score <= 1.0
    assert "POST /checkout" in started.reason
    assert engine.open()[0].started_at_ms == started.started_at_ms
    (ended,) = service.run(30)
    assert ended.ended_at_ms is not None
    assert engine.open() == ()
    assert engine.recent() == (ended,)


def test_nothing_is_said_before_there_is_history(engine: AnomalyEngine) -> None:
    service = Service(engine)
    service.run(20)
    assert service.run(5, error_share=0.9) == []


def test_ticks_between_intervals_do_nothing(engine: AnomalyEngine) -> None:
    service = Service(engine)
    service.run(60)
    before = engine.dump()
    assert not engine.due(service.ts_ms + 1000)
    service.serve(error_share=1.0)
    assert engine.tick(service.ts_ms + 1000, service.rows()) == ()
    assert engine.dump() == before


def test_a_counter_reset_is_no_anomaly(engine: AnomalyEngine) -> None:
    service = Service(engine)
    service.run(60)
    service.counts = [0, 0, 0.0]
    assert service.run(60) == []


def test_a_gap_is_no_anomaly_and_its_increase_is_not_judged(engine: AnomalyEngine) -> None:
    service = Service(engine)
    service.run(60)
    for _ in range(100):
        service.serve()
    service.ts_ms += 100 * INTERVAL_MS
    assert service.run(60) == []


def test_a_late_tick_is_judged_by_the_time_that_really_passed(engine: AnomalyEngine) -> None:
    service = Service(engine)
    service.run(60)
    for _ in range(20):
        service.serve()
        service.ts_ms += INTERVAL_MS
        assert service.run(1) == []


def test_a_row_that_vanishes_ends_after_an_hour_and_its_slot_is_used_again(engine: AnomalyEngine) -> None:
    service = Service(engine)
    service.run(60)
    service.run(3, error_share=0.2)
    assert len(engine.open()) == 1
    told: list[Anomaly] = []
    for tick in range(370):
        told.extend(engine.tick(service.ts_ms + (tick + 1) * INTERVAL_MS, []))
    assert [anomaly.ended_at_ms is not None for anomaly in told] == [True]
    other = Service(engine, CHECKOUT.with_labels(span_name="GET /new", http_route="/new"))
    other.ts_ms = service.ts_ms + 370 * INTERVAL_MS
    assert other.run(29, error_share=0.3) == []
    assert other.run(20, error_share=0.3) == []


def test_thousands_of_rows_may_come_and_go(engine: AnomalyEngine) -> None:
    for tick in range(20):
        rows = [Row(Labels(span_name=f"op {n}"), 100 * tick, 0, 10**9 * tick) for n in range(tick * 200)]
        assert engine.tick(START_MS + tick * INTERVAL_MS, rows) == ()


def test_spans_of_other_kinds_are_not_watched_by_default(engine: AnomalyEngine) -> None:
    service = Service(engine, CHECKOUT.with_labels(span_kind="INTERNAL"))
    service.run(60)
    assert service.run(5, error_share=0.9) == []


def test_the_alert_keeps_its_labels_while_kind_and_numbers_change(engine: AnomalyEngine) -> None:
    service = Service(engine)
    service.run(60)
    ((rule, active),) = engine.alerts(service.ts_ms)
    assert (rule.name, rule.source, active) == ("Anomaly", AlertSource.ANOMALY, ())
    service.run(3, error_share=0.2)
    ((_, first),) = engine.alerts(service.ts_ms)
    service.run(30, error_share=0.3)
    ((_, second),) = engine.alerts(service.ts_ms)
    assert first[0].labels == second[0].labels == CHECKOUT.with_labels(signal="error_ratio", severity="warning")
    assert (first[0].annotations["kind"], second[0].annotations["kind"]) == ("spike", "level shift")
    ((_, none),) = engine.alerts(service.ts_ms + 4 * INTERVAL_MS)
    assert none == ()


def test_changes_are_read_once_and_tell_of_the_revised_kind(engine: AnomalyEngine) -> None:
    service = Service(engine)
    service.run(60)
    service.run(40, latency_seconds=0.3)
    service.run(30)
    changes = engine.changes()
    assert [change.change for change in changes] == [ChangeKind.STARTED, ChangeKind.REVISED, ChangeKind.ENDED]
    assert changes[1].anomaly.kind == "level shift"
    assert changes[2].cause == "back to normal"
    assert engine.changes() == ()


def test_a_restored_engine_goes_on_as_if_nothing_had_happened() -> None:
    whole, first = AnomalyEngine(interval_ms=INTERVAL_MS), AnomalyEngine(interval_ms=INTERVAL_MS)
    service = Service(whole)

    def step(other: AnomalyEngine, ticks: int, **how: float) -> None:
        for _ in range(ticks):
            service.serve(**how)
            service.ts_ms += INTERVAL_MS
            rows = service.rows()
            assert whole.tick(service.ts_ms, rows) == other.tick(service.ts_ms, rows)

    step(first, 60)
    step(first, 3, error_share=0.2)
    second = AnomalyEngine(interval_ms=INTERVAL_MS)
    second.restore(first.dump())
    assert second.open() == whole.open() != ()
    rows = service.rows()
    service.ts_ms += INTERVAL_MS
    whole.restore(whole.dump())
    assert whole.tick(service.ts_ms, rows) == second.tick(service.ts_ms, rows) == ()
    step(second, 60, error_share=0.001)
    assert second.recent() == whole.recent() != ()
    assert second.dump() == whole.dump()


@pytest.mark.parametrize("damaged", [b"", b"not an archive", b"PK\x03\x04"])
def test_damaged_state_is_refused_in_words(engine: AnomalyEngine, damaged: bytes) -> None:
    with pytest.raises(ValueError, match="saved anomaly state"):
        engine.restore(damaged)


@pytest.mark.parametrize(
    "wrong", [{"false_alarms_per_week": 0.0}, {"interval_ms": 0}, {"warm_up_intervals": 1}], ids=str
)
def test_nonsense_settings_are_refused_with_an_example(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="for example"):
        AnomalyEngine(**wrong)  # type: ignore[arg-type]


def test_a_demo_of_two_minutes_is_enough() -> None:
    engine = AnomalyEngine(interval_ms=2_000, warm_up_intervals=20)
    service = Service(engine, per_tick=40)

    def phase(ticks: int, **how: float) -> list[str]:
        told = []
        for _ in range(ticks):
            service.serve(**how)
            service.ts_ms += 2_000
            told += [a.series["signal"] for a in engine.tick(service.ts_ms, service.rows()) if a.ended_at_ms is None]
        return told

    assert phase(25) == []
    assert phase(10, latency_seconds=0.4) == ["mean_latency"]
    assert phase(10, error_share=0.3) == ["error_ratio"]
    assert phase(15) == []
    assert engine.open() == ()
