"""The ASGI app: one table of routes over the handlers, wrapped by the guard.

Built once per serving thread. A starlette ``Router``, not the ``Starlette`` class: auto-instrumentation replaces that
class, and our requests must never become the user's spans. Imports the handlers.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from otel_ext.export.prometheus import render
from otel_ext.web.console import Console
from otel_ext.web.guard import ASGIApp, Guard, allowed_hosts
from otel_ext.web.observability_api import ObservabilityApi
from otel_ext.web.probes import Probes, Submit
from otel_ext.web.prometheus_api import PrometheusApi
from otel_ext.web.sources import ObservabilitySource

__all__ = ["build_app", "routes"]

_READ = ("GET",)
_FORM = ("GET", "POST")


def build_app(
    source: ObservabilitySource,
    *,
    mounted: bool = False,
    submit: Submit | None = None,
) -> ASGIApp:
    """The app over one source.

    Args:
        source: the pipeline.
        mounted: the app is part of another one, whose business the ``Host`` header is. Otherwise, where
            ``settings.http.host`` is a loopback address, foreign ``Host`` headers are refused.
        submit: runs a function on a thread that may be blocked by a user's health check; without it the checks
            run on the event loop and a hanging one delays every answer. The future must be marked as running
            before it starts (``set_running_or_notify_cancel``), as executors do.
    """
    hosts = None if mounted else allowed_hosts(source.settings.http.host)
    return Guard(Router(routes(source, submit=submit)), hosts)


def routes(source: ObservabilitySource, *, submit: Submit | None = None) -> list[Route]:
    """The route table; ``docs/http.md`` documents each of them."""
    probes = Probes(source, submit)
    return [
        *_probe_routes(probes),
        Route("/metrics", _Scrape(source).metrics),
        *_prometheus_routes(PrometheusApi(source)),
        *_observability_routes(ObservabilityApi(source, probes)),
        *_console_routes(Console(source, probes)),
    ]


class _Scrape:
    """The handler of ``/metrics``."""

    def __init__(self, source: ObservabilitySource) -> None:
        self._source = source

    async def metrics(self, request: Request) -> Response:
        """The newest value of every series, in the format that the Accept header prefers."""
        families = self._source.metrics.latest_families()
        content_type, body = render(families, request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type})


def _probe_routes(probes: Probes) -> list[Route]:
    return [
        Route("/livez", probes.livez, name="livez"),
        Route("/livez/{name}", probes.livez, name="livez_check"),
        Route("/readyz", probes.readyz, name="readyz"),
        Route("/readyz/{name}", probes.readyz, name="readyz_check"),
        Route("/startupz", probes.startupz),
        Route("/healthz", probes.livez, name="healthz"),
    ]


def _prometheus_routes(api: PrometheusApi) -> list[Route]:
    return [
        Route("/api/v1/query", api.query, methods=_FORM),
        Route("/api/v1/query_range", api.query_range, methods=_FORM),
        Route("/api/v1/query_exemplars", api.query_exemplars, methods=_FORM),
        Route("/api/v1/series", api.series, methods=_FORM),
        Route("/api/v1/labels", api.labels, methods=_FORM),
        Route("/api/v1/label/{name}/values", api.label_values, methods=_READ),
        Route("/api/v1/metadata", api.metadata, methods=_READ),
        Route("/api/v1/rules", api.rules, methods=_READ),
        Route("/api/v1/alerts", api.alerts, methods=_READ),
        Route("/api/v1/status/buildinfo", api.buildinfo, methods=_READ),
    ]


def _observability_routes(api: ObservabilityApi) -> list[Route]:
    root = "/v1/observability"
    return [
        Route(f"{root}/slos", api.slos),
        Route(f"{root}/slos/{{name:path}}", api.slo),
        Route(f"{root}/alerts", api.alerts),
        Route(f"{root}/anomalies", api.anomalies),
        Route(f"{root}/traces", api.traces),
        Route(f"{root}/traces/{{trace_id}}", api.trace),
        Route(f"{root}/logs", api.logs),
        Route(f"{root}/health", api.health),
        Route(f"{root}/status", api.status),
    ]


def _console_routes(console: Console) -> list[Route]:
    return [Route("/", console.page), Route("/static/{name}", console.static)]
