"""Points for an SLO's chart: good and all events step by step, and the budget as it went.

Pure function of a ring, called by the engine's thread. Imports stats and this package.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from otel_ext.model.slos import Slo
from otel_ext.slo.budget import Budget
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


def chart_points(slo: Slo, budget: Budget, ring: SnapshotRing, ts_ms: int) -> tuple[SloPoint, ...]:
    """The chart of the SLO window up to the last full step before ``ts_ms``."""
    if ring.first_ms is None:
        return ()
    step_ms = chart_step_ms(slo, ring, ts_ms)
    end_ms = ts_ms - ts_ms % step_ms
    start_ms = max(ring.first_ms - ring.first_ms % step_ms, end_ms - slo.window_ms)
    seen = [_seen_until(ring, edge_ms, ts_ms) for edge_ms in range(start_ms, end_ms + 1, step_ms)]
    return tuple(
        SloPoint(
            ts_ms=start_ms + number * step_ms,
            step_ms=step_ms,
            good=after[0] - before[0],
            total=after[1] - before[1],
            budget_remaining=budget.remaining(
                (after[1] - seen[0][1]) - (after[0] - seen[0][0]), seen[-1][1] - seen[0][1]
            ),
        )
        for number, (before, after) in enumerate(itertools.pairwise(seen), start=1)
    )


def _seen_until(ring: SnapshotRing, edge_ms: int, ts_ms: int) -> tuple[int, int]:
    if edge_ms >= ts_ms:
        return ring.good, ring.total
    after = ring.window(ts_ms, ts_ms - edge_ms)
    return ring.good - after.good, ring.total - after.total
