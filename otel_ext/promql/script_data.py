"""The samples a promqltest script has loaded, as a metric store; with native histograms made from classic ones.

Owned by one script run.
"""

from __future__ import annotations

import math

from otel_ext.model.labels import METRIC_NAME, Labels
from otel_ext.model.native_histograms import CUSTOM_SCHEMA, NativeHistogram
from otel_ext.promql.formatting import parse_go_float
from otel_ext.promql.script_file import Load
from otel_ext.storage.metrics import MetricStore

__all__ = ["ScriptData"]

_FOREVER_MS = 1 << 50
_UNBOUNDED = 1 << 50


class ScriptData:
    """Samples by time; the store is rebuilt when something was loaded."""

    def __init__(self) -> None:
        self._samples: dict[int, dict[Labels, float | NativeHistogram]] = {}
        self._store: MetricStore | None = None

    def clear(self) -> None:
        """Forget everything."""
        self._samples.clear()
        self._store = None

    def load(self, command: Load) -> None:
        """Add the series of a load command."""
        self._store = None
        for labels, values in command.series:
            for index, value in enumerate(values):
                if value is not None:
                    self._samples.setdefault(index * command.step_ms, {})[labels] = value
        if command.with_nhcb:
            for ts_ms, labels, histogram in _custom_histograms(command):
                self._samples.setdefault(ts_ms, {})[labels] = histogram

    def store(self) -> MetricStore:
        """A store of everything loaded."""
        if self._store is None:
            self._store = MetricStore(retention_ms=_FOREVER_MS, max_bytes=_UNBOUNDED)
            for ts_ms in sorted(self._samples):
                self._store.append(ts_ms, self._samples[ts_ms].items())
        return self._store


class _ClassicHistogram:
    """The parts of one classic histogram at one instant."""

    def __init__(self) -> None:
        self.buckets: dict[float, float] = {}
        self.sum = 0.0
        self.count: float | None = None

    def native(self) -> NativeHistogram:
        bounds = sorted(bound for bound in self.buckets if bound != math.inf)
        highest = self.buckets[max(self.buckets)]
        count = self.count if self.count is not None else highest
        cumulative = [*(self.buckets[bound] for bound in bounds), self.buckets.get(math.inf, count)]
        counts = [now - before for before, now in zip([0.0, *cumulative], cumulative, strict=False)]
        return NativeHistogram(
            schema=CUSTOM_SCHEMA,
            count=count,
            sum=self.sum,
            positive={index: value for index, value in enumerate(counts) if value},
            custom_bounds=tuple(bounds),
        )


def _custom_histograms(command: Load) -> list[tuple[int, Labels, NativeHistogram]]:
    found: dict[tuple[Labels, int], _ClassicHistogram] = {}
    for labels, values in command.series:
        name, _, part = labels.metric_name.rpartition("_")
        if part not in ("bucket", "sum", "count"):
            continue
        identity = labels.without("le").with_labels({METRIC_NAME: name})
        for index, value in enumerate(values):
            if not isinstance(value, float):
                continue
            histogram = found.setdefault((identity, index * command.step_ms), _ClassicHistogram())
            if part == "sum":
                histogram.sum = value
            elif part == "count":
                histogram.count = value
            else:
                bound = parse_go_float(labels.get("le", ""))
                if bound is not None:
                    histogram.buckets[bound] = value
    return [
        (ts_ms, identity, histogram.native()) for (identity, ts_ms), histogram in found.items() if histogram.buckets
    ]
