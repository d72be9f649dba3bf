"""The demo at one moment: the schedule, the load, the verdicts, and how Unix times map onto the demo's own axis."""

from __future__ import annotations

from dataclasses import dataclass, field

from otel_ext.cli.demo.load import LoadTally
from otel_ext.cli.demo.phases import ScheduledPhase, phase_at
from otel_ext.cli.demo.verdicts import Verdicts

__all__ = ["DemoState"]


@dataclass(slots=True)
class DemoState:
    """What the views draw. ``origin_ms`` is the Unix time at which the load began."""

    scheduled: tuple[ScheduledPhase, ...]
    rate: float
    console_url: str
    shop_url: str
    shop_pid: int
    forwarding_to: str | None
    origin_ms: int
    tally: LoadTally
    verdicts: Verdicts = field(default_factory=Verdicts)
    elapsed_seconds: float = 0.0
    ended: bool = False
    burns: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def note_burn_rates(self) -> None:
        """Add what every SLO burns now, over its shortest window, to its chart."""
        for slo in self.verdicts.slos:
            if slo.burn_rates and slo.burn_rates[0][1] is not None:
                self.burns.setdefault(slo.name, []).append((self.elapsed_seconds, slo.burn_rates[0][1]))

    @property
    def duration_seconds(self) -> float:
        """How long the load lasts."""
        return self.scheduled[-1].end_seconds

    @property
    def current(self) -> ScheduledPhase:
        """The phase that runs now."""
        return phase_at(self.scheduled, self.elapsed_seconds)

    def seconds(self, unix_ms: int) -> float:
        """A Unix time on the demo's axis."""
        return (unix_ms - self.origin_ms) / 1000

    def since_phase(self, unix_ms: int) -> tuple[ScheduledPhase, float]:
        """The phase a moment lies in, and the seconds since that phase began."""
        seconds = self.seconds(unix_ms)
        item = phase_at(self.scheduled, seconds)
        return item, seconds - item.start_seconds
