"""Scores of a detector on labelled series: NAB's published rules, and incidents found against false alarms a week.

Pure functions over positions of alarms; nothing here looks at values. Imports numpy alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from otel_ext.anomaly.detector import BoolArray, IndexArray

__all__ = ["IncidentScore", "NabProfile", "NabSeries", "nab_score", "probation", "score_incidents"]

_WEEK_MS = 604_800_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NabProfile:
    """What a hit, a false alarm and a miss weigh. The defaults are NAB's standard profile."""

    true_positive: float = 1.0
    false_positive: float = 0.11
    false_negative: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NabSeries:
    """One file: its length and its labelled windows as first and last position, both inclusive."""

    length: int
    windows: tuple[tuple[int, int], ...]


def probation(length: int) -> int:
    """Positions at the start that are not scored: 15 % of the file, at most 750."""
    return min(int(0.15 * length), 750)


def nab_score(series: Sequence[NabSeries], alarms: Sequence[IndexArray], profile: NabProfile | None = None) -> float:
    """NAB's normalised score: 100 is perfect, 0 is a detector that never alarms (Lavin and Ahmad 2015).

    The earliest alarm in a window counts, more the earlier it is; an alarm outside costs, less soon after a window;
    a window without alarm costs one miss.

    Raises:
        ValueError: no series has a window, so nothing can be found.
    """
    profile = profile or NabProfile()
    windows = sum(len(one.windows) for one in series)
    if not windows:
        raise ValueError("NAB's score needs at least one labelled window")
    raw = sum(_raw(one, positions, profile) for one, positions in zip(series, alarms, strict=True))
    worst, best = -profile.false_negative * windows, profile.true_positive * windows
    return 100.0 * (raw - worst) / (best - worst)


def _raw(series: NabSeries, alarms: IndexArray, profile: NabProfile) -> float:
    first = probation(series.length)
    best: dict[int, float] = {}
    total = 0.0
    for position in alarms[alarms >= first].tolist():
        inside = next((n for n, (left, right) in enumerate(series.windows) if left <= position <= right), None)
        if inside is None:
            total += _outside(position, series.windows) * profile.false_positive
            continue
        left, right = series.windows[inside]
        gain = _sigmoid(-(right - position + 1) / (right - left + 1)) / _sigmoid(-1.0) * profile.true_positive
        best[inside] = max(best.get(inside, gain), gain)
    return total + sum(best.values()) - profile.false_negative * (len(series.windows) - len(best))


def _outside(position: int, windows: Sequence[tuple[int, int]]) -> float:
    """Between 0 right after a window and -1 far from any that came before."""
    before = [(left, right) for left, right in windows if right < position]
    if not before:
        return -1.0
    left, right = before[-1]
    return _sigmoid((position - right) / max(right - left, 1))


def _sigmoid(x: float) -> float:
    return -1.0 if x > 3.0 else 2.0 / (1.0 + math.exp(5.0 * x)) - 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentScore:
    """Incidents found and false alarms, with the delays of those found in values."""

    incidents: int
    found: int
    false_alarms: int
    weeks: float
    delays: tuple[int, ...]

    @property
    def recall(self) -> float:
        """Share of incidents found; 1 when there were none."""
        return self.found / self.incidents if self.incidents else 1.0

    @property
    def false_alarms_per_week(self) -> float:
        """False alarms a series and week."""
        return self.false_alarms / self.weeks if self.weeks else 0.0

    def __add__(self, other: IncidentScore) -> IncidentScore:
        return IncidentScore(
            incidents=self.incidents + other.incidents,
            found=self.found + other.found,
            false_alarms=self.false_alarms + other.false_alarms,
            weeks=self.weeks + other.weeks,
            delays=self.delays + other.delays,
        )


def score_incidents(
    alarms: IndexArray, labels: BoolArray, *, interval_ms: float, ignore: int = 0, quiet: int = 30
) -> IncidentScore:
    """Judge alarms against labelled runs; alarms less than ``quiet`` values apart are one.

    An incident is found by an alarm from 2 values before its start to ``min(length, 30)`` values after its end; an
    alarm that touches none is false. The first ``ignore`` values are not scored.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], labels.astype(np.int8), [0]])))
    runs = [(int(start), int(end) - 1) for start, end in zip(edges[::2], edges[1::2], strict=True) if end > ignore]
    merged: list[tuple[int, int]] = []
    for position in alarms[alarms >= ignore].tolist():
        if merged and position - merged[-1][1] < quiet:
            merged[-1] = (merged[-1][0], position)
        else:
            merged.append((position, position))
    reach = [(start - 2, end + min(end - start + 1, 30)) for start, end in runs]
    delays = []
    for (start, _), (low, high) in zip(runs, reach, strict=True):
        hits = [position for position in alarms.tolist() if low <= position <= high and position >= ignore]
        if hits:
            delays.append(max(0, hits[0] - start))
    false = sum(not any(first <= high and last >= low for low, high in reach) for first, last in merged)
    weeks = max(0, labels.size - ignore) * interval_ms / _WEEK_MS
    return IncidentScore(incidents=len(runs), found=len(delays), false_alarms=false, weeks=weeks, delays=tuple(delays))
