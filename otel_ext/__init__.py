"""SLOs, alert rules and anomaly detection inside your Python process, on OpenTelemetry.

``otel_ext.install()`` at start-up, or zero code under ``opentelemetry-instrument``. See docs/ for each capability.
"""

from otel_ext.errors import (
    AlreadyInstalledError,
    ConfigError,
    NotFoundError,
    OtelExtError,
    QueryError,
    QueryLimitError,
    RuleError,
)
from otel_ext.install import install
from otel_ext.model.slos import Slo, SloStatus

__all__ = [
    "AlreadyInstalledError",
    "ConfigError",
    "NotFoundError",
    "OtelExtError",
    "QueryError",
    "QueryLimitError",
    "RuleError",
    "Slo",
    "SloStatus",
    "install",
]
