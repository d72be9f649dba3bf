"""Connectors turn one signal into another: spans into SLI counts and into RED series.

Called by the pipeline thread, and by producing threads under overload; each connector guards its counts with one
short lock. Imports the model.
"""

from otel_ext.connectors.sli import SliCounter
from otel_ext.connectors.spanmetrics import GoldenSignals, SpanMetrics

__all__ = ["GoldenSignals", "SliCounter", "SpanMetrics"]
