"""What a probe gets: frozen reports and their text and JSON forms. No state."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from otel_ext.health.checks import CheckKind, HealthStatus

__all__ = ["CheckReport", "HealthReport", "worst"]

_ORDER = (HealthStatus.PASS, HealthStatus.WARN, HealthStatus.FAIL)
_MARKS: Mapping[HealthStatus, str] = MappingProxyType(
    {HealthStatus.PASS: "[+]", HealthStatus.WARN: "[~]", HealthStatus.FAIL: "[-]"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """One check as it stands. ``duration_ms`` is that of its last run; ``checked_at_ms`` is Unix time."""

    name: str
    status: HealthStatus
    detail: str
    duration_ms: int
    checked_at_ms: int
    cached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """The answer to one probe: the worst status of its checks, and each check."""

    kind: CheckKind
    status: HealthStatus
    ts_ms: int
    checks: tuple[CheckReport, ...]

    @property
    def ok(self) -> bool:
        """True unless the status is ``fail``: the answer to the probe."""
        return self.status is not HealthStatus.FAIL

    @property
    def http_status(self) -> int:
        """200 when ok, 503 otherwise; probes look at nothing else."""
        return 200 if self.ok else 503

    def text(self, *, verbose: bool = False) -> str:
        """``ok``, or Kubernetes' lines ``[+]name ok`` / ``[-]name failed: why``; failures are always listed.

        ``[~]name ok, warning: why`` marks a check that only warns.
        """
        if self.ok and not verbose:
            return "ok\n"
        lines = [_line(check) for check in self.checks if verbose or check.status is HealthStatus.FAIL]
        probe = "livez" if self.kind is CheckKind.LIVENESS else "readyz"
        lines.append(f"{probe} check {'passed' if self.ok else 'failed'}")
        return "\n".join(lines) + "\n"

    def json(self) -> dict[str, Any]:
        """The shape of application/health+json (an expired draft, draft-inadarei-api-health-check-06)."""
        failing = [f"{check.name}: {check.detail}" for check in self.checks if check.status is HealthStatus.FAIL]
        shape: dict[str, Any] = {
            "status": str(self.status),
            "checks": {check.name: [_check_json(check)] for check in self.checks},
        }
        if failing:
            shape["output"] = "; ".join(failing)
        return shape


def worst(statuses: list[HealthStatus]) -> HealthStatus:
    """The most serious of them; ``pass`` for none."""
    return max(statuses, key=_ORDER.index, default=HealthStatus.PASS)


def _line(check: CheckReport) -> str:
    mark = _MARKS[check.status]
    if check.status is HealthStatus.PASS:
        return f"{mark}{check.name} ok"
    if check.status is HealthStatus.WARN:
        return f"{mark}{check.name} ok, warning: {check.detail}"
    return f"{mark}{check.name} failed: {check.detail}"


def _check_json(check: CheckReport) -> dict[str, Any]:
    moment = datetime.datetime.fromtimestamp(check.checked_at_ms / 1000, datetime.UTC)
    shape: dict[str, Any] = {
        "status": str(check.status),
        "observedValue": check.duration_ms,
        "observedUnit": "ms",
        "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    if check.detail:
        shape["output"] = check.detail
    return shape
