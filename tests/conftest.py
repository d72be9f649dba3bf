"""Fixtures for every test: OpenTelemetry's globals as new, conformance data, processes that always end.

`docs/testing.md` says which tests need what.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.otlp_sink import OtlpSink
from tests.support.processes import ROOT, ProcessFactory, TestProcess

# Machines that run tests are busy ones: an example is judged by its result, never by its time.
settings.register_profile("otel_ext", deadline=None)
settings.load_profile("otel_ext")

# What the `set_*_provider` functions write once in a process: module, its provider, its flag, its proxy.
_OTEL_GLOBALS = [
    ("opentelemetry.trace", "_TRACER_PROVIDER", "_TRACER_PROVIDER_SET_ONCE", "_PROXY_TRACER_PROVIDER"),
    ("opentelemetry.metrics._internal", "_METER_PROVIDER", "_METER_PROVIDER_SET_ONCE", "_PROXY_METER_PROVIDER"),
    ("opentelemetry._logs._internal", "_LOGGER_PROVIDER", "_LOGGER_PROVIDER_SET_ONCE", "_PROXY_LOGGER_PROVIDER"),
]


@pytest.fixture(autouse=True)
def otel_globals() -> Iterator[None]:
    """After every test OpenTelemetry's global providers are as in a new interpreter."""
    yield
    for module_name, provider, flag, proxy in _OTEL_GLOBALS:
        module = sys.modules.get(module_name)
        if module is None or getattr(module, provider) is None:
            continue
        setattr(module, provider, None)
        setattr(module, flag, type(getattr(module, flag))())
        setattr(module, proxy, type(getattr(module, proxy))())


@pytest.fixture(scope="session")
def conformance_folder() -> Path:
    """The data files of peers' own suites, see docs/testing.md; skips where they are missing."""
    named = os.environ.get("OTEL_EXT_CONFORMANCE", "../shared/conformance")
    folder = (ROOT / named).resolve()
    if not folder.is_dir():
        pytest.skip(f"no conformance data at {folder}; OTEL_EXT_CONFORMANCE names another folder")
    return folder


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[ProcessFactory]:
    """Starts processes that end with the test: ``processes(name, command, env=...)``."""
    factory = ProcessFactory(tmp_path)
    yield factory
    factory.kill_all()


@pytest.fixture(scope="session")
def session_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessFactory]:
    """The same for processes that many tests share."""
    factory = ProcessFactory(tmp_path_factory.mktemp("processes"))
    yield factory
    factory.kill_all()


@pytest.fixture
def otlp_sink() -> Iterator[OtlpSink]:
    """An OTLP receiver over HTTP and gRPC that keeps what it gets and can be told to misbehave."""
    with OtlpSink() as sink:
        yield sink


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the processes of a failed test wrote."""
    report = yield
    if report.failed:
        report.sections.extend((f"process {process.name}", process.report()) for process in TestProcess.known)
    return report


@pytest.fixture(autouse=True, scope="session")
def bugs_come_out() -> None:
    """Nothing hides behind the guard of the hooks while our own tests run."""
    from otel_ext.guard import set_reraise

    set_reraise(True)
