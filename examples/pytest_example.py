"""In a test: run the code under test, then assert on what the process concluded.

    pytest pytest_example.py

No port is opened, and nothing waits: `force_flush()` returns when everything taken in has been counted.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind

import otel_ext

tracer = trace.get_tracer(__name__)


def handle_request(path: str) -> str:
    """The code under test."""
    with tracer.start_as_current_span(f"GET {path}", kind=SpanKind.SERVER, attributes={"http.route": path}):
        if path == "/broken":
            raise RuntimeError("broken")
        return "ok"


@pytest.fixture
def handle() -> Iterator[Any]:
    """A fresh instance for each test."""
    installed = otel_ext.install(slos=[otel_ext.Slo(name="requests", objective="99")], http=False, replace=True)
    yield installed
    installed.shutdown()


def test_serving_a_page_spends_no_error_budget(handle: Any) -> None:
    handle_request("/")

    handle.force_flush()
    assert handle.slo("requests").budget_remaining == 1.0


def test_an_exception_is_a_bad_event(handle: Any) -> None:
    with pytest.raises(RuntimeError):
        handle_request("/broken")

    handle.force_flush()
    status = handle.slo("requests")
    assert (status.good, status.total) == (0, 1)
