"""Rule groups and alerts in the shapes of Prometheus' ``/api/v1/rules`` and ``/api/v1/alerts``.

Pure functions over the rule engine's and the alert machine's snapshots. Imports rules, promql and model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from otel_ext.model.alerts import Alert, AlertState
from otel_ext.promql.formatting import format_float_e
from otel_ext.rules.status import GroupStatus, RuleStatus
from otel_ext.web.encoding import rfc3339
from otel_ext.web.parameters import BadParameterError, Parameters

__all__ = ["alerts_json", "groups_json"]

_NEVER = "0001-01-01T00:00:00Z"  # Go's zero time: Prometheus' clients expect a time in every field
_TYPES = {"": None, "alert": "alerting", "record": "recording"}
_ACTIVE = (AlertState.PENDING, AlertState.FIRING)


def alerts_json(alerts: Iterable[Alert]) -> list[dict[str, Any]]:
    """Pending and firing alerts."""
    return [_alert(alert) for alert in alerts if alert.state in _ACTIVE]


def groups_json(groups: Sequence[GroupStatus], asked: Parameters) -> list[dict[str, Any]]:
    """Groups that the request chose; a group without a chosen rule is left out, as Prometheus does."""
    if asked.text("type").lower() not in _TYPES:
        raise BadParameterError(
            f'invalid parameter "type": not supported value {asked.text("type")[:80]!r}; allowed are alert and record'
        )
    group_names, files = asked.all("rule_group[]"), asked.all("file[]")
    found = []
    for group in groups:
        if (group_names and group.name not in group_names) or (files and group.file not in files):
            continue
        rules = [_rule(rule, asked) for rule in group.rules if _chosen(rule, asked)]
        if rules or not group.rules:
            found.append(_group(group, rules))
    return found


def _chosen(rule: RuleStatus, asked: Parameters) -> bool:
    kind = _TYPES[asked.text("type").lower()]
    names = asked.all("rule_name[]")
    return (kind is None or _kind(rule) == kind) and (not names or rule.name in names)


def _kind(rule: RuleStatus) -> str:
    return "alerting" if rule.kind.startswith("alert") else "recording"


def _group(group: GroupStatus, rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": group.name,
        "file": group.file,
        "interval": group.interval_ms / 1000,
        "limit": group.limit,
        "rules": rules,
        "evaluationTime": group.evaluation_duration_seconds,
        "lastEvaluation": rfc3339(group.last_evaluation_ms) or _NEVER,
    }


def _rule(rule: RuleStatus, asked: Parameters) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "name": rule.name,
        "query": rule.expr,
        "labels": dict(rule.labels),
        "health": str(rule.health),
        "evaluationTime": rule.evaluation_duration_seconds,
        "lastEvaluation": rfc3339(rule.last_evaluation_ms) or _NEVER,
        "type": _kind(rule),
    }
    if rule.last_error:
        shape["lastError"] = rule.last_error
    if _kind(rule) == "recording":
        return shape
    state = rule.state if rule.state in _ACTIVE else AlertState.INACTIVE
    shape |= {
        "state": str(state),
        "duration": rule.for_ms / 1000,
        "keepFiringFor": rule.keep_firing_for_ms / 1000,
        "annotations": dict(rule.annotations),
        "alerts": [] if asked.flag("exclude_alerts") else alerts_json(rule.alerts),
    }
    return shape


def _alert(alert: Alert) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "state": str(alert.state),
        "activeAt": rfc3339(alert.active_at_ms),
        "value": format_float_e(alert.value),
    }
    if alert.keep_firing_since_ms is not None:
        shape["keepFiringSince"] = rfc3339(alert.keep_firing_since_ms)
    return shape
