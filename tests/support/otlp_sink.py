"""An OTLP receiver in the test's own process: HTTP/protobuf and gRPC, all three signals, every record kept.

It can also misbehave as collectors do: refuse with a status, answer slowly, or take a request and never answer. It is
made from the messages of opentelemetry-proto; nothing of the SDK or of otel_ext is used.
"""

from __future__ import annotations

import contextlib
import enum
import gzip
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import grpc
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

__all__ = ["Behaviour", "OtlpSink", "Received", "Signal"]


class Signal(enum.StrEnum):
    """The signals of OTLP, by the last part of their HTTP path."""

    TRACES = "traces"
    METRICS = "metrics"
    LOGS = "logs"


class Behaviour(enum.StrEnum):
    """What the sink does with a request: only ``ACCEPT`` and ``SLOW`` keep what came."""

    ACCEPT = "accept"
    SLOW = "slow"
    REFUSE = "refuse"  # 400 / INVALID_ARGUMENT: not to be sent again
    UNAVAILABLE = "unavailable"  # 503 / UNAVAILABLE: may be sent again
    HANG = "hang"  # takes the request, never answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One record: a span, a metric (with all its points) or a log record, with what encloses it."""

    signal: Signal
    resource: dict[str, Any]
    scope: str
    record: Any
    protocol: str

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of a span or a log record."""
        return plain_attributes(self.record.attributes)


def plain_value(value: AnyValue) -> Any:
    """An OTLP value as a plain Python value."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [plain_value(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return plain_attributes(value.kvlist_value.values)
    return getattr(value, kind)


def plain_attributes(pairs: Any) -> dict[str, Any]:
    """OTLP key-values as a dict."""
    return {pair.key: plain_value(pair.value) for pair in pairs if isinstance(pair, KeyValue)}


_REQUESTS: dict[Signal, Any] = {
    Signal.TRACES: trace_service_pb2.ExportTraceServiceRequest,
    Signal.METRICS: metrics_service_pb2.ExportMetricsServiceRequest,
    Signal.LOGS: logs_service_pb2.ExportLogsServiceRequest,
}
_RESPONSES: dict[Signal, Any] = {
    Signal.TRACES: trace_service_pb2.ExportTraceServiceResponse,
    Signal.METRICS: metrics_service_pb2.ExportMetricsServiceResponse,
    Signal.LOGS: logs_service_pb2.ExportLogsServiceResponse,
}
_LEVELS = {
    Signal.TRACES: ("resource_spans", "scope_spans", "spans"),
    Signal.METRICS: ("resource_metrics", "scope_metrics", "metrics"),
    Signal.LOGS: ("resource_logs", "scope_logs", "log_records"),
}
_HTTP_STATUS = {Behaviour.REFUSE: 400, Behaviour.UNAVAILABLE: 503}
_GRPC_STATUS = {
    Behaviour.REFUSE: grpc.StatusCode.INVALID_ARGUMENT,
    Behaviour.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
}


def _records(signal: Signal, request: Message, protocol: str) -> Iterator[Received]:
    resources, scopes, leaves = _LEVELS[signal]
    for of_resource in getattr(request, resources):
        resource = plain_attributes(of_resource.resource.attributes)
        for of_scope in getattr(of_resource, scopes):
            for record in getattr(of_scope, leaves):
                yield Received(
                    signal=signal, resource=resource, scope=of_scope.scope.name, record=record, protocol=protocol
                )


class OtlpSink:
    """Receives on two loopback ports until ``close()``; a context manager.

    Args:
        http_port: port for HTTP, 0 for any; a fixed one lets a sink come back at the address of a dead one.
        grpc_port: port for gRPC, 0 for any.
    """

    def __init__(self, *, http_port: int = 0, grpc_port: int = 0) -> None:
        self._changed = threading.Condition()
        self._received: list[Received] = []
        self._requests = 0
        self._behaviour = Behaviour.ACCEPT
        self._slow_seconds = 0.0
        self._released = threading.Event()
        self._http = _HttpServer(("127.0.0.1", http_port), self)
        self.http_port = int(self._http.server_address[1])
        self._grpc = grpc.server(ThreadPoolExecutor(8, thread_name_prefix="sink-grpc"))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_Servicer(self, Signal.TRACES), self._grpc)
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(_Servicer(self, Signal.METRICS), self._grpc)
        logs_service_pb2_grpc.add_LogsServiceServicer_to_server(_Servicer(self, Signal.LOGS), self._grpc)
        self.grpc_port = self._grpc.add_insecure_port(f"127.0.0.1:{grpc_port}")
        self._grpc.start()
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="sink-http", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @property
    def http_endpoint(self) -> str:
        """Value for OTEL_EXPORTER_OTLP_ENDPOINT with http/protobuf."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def grpc_endpoint(self) -> str:
        """Value for OTEL_EXPORTER_OTLP_ENDPOINT with grpc."""
        return f"http://127.0.0.1:{self.grpc_port}"

    @property
    def requests(self) -> int:
        """Export requests that came, whatever became of them."""
        return self._requests

    def behave(self, behaviour: Behaviour, *, slow_seconds: float = 0.0) -> None:
        """Switch at once; requests that hang by then are answered when the sink stops hanging or closes."""
        self._behaviour, self._slow_seconds = behaviour, slow_seconds
        if behaviour is Behaviour.HANG:
            self._released.clear()
        else:
            self._released.set()

    def records(self, signal: Signal, keep: Callable[[Received], bool] = lambda _one: True) -> list[Received]:
        """What came of one signal so far."""
        with self._changed:
            return [one for one in self._received if one.signal is signal and keep(one)]

    def spans(self) -> list[Received]:
        """The spans so far."""
        return self.records(Signal.TRACES)

    def metrics(self, name: str | None = None) -> list[Received]:
        """The metrics so far, one item for each time a metric was sent."""
        return self.records(Signal.METRICS, lambda one: name is None or one.record.name == name)

    def logs(self) -> list[Received]:
        """The log records so far."""
        return self.records(Signal.LOGS)

    def wait_for(
        self, signal: Signal, keep: Callable[[Received], bool], *, count: int = 1, seconds: float = 20.0
    ) -> list[Received]:
        """Block until ``count`` records satisfy ``keep``; an AssertionError says what came instead."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._matching(signal, keep)) >= count, seconds)
            found = self._matching(signal, keep)
        if len(found) < count:
            raise AssertionError(f"waited {seconds:g} s for {count} of {signal}, got {len(found)}: {self._summary()}")
        return found

    def clear(self) -> None:
        """Forget what came."""
        with self._changed:
            self._received.clear()

    def close(self) -> None:
        """Answer what hangs and stop both servers."""
        self._released.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        self._grpc.stop(0).wait()

    def take(self, signal: Signal, body: bytes, protocol: str) -> Behaviour:
        """Called by both servers with each request; returns what to answer."""
        behaviour = self._behaviour
        self._requests += 1
        if behaviour is Behaviour.SLOW:
            time.sleep(self._slow_seconds)
        if behaviour is Behaviour.HANG:
            self._released.wait()
            return Behaviour.UNAVAILABLE
        if behaviour in {Behaviour.ACCEPT, Behaviour.SLOW}:
            came = list(_records(signal, _REQUESTS[signal].FromString(body), protocol))
            with self._changed:
                self._received.extend(came)
                self._changed.notify_all()
        return behaviour

    def _matching(self, signal: Signal, keep: Callable[[Received], bool]) -> list[Received]:
        return [one for one in self._received if one.signal is signal and keep(one)]

    def _summary(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for one in self._received:
            key = f"{one.signal} {getattr(one.record, 'name', '') or getattr(one.record, 'event_name', '')}"
            counts[key] = counts.get(key, 0) + 1
        return counts


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], sink: OtlpSink) -> None:
        self.sink = sink
        super().__init__(address, _HttpHandler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that died in the middle of a request is part of the tests."""


class _HttpHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _HttpServer

    def do_POST(self) -> None:
        """OTLP/HTTP: one path a signal, protobuf, optionally compressed."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        signal = next((one for one in Signal if self.path == f"/v1/{one}"), None)
        if signal is None or self.headers.get("Content-Type") != "application/x-protobuf":
            self._answer(404, b"")
            return
        behaviour = self.server.sink.take(signal, self._decompressed(body), "http/protobuf")
        status = _HTTP_STATUS.get(behaviour, 200)
        self._answer(status, _RESPONSES[signal]().SerializeToString() if status == 200 else b"")

    def _decompressed(self, body: bytes) -> bytes:
        encoding = self.headers.get("Content-Encoding", "")
        if encoding == "gzip":
            return gzip.decompress(body)
        return zlib.decompress(body) if encoding == "deflate" else body

    def _answer(self, status: int, body: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the base class names it so
        """Keep the test output quiet."""


class _Servicer(trace_service_pb2_grpc.TraceServiceServicer):
    """One servicer for the three services: each has one method, Export."""

    def __init__(self, sink: OtlpSink, signal: Signal) -> None:
        self._sink = sink
        self._signal = signal

    def Export(self, request: Message, context: grpc.ServicerContext) -> Message:
        """OTLP/gRPC export of this servicer's signal."""
        behaviour = self._sink.take(self._signal, request.SerializeToString(), "grpc")
        if status := _GRPC_STATUS.get(behaviour):
            context.abort(status, f"the sink was told to {behaviour}")
        return _RESPONSES[self._signal]()
