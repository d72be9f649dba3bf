"""``/v1/observability``: what this process concluded and what it keeps, as JSON.

Owns nothing; reads the source's snapshots in the web thread. Imports records, parameters, probes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from otel_ext.errors import NotFoundError
from otel_ext.health import CheckKind
from otel_ext.model.alerts import AlertState
from otel_ext.web.encoding import plain, rfc3339
from otel_ext.web.guard import JsonResponse
from otel_ext.web.parameters import BadParameterError, Parameters, read_parameters
from otel_ext.web.probes import Probes
from otel_ext.web.records import alert_json, anomaly_json, log_json, slo_json, summary_json, trace_json
from otel_ext.web.settings_view import settings_json
from otel_ext.web.sources import ObservabilitySource

__all__ = ["ObservabilityApi"]

_LIMIT = 1000
_SEVERITIES = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "warning": 13, "error": 17, "fatal": 21, "critical": 21}
_SECOND_MS = 1000


class ObservabilityApi:
    """The handlers under ``/v1/observability``."""

    def __init__(self, source: ObservabilitySource, probes: Probes) -> None:
        self._source = source
        self._probes = probes

    async def slos(self, _request: Request) -> Response:
        """Every SLO with budget, burn rates and coverage."""
        return JsonResponse({"slos": [slo_json(status) for status in self._source.slo.statuses()]})

    async def slo(self, request: Request) -> Response:
        """One SLO; 404 lists the names there are."""
        return JsonResponse(slo_json(self._source.slo.status(request.path_params["name"])))

    async def alerts(self, request: Request) -> Response:
        """Pending, firing and recently resolved alerts of every source; ``state=`` chooses."""
        states = _states(await read_parameters(request))
        found = [alert for alert in self._source.alerts.alerts() if not states or alert.state in states]
        return JsonResponse({"alerts": [alert_json(alert) for alert in found]})

    async def anomalies(self, _request: Request) -> Response:
        """Open anomalies, and those that ended a while ago."""
        ended = [anomaly for anomaly in self._source.anomalies.recent() if anomaly.ended_at_ms is not None]
        opened = self._source.anomalies.open()
        return JsonResponse({"open": list(map(anomaly_json, opened)), "ended": list(map(anomaly_json, ended))})

    async def traces(self, request: Request) -> Response:
        """Search the traces kept."""
        asked = await read_parameters(request)
        now_ms = self._source.clock.now_ms()
        start_ms, end_ms = _range(asked, now_ms)
        found = self._source.traces.search(
            service=asked.text("service") or None,
            operation=asked.text("operation") or None,
            min_duration_ms=asked.duration_ms("min_duration", None),
            max_duration_ms=asked.duration_ms("max_duration", None),
            error=_failed(asked),
            attributes=_attributes(asked.all("attribute")),
            start_ms=start_ms,
            end_ms=end_ms,
            limit=asked.count("limit", 20, _LIMIT),
        )
        return JsonResponse({"traces": list(map(summary_json, found)), "kept": plain(self._source.traces.stats())})

    async def trace(self, request: Request) -> Response:
        """One trace with its spans."""
        wanted = request.path_params["trace_id"]
        trace = self._source.traces.get(wanted)
        if trace is None:
            raise NotFoundError(f"no trace {wanted[:64]!r} is kept: it may have been dropped, or never seen here")
        return JsonResponse(trace_json(trace))

    async def logs(self, request: Request) -> Response:
        """Search the log records kept, newest first."""
        asked = await read_parameters(request)
        start_ms, end_ms = _range(asked, self._source.clock.now_ms())
        found = self._source.logs.search(
            text=asked.text("query") or None,
            min_severity=_severity(asked.text("severity")),
            logger=asked.text("logger") or None,
            trace_id=asked.text("trace_id") or None,
            start_ms=start_ms,
            end_ms=end_ms,
            limit=asked.count("limit", 100, _LIMIT),
        )
        return JsonResponse({"logs": list(map(log_json, found)), "kept": plain(self._source.logs.stats())})

    async def health(self, _request: Request) -> Response:
        """Both probes with every check."""
        live = await self._probes.report(CheckKind.LIVENESS)
        ready = await self._probes.report(CheckKind.READINESS)
        return JsonResponse({"liveness": live.json(), "readiness": ready.json()})

    async def status(self, _request: Request) -> Response:
        """Stated fallbacks, counters, and every setting with where it came from, secrets masked."""
        source = self._source
        now_ms = source.clock.now_ms()
        return JsonResponse(
            {
                "now": rfc3339(now_ms),
                "started_at": rfc3339(source.started_at_ms),
                "uptime_seconds": max(0, now_ms - source.started_at_ms) / _SECOND_MS,
                "facts": list(source.facts()),
                "stats": plain(source.stats()),
                "settings": settings_json(source.settings, source.origins),
            }
        )


def _states(asked: Parameters) -> frozenset[AlertState]:
    known = [str(state) for state in AlertState if state is not AlertState.INACTIVE]
    for text in asked.all("state"):
        if text not in known:
            raise BadParameterError(f'invalid parameter "state": {text[:80]!r}; allowed are {", ".join(known)}')
    return frozenset(AlertState(text) for text in asked.all("state"))


def _range(asked: Parameters, now_ms: int) -> tuple[int | None, int | None]:
    start_ms = asked.time_ms("start", now_ms) if asked.text("start") else None
    end_ms = asked.time_ms("end", now_ms) if asked.text("end") else None
    return start_ms, end_ms


def _failed(asked: Parameters) -> bool | None:
    text = asked.text("status").lower()
    if text not in ("", "error", "ok"):
        raise BadParameterError(f'invalid parameter "status": {text[:80]!r}; allowed are error and ok')
    return {"": None, "error": True, "ok": False}[text]


def _attributes(pairs: Iterable[str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise BadParameterError(
                f'invalid parameter "attribute": {pair[:80]!r} is not name=value, for example http.route=/checkout'
            )
        found[name] = value
    return found


def _severity(text: str) -> int | None:
    if not text:
        return None
    number = _SEVERITIES.get(text.lower())
    if number is None and text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= 24:
        number = int(text[:4])
    if number is None:
        raise BadParameterError(
            f'invalid parameter "severity": {text[:80]!r}; allowed are {", ".join(_SEVERITIES)} '
            "and OTLP's numbers 1 to 24, for example warn"
        )
    return number
