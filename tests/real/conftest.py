"""The real servers, each started at most once for the whole run."""

from __future__ import annotations

import pytest

from tests.support.processes import ProcessFactory
from tests.support.servers import Alertmanager, Jaeger, Prometheus


@pytest.fixture(scope="session")
def jaeger(session_processes: ProcessFactory) -> Jaeger:
    """Jaeger: takes spans over OTLP, answers for traces."""
    server = Jaeger(processes=session_processes)
    server.start()
    return server


@pytest.fixture(scope="session")
def prometheus_otlp(session_processes: ProcessFactory) -> Prometheus:
    """A Prometheus that takes metrics over OTLP."""
    server = Prometheus(processes=session_processes, otlp=True)
    server.start()
    return server


@pytest.fixture(scope="session")
def prometheus(session_processes: ProcessFactory) -> Prometheus:
    """Debian's Prometheus: scrapes."""
    server = Prometheus(processes=session_processes)
    server.start()
    return server


@pytest.fixture(scope="session")
def alertmanager(session_processes: ProcessFactory) -> Alertmanager:
    """Debian's Alertmanager."""
    server = Alertmanager(processes=session_processes)
    server.start()
    return server
