"""A real Prometheus on the data of `otel-ext bench promql`: promtool writes a block, Prometheus answers over HTTP.

Runs the two as children in a folder of their own and ends them; Linux only, for the children's CPU time.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from otel_ext.cli.output import CommandError
from otel_ext.model.labels import METRIC_NAME

if TYPE_CHECKING:
    from otel_ext.cli.bench_promql import PrometheusCost, Workload

__all__ = ["measure"]

_READY_SECONDS = 60.0
_ROUNDS = 2


def measure(data: Workload, rules: Sequence[str]) -> PrometheusCost:
    """CPU and wall of one evaluation of all rules in a Prometheus, the better of two rounds after a first one."""
    from otel_ext.cli.bench_promql import PrometheusCost  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="otel-ext-bench-") as folder:
        _write_block(data, Path(folder))
        with _server(Path(folder)) as (process, url):
            _evaluate(url, rules, data.last_ms)
            costs = []
            for _ in range(_ROUNDS):
                wall, cpu = time.perf_counter(), _cpu_seconds(process.pid)
                _evaluate(url, rules, data.last_ms)
                costs.append((time.perf_counter() - wall, _cpu_seconds(process.pid) - cpu))
    return PrometheusCost(
        version=_version(),
        size=data.size,
        wall_ms=min(wall for wall, _ in costs) * 1e3,
        cpu_ms=min(cpu for _, cpu in costs) * 1e3,
    )


def _write_block(data: Workload, folder: Path) -> None:
    text = folder / "samples.om"
    with text.open("w") as out:
        for index, labels in enumerate(data.series):
            inner = ",".join(f'{name}="{value}"' for name, value in labels.items_sorted if name != METRIC_NAME)
            name = f"{labels.metric_name}{{{inner}}}"
            for column, value in enumerate(data.columns[:, index].tolist()):
                out.write(f"{name} {value} {data.ts_ms(column) / 1000}\n")
        out.write("# EOF\n")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(folder / "data")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own arguments
    if done.returncode:
        raise CommandError(f"promtool could not write the data: {done.stderr.strip()}")
    text.unlink()


@contextmanager
def _server(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    (folder / "prometheus.yml").write_text("global: {}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=10y", "--log.level=error",
    ]  # fmt: skip
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process:  # noqa: S603  our own arguments
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url)
            yield process, url
        finally:
            process.terminate()


def _wait(url: str) -> None:
    import requests  # noqa: PLC0415

    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        try:
            if requests.get(f"{url}/-/ready", timeout=2).ok:
                return
        except requests.RequestException:
            time.sleep(0.2)
    raise CommandError(f"Prometheus was not ready within {_READY_SECONDS:.0f} s")


def _evaluate(url: str, rules: Sequence[str], ts_ms: int) -> None:
    import requests  # noqa: PLC0415

    with requests.Session() as session:
        for expr in rules:
            answer = session.post(f"{url}/api/v1/query", data={"query": expr, "time": str(ts_ms / 1000)}, timeout=120)
            if not answer.ok:
                raise CommandError(f"Prometheus refused {expr!r}: {answer.text}")


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _version() -> str:
    command = ["prometheus", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own arguments
    found = re.search(r"version ([\w.]+)", done.stdout + done.stderr)
    return found.group(1) if found else "of unknown version"
