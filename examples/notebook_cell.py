"""A notebook cell that is run again and again: the same settings give the same handle, with one set of threads.

Paste the cells into Jupyter, open this file in an editor that knows `# %%`, or run it:

    python notebook_cell.py
"""

# %% Set up. Run this cell as often as you like.
import otel_ext

handle = otel_ext.install(
    service="notebook",
    slos=[{"name": "steps", "objective": "95", "latency": "100ms"}],
    http_port=0,
)
print(handle.url)

# %% Changed your mind? Other settings need replace=True, so that nothing is lost by accident.
handle = otel_ext.install(
    service="notebook",
    slos=[{"name": "steps", "objective": "95", "latency": "50ms"}],
    http_port=0,
    replace=True,
)

# %% Work.
import time  # noqa: E402

from opentelemetry import trace  # noqa: E402

tracer = trace.get_tracer("notebook")
for milliseconds in (1, 2, 80, 3):
    with tracer.start_as_current_span("step", kind=trace.SpanKind.CONSUMER):
        time.sleep(milliseconds / 1000)

# %% Look.
handle.force_flush()
status = handle.slo("steps")
print(f"{status.good} of {status.total} steps took at most 50 ms")

# %% A cell that is run again gives the same handle.
again = otel_ext.install(
    service="notebook",
    slos=[{"name": "steps", "objective": "95", "latency": "50ms"}],
    http_port=0,
)
print("the same handle:", again is handle)
