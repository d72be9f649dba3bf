"""Points for an SLO's chart: good and all events step by step, and the budget as it went.

Pure function of a ring, called by the engine's thread. Imports stats and this package.
"""

from __future__ import annotations

from dataclasses import dataclass

from otel_ext.model.slos import Slo
from otel_ext.slo.status import budget_remaining
from otel_ext.stats.ring import SnapshotRing

__all__ = ["SloPoint", "chart_points", "chart_step_ms"]

_MAX_POINTS = 120
_STEPS_MS = (1_000, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000, 10_800_000, 21_600_000, 86_400_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class SloPoint:
    """One step of the chart, ``(ts_ms - step_ms, ts_ms]``.

    ``budget_remaining`` starts at 1 where the chart does: the share of the budget of all its events that the bad
    ones up to this point left, ``None`` while there are no events.
    """

    ts_ms: int
    step_ms: int
    good: int
    total: int
    budget_remaining: float | None


def chart_step_ms(slo: Slo, ring: SnapshotRing, ts_ms: int) -> int:
    """The step that shows the SLO window, or what there is of it, in at most 120 points."""
    age_ms = ts_ms - (ring.first_ms if ring.first_ms is not None else ts_ms)
    span_ms = min(slo.window_ms, max(age_ms, 1))
    return next((step for step in _STEPS_MS if step * _MAX_POINTS >= span_ms), _STEPS_MS[-1])


def chart_points(slo: Slo, ring: SnapshotRing, ts_ms: int) -> tuple[SloPoint, ...]:
    """The chart of the SLO window up to the last full step before ``ts_ms``."""
    if ring.first_ms is None:
        return ()
    step_ms = chart_step_ms(slo, ring, ts_ms)
    end_ms = ts_ms - ts_ms % step_ms
    first_ms = max(ring.first_ms - ring.first_ms % step_ms, end_ms - slo.window_ms)
    edges = range(first_ms, end_ms + 1, step_ms)
    after = [ring.window(ts_ms, ts_ms - edge) if edge < ts_ms else None for edge in edges]
    rests = [(count.good, count.total) if count else (0, 0) for count in after]
    good_all, total_all = (rests[0][0] - rests[-1][0], rests[0][1] - rests[-1][1]) if rests else (0, 0)
    points = []
    for edge, before, rest in zip(list(edges)[1:], rests, rests[1:], strict=False):
        bad_so_far = (total_all - good_all) - ((rest[1] - rests[-1][1]) - (rest[0] - rests[-1][0]))
        points.append(
            SloPoint(
                ts_ms=edge,
                step_ms=step_ms,
                good=before[0] - rest[0],
                total=before[1] - rest[1],
                budget_remaining=budget_remaining(slo, bad_so_far, total_all),
            )
        )
    return tuple(points)
