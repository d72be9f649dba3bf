"""Probes in Kubernetes' manner: ``/livez``, ``/readyz``, ``/startupz``, each check by name, text or health+json.

Owns nothing. A check is the user's function and may hang: with ``submit`` it runs on the pipeline's probe thread
while the event loop goes on answering; without, it runs here. Imports health, errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from otel_ext.errors import NotFoundError
from otel_ext.health import CheckKind, CheckReport, HealthReport, HealthStatus
from otel_ext.web.encoding import json_bytes
from otel_ext.web.parameters import Parameters, read_parameters
from otel_ext.web.sources import ObservabilitySource

__all__ = ["Probes", "Submit"]

Submit: TypeAlias = "Callable[[Callable[[], HealthReport]], Future[HealthReport]]"

_WAIT_SECONDS = 5.0  # a probe gives up later than any check's own timeout should
_STARTUP = "startup"


class Probes:
    """The handlers of the health routes."""

    def __init__(self, source: ObservabilitySource, submit: Submit | None = None) -> None:
        self._source = source
        self._submit = submit

    async def livez(self, request: Request) -> Response:
        """Is the process alive: 200, or 503 when it should be restarted."""
        return await self._probe(request, CheckKind.LIVENESS)

    async def readyz(self, request: Request) -> Response:
        """Should it get traffic: 200, or 503."""
        return await self._probe(request, CheckKind.READINESS)

    async def startupz(self, request: Request) -> Response:
        """Has it started: 200 once, and from then on."""
        parameters = await read_parameters(request)
        report = self._only(await self.report(CheckKind.READINESS, only=_STARTUP), _STARTUP)
        return _answer(request, parameters, report, probe="startupz")

    async def report(self, kind: CheckKind, *, exclude: tuple[str, ...] = (), only: str | None = None) -> HealthReport:
        """The report of one probe; ``only`` keeps every other registered check from running."""
        health, now_ms = self._source.health, self._source.clock.now_ms()
        registered = {check.name for check in health.checks() if check.kind is kind}
        left_out = (registered - {only}) if only is not None else set(exclude)
        judge = health.liveness if kind is CheckKind.LIVENESS else health.readiness

        def run() -> HealthReport:
            return judge(now_ms, exclude=left_out)

        if self._submit is None or not registered - left_out:
            return run()
        try:
            return await asyncio.wait_for(_awaited(self._submit(run)), _WAIT_SECONDS)
        except TimeoutError:
            return _unanswered(kind, now_ms)

    async def _probe(self, request: Request, kind: CheckKind) -> Response:
        parameters = await read_parameters(request)
        name = request.path_params.get("name")
        probe = "livez" if kind is CheckKind.LIVENESS else "readyz"
        if name is not None:
            report = self._only(await self.report(kind, only=name), name)
            return _answer(request, parameters, report, probe=f"{probe}/{name}")
        exclude = tuple(part for text in parameters.all("exclude") for part in text.split(",") if part)
        return _answer(request, parameters, await self.report(kind, exclude=exclude), probe=probe)

    @staticmethod
    def _only(report: HealthReport, name: str) -> HealthReport:
        found = tuple(check for check in report.checks if check.name == name)
        if not found:
            known = ", ".join(check.name for check in report.checks) or "none"
            raise NotFoundError(f"no {report.kind} check {name!r}; there are: {known}")
        return replace(report, checks=found, status=found[0].status)


async def _awaited(future: Future[HealthReport]) -> HealthReport:
    return await asyncio.wrap_future(future)


def _unanswered(kind: CheckKind, now_ms: int) -> HealthReport:
    detail = f"no check ended within {_WAIT_SECONDS:g} s"
    waited_ms = round(_WAIT_SECONDS * 1000)
    check = CheckReport(
        name="checks", status=HealthStatus.FAIL, detail=detail, duration_ms=waited_ms, checked_at_ms=now_ms
    )
    return HealthReport(kind=kind, status=HealthStatus.FAIL, ts_ms=now_ms, checks=(check,))


def _answer(request: Request, parameters: Parameters, report: HealthReport, *, probe: str) -> Response:
    if "json" in request.headers.get("accept", ""):
        body = json_bytes(report.json())
        return Response(body, status_code=report.http_status, media_type="application/health+json")
    text = report.text(verbose=parameters.flag("verbose"))
    head, _, last = text.rstrip("\n").rpartition("\n")
    if last.startswith(("livez check", "readyz check")):  # a named check and startupz say their own name
        text = f"{head}\n{probe} check {last.rpartition(' ')[2]}\n".lstrip("\n")
    return PlainTextResponse(text, status_code=report.http_status)
