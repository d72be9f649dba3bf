"""install() wherever Python runs: a script, a notebook cell that is run again, pytest, and processes that fork.

Each case is a script in an interpreter of its own that prints what it saw as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import ProcessFactory, clean_environment, run_python

pytestmark = pytest.mark.real

PRELUDE = """
import json, os, sys, threading, time
import otel_ext
from opentelemetry import trace

def install(**settings):
    slos = [otel_ext.Slo(name="all", objective=99)]
    return otel_ext.install(http=False, service="forks", slos=slos, **settings)

def serve(requests, errors=0):
    tracer = trace.get_tracer("forks")
    for number in range(requests):
        with tracer.start_as_current_span("request", kind=trace.SpanKind.SERVER) as span:
            if number < errors:
                span.set_status(trace.StatusCode.ERROR)

def counts(handle):
    handle.force_flush()
    status = handle.slo("all")
    return [status.good, status.total]

def in_child(work):
    # Runs work() in a forked child and returns what it returned.
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.write(writer, json.dumps(work()).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, text
    return json.loads(text)
"""


def _run(code: str, **env: str) -> Any:
    done = run_python(PRELUDE + code, env=clean_environment(**env))
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


def test_a_script_knows_its_own_counts() -> None:
    code = """
handle = install()
serve(100, errors=3)
seen = counts(handle)
samples = handle.query("otel_ext_slo_events_total").value.samples
print(json.dumps([seen, [sample.value for sample in samples]]))
"""
    seen = _run(code)
    assert seen[0] == [97, 100]
    assert seen[1] == [100]


def test_a_cell_that_is_run_again_returns_the_same_handle_and_counts_on() -> None:
    code = """
first = install()
serve(10)
threads = threading.active_count()
again = install()
serve(10)
html = again._repr_html_()
print(json.dumps([first is again, counts(again), threading.active_count() - threads, "<table" in html]))
"""
    assert _run(code) == [True, [20, 20], 0, True]


def test_other_settings_raise_unless_they_replace() -> None:
    code = """
first = install()
serve(5)
try:
    install(tick_interval="2s")
    refused = ""
except otel_ext.AlreadyInstalledError as error:
    refused = str(error)
second = install(tick_interval="2s", replace=True)
serve(7)
print(json.dumps([refused, second is first, counts(second)]))
"""
    refused, same, seen = _run(code)
    assert "tick_interval" in refused
    assert "replace=True" in refused
    assert same is False
    assert seen == [7, 7]


def test_a_child_forked_after_install_counts_its_own_requests() -> None:
    code = """
handle = install()
serve(10)
def child():
    serve(4, errors=1)
    return counts(handle)
theirs = in_child(child)
serve(5)
print(json.dumps([theirs, counts(handle)]))
"""
    assert _run(code) == [[3, 4], [15, 15]]


def test_children_of_a_busy_parent_never_hang() -> None:
    """Forks land inside spans, ticks and collections of the parent; every child must still work."""
    code = """
handle = install(collect_interval="100ms", tick_interval="100ms")
stop = threading.Event()
def busy():
    while not stop.is_set():
        serve(50)
threads = [threading.Thread(target=busy) for _ in range(2)]
for thread in threads: thread.start()
def child():
    serve(20)
    return counts(handle)
seen = [in_child(child) for _ in range(25)]
stop.set()
for thread in threads: thread.join()
good, total = counts(handle)
print(json.dumps([seen, good == total, total % 50]))
"""
    seen, all_good, rest = _run(code)
    assert seen == [[20, 20]] * 25
    assert all_good
    assert rest == 0


def test_install_in_a_forked_child_only() -> None:
    code = """
def child():
    handle = install()
    serve(6)
    return counts(handle)
theirs = in_child(child)
handle = install()
serve(2)
print(json.dumps([theirs, counts(handle)]))
"""
    assert _run(code) == [[6, 6], [2, 2]]


def test_a_fork_during_an_export_leaves_the_childs_export_alive() -> None:
    """The SDK keeps its export lock held in such a child for ever; the metrics of the child must still leave."""
    code = """
import http.server
received = []
class Sink(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        received.append(self.path)
        in_export.set()
        time.sleep(1.0)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): pass
in_export = threading.Event()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{server.server_address[1]}"
os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"
os.environ["OTEL_METRIC_EXPORT_INTERVAL"] = "200"
handle = install(collect_interval="100ms")
serve(1)
assert in_export.wait(10)
def child():
    serve(3)
    deadline = time.monotonic() + 8
    while time.monotonic() < deadline:
        forwarded = {one.signal: one.exported for one in handle.stats.forward}
        if forwarded.get("metrics", 0) > before.get("metrics", 0): return [True, counts(handle)]
        time.sleep(0.02)
    return [False, counts(handle)]
before = {one.signal: one.exported for one in handle.stats.forward}
print(json.dumps(in_child(child)))
"""
    exported, seen = _run(code)
    assert exported
    assert seen == [3, 3]


MULTIPROCESSING = """
import multiprocessing

def work(requests):
    from otel_ext.install import current
    handle = current() or install()
    serve(requests)
    return [os.getpid()] + counts(handle)

if __name__ == "__main__":
    handle = install()
    serve(2)
    with multiprocessing.get_context(sys.argv[1]).Pool(2, maxtasksperchild=1) as pool:
        seen = pool.map(work, [3, 4, 5, 6], chunksize=1)
    print(json.dumps([seen, counts(handle)]))
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_a_multiprocessing_pool_count_their_own(
    processes: ProcessFactory, tmp_path: Path, method: str
) -> None:
    script = tmp_path / "pool.py"
    script.write_text(PRELUDE + MULTIPROCESSING)
    process = processes("pool", [sys.executable, script, method], env=clean_environment(), cwd=tmp_path)
    assert process.wait(seconds=60) == 0, process.report()
    seen, own = json.loads(process.output().splitlines()[-1])
    assert sorted(one[1:] for one in seen) == [[3, 3], [4, 4], [5, 5], [6, 6]]
    assert len({one[0] for one in seen}) == 4
    assert own == [2, 2]


PYTEST_FILE = """
import otel_ext, pytest
from opentelemetry import trace

@pytest.fixture
def handle():
    handle = otel_ext.install(http=False, slos=[otel_ext.Slo(name="all", objective=99)])
    yield handle
    handle.shutdown()

@pytest.mark.parametrize("requests", [1, 2, 3])
def test_each_test_counts_from_zero(handle, requests):
    for _ in range(requests):
        with trace.get_tracer("test").start_as_current_span("request", kind=trace.SpanKind.SERVER):
            pass
    handle.force_flush()
    assert handle.slo("all").total == requests
    assert handle.url is None
"""


def test_install_works_in_the_users_own_pytest_with_warnings_as_errors(
    processes: ProcessFactory, tmp_path: Path
) -> None:
    (tmp_path / "test_service.py").write_text(PYTEST_FILE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    process = processes("pytest", command, env=clean_environment(), cwd=tmp_path)
    assert process.wait(seconds=60) == 0, process.report()
    assert "3 passed" in process.output()
