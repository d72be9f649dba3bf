"""Posts alerts to Alertmanagers as Prometheus does (API v2), so that routing, silences and receivers go on working.

An :class:`AlertmanagerNotifier` owns one HTTP session and is called by the notify thread. Imports the vocabulary and
requests; its requests never become the application's spans.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import quote_plus, urlsplit

import requests
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_ext.model.alerts import Alert, AlertState
from otel_ext.notify.masking import mask_secrets, mask_url
from otel_ext.notify.notifier import Delivery

__all__ = ["RESEND_MS", "AlertmanagerNotifier"]

RESEND_MS = 60_000
"""A firing alert is sent again each minute (Prometheus, rules.alert.resend-delay)."""

_PATH = "/api/v2/alerts"
_TOLERATED_SILENCES = 4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class AlertmanagerNotifier:
    """Sends to every one of ``urls``; delivered when at least one has accepted.

    Args:
        urls: base addresses, ``http://user:password@alertmanager:9093/prefix``; every one gets every alert.
        timeout_seconds: for connecting and for each answer.
        external_labels: added where an alert lacks them. When several processes evaluate the same rules these must
            tell them apart (``instance``), else one process's resolve ends another's alert.
        generator_url: absolute address that alerts link back to.

    Raises:
        ValueError: an address is not an absolute http or https URL.
    """

    def __init__(
        self,
        urls: Iterable[str],
        *,
        timeout_seconds: float = 10.0,
        external_labels: Mapping[str, str] | None = None,
        generator_url: str = "http://localhost",
    ) -> None:
        self._urls = tuple(_endpoint(url) for url in urls)
        if not self._urls:
            raise ValueError("AlertmanagerNotifier needs at least one URL, for example 'http://alertmanager:9093'")
        self._timeout_seconds = timeout_seconds
        self._external_labels = {name: str(value) for name, value in (external_labels or {}).items()}
        self._generator_url = _absolute(generator_url, "generator_url").rstrip("/")
        self._session: requests.Session | None = None
        self._session_pid = 0

    def __repr__(self) -> str:
        return f"AlertmanagerNotifier({[mask_url(url) for url in self._urls]})"

    def send(self, alerts: Sequence[Alert], now_ms: int, *, timeout_seconds: float | None = None) -> Delivery:
        """POST ``alerts`` to every Alertmanager; see :class:`otel_ext.notify.Notifier`."""
        body = json.dumps([self.payload(alert, now_ms) for alert in alerts]).encode()
        timeout = self._timeout_seconds if timeout_seconds is None else min(timeout_seconds, self._timeout_seconds)
        with suppress_instrumentation():
            answers = [self._post(url, body, timeout) for url in self._urls]
        if any(answer.ok for answer in answers):
            return Delivery()
        waits = [answer.retry_after_seconds for answer in answers if answer.retry_after_seconds is not None]
        return Delivery(
            error="; ".join(answer.error for answer in answers),
            recoverable=any(answer.recoverable for answer in answers),
            retry_after_seconds=min(waits, default=None),
        )

    def close(self) -> None:
        """Close the HTTP session; a later send opens a new one."""
        if self._session is not None and self._session_pid == os.getpid():
            self._session.close()
        self._session = None

    def payload(self, alert: Alert, now_ms: int) -> dict[str, object]:
        """One alert in the shape of API v2; ``endsAt`` of a firing one lies ahead: our silence ends it."""
        ends_ms = alert.resolved_at_ms
        if alert.state is not AlertState.RESOLVED or ends_ms is None:
            ends_ms = now_ms + _TOLERATED_SILENCES * max(alert.rule.interval_ms, RESEND_MS)
        return {
            "labels": {**self._external_labels, **alert.labels},
            "annotations": {name: str(value) for name, value in alert.annotations.items()},
            "startsAt": _rfc3339(alert.active_at_ms if alert.fired_at_ms is None else alert.fired_at_ms),
            "endsAt": _rfc3339(ends_ms),
            "generatorURL": self._link(alert),
        }

    def _link(self, alert: Alert) -> str:
        expr = alert.evidence.get("expr")
        if not isinstance(expr, str):
            return f"{self._generator_url}/alerts"
        return f"{self._generator_url}/graph?g0.expr={quote_plus(expr)}&g0.tab=1"

    def _post(self, url: str, body: bytes, timeout_seconds: float) -> Delivery:

        if self._session is None or self._session_pid != os.getpid():  # a forked child shares no connection
            self._session, self._session_pid = requests.Session(), os.getpid()
        headers = {"Content-Type": "application/json"}
        try:
            answer = self._session.post(url, data=body, headers=headers, timeout=timeout_seconds, allow_redirects=False)
        except (requests.Timeout, requests.ConnectionError) as error:
            return Delivery(error=f"{mask_url(url)}: {_reason(error, url)}", recoverable=True)
        except requests.RequestException as error:
            return Delivery(error=f"{mask_url(url)}: {_reason(error, url)}")
        return _delivery(url, answer.status_code, answer.text, answer.headers.get("Retry-After"))


def _delivery(url: str, status: int, text: str, retry_after: str | None) -> Delivery:
    """2xx is delivered; 429 and 5xx may pass; of a 400 the valid alerts were stored, so it is not tried again."""
    if 200 <= status < 300:
        return Delivery()
    wait = float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
    said = mask_secrets(" ".join(text.split())[:300], url)
    return Delivery(
        error=f"{mask_url(url)}: HTTP {status}: {said or 'no explanation'}",
        recoverable=status == 429 or status >= 500,
        retry_after_seconds=wait,
    )


def _reason(error: Exception, url: str) -> str:
    return f"{type(error).__name__}: {mask_secrets(str(error), url)}"


def _absolute(url: str, what: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        raise ValueError(
            f"{what} {mask_url(url)!r} must be an absolute http or https URL, for example 'http://alertmanager:9093'"
        )
    return url


def _endpoint(url: str) -> str:
    base, question, query = _absolute(url, "Alertmanager URL").partition("?")
    base = base.rstrip("/")
    return (base if base.endswith(_PATH) else base + _PATH) + question + query


def _rfc3339(ts_ms: int) -> str:
    return (_EPOCH + timedelta(milliseconds=ts_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
