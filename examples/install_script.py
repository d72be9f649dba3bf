"""One call in a script: a batch job that promises to import 99 % of its records.

    python install_script.py

Spans of kind CONSUMER and SERVER are the events that SLOs count; here each imported record is one.
"""

from opentelemetry import trace
from opentelemetry.trace import SpanKind

import otel_ext

RECORDS = ["12.50", "7.00", "n/a", "19.99", "3.20", "oops", "8.75", "1.00"]


def import_record(text: str) -> float:
    """Fails on text that is not a number."""
    return float(text)


def main() -> None:
    handle = otel_ext.install(
        service="nightly-import",
        slos=[otel_ext.Slo(name="records-imported", objective="99")],
        http={"port": 0},  # any free port
    )
    tracer = trace.get_tracer(__name__)
    for record in RECORDS:
        try:
            with tracer.start_as_current_span("import record", kind=SpanKind.CONSUMER):
                import_record(record)
        except ValueError:
            pass  # the span has recorded it, and counts as bad

    handle.force_flush()
    status = handle.slo("records-imported")
    print(f"{status.good} of {status.total} records imported, state {status.state}")
    print(f"error budget left: {status.budget_remaining:.0%}")
    for alert in handle.alerts:
        print(f"alert {alert.labels['alertname']}: {alert.state}")
    handle.shutdown()


if __name__ == "__main__":
    main()
