"""The SDK is set up already, with exporters of your own: `install()` attaches to the providers it finds.

    python existing_providers.py

Nothing is replaced: the console exporter below still gets every span, and otel_ext counts the same ones.
"""

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from opentelemetry.trace import SpanKind

import otel_ext


def main() -> None:
    provider = TracerProvider(resource=Resource.create({"service.name": "checkout"}))
    provider.add_span_processor(
        SimpleSpanProcessor(ConsoleSpanExporter(formatter=lambda span: f"exported {span.name}\n"))
    )
    trace.set_tracer_provider(provider)

    handle = otel_ext.install(slos=[otel_ext.Slo(name="requests", objective="99.9")], http=False)
    assert trace.get_tracer_provider() is provider

    tracer = trace.get_tracer(__name__)
    for number in range(3):
        with tracer.start_as_current_span(f"GET /orders/{number}", kind=SpanKind.SERVER):
            pass

    handle.force_flush()
    print(f"counted {handle.slo('requests').total} requests of service checkout")
    handle.shutdown()


if __name__ == "__main__":
    main()
