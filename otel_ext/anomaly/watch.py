"""A watch: one signal of many series, its detector, its decisions, and the verdicts that are open.

Owned by the engine and called by its thread only. Imports the detector vocabulary and the model.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from otel_ext.anomaly.decision import Decision
from otel_ext.anomaly.detector import Arrays, BoolArray, Detector, FloatArray, Forecast, IndexArray, Observation
from otel_ext.anomaly.reason import sentence
from otel_ext.anomaly.signals import Signal
from otel_ext.model.anomalies import Anomaly
from otel_ext.model.labels import Labels

__all__ = ["AnomalyChange", "ChangeKind", "Watch"]

_SHIFT_AFTER = 15
"""A change that stands for so many values is a level shift, no longer a spike or a drop."""


class ChangeKind(enum.StrEnum):
    """What happened to an anomaly."""

    STARTED = "started"
    REVISED = "revised"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyChange:
    """An anomaly started, got another kind, or ended at ``ts_ms`` (Unix milliseconds); ``cause`` says why it ended."""

    change: ChangeKind
    anomaly: Anomaly
    ts_ms: int
    cause: str = ""


class Watch:
    """Judges one signal of all series, tick by tick. Slots are assigned by the engine."""

    def __init__(self, *, name: str, signal: Signal, detector: Detector, decision: Decision) -> None:
        self.signal = signal
        self._name = name
        self._detector = detector
        self._decision = decision
        self._open: dict[int, Anomaly] = {}
        self._surprise: FloatArray = np.zeros(0)

    @property
    def surprise(self) -> FloatArray:
        """Signed surprise of the latest tick, by slot."""
        return self._surprise

    def reserve(self, capacity: int) -> None:
        """Room for at least ``capacity`` series."""
        self._detector.reserve(capacity)
        self._decision.reserve(capacity)

    def open(self) -> tuple[Anomaly, ...]:
        """Anomalies that are open now, the oldest first."""
        return tuple(sorted(self._open.values(), key=lambda anomaly: anomaly.started_at_ms))

    def tick(self, observation: Observation, labels: Sequence[Labels | None], ts_ms: int) -> list[AnomalyChange]:
        """Score, decide, learn; returns what changed."""
        surprise = self._detector.score(observation)
        present = np.isfinite(observation.value)
        notable = self._notable(observation, np.flatnonzero(np.abs(surprise) >= self._decision.threshold))
        decided = self._decision.decide(surprise, present, notable)
        self._surprise = surprise
        changes = [self._start(slot, observation, labels, ts_ms) for slot in decided.opened.tolist()]
        self._refresh(observation, ts_ms, changes)
        accepted = set(decided.accepted.tolist())
        for slot in decided.closed.tolist():
            cause = "the new level is taken as normal" if slot in accepted else "back to normal"
            changes.extend(self._end(slot, ts_ms, cause))
        self._detector.learn(observation, self._decision.weight(surprise))
        if decided.accepted.size:
            self._detector.accept(decided.accepted)
        return changes

    def gap(self) -> None:
        """Nothing was seen for long: streaks before it do not count."""
        self._decision.forget_streaks()

    def release(self, slots: IndexArray, ts_ms: int) -> list[AnomalyChange]:
        """The series of these slots are gone."""
        changes = [change for slot in slots.tolist() for change in self._end(slot, ts_ms, "the series is gone")]
        self._detector.clear(slots)
        self._decision.clear(slots)
        return changes

    def dump(self) -> Arrays:
        """All state but the wording of open anomalies."""
        merged = {f"detector.{name}": values for name, values in self._detector.dump().items()}
        merged.update({f"decision.{name}": values for name, values in self._decision.dump().items()})
        return merged

    def restore(self, arrays: Arrays, opened: dict[int, Anomaly]) -> None:
        """Take over what :meth:`dump` gave, and the anomalies that were open by slot."""
        self._detector.restore(_under(arrays, "detector."))
        self._decision.restore(_under(arrays, "decision."))
        self._open = dict(opened)

    def open_by_slot(self) -> dict[int, Anomaly]:
        """The open anomalies with their slots."""
        return dict(self._open)

    def _notable(self, observation: Observation, slots: IndexArray) -> BoolArray:
        notable = np.zeros(observation.value.shape, dtype=np.bool_)
        if slots.size:
            expected = self._forecast(slots, observation).expected
            change = np.abs(observation.value[slots] - expected)
            least = np.maximum(self.signal.least_relative * expected, self.signal.least_absolute)
            notable[slots] = change >= least
        return notable

    def _forecast(self, slots: IndexArray, observation: Observation) -> Forecast:
        thresholds = self._decision.thresholds()[slots]
        return self._detector.forecast(slots, observation, thresholds)

    def _start(self, slot: int, observation: Observation, labels: Sequence[Labels | None], ts_ms: int) -> AnomalyChange:
        series = labels[slot]
        assert series is not None, "only slots in use are scored"
        anomaly = self._verdict(
            slot, observation, ts_ms, series.with_labels(signal=self.signal.name), started_at_ms=ts_ms
        )
        self._open[slot] = anomaly
        return AnomalyChange(change=ChangeKind.STARTED, anomaly=anomaly, ts_ms=ts_ms)

    def _verdict(
        self, slot: int, observation: Observation, ts_ms: int, series: Labels, *, started_at_ms: int
    ) -> Anomaly:
        forecast = self._forecast(np.array([slot]), observation)
        surprise = abs(float(self._surprise[slot]))
        threshold = float(self._decision.thresholds()[slot])
        open_for = float(self._decision.open_for[slot])
        above = float(self._decision.side[slot]) > 0
        kind = "level shift" if open_for >= _SHIFT_AFTER else ("spike" if above else "drop")
        anomaly = Anomaly(
            watch=self._name,
            series=series,
            kind=kind,
            actual=float(observation.value[slot]),
            expected=float(forecast.expected[0]),
            lower=float(forecast.lower[0]),
            upper=float(forecast.upper[0]),
            score=1.0 - 2.0 ** (-surprise / threshold),
            started_at_ms=started_at_ms,
            ended_at_ms=None,
            reason="",
        )
        return replace(anomaly, reason=sentence(self.signal, anomaly, ts_ms))

    def _refresh(self, observation: Observation, ts_ms: int, changes: list[AnomalyChange]) -> None:
        """Bring open verdicts up to date while the series is outside its band; a new kind is a change."""
        thresholds = self._decision.thresholds()
        for slot, known in self._open.items():
            outside = abs(self._surprise[slot]) >= thresholds[slot]
            if known.started_at_ms == ts_ms or not outside or not np.isfinite(observation.value[slot]):
                continue
            updated = self._verdict(slot, observation, ts_ms, known.series, started_at_ms=known.started_at_ms)
            self._open[slot] = updated
            if updated.kind != known.kind:
                changes.append(AnomalyChange(change=ChangeKind.REVISED, anomaly=updated, ts_ms=ts_ms))

    def _end(self, slot: int, ts_ms: int, cause: str) -> list[AnomalyChange]:
        known = self._open.pop(slot, None)
        if known is None:
            return []
        ended = replace(known, ended_at_ms=ts_ms)
        return [AnomalyChange(change=ChangeKind.ENDED, anomaly=ended, ts_ms=ts_ms, cause=cause)]


def _under(arrays: Arrays, prefix: str) -> Arrays:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
