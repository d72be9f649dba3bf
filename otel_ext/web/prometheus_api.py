"""Prometheus' HTTP API over the local store: queries, series, rules and alerts, in the shapes Grafana expects.

Owns nothing; queries run in the web thread over the store's snapshots and are bounded by the engine's own limits.
Imports promql, storage, rules; parameters and encoding beside it.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib import metadata as distribution

from starlette.requests import Request
from starlette.responses import Response

from otel_ext.promql.values import QueryResult, format_value, prometheus_json
from otel_ext.storage.metrics.matchers import Matcher
from otel_ext.web.encoding import seconds
from otel_ext.web.guard import JsonResponse
from otel_ext.web.parameters import BadParameterError, Parameters, read_parameters
from otel_ext.web.rule_records import alerts_json, groups_json
from otel_ext.web.selectors import check_query, matchers_of, selectors_of
from otel_ext.web.sources import ObservabilitySource

__all__ = ["PrometheusApi"]

_MAX_POINTS = 11_000
_MAX_ITEMS = 100_000
_EVERYTHING: tuple[Matcher, ...] = ()


class PrometheusApi:
    """The handlers under ``/api/v1``."""

    def __init__(self, source: ObservabilitySource) -> None:
        self._source = source

    async def query(self, request: Request) -> Response:
        """An instant query: ``query``, ``time``."""
        asked = await read_parameters(request)
        expr = check_query(asked.required("query", "up"))
        ts_ms = asked.time_ms("time", self._source.clock.now_ms())
        return _result(self._source.queries.instant(expr, ts_ms))

    async def query_range(self, request: Request) -> Response:
        """A range query: ``query``, ``start``, ``end``, ``step``."""
        asked = await read_parameters(request)
        expr = check_query(asked.required("query", "up"))
        start_ms, end_ms = asked.required_time_ms("start"), asked.required_time_ms("end")
        step_ms = _step_ms(asked, start_ms, end_ms)
        return _result(self._source.queries.range(expr, start_ms, end_ms, step_ms))

    async def query_exemplars(self, request: Request) -> Response:
        """Exemplars of the series that a query selects: ``query``, ``start``, ``end``."""
        asked = await read_parameters(request)
        selectors = selectors_of(asked.required("query", "http_server_duration_seconds_bucket"))
        start_ms, end_ms = self._range(asked)
        found = {
            series: exemplars
            for matchers in selectors
            for series, exemplars in self._source.metrics.exemplars(matchers, start_ms, end_ms)
        }
        return _success(
            [
                {
                    "seriesLabels": dict(series),
                    "exemplars": [
                        {
                            "labels": dict(exemplar.labels),
                            "value": format_value(exemplar.value),
                            "timestamp": seconds(exemplar.ts_ms),
                        }
                        for exemplar in exemplars
                    ],
                }
                for series, exemplars in found.items()
            ]
        )

    async def series(self, request: Request) -> Response:
        """Label sets that match ``match[]``, which is required."""
        asked = await read_parameters(request)
        if not asked.all("match[]"):
            raise BadParameterError('no match[] parameter provided, for example match[]={__name__!=""}')
        start_ms, end_ms = self._range(asked)
        found = {
            labels: None
            for matchers in _selectors(asked)
            for labels in self._source.metrics.series(matchers, start_ms, end_ms)
        }
        return _limited([dict(labels) for labels in found], asked)

    async def labels(self, request: Request) -> Response:
        """Label names, of all series or of those that match ``match[]``."""
        asked = await read_parameters(request)
        start_ms, end_ms = self._range(asked)
        read = self._source.metrics.label_names
        names = {name for matchers in _selectors(asked) for name in read(matchers, start_ms, end_ms)}
        return _limited(sorted(names), asked)

    async def label_values(self, request: Request) -> Response:
        """Values of one label."""
        asked = await read_parameters(request)
        name = request.path_params["name"]
        start_ms, end_ms = self._range(asked)
        read = self._source.metrics.label_values
        values = {value for matchers in _selectors(asked) for value in read(name, matchers, start_ms, end_ms)}
        return _limited(sorted(values), asked)

    async def metadata(self, request: Request) -> Response:
        """Type, unit and help of metrics: ``metric``, ``limit``."""
        asked = await read_parameters(request)
        wanted, limit = asked.text("metric"), asked.count("limit", _MAX_ITEMS, _MAX_ITEMS)
        known = sorted(self._source.metrics.metadata().items())
        chosen = [(name, item) for name, item in known if wanted in ("", name)][:limit]
        return _success({name: [{"type": item.type, "unit": item.unit, "help": item.help}] for name, item in chosen})

    async def rules(self, request: Request) -> Response:
        """The rule groups: ``type``, ``rule_name[]``, ``rule_group[]``, ``file[]``, ``exclude_alerts``."""
        return _success({"groups": groups_json(self._source.rules.groups(), await read_parameters(request))})

    async def alerts(self, _request: Request) -> Response:
        """Pending and firing alerts of every source: rules, SLOs, anomalies."""
        return _success({"alerts": alerts_json(self._source.alerts.alerts())})

    async def buildinfo(self, _request: Request) -> Response:
        """Who answers. ``features`` stays empty: Grafana takes a server with features for Mimir."""
        return _success(
            {
                "version": _version(),
                "revision": "",
                "branch": "",
                "buildUser": "",
                "buildDate": "",
                "goVersion": "",
                "pythonVersion": platform.python_version(),
                "application": "otel-ext",
                "features": {},
            }
        )

    def _range(self, asked: Parameters) -> tuple[int, int]:
        """``start`` and ``end``; everything that is kept by default."""
        now_ms = self._source.clock.now_ms()
        start_ms, end_ms = asked.time_ms("start", 0), asked.time_ms("end", now_ms)
        if end_ms < start_ms:
            raise BadParameterError('invalid parameter "end": end timestamp must not be before start time')
        return start_ms, end_ms


def _version() -> str:
    try:
        return distribution.version("otel-ext")
    except distribution.PackageNotFoundError:  # a checkout that was never installed
        return "0"


def _step_ms(asked: Parameters, start_ms: int, end_ms: int) -> int:
    if end_ms < start_ms:
        raise BadParameterError('invalid parameter "end": end timestamp must not be before start time')
    asked.required("step", "15s")
    step_ms = asked.duration_ms("step", None)
    if step_ms is None or step_ms <= 0:
        raise BadParameterError(
            'invalid parameter "step": zero or negative query resolution step widths are not accepted, for example 15s'
        )
    points = (end_ms - start_ms) // step_ms + 1
    if points > _MAX_POINTS:
        raise BadParameterError(
            f"exceeded maximum resolution of {_MAX_POINTS:,} points per timeseries: {points:,} were asked for. "
            "Try decreasing the query resolution (?step=XX)"
        )
    return step_ms


def _selectors(asked: Parameters) -> list[Sequence[Matcher]]:
    texts = asked.all("match[]")
    return [matchers_of(text) for text in texts] if texts else [_EVERYTHING]


def _result(result: QueryResult) -> Response:
    return _success(prometheus_json(result), result.warnings, result.infos)


def _success(data: object, warnings: Sequence[str] = (), infos: Sequence[str] = ()) -> Response:
    body: dict[str, object] = {"status": "success", "data": data}
    if warnings:
        body["warnings"] = list(warnings)
    if infos:
        body["infos"] = list(infos)
    return JsonResponse(body)


def _limited(items: Sequence[object], asked: Parameters) -> Response:
    """The first ``limit`` items (0: all); what was cut is said in a warning, as Prometheus does."""
    limit = asked.count("limit", 0, _MAX_ITEMS) or _MAX_ITEMS
    if len(items) <= limit:
        return _success(list(items))
    return _success(list(items[:limit]), ["results truncated due to limit"])
