"""The script of the demo: four phases, what is broken in each, and when each begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["PHASES", "Phase", "ScheduledPhase", "phase_at", "schedule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One act of the demo: ``share`` of the whole duration, and the faults the shop has meanwhile."""

    name: str
    share: float
    story: str
    style: str
    slow_database_ms: int = 0
    error_ratio: float = 0.0

    @property
    def faults(self) -> dict[str, float]:
        """The body of the shop's ``POST /_faults``."""
        return {"slow_database_ms": self.slow_database_ms, "error_ratio": self.error_ratio}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledPhase:
    """A phase with its place in time, in seconds since the load began."""

    phase: Phase
    start_seconds: float
    end_seconds: float


PHASES = (
    Phase(name="normal", share=0.38, story="everything works", style="green"),
    Phase(
        name="slow database",
        share=0.20,
        story="every read of the catalogue takes 400 ms longer",
        style="yellow",
        slow_database_ms=400,
    ),
    Phase(
        name="error burst",
        share=0.20,
        story="one payment in five is refused: 503",
        style="red",
        error_ratio=0.2,
    ),
    Phase(name="recovery", share=0.22, story="all faults are mended", style="cyan"),
)


def schedule(duration_seconds: float, phases: Sequence[Phase] = PHASES) -> tuple[ScheduledPhase, ...]:
    """Place the phases one after another so that together they take ``duration_seconds``."""
    scheduled: list[ScheduledPhase] = []
    start = 0.0
    total = sum(phase.share for phase in phases)
    for phase in phases:
        end = start + duration_seconds * phase.share / total
        scheduled.append(ScheduledPhase(phase=phase, start_seconds=start, end_seconds=end))
        start = end
    return tuple(scheduled)


def phase_at(scheduled: Sequence[ScheduledPhase], elapsed_seconds: float) -> ScheduledPhase:
    """The phase that runs at that moment; the last one from its start on."""
    for item in scheduled[:-1]:
        if elapsed_seconds < item.end_seconds:
            return item
    return scheduled[-1]
