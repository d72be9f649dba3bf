"""The demo as a whole: a real shop, real load, and nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import psutil
import pytest

from otel_ext.cli.demo import command, shop
from otel_ext.cli.demo.command import shop_environment
from otel_ext.cli.output import CommandError

ROOT = Path(__file__).resolve().parents[2]

needs_entry_points = pytest.mark.skipif(
    not any(
        entry.value.startswith("otel_ext.") for entry in metadata.entry_points(group="opentelemetry_pre_instrument")
    ),
    reason="otel_ext is on the path but not installed: pip install -e '.[test]'",
)


@contextmanager
def demo(*arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    path = os.pathsep.join(filter(None, [str(ROOT), kept.get("PYTHONPATH", "")]))
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "otel_ext.cli", "demo", "--port", "0", *arguments],
        env={**kept, "PYTHONPATH": path, **variables}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for_line(process: subprocess.Popen[str], pattern: str) -> str:
    assert process.stdout is not None
    seen: list[str] = []
    for line in process.stdout:
        seen.append(line)
        if re.search(pattern, line):
            return line
    pytest.fail(f"{pattern!r} was not said:\n{''.join(seen)}")


@pytest.mark.real
@needs_entry_points
def test_every_count_is_equal_at_the_end_and_the_exit_code_says_so() -> None:
    with demo("--duration", "10s") as process:
        out, _ = process.communicate(timeout=120)

    assert process.returncode == 0, out
    assert "every count is equal" in out
    rows = re.findall(r"^  (\S.*?)\s+([\d,]+)\s+(=|≠)\s+([\d,]+|-)\s+(SLO|its|span)", out, re.MULTILINE)
    assert len(rows) == 12
    assert all(sent == counted for _, sent, _, counted, _ in rows)
    for phase in ("normal", "slow database", "error burst", "recovery"):
        assert f"phase    {phase}: " in out


@pytest.mark.real
@needs_entry_points
def test_counts_are_equal_when_only_a_tenth_is_sampled() -> None:
    with demo("--duration", "8s", OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG="0.1") as process:
        out, _ = process.communicate(timeout=120)

    assert process.returncode == 0, out


@pytest.mark.real
@needs_entry_points
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_the_shop_never_outlives_the_demo(number: signal.Signals, code: int) -> None:
    with demo("--duration", "60s") as process:
        pid = int(wait_for_line(process, r"pid \d+").partition("pid ")[2].partition(")")[0])
        wait_for_line(process, "everything works")
        process.send_signal(number)
        began = time.monotonic()
        assert process.wait(timeout=20) == code
        psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=10)

    assert not psutil.pid_exists(pid)
    assert time.monotonic() - began < 10


def test_what_is_missing_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop, "_NEEDED", (*shop._NEEDED, "a-distribution-nobody-has"))

    with pytest.raises(CommandError, match=r"a-distribution-nobody-has.*pip install 'otel-ext\[demo\]'"):
        command.run(duration="90s", rate=40, port=0, plain=True)


def test_without_an_endpoint_no_exporter_looks_for_a_collector() -> None:
    environment = shop_environment({"OTEL_EXT_HTTP_ENABLED": "false", "OTEL_SDK_DISABLED": "true", "HOME": "/"}, 1234)

    assert environment["OTEL_TRACES_EXPORTER"] == environment["OTEL_LOGS_EXPORTER"] == "none"
    assert environment["OTEL_EXT_HTTP_PORT"] == "1234"
    assert environment["HOME"] == "/"
    assert not {"OTEL_EXT_HTTP_ENABLED", "OTEL_SDK_DISABLED"} & set(environment)


def test_with_an_endpoint_the_exporters_are_left_as_they_are() -> None:
    environment = shop_environment({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"}, 1234)

    assert environment["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector:4317"
    assert "OTEL_TRACES_EXPORTER" not in environment


def test_the_shop_is_found_in_a_checkout() -> None:
    assert (shop.shop_directory() / "otel-ext.yaml").is_file()


def test_a_taken_port_gives_way_to_a_free_one() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        assert shop.free_port(port) != port
