"""The real servers: where they are, how one is started for a test, and clients for what they are asked.

| name | what it is for |
| --- | --- |
| prometheus | Debian's build: scrapes our /metrics, evaluates the same rule files |
| prometheus-otlp | receives what the process pushes over OTLP and answers PromQL about it |
| alertmanager | takes our alerts |
| jaeger | takes spans over OTLP and answers for traces |

`.ci/servers` installs them. A server that is missing skips its tests with the reason, or fails them where
OTEL_EXT_TEST_REQUIRE_SERVERS=1.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.processes import ProcessFactory, TestProcess, clean_environment, free_port

__all__ = ["Alertmanager", "Jaeger", "Prometheus", "find_server"]

_ON_PATH = {
    "prometheus": ("prometheus",),
    "promtool": ("promtool",),
    "alertmanager": ("prometheus-alertmanager", "alertmanager"),
}


def _cache_folder() -> Path:
    if named := os.environ.get("OTEL_EXT_TEST_SERVERS"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "otel-ext" / "servers"


def find_server(name: str) -> Path:
    """The program of a server; skips (or fails, see the module) the test that asks where it is missing."""
    found = next((path for candidate in _ON_PATH.get(name, ()) if (path := shutil.which(candidate))), None)
    program = Path(found) if found else _cache_folder() / "bin" / name
    if program.exists():
        return program
    reason = f"the server {name} is not installed ({program} does not exist); install it with: .ci/servers {name}"
    if os.environ.get("OTEL_EXT_TEST_REQUIRE_SERVERS") == "1":
        pytest.fail(f"OTEL_EXT_TEST_REQUIRE_SERVERS=1 and {reason}", pytrace=False)
    pytest.skip(reason)


@dataclass(kw_only=True)
class _Server:
    """A server with fixed ports, so that it can be killed and started again at the same address."""

    processes: ProcessFactory
    port: int = field(default_factory=free_port)
    process: TestProcess | None = None

    @property
    def folder(self) -> Path:
        """Configuration and data, kept over a restart."""
        return self.processes.folder / f"{type(self).__name__.lower()}-{self.port}"

    @property
    def url(self) -> str:
        """Base URL of its HTTP API."""
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """End it as a crash would (SIGKILL); safe when it is not running."""
        if self.process is not None:
            self.process.kill()

    def _run(self, name: str, arguments: list[str], ready_path: str, **env: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        program = find_server(name)
        environment = clean_environment(**env)
        self.process = self.processes(name, [program, *arguments], env=environment, cwd=self.folder)
        self.process.wait_ready(self.url + ready_path)

    def _get(self, path: str, **params: Any) -> Any:
        answer = httpx.get(self.url + path, params=params, timeout=10, trust_env=False)
        answer.raise_for_status()
        return answer.json()


@dataclass(kw_only=True)
class Prometheus(_Server):
    """A Prometheus; ``otlp=True`` is the build that receives metrics over OTLP."""

    otlp: bool = False

    def start(self) -> None:
        """Start it with an empty list of scrape targets and one second intervals."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._targets.exists():
            self._targets.write_text("[]")
        (self.folder / "prometheus.yml").write_text(_PROMETHEUS_CONFIG)
        arguments = [
            "--config.file=prometheus.yml",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--enable-feature=exemplar-storage",
            "--log.level=warn",
        ]
        if self.otlp:
            arguments.append("--web.enable-otlp-receiver")
        self._run("prometheus-otlp" if self.otlp else "prometheus", arguments, "/-/ready")

    @property
    def otlp_metrics_endpoint(self) -> str:
        """Value for OTEL_EXPORTER_OTLP_METRICS_ENDPOINT."""
        return f"{self.url}/api/v1/otlp/v1/metrics"

    @property
    def _targets(self) -> Path:
        return self.folder / "targets.json"

    def scrape(self, *ports: int) -> None:
        """Scrape these loopback ports from now on; the file is noticed at once."""
        partial = self._targets.with_suffix(".partial")
        partial.write_text(json.dumps([{"targets": [f"127.0.0.1:{port}" for port in ports]}]))
        partial.rename(self._targets)

    def instant(self, expr: str, time_seconds: float | None = None) -> list[dict[str, Any]]:
        """``data.result`` of an instant query."""
        params = {"query": expr} if time_seconds is None else {"query": expr, "time": time_seconds}
        return list(self._get("/api/v1/query", **params)["data"]["result"])

    def targets(self) -> list[dict[str, Any]]:
        """The active scrape targets with their health and last error."""
        return list(self._get("/api/v1/targets")["data"]["activeTargets"])


# Scraped samples keep the target's own instant; OTLP samples may come a little late after a restart.
_PROMETHEUS_CONFIG = """\
global: {scrape_interval: 1s, evaluation_interval: 1s}
storage: {tsdb: {out_of_order_time_window: 10m}}
scrape_configs:
  - job_name: scraped
    honor_labels: true
    file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]
"""


@dataclass(kw_only=True)
class Alertmanager(_Server):
    """An Alertmanager without receivers that matter."""

    def start(self) -> None:
        """Start it alone, without a cluster."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "alertmanager.yml").write_text(
            "route: {receiver: nobody, group_wait: 0s, group_interval: 1s}\nreceivers: [{name: nobody}]\n"
        )
        arguments = [
            "--config.file=alertmanager.yml",
            f"--storage.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
            "--log.level=debug",
        ]
        self._run("alertmanager", arguments, "/-/ready")

    def alerts(self, **labels: str) -> list[dict[str, Any]]:
        """The active alerts that carry ``labels``."""
        return [alert for alert in self._get("/api/v2/alerts") if labels.items() <= dict(alert["labels"]).items()]


@dataclass(kw_only=True)
class Jaeger(_Server):
    """Jaeger, all in one process, spans in memory."""

    otlp_http_port: int = field(default_factory=free_port)
    otlp_grpc_port: int = field(default_factory=free_port)

    def start(self) -> None:
        """Start it with every port on loopback."""
        loopback = {
            "query.http-server": self.port,
            "collector.otlp.http": self.otlp_http_port,
            "collector.otlp.grpc": self.otlp_grpc_port,
            "query.grpc-server": free_port(),
            "collector.grpc-server": free_port(),
            "collector.http-server": free_port(),
            "admin.http": free_port(),
        }
        arguments = [f"--{flag}.host-port=127.0.0.1:{port}" for flag, port in loopback.items()]
        env = {"SPAN_STORAGE_TYPE": "memory", "OTEL_TRACES_SAMPLER": "always_off"}  # it would trace itself
        self._run("jaeger", [*arguments, "--log-level=error"], "/api/services", **env)

    @property
    def otlp_traces_endpoint(self) -> str:
        """Value for OTEL_EXPORTER_OTLP_TRACES_ENDPOINT over HTTP."""
        return f"http://127.0.0.1:{self.otlp_http_port}/v1/traces"

    @property
    def otlp_grpc_endpoint(self) -> str:
        """Value for OTEL_EXPORTER_OTLP_ENDPOINT over gRPC."""
        return f"http://127.0.0.1:{self.otlp_grpc_port}"

    def trace(self, trace_id: str) -> dict[str, Any] | None:
        """One trace by its id in hex, or None."""
        answer = httpx.get(f"{self.url}/api/traces/{trace_id}", timeout=10, trust_env=False)
        return answer.json()["data"][0] if answer.status_code == 200 else None

    def traces(self, service: str, **params: Any) -> list[dict[str, Any]]:
        """Search: ``operation``, ``tags``, ``limit``, ``lookback`` as in Jaeger's query API."""
        return list(self._get("/api/traces", service=service, **{"limit": 1500, "lookback": "1h", **params})["data"])
