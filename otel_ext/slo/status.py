"""How an SLO stands, and what its alerts say: values made from window counts.

Pure functions, called by the engine's thread at each tick. Imports the model, stats and this package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from otel_ext.model.alerts import ActiveAlert
from otel_ext.model.labels import Labels
from otel_ext.model.slos import BurnRate, Slo, SloStatus
from otel_ext.slo.burn import BurnCondition, burn_rate
from otel_ext.slo.wording import duration_text, number_text, percent_text
from otel_ext.stats.ring import WindowCount

__all__ = ["active_alert", "budget_remaining", "status_of"]

Windows = Mapping[int, WindowCount]


def budget_remaining(slo: Slo, bad: int, total: int) -> float | None:
    """``1 - bad / (budget * total)``; negative when overspent, ``None`` without events."""
    allowed = slo.budget.numerator * total
    return (allowed - bad * slo.budget.denominator) / allowed if total else None


def status_of(
    slo: Slo,
    ts_ms: int,
    windows: Windows,
    burning: bool,
    newest_data_ms: int | None,
    exemplars: Sequence[str],
) -> SloStatus:
    """The status at ``ts_ms`` from the counts of all windows; the SLO's own window is among them."""
    whole = windows[slo.window_ms]
    return SloStatus(
        slo=slo,
        ts_ms=ts_ms,
        good=whole.good,
        total=whole.total,
        state=_state(slo, whole, burning),
        sli=whole.good / whole.total if whole.total else None,
        budget_remaining=budget_remaining(slo, whole.bad, whole.total),
        budget_remaining_events=_events_left(slo, whole) if whole.total else None,
        burn_rates=tuple(_burn(slo, windows[length]) for length in sorted(windows)),
        coverage=whole.coverage,
        newest_data_ms=newest_data_ms,
        exemplar_trace_ids=tuple(exemplars),
    )


def _state(slo: Slo, whole: WindowCount, burning: bool) -> str:
    if not whole.total:
        return "no_data"
    spent, allowed = whole.bad * slo.budget.denominator, slo.budget.numerator * whole.total
    if spent <= allowed:
        return "at_risk" if burning else "met"
    # Overspent on what was seen. It is breached when the budget of the whole window is gone as well.
    return "breached" if spent * whole.measured_ms > allowed * whole.window_ms else "at_risk"


def _events_left(slo: Slo, whole: WindowCount) -> int:
    return slo.budget.numerator * whole.total // slo.budget.denominator - whole.bad


def _burn(slo: Slo, count: WindowCount) -> BurnRate:
    return BurnRate(
        window_ms=count.window_ms,
        bad=count.bad,
        total=count.total,
        burn=burn_rate(count.bad, count.total, slo.budget),
        coverage=count.coverage,
    )


def active_alert(
    slo: Slo, severity: str, burning: Sequence[BurnCondition], windows: Windows, exemplars: Sequence[str]
) -> ActiveAlert:
    """What the alert of this severity says while these conditions hold; the first one is the headline."""
    threshold = burning[0].threshold
    long, short = windows[threshold.long_ms], windows[threshold.short_ms]
    burn = burn_rate(long.bad, long.total, slo.budget) or 0.0
    return ActiveAlert(
        labels=Labels({**slo.labels, "slo": slo.name, "severity": severity}),
        value=burn,
        annotations=MappingProxyType(
            {
                "summary": f"{slo.name} burns its error budget {burn:.3g} times as fast as it may",
                "description": _description(slo, windows[slo.window_ms], long, short, number_text(threshold.burn_rate)),
            }
        ),
        evidence=MappingProxyType(
            {
                "objective": number_text(slo.target * 100),
                "windows": [_window_evidence(slo, condition, windows) for condition in burning],
                "budget_remaining": budget_remaining(slo, windows[slo.window_ms].bad, windows[slo.window_ms].total),
                "trace_ids": list(exemplars),
            }
        ),
    )


def _description(slo: Slo, whole: WindowCount, long: WindowCount, short: WindowCount, limit: str) -> str:
    recent = f"{short.bad} of {short.total} over {duration_text(short.window_ms)}"
    remaining = budget_remaining(slo, whole.bad, whole.total) or 0.0
    return (
        f"{long.bad} of {long.total} events ({percent_text(long.bad, long.total)}) were bad over "
        f"{duration_text(long.window_ms)}, {recent}; objective {number_text(slo.target * 100)} %, alerts above burn "
        f"rate {limit}. Budget left over {slo.window_days} days: {100 * remaining:.3g} %"
        f" of the events seen ({100 * whole.coverage:.3g} % of the window measured)."
    )


def _window_evidence(slo: Slo, condition: BurnCondition, windows: Windows) -> dict[str, object]:
    threshold = condition.threshold
    return {
        "burn_rate_threshold": float(threshold.burn_rate),
        "long": _count_evidence(slo, windows[threshold.long_ms]),
        "short": _count_evidence(slo, windows[threshold.short_ms]),
    }


def _count_evidence(slo: Slo, count: WindowCount) -> dict[str, object]:
    return {
        "window": duration_text(count.window_ms),
        "bad": count.bad,
        "total": count.total,
        "burn_rate": burn_rate(count.bad, count.total, slo.budget),
        "coverage": count.coverage,
        "bound_events": count.bound_events,
    }
