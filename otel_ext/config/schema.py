"""The one table of settings; everything else that knows a setting's name is made from it or tested against it.

Immutable; read from any thread. Imports this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from otel_ext.config.kinds import (
    Kind,
    auto_flag,
    decimal,
    directory,
    duration,
    flag,
    host,
    labels,
    rule_paths,
    size,
    text,
    urls,
    whole,
)
from otel_ext.config.slo_entries import slo_list

__all__ = [
    "BY_NAME",
    "CONFIG_FILE",
    "CONFIG_VARIABLE",
    "GROUPS",
    "OTEL_CONFIG_VARIABLE",
    "PREFIX",
    "SETTINGS",
    "Setting",
    "environment_names",
]

PREFIX = "OTEL_EXT_"
CONFIG_FILE = "config_file"
CONFIG_VARIABLE = "OTEL_EXT_CONFIG"
OTEL_CONFIG_VARIABLE = "OTEL_CONFIG_FILE"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Setting:
    """One setting.

    Args:
        name: dotted name, ``group.leaf`` or ``leaf``.
        kind: how it is read and what is allowed.
        default: as it would be written in a file; ``None`` when there is none.
        example: a correct value as it would be written in a file.
        doc: what it does, one sentence.
        suffix: unit added to the name of the field in ``Settings``.
    """

    name: str
    kind: Kind
    default: object
    example: object
    doc: str
    suffix: str = ""

    @property
    def variable(self) -> str:
        """``OTEL_EXT_HTTP_PORT``."""
        return PREFIX + self.flat_name.upper()

    @property
    def flat_name(self) -> str:
        """``http_port``, the name as a keyword argument."""
        return self.name.replace(".", "_")

    @property
    def field(self) -> str:
        """The dotted attribute of ``Settings``: ``forward.shutdown_timeout_ms``."""
        return self.name + self.suffix


SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="enabled",
        kind=flag(),
        default=True,
        example=False,
        doc="Whether anything is installed at all.",
    ),
    Setting(
        name="service",
        kind=text(longest=255),
        default=None,
        example="checkout",
        doc="`service.name` of the resource, where otel_ext creates it; `OTEL_SERVICE_NAME` and "
        "`OTEL_RESOURCE_ATTRIBUTES` win.",
    ),
    Setting(
        name="http.enabled",
        kind=flag(),
        default=True,
        example=False,
        doc="Whether the local HTTP port is opened. Short form: `http: false`.",
    ),
    Setting(
        name="http.host",
        kind=host(),
        default="127.0.0.1",
        example="127.0.0.1",
        doc="The address it listens on. Another than a loopback address shows telemetry to the network.",
    ),
    Setting(
        name="http.port",
        kind=whole(0, 65535, note=" (0 takes any free port)"),
        default=4319,
        example=4319,
        doc="The port; 0 takes any free one.",
    ),
    Setting(
        name="slos",
        kind=slo_list(),
        default=[{"name": "requests", "objective": "99.9"}],
        example=[{"name": "checkout-fast", "objective": "99.5", "latency": "300ms", "window": "30d"}],
        doc="The service level objectives. An empty list means none. See [SLOs](#slos).",
    ),
    Setting(
        name="rules",
        kind=rule_paths(),
        default=[],
        example=["rules.yml"],
        doc="Prometheus rule files. Patterns such as `rules/*.yml` are expanded; a file that does not exist and a "
        "pattern that matches nothing are errors.",
    ),
    Setting(
        name="anomaly.enabled",
        kind=flag(),
        default=True,
        example=False,
        doc="Whether request rate, errors and duration are watched for anomalies. Short form: `anomaly: false`.",
    ),
    Setting(
        name="anomaly.false_alarms_per_week",
        kind=decimal(0.001, 1000),
        default=1.0,
        example=0.5,
        doc="How many false alarms a week are acceptable on one series; the thresholds follow from it.",
    ),
    Setting(
        name="alertmanager.urls",
        kind=urls(),
        default=[],
        example=["http://127.0.0.1:9093"],
        doc="Alertmanagers that alerts are sent to. Short form: `alertmanager: http://127.0.0.1:9093`.",
    ),
    Setting(
        name="alertmanager.timeout",
        kind=duration("100ms", "60s"),
        default="5s",
        example="5s",
        doc="How long one attempt to send may take.",
        suffix="_ms",
    ),
    Setting(
        name="external_labels",
        kind=labels(),
        default={},
        example={"cluster": "eu-1"},
        doc="Labels added to every alert that leaves the process.",
    ),
    Setting(
        name="forward.enabled",
        kind=auto_flag(),
        default="auto",
        example="auto",
        doc="Whether telemetry is forwarded over OTLP; `auto`: when `OTEL_EXPORTER_OTLP_ENDPOINT` or one of its "
        "per-signal variants is set. Short form: `forward: false`.",
    ),
    Setting(
        name="forward.shutdown_timeout",
        kind=duration("0s", "60s"),
        default="1s",
        example="2s",
        doc="How long the end of the process may wait for the last batch.",
        suffix="_ms",
    ),
    Setting(
        name="tick_interval",
        kind=duration("100ms", "60s"),
        default="1s",
        example="1s",
        doc="How often SLOs, rules and anomalies are evaluated.",
        suffix="_ms",
    ),
    Setting(
        name="collect_interval",
        kind=duration("100ms", "5m"),
        default="5s",
        example="5s",
        doc="How often metrics are collected from the SDK.",
        suffix="_ms",
    ),
    Setting(
        name="retention",
        kind=duration("1m", "30d"),
        default="1h",
        example="6h",
        doc="How long metric samples are kept for queries, within `max_metric_bytes`.",
        suffix="_ms",
    ),
    Setting(
        name="max_metric_bytes",
        kind=size("1MiB", "64GiB"),
        default="64MiB",
        example="128MiB",
        doc="Memory for metric samples.",
    ),
    Setting(
        name="max_trace_bytes",
        kind=size("64KiB", "64GiB"),
        default="16MiB",
        example="32MiB",
        doc="Memory for traces; the oldest are dropped first.",
    ),
    Setting(
        name="max_log_bytes",
        kind=size("64KiB", "64GiB"),
        default="8MiB",
        example="16MB",
        doc="Memory for log records; the oldest are dropped first.",
    ),
    Setting(
        name="queue_size",
        kind=whole(16, 1_048_576),
        default=4096,
        example=8192,
        doc="Spans and log records that may wait; when it is full, the producing thread drains a batch itself.",
    ),
    Setting(
        name="sampling.record_all",
        kind=flag(),
        default=True,
        example=False,
        doc="Whether spans that the sampler drops are still recorded for the local engines; exporters get only the "
        "sampled ones.",
    ),
    Setting(
        name="state_dir",
        kind=directory(),
        default=None,
        example="/var/lib/checkout/otel-ext",
        doc="Where state is kept over restarts; without it, in memory only. Relative to the file that names it.",
    ),
    Setting(
        name="banner",
        kind=auto_flag(),
        default="auto",
        example=False,
        doc="Whether the start is reported on stderr; `auto`: when it is a terminal.",
    ),
)

BY_NAME: Mapping[str, Setting] = MappingProxyType({setting.name: setting for setting in SETTINGS})

# Each group, with the setting that a value in place of the group stands for (``http: false``).
GROUPS: Mapping[str, str | None] = MappingProxyType(
    {
        "http": "http.enabled",
        "anomaly": "anomaly.enabled",
        "alertmanager": "alertmanager.urls",
        "forward": "forward.enabled",
        "sampling": None,
    }
)


def environment_names() -> Mapping[str, str]:
    """Every variable that sets something, to the dotted name; short forms of groups included."""
    names = {setting.variable: setting.name for setting in SETTINGS}
    return names | {PREFIX + group.upper(): leaf for group, leaf in GROUPS.items() if leaf is not None}
