"""How an SLO stands, and what its alerts say: values made from window counts.

Pure functions, called by the engine's thread at each tick. Imports the model, stats and this package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from otel_ext.model.alerts import ActiveAlert
from otel_ext.model.labels import Labels
from otel_ext.model.slos import BurnRate, Slo, SloStatus
from otel_ext.slo.budget import Budget
from otel_ext.slo.burn import BurnCondition
from otel_ext.slo.catalog import BurnRateThreshold
from otel_ext.slo.wording import duration_text, number_text, percent_text
from otel_ext.stats.ring import WindowCount

__all__ = ["active_alert", "status_of"]

Windows = Mapping[int, WindowCount]


def status_of(
    slo: Slo,
    budget: Budget,
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
        state=_state(budget, whole, burning),
        sli=whole.good / whole.total if whole.total else None,
        budget_remaining=budget.remaining(whole.bad, whole.total),
        budget_remaining_events=budget.events_left(whole.bad, whole.total),
        burn_rates=tuple(_burn(budget, windows[length]) for length in sorted(windows)),
        coverage=whole.coverage,
        newest_data_ms=newest_data_ms,
        exemplar_trace_ids=tuple(exemplars),
    )


def _state(budget: Budget, whole: WindowCount, burning: bool) -> str:
    if not whole.total:
        return "no_data"
    if not budget.is_overspent(whole):
        return "at_risk" if burning else "met"
    return "breached" if budget.is_gone(whole) else "at_risk"


def _burn(budget: Budget, count: WindowCount) -> BurnRate:
    return BurnRate(
        window_ms=count.window_ms,
        bad=count.bad,
        total=count.total,
        burn=budget.burn_rate(count.bad, count.total),
        coverage=count.coverage,
    )


def active_alert(
    slo: Slo,
    budget: Budget,
    severity: str,
    burning: Sequence[BurnCondition],
    windows: Windows,
    exemplars: Sequence[str],
) -> ActiveAlert:
    """What the alert of this severity says while these conditions hold; the first one is the headline."""
    headline, whole = burning[0].threshold, windows[slo.window_ms]
    long = windows[headline.long_ms]
    burn = budget.burn_rate(long.bad, long.total) or 0.0
    annotations = {
        "summary": f"{slo.name} burns its error budget {burn:.3g} times as fast as it may",
        "description": _description(slo, budget, headline, windows),
    }
    evidence = {
        "objective": number_text(slo.target * 100),
        "windows": [_window_evidence(budget, condition.threshold, windows) for condition in burning],
        "budget_remaining": budget.remaining(whole.bad, whole.total),
        "coverage": whole.coverage,
        "trace_ids": list(exemplars),
    }
    return ActiveAlert(
        labels=Labels({**slo.labels, "slo": slo.name, "severity": severity}),
        value=burn,
        annotations=MappingProxyType(annotations),
        evidence=MappingProxyType(evidence),
    )


def _description(slo: Slo, budget: Budget, threshold: BurnRateThreshold, windows: Windows) -> str:
    long, short, whole = windows[threshold.long_ms], windows[threshold.short_ms], windows[slo.window_ms]
    remaining = budget.remaining(whole.bad, whole.total) or 0.0
    return (
        f"{long.bad} of {long.total} events ({percent_text(long.bad / long.total)}) were bad over "
        f"{duration_text(long.window_ms)}, {short.bad} of {short.total} over {duration_text(short.window_ms)}. "
        f"The objective is {number_text(slo.target * 100)} %, the alert limit burn rate "
        f"{number_text(threshold.burn_rate)}. Budget left over {slo.window_days} days: {percent_text(remaining)}, "
        f"with {percent_text(whole.coverage)} of that time measured."
    )


def _window_evidence(budget: Budget, threshold: BurnRateThreshold, windows: Windows) -> dict[str, object]:
    return {
        "burn_rate_threshold": float(threshold.burn_rate),
        "long": _count_evidence(budget, windows[threshold.long_ms]),
        "short": _count_evidence(budget, windows[threshold.short_ms]),
    }


def _count_evidence(budget: Budget, count: WindowCount) -> dict[str, object]:
    return {
        "window": duration_text(count.window_ms),
        "bad": count.bad,
        "total": count.total,
        "burn_rate": budget.burn_rate(count.bad, count.total),
        "coverage": count.coverage,
        "bound_events": count.bound_events,
    }
