"""What ``install()`` returns: the answers of the running pipeline, for code, tests and notebooks.

Reads snapshots; safe from any thread. Owns the pipeline's life together with ``install.py``.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from otel_ext.attach import Attachment, forwarding
from otel_ext.config import Settings
from otel_ext.model.alerts import Alert
from otel_ext.model.anomalies import Anomaly
from otel_ext.model.slos import SloStatus
from otel_ext.pipeline import Pipeline, PipelineStats

if TYPE_CHECKING:
    from otel_ext.health import HealthReport, HealthResult
    from otel_ext.promql import QueryResult

__all__ = ["Handle"]


class Handle:
    """A running otel_ext in this process.

    Returned by :func:`otel_ext.install`; there is one at a time. After ``fork()`` the child's handle speaks of the
    child alone.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        attachment: Attachment | None,
        *,
        url: Callable[[], str | None],
        on_shutdown: Callable[[Handle], None],
    ) -> None:
        self._pipeline = pipeline
        self._attachment = attachment
        self._url = url
        self._on_shutdown = on_shutdown

    @property
    def settings(self) -> Settings:
        """The effective settings."""
        return self._pipeline.settings

    @property
    def url(self) -> str | None:
        """Address of the local HTTP port, ``None`` when it is off or not started."""
        return self._url()

    @property
    def slos(self) -> tuple[SloStatus, ...]:
        """How every SLO stood at the last tick."""
        return tuple(self._pipeline.slo.statuses())

    def slo(self, name: str) -> SloStatus:
        """How one SLO stood at the last tick.

        Raises:
            NotFoundError: there is no SLO of that name; the message lists the names there are.
        """
        return self._pipeline.slo.status(name)

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Pending and firing alerts, and those that resolved within the last 15 minutes."""
        return self._pipeline.alerts.alerts()

    @property
    def anomalies(self) -> tuple[Anomaly, ...]:
        """Anomalies that last now."""
        return tuple(self._pipeline.anomalies.open())

    def query(self, promql: str, *, ts_ms: int | None = None) -> QueryResult:
        """Evaluate a PromQL expression over this process's recent series, now or at ``ts_ms``.

        Raises:
            QueryError: the expression cannot be parsed or evaluated.
        """
        return self._pipeline.queries.instant(promql, self._pipeline.clock.now_ms() if ts_ms is None else ts_ms)

    @property
    def health(self) -> HealthReport:
        """Readiness of the process as ``/readyz`` reports it."""
        return self._pipeline.health.readiness(self._pipeline.clock.now_ms())

    def health_check(
        self,
        name: str,
        check: Callable[[], HealthResult | bool | None],
        *,
        kind: Literal["liveness", "readiness"] = "readiness",
        timeout_ms: int = 1_000,
        cache_ttl_ms: int = 5_000,
    ) -> None:
        """Add a check to ``/readyz`` or ``/livez``; one that raises or answers ``False`` fails, with its text.

        Args:
            name: shown beside the result; a check of that name is replaced.
            check: runs on a thread of its own when a probe asks and the last result is older than ``cache_ttl_ms``.
            kind: readiness for what a restart does not mend (databases, queues); liveness for what it does.

        Raises:
            ValueError: the name is one of the built-in checks, or an argument is out of range.
        """
        self._pipeline.add_health_check(
            name,
            lambda registry: registry.register(
                name, check, kind=kind, timeout_ms=timeout_ms, cache_ttl_ms=cache_ttl_ms
            ),
        )

    @property
    def facts(self) -> tuple[str, ...]:
        """Fallbacks that were taken and limits that are in force, a sentence each."""
        return self._pipeline.facts()

    @property
    def stats(self) -> PipelineStats:
        """Counters: what came in, what was given up, what was forwarded."""
        return self._pipeline.stats()

    def force_flush(self, timeout_seconds: float = 5.0, *, forward: bool = True) -> bool:
        """Evaluate everything that has happened until now; with ``forward`` also push what waits to be forwarded.

        The local part is done when this returns (it waits for observable callbacks of the application, however long
        they take); ``False`` says that forwarding did not finish in time.
        """
        self._pipeline.cycle(tick=False)  # counted before it is collected
        self._pipeline.collect()
        self._pipeline.cycle(tick=True)
        return forwarding.flush(timeout_seconds) if forward else True

    def shutdown(self, timeout_seconds: float = 2.0) -> None:
        """Stop evaluating and serving, give the service its own sampler back. Safe to call twice.

        Providers that :func:`otel_ext.install` created stay (the API lets nobody replace them) and go on forwarding.
        """
        if self._attachment is not None:
            self._attachment.disconnect()
        self._pipeline.stop(timeout_seconds)
        self._on_shutdown(self)

    def __repr__(self) -> str:
        state = "running" if self._pipeline.running else "stopped"
        return f"<otel_ext {state}, {len(self.slos)} SLOs, {self.url or 'no HTTP port'}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(s.slo.name)}</td><td>{s.state}</td>"
            f"<td>{'-' if s.budget_remaining is None else format(s.budget_remaining, '.1%')}</td></tr>"
            for s in self.slos
        )
        link = "" if self.url is None else f'<a href="{html.escape(self.url)}">{html.escape(self.url)}</a>'
        head = "<tr><th>SLO</th><th>state</th><th>budget left</th></tr>"
        return f"<p><b>otel_ext</b> {link}</p><table>{head}{rows}</table>"

