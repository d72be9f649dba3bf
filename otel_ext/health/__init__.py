"""Health: checks by name, and the reports behind ``/livez`` and ``/readyz``.

May import the layers below (model, clock, errors).
"""

from __future__ import annotations

from otel_ext.health.checks import CheckFunction, CheckKind, HealthCheck, HealthResult, HealthStatus
from otel_ext.health.registry import HealthRegistry
from otel_ext.health.report import CheckReport, HealthReport

__all__ = [
    "CheckFunction",
    "CheckKind",
    "CheckReport",
    "HealthCheck",
    "HealthRegistry",
    "HealthReport",
    "HealthResult",
    "HealthStatus",
]
