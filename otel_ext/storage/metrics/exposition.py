"""Families for /metrics from the newest column of every table: counters without _total, histograms with their parts.

Pure functions over blocks; any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from otel_ext.model.labels import METRIC_NAME, Labels
from otel_ext.model.native_histograms import NativeHistogram
from otel_ext.storage.metrics.families import FamilySample, MetricFamily, MetricMetadata, StoredExemplar
from otel_ext.storage.metrics.view import SeriesBlock

__all__ = ["families_of"]

_PARTS = ("_bucket", "_sum", "_count")
_LOOKBACK_MS = 300_000

NewestExemplar = Callable[[Labels], StoredExemplar | None]


def families_of(
    blocks: Iterable[SeriesBlock], metadata: Mapping[str, MetricMetadata], newest_exemplar: NewestExemplar
) -> list[MetricFamily]:
    """Group the newest samples by family name, sorted by it; series that ended are left out."""
    known = list(blocks)
    newest_ms = max((int(block.ts_ms[-1]) for block in known if len(block.ts_ms)), default=0)
    grouped: dict[str, list[FamilySample]] = {}
    for block in known:
        for sample in _samples(block, newest_ms, newest_exemplar):
            grouped.setdefault(_family_name(sample.name, metadata), []).append(sample)
    return [_family(name, grouped[name], metadata) for name in sorted(grouped)]


def _family(name: str, samples: list[FamilySample], metadata: Mapping[str, MetricMetadata]) -> MetricFamily:
    known = metadata.get(name) or metadata.get(f"{name}_total") or MetricMetadata(type="unknown", unit="", help="")
    return MetricFamily(name=name, type=known.type, unit=known.unit, help=known.help, samples=samples)


def _family_name(name: str, metadata: Mapping[str, MetricMetadata]) -> str:
    for part in _PARTS:
        base = name.removesuffix(part)
        if base != name and metadata.get(base, None) is not None and metadata[base].type == "histogram":
            return base
    if name.endswith("_total") and name in metadata and metadata[name].type == "counter":
        return name.removesuffix("_total")
    return name


def _samples(block: SeriesBlock, newest_ms: int, newest_exemplar: NewestExemplar) -> Iterable[FamilySample]:
    first, end = block.span(newest_ms - _LOOKBACK_MS, newest_ms)
    values, _, present, histograms = block.latest(first, end)
    labels = block.series.labels
    for index in np.flatnonzero(present).tolist():
        histogram = None if histograms is None else histograms[index]
        if isinstance(histogram, NativeHistogram):
            yield from _histogram_samples(labels[index], histogram)
            continue
        yield FamilySample(
            name=labels[index].metric_name,
            labels=labels[index].without(METRIC_NAME),
            value=float(values[index]),
            exemplar=newest_exemplar(labels[index]),
        )


def _histogram_samples(labels: Labels, histogram: NativeHistogram) -> Iterable[FamilySample]:
    """A native histogram as classic buckets, one per populated bucket, because text formats know no other."""
    name, plain = labels.metric_name, labels.without(METRIC_NAME)
    cumulative = 0.0
    for bucket in histogram.buckets():
        cumulative += bucket.count
        if bucket.upper != float("inf"):
            yield FamilySample(name=f"{name}_bucket", labels=plain.with_labels(le=repr(bucket.upper)), value=cumulative)
    yield FamilySample(name=f"{name}_bucket", labels=plain.with_labels(le="+Inf"), value=histogram.count)
    yield FamilySample(name=f"{name}_sum", labels=plain, value=histogram.sum)
    yield FamilySample(name=f"{name}_count", labels=plain, value=histogram.count)
