"""Prometheus recording and alerting rules in the form Sloth gives them, so that its dashboards work on them.

Pure functions from :class:`QuerySlo` to plain data. Where Sloth prints float noise, thresholds here are exact decimals.
Imports the model and this package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import Any

from otel_ext.model.slos import DAY_MS
from otel_ext.slo.catalog import SLOTH, BurnRateCatalog, BurnRateThreshold
from otel_ext.slo.specs.definitions import QueryAlert, QuerySlo
from otel_ext.slo.wording import duration_text

__all__ = ["rule_documents", "rules_yaml"]

_RATIO = "slo:sli_error:ratio_rate"
_BUDGET = "slo:error_budget:ratio"
_MODES = {"prometheus/v1": "cli-gen-prom", "sloth.slok.dev/v1": "cli-gen-k8s", "openslo/v1alpha": "cli-gen-openslo"}
_FAMILY = "$labels.sloth_service}} {{$labels.sloth_slo}} SLO error budget burn rate is"

Rule = dict[str, Any]


def rule_documents(
    slos: Sequence[QuerySlo],
    *,
    extra_labels: Mapping[str, str] | None = None,
    catalog: BurnRateCatalog = SLOTH,
    window_days: int = 30,
) -> tuple[dict[str, Any], ...]:
    """One rule file for each document the SLOs came from; a PrometheusRule object where that was Kubernetes'.

    Args:
        extra_labels: added to every recording rule.
        catalog: burn-rate windows and shares for the severities ``page`` and ``ticket``.
        window_days: the SLO window.
    """
    documents = []
    for _, members in groupby(slos, key=lambda slo: slo.document):
        batch = list(members)
        groups = [
            group for slo in batch for group in _Generator(slo, extra_labels or {}, catalog, window_days).groups()
        ]
        documents.append(_kubernetes(batch[0], groups) if batch[0].target else {"groups": groups})
    return tuple(documents)


def rules_yaml(slos: Sequence[QuerySlo], **options: Any) -> str:
    """The documents of :func:`rule_documents` as YAML."""
    import yaml  # noqa: PLC0415  (needed for files only)

    return yaml.safe_dump_all(rule_documents(slos, **options), sort_keys=False, width=10_000, explicit_start=True)


def _kubernetes(slo: QuerySlo, groups: list[dict[str, Any]]) -> dict[str, Any]:
    target = slo.target
    assert target is not None
    managed = {"app.kubernetes.io/component": "SLO", "app.kubernetes.io/managed-by": "sloth"}
    metadata: dict[str, Any] = {"labels": {**managed, **target.labels}, "name": target.name}
    if target.namespace:
        metadata["namespace"] = target.namespace
    if target.annotations:
        metadata["annotations"] = dict(target.annotations)
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": metadata,
        "spec": {"groups": groups},
    }


class _Generator:
    """The three groups of one SLO."""

    def __init__(self, slo: QuerySlo, extra: Mapping[str, str], catalog: BurnRateCatalog, window_days: int) -> None:
        self.slo = slo
        self.window_days = window_days
        self.period = f"{window_days}d"
        self.ids = {"sloth_id": slo.identity, "sloth_service": slo.service, "sloth_slo": slo.name}
        self.labels = {**slo.labels, **extra, **self.ids}
        selector = ", ".join(f'{name}="{value}"' for name, value in self.ids.items())
        self.selector = f"{{{selector}}}"
        self.thresholds = {alert.severity: catalog.scaled(alert, window_days * DAY_MS) for alert in catalog.alerts}

    def groups(self) -> list[dict[str, Any]]:
        groups = {"sli-recordings": self.indicators(), "meta-recordings": self.facts(), "alerts": list(self.alerts())}
        return [
            {"name": f"sloth-slo-{kind}-{self.slo.identity}", "rules": rules} for kind, rules in groups.items() if rules
        ]

    def indicators(self) -> list[Rule]:
        """The error ratio over every window of the alerts, and over the SLO's own as the mean of the shortest."""
        thresholds = [threshold for several in self.thresholds.values() for threshold in several]
        lengths = sorted({t.short_ms for t in thresholds} | {t.long_ms for t in thresholds})
        windows = [duration_text(length) for length in lengths if length < self.window_days * DAY_MS]
        rules = [self.ratio(window, self.slo.error_ratio_over(window)) for window in windows]
        shortest = f"{_RATIO}{windows[0]}{self.selector}[{self.period}]"
        mean = f"sum_over_time({shortest})\n/ ignoring (sloth_window)\ncount_over_time({shortest})\n"
        return [*rules, self.ratio(self.period, mean)]

    def ratio(self, window: str, expr: str) -> Rule:
        return {"record": f"{_RATIO}{window}", "expr": expr, "labels": {**self.labels, "sloth_window": window}}

    def facts(self) -> list[Rule]:
        """Objective, budget, burn rates and what is left, as series."""
        objective, shortest = decimal_text(self.slo.objective / 100), duration_text(self.shortest_ms())
        info = {
            **self.labels,
            "sloth_mode": _MODES[self.slo.spec],
            "sloth_objective": decimal_text(self.slo.objective),
            "sloth_spec": self.slo.spec,
            "sloth_version": "dev",
        }
        return [
            self.fact("slo:objective:ratio", f"vector({objective})"),
            self.fact(_BUDGET, f"vector(1-{objective})"),
            self.fact("slo:time_period:days", f"vector({self.window_days})"),
            self.fact("slo:current_burn_rate:ratio", self.burn(shortest)),
            self.fact("slo:period_burn_rate:ratio", self.burn(self.period)),
            self.fact("slo:period_error_budget_remaining:ratio", f"1 - slo:period_burn_rate:ratio{self.selector}"),
            {"record": "sloth_slo_info", "expr": "vector(1)", "labels": info},
        ]

    def shortest_ms(self) -> int:
        return min(threshold.short_ms for several in self.thresholds.values() for threshold in several)

    def fact(self, name: str, expr: str) -> Rule:
        return {"record": name, "expr": expr, "labels": dict(self.labels)}

    def burn(self, window: str) -> str:
        joined = "/ on(sloth_id, sloth_slo, sloth_service) group_left"
        return f"{_RATIO}{window}{self.selector}\n{joined}\n{_BUDGET}{self.selector}\n"

    def alerts(self) -> Iterator[Rule]:
        for severity, alert in (("page", self.slo.page), ("ticket", self.slo.ticket)):
            thresholds = self.thresholds.get(severity, ())
            if not alert.disabled and thresholds:
                yield self.alert(severity, alert, thresholds)

    def alert(self, severity: str, alert: QueryAlert, thresholds: Sequence[BurnRateThreshold]) -> Rule:
        return {
            "alert": self.slo.alert_name,
            "expr": "\nor\n".join(self.condition(threshold) for threshold in thresholds) + "\n",
            "labels": {**self.slo.alert_labels, **alert.labels, "sloth_severity": severity},
            "annotations": {
                "summary": f"{{{{{_FAMILY} over expected.",
                "title": f"({severity}) {{{{{_FAMILY} too fast.",
                **self.slo.alert_annotations,
                **alert.annotations,
            },
        }

    def condition(self, threshold: BurnRateThreshold) -> str:
        limit = f"({decimal_text(threshold.burn_rate)} * {decimal_text(self.slo.budget)})"
        short, long = (
            f"    max({_RATIO}{duration_text(length)}{self.selector} > {limit}) without (sloth_window)"
            for length in (threshold.short_ms, threshold.long_ms)
        )
        return f"(\n{short}\n    and\n{long}\n)"


def decimal_text(value: Fraction) -> str:
    """The decimal digits of a rational: exact where there is an end to them within 28."""
    return f"{(Decimal(value.numerator) / Decimal(value.denominator)).normalize():f}"
