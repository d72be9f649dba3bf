"""MetricReaders: one collection feeds the local store and, where we own the provider, the OTLP forwarder too.

Each further reader costs every measurement of the service 5 to 9 µs, so an existing cumulative reader is
borrowed; only where there is none that can be, a reader of our own is added and its cost is stated. ``collect``
is called by the collect thread: it runs the user's observable callbacks and may take its time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, cast

from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricReader,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.export import MetricsData as SdkMetricsData

from otel_ext import sdk_private
from otel_ext.model.metrics import MetricsData

__all__ = ["LocalMetricReader", "MetricSource", "SharedMetricReader", "attach_reader"]

MetricSource = Callable[[], MetricsData | None]
"""Collects everything the provider's instruments hold now, cumulative; ``None`` when there is nothing to collect."""

FIRST_READER_COST = "the meter provider had no reader: ours makes its instruments record, 5 to 9 µs a measurement"
SECOND_READER_COST = (
    "the meter provider has no cumulative reader to share: a second metric reader was added, "
    "which costs every measurement of the service 5 to 9 µs"
)


class LocalMetricReader(MetricReader):
    """A cumulative reader that is collected on demand and forwards nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._taken = threading.local()

    def _receive_metrics(self, metrics_data: SdkMetricsData, timeout_millis: float = 10_000, **_: Any) -> None:  # noqa: ARG002
        self._taken.data = metrics_data

    def collect_locally(self) -> MetricsData | None:
        """One collection, for the caller alone."""
        self._taken.data = None
        self.collect()
        return cast("MetricsData | None", self._taken.data)

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        """Nothing is held here."""


class SharedMetricReader(PeriodicExportingMetricReader):
    """One cumulative reader for two: exports on its own period, and is collected locally in between.

    Args:
        exporter: must prefer cumulative temporality (:class:`otel_ext.export.temporality.CumulativeExporter`
            makes any so).
    """

    def __init__(self, exporter: MetricExporter, export_interval_millis: float | None = None) -> None:
        self._taken = threading.local()
        super().__init__(exporter, export_interval_millis)

    def _receive_metrics(self, metrics_data: SdkMetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        if getattr(self._taken, "local", False):
            self._taken.data = metrics_data
        else:
            super()._receive_metrics(metrics_data, timeout_millis=timeout_millis, **kwargs)

    def collect_locally(self) -> MetricsData | None:
        """One collection for the caller alone: nothing is exported, no export lock is taken."""
        self._taken.local, self._taken.data = True, None
        try:
            self.collect()
            return cast("MetricsData | None", self._taken.data)
        finally:
            self._taken.local = False


def attach_reader(provider: Any) -> tuple[MetricSource | None, MetricReader | None, str | None]:
    """A way to collect from a meter provider that exists already, at the least cost for the service.

    Returns ``(source, reader we added or None, fact to state or None)``; the source is ``None`` when the provider
    is no SDK provider.
    """
    readers = sdk_private.signal_pipelines(provider)
    for reader in readers:
        if isinstance(reader, LocalMetricReader | SharedMetricReader):
            return reader.collect_locally, None, None
        borrowed = sdk_private.collect_without_export(reader)
        if borrowed is not None:
            return borrowed, None, None
    if not hasattr(provider, "add_metric_reader"):
        return None, None, "the meter provider is not of the SDK: its metrics cannot be seen locally"
    added = LocalMetricReader()
    provider.add_metric_reader(added)
    return added.collect_locally, added, SECOND_READER_COST if readers else FIRST_READER_COST
