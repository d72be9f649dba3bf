"""The settings as values: frozen groups, equal by value, safe to print.

Built by ``load_settings``; ``Settings()`` holds the defaults. Owned by whoever loaded them, readable from any thread.
Imports only the vocabulary in ``otel_ext.model``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from otel_ext.config.display import mask
from otel_ext.model.labels import EMPTY_LABELS, Labels
from otel_ext.model.slos import Slo

__all__ = [
    "AlertmanagerSettings",
    "AnomalySettings",
    "AutoFlag",
    "ForwardSettings",
    "HttpSettings",
    "SamplingSettings",
    "Settings",
]

AutoFlag = bool | Literal["auto"]

_ENDPOINT_VARIABLES = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """The local HTTP port; ``port`` 0 takes any free one."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = 4319


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalySettings:
    """Anomaly detection on the request series; ``false_alarms_per_week`` is per series."""

    enabled: bool = True
    false_alarms_per_week: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AlertmanagerSettings:
    """Where alerts are sent; ``urls`` may carry credentials, so they are masked when printed."""

    urls: tuple[str, ...] = ()
    timeout_ms: int = 5_000

    def __repr__(self) -> str:
        urls = tuple(mask(url) for url in self.urls)
        return f"AlertmanagerSettings(urls={urls!r}, timeout_ms={self.timeout_ms!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardSettings:
    """OTLP forwarding of the raw telemetry."""

    enabled: AutoFlag = "auto"
    shutdown_timeout_ms: int = 1_000

    def wanted(self, env: Mapping[str, str]) -> bool:
        """Whether to forward: as set, and under ``"auto"`` when ``env`` names an OTLP endpoint."""
        if self.enabled == "auto":
            return any(env.get(variable, "").strip() for variable in _ENDPOINT_VARIABLES)
        return bool(self.enabled)


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """``record_all``: record every span for the local engines, whatever the sampler exports."""

    record_all: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set, in the units the engines use (``_ms`` milliseconds, ``_bytes`` bytes)."""

    enabled: bool = True
    service: str | None = None
    http: HttpSettings = field(default_factory=HttpSettings)
    slos: tuple[Slo, ...] = field(default_factory=lambda: (Slo(name="requests", objective="99.9"),))
    rules: tuple[Path, ...] = ()
    anomaly: AnomalySettings = field(default_factory=AnomalySettings)
    alertmanager: AlertmanagerSettings = field(default_factory=AlertmanagerSettings)
    external_labels: Labels = EMPTY_LABELS
    forward: ForwardSettings = field(default_factory=ForwardSettings)
    tick_interval_ms: int = 1_000
    collect_interval_ms: int = 5_000
    retention_ms: int = 3_600_000
    max_metric_bytes: int = 64 * 1024**2
    max_trace_bytes: int = 16 * 1024**2
    max_log_bytes: int = 8 * 1024**2
    queue_size: int = 4096
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    state_dir: Path | None = None
    banner: AutoFlag = "auto"
