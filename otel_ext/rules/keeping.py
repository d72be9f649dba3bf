"""Which alerts stay as they are although the expression no longer yields them: hysteresis and missing data.

Both are opt-in. Stateless; called for each evaluation of a rule that asks for it. Imports PromQL's tree and the
vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

from otel_ext.model.alerts import ActiveAlert, Alert, AlertState
from otel_ext.model.labels import METRIC_NAME, Labels
from otel_ext.promql import parse
from otel_ext.rules.model import Rule
from otel_ext.rules.ports import QueryFunc, samples_of
from otel_ext.rules.selectors import sources_of

__all__ = ["alerts_to_keep"]


def alerts_to_keep(
    rule: Rule, known: Sequence[Alert], active: Sequence[ActiveAlert], query: QueryFunc, ts_ms: int
) -> frozenset[Labels]:
    """Labels of pending and firing alerts among ``known`` that the result lacks and that must not change.

    With ``recovery``, a firing alert stays until that expression yields an element whose labels the alert has too.
    With ``keep_state_on_missing_data``, a pending or firing alert stays while no selector or range function of
    the rule yields a series that agrees with the alert's labels.
    """
    if not (rule.recovery or rule.keep_state_on_missing_data):
        return frozenset()
    live = [alert for alert in known if alert.state is not AlertState.RESOLVED]
    present = {item.labels.with_labels(alertname=rule.alert) for item in active}
    gone = [alert for alert in live if alert.labels not in present]
    keep: set[Labels] = set()
    if gone and rule.recovery:
        recovered = [sample.labels for sample in samples_of(query(rule.recovery, ts_ms))]
        firing = [alert for alert in gone if alert.state is AlertState.FIRING]
        keep |= {alert.labels for alert in firing if not any(_covers(alert.labels, labels) for labels in recovered)}
    if gone and rule.keep_state_on_missing_data:
        series = _series_with_data(rule.expr, query, ts_ms)
        keep |= {alert.labels for alert in gone if not any(_agrees(alert.labels, labels) for labels in series)}
    return frozenset(keep)


def _series_with_data(expr: str, query: QueryFunc, ts_ms: int) -> list[Labels]:
    """The series for which any source of ``expr`` has data, each within its own range."""
    found: list[Labels] = []
    for source in sources_of(parse(expr)):
        found += [sample.labels for sample in samples_of(query(source, ts_ms))]
    return found


def _covers(alert: Labels, labels: Labels) -> bool:
    return all(alert.get(name, "") == value for name, value in labels.items_sorted if name != METRIC_NAME)


def _agrees(alert: Labels, labels: Labels) -> bool:
    return all(alert.get(name, value) == value for name, value in labels.items_sorted if name != METRIC_NAME)
