"""The end of the demo: what the load generator did against what the engines counted, and how fast faults were found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from otel_ext.cli.demo.load import CHECKOUT, LIST_PRODUCTS, SHOW_PRODUCT, LoadTally
from otel_ext.cli.demo.phases import ScheduledPhase
from otel_ext.cli.demo.state import DemoState
from otel_ext.cli.demo.verdicts import AlertVerdict, SloVerdict, Verdicts

__all__ = ["Comparison", "Detection", "all_equal", "compare", "compare_routes", "detections"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One count, as the load generator has it and as an engine has it.

    ``unanswered`` requests may or may not have reached the server: that is how far both may be apart.
    """

    what: str
    engine: str
    sent: int
    counted: int | None
    unanswered: int = 0

    @property
    def equal(self) -> bool:
        """Whether the engine's count is the load generator's."""
        return self.counted is not None and self.sent <= self.counted <= self.sent + self.unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """The first alert to fire of those that became active in a phase with a fault.

    ``fired_after_seconds`` is since the phase began, ``resolved_after_seconds`` since it ended.
    """

    phase: str
    alert: AlertVerdict | None
    fired_after_seconds: float | None
    resolved_after_seconds: float | None


def compare(tally: LoadTally, verdicts: Verdicts) -> list[Comparison]:
    """The counts of the SLO engine that the load generator knows exactly too."""
    catalogue = (LIST_PRODUCTS, SHOW_PRODUCT)
    paid = tally.answered[CHECKOUT, 201]
    lost = tally.unanswered[CHECKOUT]
    checkout = verdicts.slo("checkout-availability")
    latency = verdicts.slo("catalogue-latency")
    shipped = verdicts.slo("orders-shipped")
    return [
        Comparison(
            what="checkouts", engine="SLO checkout-availability", sent=tally.total(CHECKOUT),
            counted=_total(checkout), unanswered=lost,
        ),
        Comparison(
            what="failed checkouts", engine="its bad events",
            sent=tally.server_errors(CHECKOUT), counted=_bad(checkout), unanswered=lost,
        ),
        Comparison(
            what="catalogue requests", engine="SLO catalogue-latency",
            sent=sum(tally.total(operation) for operation in catalogue), counted=_total(latency),
            unanswered=sum(tally.unanswered[operation] for operation in catalogue),
        ),
        Comparison(
            what="paid orders", engine="SLO orders-shipped", sent=paid, counted=_total(shipped),
            unanswered=lost,
        ),
    ]  # fmt: skip


def compare_routes(tally: LoadTally, calls: Mapping[str, int]) -> list[Comparison]:
    """The request counts that the span metrics hold by span name, for every operation of the load."""
    operations = sorted({operation for operation, _ in tally.answered} | set(tally.unanswered))
    return [
        Comparison(
            what=operation.span_name,
            engine="span metrics",
            sent=tally.total(operation),
            counted=calls.get(operation.span_name),
            unanswered=tally.unanswered[operation],
        )
        for operation in operations
    ]


def all_equal(comparisons: Sequence[Comparison]) -> bool:
    """Whether both sides agree on every count."""
    return all(comparison.equal for comparison in comparisons)


def detections(state: DemoState) -> list[Detection]:
    """For each phase with a fault: which alert fired first, how long after the fault, and when it resolved."""
    alerts = state.verdicts.ordered_alerts()
    faulty = [item for item in state.scheduled if item.phase.slow_database_ms or item.phase.error_ratio]
    return [_detection(state, item, alerts) for item in faulty]


def _detection(state: DemoState, item: ScheduledPhase, alerts: Sequence[AlertVerdict]) -> Detection:
    fired = [
        (state.seconds(alert.fired_at_ms), alert)
        for alert in alerts
        if alert.fired_at_ms is not None and item.start_seconds <= state.seconds(alert.active_at_ms) < item.end_seconds
    ]
    if not fired:
        return Detection(phase=item.phase.name, alert=None, fired_after_seconds=None, resolved_after_seconds=None)
    seconds, alert = min(fired, key=lambda pair: pair[0])
    resolved = None if alert.resolved_at_ms is None else state.seconds(alert.resolved_at_ms) - item.end_seconds
    return Detection(
        phase=item.phase.name,
        alert=alert,
        fired_after_seconds=seconds - item.start_seconds,
        resolved_after_seconds=resolved,
    )


def _total(slo: SloVerdict | None) -> int | None:
    return None if slo is None else slo.total


def _bad(slo: SloVerdict | None) -> int | None:
    return None if slo is None else slo.bad
