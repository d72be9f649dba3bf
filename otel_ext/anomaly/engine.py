"""The anomaly engine: watches the golden signals of every operation and says what is out of the ordinary.

The pipeline thread calls ``tick`` (and ``dump``/``restore``); any thread reads ``open``, ``recent`` and ``alerts``,
which are tuples replaced at each tick. Time is an argument. Imports the model and this package.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np

from otel_ext.anomaly import state
from otel_ext.anomaly.decision import Decision
from otel_ext.anomaly.detector import FloatArray, IndexArray, Observation
from otel_ext.anomaly.signals import GOLDEN_SIGNALS, GoldenRow
from otel_ext.anomaly.slots import SlotTable
from otel_ext.anomaly.watch import AnomalyChange, ChangeKind, Watch
from otel_ext.model.alerts import ActiveAlert, AlertRule, AlertSource
from otel_ext.model.anomalies import Anomaly

__all__ = ["AnomalyEngine"]

_WATCH = "golden_signals"
_RULE = AlertRule(key="anomaly/golden_signals", name="Anomaly", source=AlertSource.ANOMALY)
_RECENT = 200
_UNREAD = 1000
_GAP_INTERVALS = 3
_FORGET_MS = 3_600_000
_SEVERITY = {signal.name: signal.severity for signal in GOLDEN_SIGNALS}


class AnomalyEngine:
    """Derives request rate, error ratio and mean latency of each row of golden signals and judges each.

    Args:
        false_alarms_per_week: the sensitivity: false alarms that one series may raise a week when nothing is wrong.
        interval_ms: one value a series each interval; ticks that come sooner do nothing.
        warm_up_intervals: intervals with data before the first verdict on a series.
        recovery_intervals: so many normal values in a row end an anomaly.
        accept_after_intervals: a change that stands for so long is the new normal.
        kinds: span kinds that are watched; rows without the label ``span_kind`` always are.
    """

    def __init__(
        self,
        *,
        false_alarms_per_week: float = 1.0,
        interval_ms: int = 10_000,
        warm_up_intervals: int = 30,
        recovery_intervals: int = 12,
        accept_after_intervals: int = 360,
        kinds: Sequence[str] = ("SPAN_KIND_SERVER", "SPAN_KIND_CONSUMER"),
    ) -> None:
        if not false_alarms_per_week > 0:
            raise ValueError(
                f"AnomalyEngine(false_alarms_per_week={false_alarms_per_week!r}) must be above 0, for example 1.0"
            )
        if interval_ms <= 0 or warm_up_intervals < 5:
            raise ValueError(
                f"AnomalyEngine(interval_ms={interval_ms!r}, warm_up_intervals={warm_up_intervals!r}): "
                "at least 1 and 5, for example interval_ms=10_000, warm_up_intervals=30"
            )
        self._interval_ms = interval_ms
        self._kinds = frozenset(kinds)
        self._slots = SlotTable()
        self._watches = {
            signal.name: Watch(
                name=_WATCH,
                signal=signal,
                detector=signal.detector(warm_up_intervals),
                decision=Decision(
                    false_alarms_per_week=false_alarms_per_week,
                    interval_ms=interval_ms,
                    recovery=recovery_intervals,
                    accept_after=accept_after_intervals,
                    both_sides=signal.both_sides,
                ),
            )
            for signal in GOLDEN_SIGNALS
        }
        self._last_tick_ms: int | None = None
        self._open: tuple[Anomaly, ...] = ()
        self._ended: deque[Anomaly] = deque(maxlen=_RECENT)
        self._recent: tuple[Anomaly, ...] = ()
        self._unread: deque[AnomalyChange] = deque(maxlen=_UNREAD)

    def due(self, ts_ms: int) -> bool:
        """Whether a tick at ``ts_ms`` would take values in: an interval (less 5 %) has passed since the last one."""
        last = self._last_tick_ms
        return last is None or ts_ms - last >= self._interval_ms * 0.95

    def tick(self, ts_ms: int, rows: Iterable[GoldenRow]) -> tuple[Anomaly, ...]:
        """Take cumulative counts in at Unix time ``ts_ms``; returns anomalies that began or ended now.

        A row whose counts went back (a restart) is taken as it is, without a verdict; so is every row after a
        gap of more than three intervals. A row that is missing says nothing; after an hour its series is forgotten.
        """
        if not self.due(ts_ms):
            return ()
        elapsed_ms = None if self._last_tick_ms is None else ts_ms - self._last_tick_ms
        self._last_tick_ms = ts_ms
        watched = [
            row for row in rows if row.labels.get("span_kind", "") in self._kinds or "span_kind" not in row.labels
        ]
        used = self._slots.assign([row.labels for row in watched], ts_ms)
        for watch in self._watches.values():
            watch.reserve(self._slots.capacity)
        changes = self._forget(ts_ms)
        delta, counted = self._slots.advance(used, _counts(watched))
        if elapsed_ms is None or elapsed_ms > _GAP_INTERVALS * self._interval_ms:
            for watch in self._watches.values():
                watch.gap()
        else:
            for name, observation in _observations(delta, counted, elapsed_ms / 1000, ts_ms).items():
                changes += self._watches[name].tick(observation, self._slots.labels, ts_ms)
        return self._publish(changes)

    def open(self) -> tuple[Anomaly, ...]:
        """Anomalies that are open now, the oldest first."""
        return self._open

    def recent(self) -> tuple[Anomaly, ...]:
        """Open anomalies and the latest that ended (at most 200), the newest start first."""
        return self._recent

    def changes(self) -> tuple[AnomalyChange, ...]:
        """What started, got another kind or ended since the last call; at most 1000 are kept unread."""
        taken = []
        while self._unread:
            taken.append(self._unread.popleft())
        return tuple(taken)

    def alerts(self, ts_ms: int) -> tuple[tuple[AlertRule, tuple[ActiveAlert, ...]], ...]:
        """What is to be told to the alert machine at ``ts_ms``: one rule, one active alert an open anomaly.

        A tick that is overdue by three intervals means that nothing is known any more, so nothing is active.

        Labels: those of the series with ``signal`` (``request_rate``, ``error_ratio``, ``mean_latency``) and
        ``severity`` (``warning`` for errors, ``info`` otherwise). What can change while it is open (kind, numbers) is
        in annotations and evidence.
        """
        last = self._last_tick_ms
        if last is None or ts_ms - last > _GAP_INTERVALS * self._interval_ms:
            return ((_RULE, ()),)
        return ((_RULE, tuple(_active(anomaly) for anomaly in self._open)),)

    def dump(self) -> bytes:
        """The whole state, versioned: restoring it goes on bit for bit."""
        arrays = self._slots.dump()
        for name, watch in self._watches.items():
            arrays.update({f"{name}.{key}": values for key, values in watch.dump().items()})
        opened = {name: watch.open_by_slot() for name, watch in self._watches.items()}
        return state.encode(
            arrays=arrays,
            labels=self._slots.labels,
            last_tick_ms=self._last_tick_ms,
            opened=opened,
            ended=tuple(self._ended),
        )

    def restore(self, saved: bytes) -> None:
        """Take over what :meth:`dump` gave; ``ValueError`` when it is not this version's. Counters are read anew.

        The first tick after it takes counts as a new start (a restarted process counts from 0), so no increase is
        made of the difference between two processes.
        """
        read = state.decode(saved)
        self._slots.restore(read.arrays, read.labels)
        for name, watch in self._watches.items():
            own = {key.removeprefix(f"{name}."): v for key, v in read.arrays.items() if key.startswith(f"{name}.")}
            watch.restore(own, read.opened.get(name, {}))
        self._ended = deque(read.ended, maxlen=_RECENT)
        self._last_tick_ms = read.last_tick_ms
        self._publish([])

    def _forget(self, ts_ms: int) -> list[AnomalyChange]:
        gone = self._slots.stale(ts_ms - _FORGET_MS)
        if not gone.size:
            return []
        changes = [change for watch in self._watches.values() for change in watch.release(gone, ts_ms)]
        self._slots.free(gone)
        return changes

    def _publish(self, changes: list[AnomalyChange]) -> tuple[Anomaly, ...]:
        self._unread.extend(changes)
        told = [change.anomaly for change in changes if change.change is not ChangeKind.REVISED]
        self._ended.extend(anomaly for anomaly in told if anomaly.ended_at_ms is not None)
        opened = [anomaly for watch in self._watches.values() for anomaly in watch.open()]
        self._open = tuple(sorted(opened, key=lambda anomaly: anomaly.started_at_ms))
        both = [*self._open, *self._ended]
        self._recent = tuple(sorted(both, key=lambda anomaly: anomaly.started_at_ms, reverse=True))
        return tuple(told)


def _counts(rows: Sequence[GoldenRow]) -> FloatArray:
    """Shape (3, rows): calls, errors, seconds of duration, cumulative."""
    calls = [row.count for row in rows]
    errors = [row.errors for row in rows]
    seconds = [row.duration_nano_sum / 1e9 for row in rows]
    return np.array([calls, errors, seconds], dtype=np.float64).reshape(3, len(rows))


def _observations(delta: FloatArray, counted: IndexArray, elapsed_seconds: float, ts_ms: int) -> dict[str, Observation]:
    """The three derived series of every slot; NaN where nothing can be said."""
    calls, errors, seconds = delta
    present = np.zeros(calls.shape, dtype=np.bool_)
    present[counted] = True
    served = present & (calls > 0)
    asked = np.where(served, calls, 1.0)
    nothing = np.nan
    at_ms = np.full_like(calls, ts_ms)
    return {
        "request_rate": Observation(
            np.where(present, calls / elapsed_seconds, nothing), calls, np.full_like(calls, elapsed_seconds), at_ms
        ),
        "error_ratio": Observation(np.where(served, errors / asked, nothing), errors, asked, at_ms),
        "mean_latency": Observation(np.where(served, seconds / asked, nothing), seconds, asked, at_ms),
    }


def _active(anomaly: Anomaly) -> ActiveAlert:
    severity = _SEVERITY[anomaly.series["signal"]]
    return ActiveAlert(
        labels=anomaly.series.with_labels(severity=severity),
        value=anomaly.actual,
        annotations={"summary": anomaly.reason, "kind": anomaly.kind},
        evidence={
            "watch": anomaly.watch,
            "kind": anomaly.kind,
            "actual": anomaly.actual,
            "expected": anomaly.expected,
            "lower": anomaly.lower,
            "upper": anomaly.upper,
            "score": anomaly.score,
            "since_ms": anomaly.started_at_ms,
        },
    )
