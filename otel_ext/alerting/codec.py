"""Alerts as plain data and back, so that their state survives a restart.

Stateless; called by :class:`otel_ext.alerting.AlertMachine`. Imports the vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from otel_ext.model.alerts import Alert, AlertRule, AlertSource, AlertState
from otel_ext.model.labels import Labels

__all__ = ["VERSION", "decode", "encode"]

VERSION = 1


def encode(alerts: Sequence[Alert], ts_ms: int) -> dict[str, object]:
    """Rules once, alerts by rule; ``saved_at_ms`` tells :func:`decode` how long the clocks stood still."""
    rules: dict[str, dict[str, object]] = {}
    for alert in alerts:
        entry = rules.setdefault(alert.rule.key, {**_encode_rule(alert.rule), "alerts": []})
        listed = entry["alerts"]
        assert isinstance(listed, list)
        listed.append(_encode_alert(alert))
    return {"version": VERSION, "saved_at_ms": ts_ms, "rules": list(rules.values())}


def decode(data: Mapping[str, Any], ts_ms: int) -> tuple[Alert, ...]:
    """The alerts of :func:`encode`, their ``for`` and ``keep_firing_for`` clocks moved by the time between.

    Raises:
        ValueError: another version, or a missing or malformed entry.
    """
    if data.get("version") != VERSION:
        raise ValueError(f"alert state has version {data.get('version')!r}, this program reads version {VERSION}")
    try:
        away_ms = max(0, ts_ms - int(data["saved_at_ms"]))
        return tuple(
            _decode_alert(_decode_rule(entry), item, away_ms) for entry in data["rules"] for item in entry["alerts"]
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"alert state is malformed: {type(error).__name__}: {error}") from error


def _encode_rule(rule: AlertRule) -> dict[str, object]:
    return {
        "key": rule.key,
        "name": rule.name,
        "source": rule.source.value,
        "for_ms": rule.for_ms,
        "keep_firing_for_ms": rule.keep_firing_for_ms,
        "interval_ms": rule.interval_ms,
    }


def _decode_rule(entry: Mapping[str, Any]) -> AlertRule:
    return AlertRule(
        key=str(entry["key"]),
        name=str(entry["name"]),
        source=AlertSource(entry["source"]),
        for_ms=int(entry["for_ms"]),
        keep_firing_for_ms=int(entry["keep_firing_for_ms"]),
        interval_ms=int(entry["interval_ms"]),
    )


def _encode_alert(alert: Alert) -> dict[str, object]:
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "evidence": dict(alert.evidence),
        "state": alert.state.value,
        "value": alert.value,
        "active_at_ms": alert.active_at_ms,
        "fired_at_ms": alert.fired_at_ms,
        "resolved_at_ms": alert.resolved_at_ms,
        "updated_at_ms": alert.updated_at_ms,
        "keep_firing_since_ms": alert.keep_firing_since_ms,
    }


def _decode_alert(rule: AlertRule, item: Mapping[str, Any], away_ms: int) -> Alert:
    state = AlertState(item["state"])
    pending = state is AlertState.PENDING
    since = item["keep_firing_since_ms"]
    return Alert(
        rule=rule,
        labels=Labels({str(name): str(value) for name, value in item["labels"].items()}),
        annotations=MappingProxyType(dict(item["annotations"])),
        evidence=MappingProxyType(dict(item["evidence"])),
        state=state,
        value=float(item["value"]),
        active_at_ms=int(item["active_at_ms"]) + (away_ms if pending else 0),
        fired_at_ms=_optional(item["fired_at_ms"]),
        resolved_at_ms=_optional(item["resolved_at_ms"]),
        updated_at_ms=int(item["updated_at_ms"]),
        keep_firing_since_ms=None if since is None else int(since) + away_ms,
    )


def _optional(value: int | None) -> int | None:
    return None if value is None else int(value)
