"""Every example runs as its text says, in a process of its own.

Zero code needs the package installed, not only on the path: opentelemetry-instrument finds it by its entry points.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from otel_ext.promql import parse
from otel_ext.rules import load_rule_file

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
STARTS_SECONDS = 30.0
PROGRAMS = Path(sys.executable).parent

needs_entry_points = pytest.mark.skipif(
    not any(
        entry.value.startswith("otel_ext.") for entry in metadata.entry_points(group="opentelemetry_pre_instrument")
    ),
    reason="otel_ext is on the path but not installed: pip install -e '.[test]'",
)
needs_gunicorn = pytest.mark.skipif(not (PROGRAMS / "gunicorn").exists(), reason="gunicorn is not installed")


def environment(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "COLUMNS"))}
    path = os.pathsep.join(filter(None, [str(ROOT), kept.get("PYTHONPATH", "")]))
    quiet = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
    search = os.pathsep.join([str(PROGRAMS), kept.get("PATH", "")])
    return {**kept, "PYTHONPATH": path, "PATH": search, **quiet, **variables}


def run_python(*arguments: str, cwd: Path = EXAMPLES) -> str:
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def eventually(check: Callable[[], Any], process: subprocess.Popen[str], log: Path) -> Any:
    """What ``check`` returns as soon as it is true; fails when the process ends before."""
    deadline = time.monotonic() + STARTS_SECONDS
    while time.monotonic() < deadline:
        try:
            if found := check():
                return found
        except (OSError, AssertionError, KeyError):
            pass
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    pytest.fail(f"not within {STARTS_SECONDS} s:\n{log.read_text()}")


@contextmanager
def started(command: list[str], cwd: Path, log: Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    with (
        log.open("w") as output,
        subprocess.Popen(
            command, cwd=cwd, env=environment(**variables), stdout=output, stderr=output, text=True
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()


def slo_counts(url: str) -> dict[str, tuple[int, int]]:
    _, answer = get(f"{url}/v1/observability/slos")
    return {slo["name"]: (slo["good"], slo["total"]) for slo in answer["slos"]}


def test_install_in_a_script_counts_good_and_bad_records() -> None:
    out = run_python("install_script.py")

    assert "6 of 8 records imported" in out
    assert "error budget left: -2400%" in out


def test_existing_providers_are_attached_to_and_keep_exporting() -> None:
    out = run_python("existing_providers.py")

    assert out.count("exported GET /orders/") == 3
    assert "counted 3 requests of service checkout" in out


def test_a_notebook_cell_may_be_run_again() -> None:
    out = run_python("notebook_cell.py")

    assert re.search(r"http://127\.0\.0\.1:\d+", out)
    assert "3 of 4 steps took at most 50 ms" in out
    assert "the same handle: True" in out


def test_the_pytest_example_passes() -> None:
    assert "2 passed" in run_python("-m", "pytest", "-q", "-p", "no:cacheprovider", "pytest_example.py")


@pytest.mark.real
@needs_entry_points
def test_zero_code_under_uvicorn(tmp_path: Path) -> None:
    port, own_port = free_port(), free_port()
    command = ["opentelemetry-instrument", "--service_name", "hello", "uvicorn", "app:app", "--port", str(port)]
    log = tmp_path / "log"
    with started(command, EXAMPLES / "zero_code", log, OTEL_EXT_HTTP_PORT=str(own_port)) as process:
        eventually(lambda: get(f"http://127.0.0.1:{port}/hello/you") == (200, {"hello": "you"}), process, log)
        assert get(f"http://127.0.0.1:{port}/broken")[0] == 500
        expected = {"hello-works": (1, 2), "hello-fast": (1, 1)}
        eventually(lambda: slo_counts(f"http://127.0.0.1:{own_port}") == expected, process, log)


@pytest.mark.real
@needs_entry_points
@needs_gunicorn
@pytest.mark.parametrize("flags", [[], ["--preload"]], ids=["fork", "preload"])
def test_flask_under_gunicorn_counts_in_each_worker(tmp_path: Path, flags: list[str]) -> None:
    port, own_port = free_port(), free_port()
    gunicorn = ["gunicorn", "--workers", "1", "--bind", f"127.0.0.1:{port}", *flags, "app:app"]
    command = ["opentelemetry-instrument", "--service_name", "hello", *gunicorn]
    log = tmp_path / "log"
    with started(command, EXAMPLES / "flask_gunicorn", log, OTEL_EXT_HTTP_PORT=str(own_port)) as process:
        answer = eventually(lambda: get(f"http://127.0.0.1:{port}/hello"), process, log)
        assert answer[1]["pid"] != process.pid
        assert get(f"http://127.0.0.1:{port}/hello")[0] == 200
        eventually(lambda: slo_counts(f"http://127.0.0.1:{own_port}") == {"requests": (2, 2)}, process, log)


@pytest.mark.real
@needs_entry_points
def test_the_shop_as_its_readme_starts_it(tmp_path: Path) -> None:
    shop = shutil.copytree(EXAMPLES / "shop", tmp_path / "shop")
    port, own_port = free_port(), free_port()
    command = ["opentelemetry-instrument", "uvicorn", "app:app", "--port", str(port)]
    log, base, own = tmp_path / "log", f"http://127.0.0.1:{port}", f"http://127.0.0.1:{own_port}"
    settings = {"OTEL_EXT_CONFIG": "otel-ext.yaml", "OTEL_EXT_HTTP_PORT": str(own_port)}
    with started(command, shop, log, **settings, SHOP_DATABASE=str(tmp_path / "shop.sqlite")) as process:
        products = eventually(lambda: get(f"{base}/products"), process, log)[1]
        assert len(products) == 12
        assert get(f"{base}/products/3")[1]["name"] == "Coffee, whole beans, 500 g"
        assert get(f"{base}/products/99")[0] == 404
        cart = post(f"{base}/carts", {})[1]["cart_id"]
        assert post(f"{base}/carts/{cart}/items", {"product_id": 3, "quantity": 2})[0] == 201
        assert get(f"{base}/carts/{cart}")[1][0]["total_cents"] == 2580
        status, order = post(f"{base}/checkout", {"cart_id": cart})
        assert (status, order["total_cents"]) == (201, 2580)
        shipped = {"id": order["order_id"], "total_cents": 2580, "status": "shipped"}
        eventually(lambda: get(f"{base}/orders/{order['order_id']}")[1] == shipped, process, log)

        assert post(f"{base}/_faults", {"error_ratio": 0.5, "slow_database_ms": 320})[0] == 200
        statuses = [post(f"{base}/checkout", {"cart_id": cart})[0] for _ in range(4)]
        assert sorted(statuses) == [201, 201, 503, 503]
        began = time.monotonic()
        assert get(f"{base}/products")[0] == 200
        assert 0.32 <= time.monotonic() - began < 0.32 * 4  # once a statement, not once a row

        expected = {"checkout-availability": (3, 5), "catalogue-latency": (3, 4), "orders-shipped": (3, 3)}
        eventually(lambda: slo_counts(own) == expected, process, log)
        groups = eventually(lambda: get(f"{own}/api/v1/rules")[1]["data"]["groups"], process, log)
        assert {rule["health"] for group in groups for rule in group["rules"]} <= {"ok", "unknown"}
        trace = eventually(lambda: shipping_trace(own), process, log)
        assert {"POST /checkout", "send orders", "process orders"} <= {span["name"] for span in trace["spans"]}


def shipping_trace(own: str) -> Any:
    """The trace in which a checkout and the worker's shipping are one story."""
    found = get(f"{own}/v1/observability/traces?operation=process%20orders&limit=1")[1]["traces"]
    return get(f"{own}/v1/observability/traces/{found[0]['trace_id']}")[1] if found else None


def post(url: str, body: object) -> tuple[int, Any]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return get(request)  # type: ignore[arg-type]


def test_the_shops_rule_file_is_one_that_prometheus_would_load() -> None:
    rules = load_rule_file(EXAMPLES / "shop" / "rules.yml", parse=parse)

    names = [rule.record or rule.alert for group in rules.groups for rule in group.rules]
    assert names == ["http_target:http_requests:rate15s", "CheckoutErrors", "CatalogueSlow", "OrdersPilingUp"]


def test_every_example_is_listed_in_the_readme() -> None:
    listed = set(re.findall(r"\]\(([^)]+)\)", (EXAMPLES / "README.md").read_text()))
    there = {path.name for path in EXAMPLES.iterdir() if path.name not in ("README.md", "__pycache__")}

    assert listed == {name for name in there if not name.startswith(".")}


def test_every_settings_file_of_the_examples_is_yaml_that_names_its_slos() -> None:
    for path in EXAMPLES.glob("*/otel-ext.yaml"):
        assert all(slo["name"] for slo in yaml.safe_load(path.read_text())["slos"]), path
