"""SLOs, alerts, anomalies, traces and logs as JSON objects: the wire shapes of ``/v1/observability``.

Pure functions over model values. Times are RFC 3339, ids hexadecimal, ratios plain numbers, unknown values null.
Imports model and storage.
"""

from __future__ import annotations

from typing import Any

from otel_ext.model.alerts import Alert
from otel_ext.model.anomalies import Anomaly
from otel_ext.model.labels import METRIC_NAME
from otel_ext.model.logs import LogEntry
from otel_ext.model.slos import SloStatus
from otel_ext.model.spans import SpanKind, SpanRecord, SpanStatus
from otel_ext.storage.traces import Trace, TraceSummary
from otel_ext.web.encoding import plain, rfc3339, span_id, trace_id

__all__ = ["alert_json", "anomaly_json", "log_json", "slo_json", "summary_json", "trace_json"]

_KINDS = {int(kind): kind.name.lower() for kind in SpanKind}
_STATUSES = {int(status): status.name.lower() for status in SpanStatus}


def slo_json(status: SloStatus) -> dict[str, Any]:
    """An SLO with its standing; ``objective`` and ``error_budget`` are ratios, burn rates are by window."""
    slo = status.slo
    return {
        "name": slo.name,
        "description": slo.description,
        "state": status.state,
        "objective": float(slo.target),
        "error_budget": float(slo.budget),
        "latency_ms": slo.latency_ms,
        "window_days": slo.window_days,
        "match": dict(slo.match),
        "labels": dict(slo.labels),
        "evaluated_at": rfc3339(status.ts_ms),
        "good": status.good,
        "bad": status.total - status.good,
        "total": status.total,
        "sli": plain(status.sli),
        "budget_remaining": plain(status.budget_remaining),
        "budget_remaining_events": status.budget_remaining_events,
        "coverage": plain(status.coverage),
        "newest_data_at": rfc3339(status.newest_data_ms),
        "burn_rates": [
            {
                "window_seconds": rate.window_ms / 1000,
                "burn_rate": plain(rate.burn),
                "bad": rate.bad,
                "total": rate.total,
                "coverage": plain(rate.coverage),
            }
            for rate in status.burn_rates
        ],
        "exemplar_trace_ids": list(status.exemplar_trace_ids),
    }


def alert_json(alert: Alert) -> dict[str, Any]:
    """An alert with the evidence it was decided on."""
    return {
        "name": alert.labels.get("alertname", alert.rule.name),
        "state": str(alert.state),
        "source": str(alert.rule.source),
        "rule": alert.rule.key,
        "fingerprint": alert.fingerprint,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "value": plain(alert.value),
        "evidence": plain(alert.evidence),
        "active_at": rfc3339(alert.active_at_ms),
        "fired_at": rfc3339(alert.fired_at_ms),
        "resolved_at": rfc3339(alert.resolved_at_ms),
        "updated_at": rfc3339(alert.updated_at_ms),
    }


def anomaly_json(anomaly: Anomaly) -> dict[str, Any]:
    """An anomaly; ``expected``, ``lower`` and ``upper`` are in the unit of the series."""
    return {
        "watch": anomaly.watch,
        "kind": anomaly.kind,
        "metric": anomaly.series.get(METRIC_NAME, ""),
        "labels": dict(anomaly.series.without(METRIC_NAME)),
        "actual": plain(anomaly.actual),
        "expected": plain(anomaly.expected),
        "lower": plain(anomaly.lower),
        "upper": plain(anomaly.upper),
        "score": plain(anomaly.score),
        "started_at": rfc3339(anomaly.started_at_ms),
        "ended_at": rfc3339(anomaly.ended_at_ms),
        "reason": anomaly.reason,
    }


def summary_json(summary: TraceSummary) -> dict[str, Any]:
    """A trace in one line."""
    return {
        "trace_id": summary.trace_id,
        "root_service": summary.root_service,
        "root_operation": summary.root_operation,
        "missing_root": summary.missing_root,
        "started_at": rfc3339(round(summary.start_ms)),
        "duration_ms": summary.duration_ms,
        "span_count": summary.span_count,
        "error_count": summary.error_count,
        "services": list(summary.services),
    }


def trace_json(trace: Trace) -> dict[str, Any]:
    """A trace with its spans by start time; ``orphans`` and ``truncated`` say what is missing."""
    return {
        **summary_json(trace.summary),
        "orphans": trace.orphans,
        "truncated": trace.truncated,
        "spans": [_span_json(span) for span in trace.spans],
    }


def _span_json(span: SpanRecord) -> dict[str, Any]:
    """Nanoseconds are strings, as in OTLP's JSON: a JavaScript number cannot hold them."""
    return {
        "span_id": span_id(span.span_id),
        "parent_span_id": span_id(span.parent_span_id) if span.parent_span_id else None,
        "name": span.name,
        "kind": _KINDS.get(span.kind, str(span.kind)),
        "start_unix_nano": str(span.start_unix_nano),
        "end_unix_nano": str(span.end_unix_nano),
        "duration_ms": span.duration_nano / 1e6,
        "status": _STATUSES.get(span.status, str(span.status)),
        "status_message": span.status_message,
        "attributes": plain(span.attributes),
        "events": [
            {"name": event.name, "unix_nano": str(event.time_unix_nano), "attributes": plain(event.attributes)}
            for event in span.events
        ],
        "links": [
            {
                "trace_id": trace_id(link.trace_id),
                "span_id": span_id(link.span_id),
                "attributes": plain(link.attributes),
            }
            for link in span.links
        ],
        "resource": plain(span.resource),
        "scope": span.scope,
        "sampled": span.sampled,
    }


def log_json(entry: LogEntry) -> dict[str, Any]:
    """A log record."""
    return {
        "time": rfc3339(entry.time_unix_nano // 1_000_000),
        "unix_nano": str(entry.time_unix_nano),
        "severity": entry.severity_text,
        "severity_number": entry.severity_number,
        "body": entry.body,
        "logger": entry.logger,
        "event_name": entry.event_name,
        "trace_id": trace_id(entry.trace_id) if entry.trace_id else None,
        "span_id": span_id(entry.span_id) if entry.span_id else None,
        "attributes": plain(entry.attributes),
        "resource": plain(entry.resource),
    }
