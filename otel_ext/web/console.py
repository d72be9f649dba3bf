"""The status page's routes: gathers the view from the engines' snapshots, and serves the page's static files.

Owns the bytes of the static files, read once, and the traces found last. Runs in the web thread. Imports page, view and
probes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from importlib import resources

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from otel_ext.errors import NotFoundError
from otel_ext.health import CheckKind, HealthReport
from otel_ext.storage.traces import TraceStore, TraceSummary
from otel_ext.web.page import render_page
from otel_ext.web.probes import Probes
from otel_ext.web.sources import ObservabilitySource
from otel_ext.web.view import CheckRow, PageView

__all__ = ["Console"]

_MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_FAILED_SHOWN = 8
_SLOW_SHOWN = 4
_SLOW_AMONG = 200
_TRACES_FRESH_MS = 5_000  # a search for failures walks the whole store when there are none


class Console:
    """The handlers of ``/`` and ``/static/``."""

    def __init__(self, source: ObservabilitySource, probes: Probes) -> None:
        self._source = source
        self._probes = probes
        self._files = _static_files()
        self._traces: list[TraceSummary] = []
        self._traces_at_ms: int | None = None

    async def page(self, request: Request) -> Response:
        """The status page."""
        view = await self._view()
        return HTMLResponse(render_page(view, request.scope.get("root_path", "").rstrip("/")))

    async def static(self, request: Request) -> Response:
        """A file of the page."""
        name = request.path_params["name"]
        body = self._files.get(name)
        if body is None:
            raise NotFoundError(f"no file {name[:80]!r}")
        media_type = _MEDIA_TYPES[name[name.rindex(".") :]]
        return Response(body, media_type=media_type, headers={"cache-control": "max-age=300"})

    async def _view(self) -> PageView:
        source = self._source
        live = await self._probes.report(CheckKind.LIVENESS)
        ready = await self._probes.report(CheckKind.READINESS)
        return PageView(
            service=_service_name(source),
            now_ms=source.clock.now_ms(),
            started_at_ms=source.started_at_ms,
            slos=source.slo.statuses(),
            alerts=source.alerts.alerts(),
            open_anomalies=source.anomalies.open(),
            recent_anomalies=source.anomalies.recent(),
            checks=_check_rows(live, ready),
            traces=self._noteworthy(),
            counters=dict(_counters(source)),
            facts=source.facts(),
        )

    def _noteworthy(self) -> list[TraceSummary]:
        """Failed and slow traces, searched for at most every five seconds, however many pages are open."""
        now_ms = self._source.clock.now_ms()
        if self._traces_at_ms is None or now_ms - self._traces_at_ms >= _TRACES_FRESH_MS:
            self._traces, self._traces_at_ms = _noteworthy(self._source.traces), now_ms
        return self._traces


def _static_files() -> Mapping[str, bytes]:
    folder = resources.files("otel_ext.web") / "static"
    return {item.name: item.read_bytes() for item in folder.iterdir() if item.name.endswith(tuple(_MEDIA_TYPES))}


def _service_name(source: ObservabilitySource) -> str:
    if source.settings.service:
        return source.settings.service
    names = source.traces.services()
    return ", ".join(name for name in names[:3] if name) or "this process"


def _check_rows(live: HealthReport, ready: HealthReport) -> list[CheckRow]:
    """Checks that both probes share are listed once."""
    rows: dict[str, CheckRow] = {}
    for probe, report in (("live", live), ("ready", ready)):
        for check in report.checks:
            both = check.name in rows
            name = "live, ready" if both else probe
            rows[check.name] = CheckRow(name=check.name, probe=name, state=str(check.status), detail=check.detail)
    return list(rows.values())


def _noteworthy(traces: TraceStore) -> list[TraceSummary]:
    """The newest failed traces and the slowest of the newest ones, newest first."""
    failed = traces.search(error=True, limit=_FAILED_SHOWN)
    known = {trace.trace_id for trace in failed}
    newest = [trace for trace in traces.search(limit=_SLOW_AMONG) if trace.trace_id not in known]
    slow = sorted(newest, key=lambda trace: trace.duration_ms, reverse=True)[:_SLOW_SHOWN]
    return sorted([*failed, *slow], key=lambda trace: trace.start_ms, reverse=True)


def _counters(source: ObservabilitySource) -> Iterator[tuple[str, object]]:
    """The pipeline's counters, and what the stores hold."""
    stats = source.stats()
    if dataclasses.is_dataclass(stats) and not isinstance(stats, type):
        for field in dataclasses.fields(stats):
            value = getattr(stats, field.name)
            if isinstance(value, int | float) and not field.name.endswith("_ms"):
                yield field.name, value
            elif isinstance(value, Mapping) and value:
                yield field.name, sum(value.values())
    traces, logs, metrics = source.traces.stats(), source.logs.stats(), source.metrics.stats()
    yield "traces_kept", traces.traces
    yield "log_records_kept", logs.entries
    yield "metric_series", metrics.series
    yield "store_megabytes", round((traces.bytes_used + logs.bytes_used + metrics.bytes) / 1e6, 1)
