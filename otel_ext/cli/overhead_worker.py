"""The process that `otel-ext bench overhead` measures: a script, run by path in a fresh interpreter.

    overhead_worker.py bare|extended ENDPOINT serve      blocks on request: reads "span N" or "request N" lines
    overhead_worker.py bare|extended ENDPOINT start-up   sets up once, prints what that cost, ends

`bare` is the SDK with batch exporters over OTLP/HTTP for all three signals; `extended` is the same and
`otel_ext.install()` after it. Nothing of otel_ext is imported in a `bare` worker. Every answer is one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

__all__ = ["main"]

CHUNK = 1_500  # spans between two flushes: below the batch processor's queue of 2,048, so that none is dropped

Scope = MutableMapping[str, Any]
Flush = Callable[[], object]
Asgi = Callable[[Scope, Callable[[], Awaitable[Scope]], Callable[[Scope], Awaitable[None]]], Awaitable[None]]


def set_up_sdk(endpoint: str) -> Flush:
    """Global providers with OTLP/HTTP exporters; returns what flushes the span exporter alone."""
    from opentelemetry import _logs, metrics, trace  # noqa: PLC0415 - imports are part of what is measured
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk._logs import LoggerProvider  # noqa: PLC0415
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor  # noqa: PLC0415
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    processor = BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces"))
    tracer_provider = TracerProvider()
    tracer_provider.add_span_processor(processor)
    trace.set_tracer_provider(tracer_provider)
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{endpoint}/v1/metrics"))
    metrics.set_meter_provider(MeterProvider([reader]))
    logger_provider = LoggerProvider()
    logger_provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{endpoint}/v1/logs")))
    _logs.set_logger_provider(logger_provider)
    return processor.force_flush


def set_up_extension() -> Flush:
    """`otel_ext.install()` with two SLOs and the console; returns what makes it count everything taken in."""
    import otel_ext  # noqa: PLC0415 - imports are part of what is measured

    handle = otel_ext.install(
        slos=[
            otel_ext.Slo(name="availability", objective="99.9"),
            otel_ext.Slo(name="latency", objective="99", latency_ms=300),
        ],
    )
    return lambda: handle.force_flush(forward=False)  # the bare SDK does not flush its metrics and logs either


def instrumented_app() -> Asgi:
    """A FastAPI application with one route, instrumented as `opentelemetry-instrument` does."""
    from fastapi import FastAPI  # noqa: PLC0415 - an extra, and not part of the start-up cost
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor  # noqa: PLC0415

    app = FastAPI()

    @app.get("/products/{product_id}")
    async def product(product_id: int) -> dict[str, object]:
        return {"id": product_id, "name": "Tea, green, 100 g", "price_cents": 690}

    FastAPIInstrumentor.instrument_app(app)
    return app


def span_block(count: int, flush_exporter: Flush) -> None:
    """``count`` SERVER spans with two attributes, made and ended at once."""
    from opentelemetry import trace  # noqa: PLC0415

    tracer = trace.get_tracer("bench")
    attributes = {"http.route": "/products/{product_id}", "http.request.method": "GET"}
    for number in range(count):
        with tracer.start_as_current_span("GET /products/{product_id}", None, trace.SpanKind.SERVER, attributes):
            pass
        if number % CHUNK == CHUNK - 1:
            flush_exporter()


async def request_block(app: Asgi, count: int, flush_exporter: Flush) -> None:
    """``count`` requests through the instrumented application, without a network."""
    for number in range(count):
        await app(request_scope(number), _receive, _send)
        if number % (CHUNK // 3) == 0:  # the instrumentation makes three spans a request
            flush_exporter()


def request_scope(number: int) -> Scope:
    """What uvicorn would pass for `GET /products/{number}`."""
    path = f"/products/{number % 100}"
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"shop.example"), (b"user-agent", b"bench")],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
        "state": {},
    }


async def _receive() -> Scope:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(_message: Scope) -> None:
    return None


def serve(flush_exporter: Flush, flush_extension: Flush) -> None:
    """Run the blocks that are asked for; answer with the CPU seconds of the whole process, all threads."""
    app = instrumented_app()
    for line in sys.stdin:
        name, count = line.split()
        began = time.process_time()
        if name == "span":
            span_block(int(count), flush_exporter)
        else:
            asyncio.run(request_block(app, int(count), flush_exporter))
        flush_exporter()
        flush_extension()
        print(json.dumps({"cpu_seconds": time.process_time() - began}), flush=True)


def resident_mib() -> float:
    """The largest resident set so far, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def main() -> None:
    """See the module's docstring."""
    variant, endpoint, mode = sys.argv[1:]
    began = time.perf_counter()
    flush_exporter = set_up_sdk(endpoint)
    flush_extension: Flush = set_up_extension() if variant == "extended" else lambda: None
    ready = time.perf_counter()
    if mode == "serve":
        print(json.dumps({"ready": True}), flush=True)
        serve(flush_exporter, flush_extension)
        return
    flush_extension()
    cost = {
        "wall_seconds": ready - began,
        "cpu_seconds": time.process_time(),
        "resident_mib": resident_mib(),
    }
    print(json.dumps(cost), flush=True)


if __name__ == "__main__":
    main()
