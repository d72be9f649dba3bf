"""The HTTP port as a service of the pipeline: bound when the pipeline starts, served in the pipeline's web thread.

Owns the server of this process; a forked child binds its own when it starts.
"""

from __future__ import annotations

import sys
from typing import Any

from otel_ext.pipeline import Pipeline
from otel_ext.web.app import build_app
from otel_ext.web.server import PortTakenError, WebServer

__all__ = ["WebService"]


class WebService:
    """Serves the pipeline's answers on ``settings.http``; a taken port is stated and another one used."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._server: WebServer | None = None

    @property
    def url(self) -> str | None:
        """The address that is served, ``None`` before the start or when none could be had."""
        return None if self._server is None else self._server.url

    def _app(self) -> Any:
        return build_app(self._pipeline, submit=self._pipeline.submit)

    def start(self) -> None:
        """Bind the port."""
        http = self._pipeline.settings.http
        server = WebServer(self._app, http.host, http.port)
        try:
            fact = server.bind(fall_back=True)
        except PortTakenError as error:
            self._say(f"no HTTP port: {error}")
            return
        self._server = server
        if fact is not None:
            self._say(fact)

    def _say(self, fact: str) -> None:
        """State a fallback where it is seen at once: nobody can guess the port that was taken instead."""
        self._pipeline.state(fact)
        print(f"otel_ext: {fact}", file=sys.stderr)  # noqa: T201

    def run(self) -> None:
        """Serve until :meth:`stop`."""
        if self._server is not None:
            self._server.run()

    def stop(self) -> None:
        """End serving and give the port back."""
        if self._server is not None:
            self._server.stop(0.3)
            self._server = None

    def forked(self) -> None:
        """In a forked child: the listening socket is the parent's."""
        if self._server is not None:
            self._server.close()
            self._server = None
