"""OTLP collections into columns: translation once a series, then array writes.

Owned by the store and called under its lock by the pipeline thread. What a repeated collection costs is a dictionary
lookup and a float a point: rows are remembered by the identity of the attribute mapping the SDK hands out again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from otel_ext.model.labels import METRIC_NAME, Labels
from otel_ext.model.metrics import CollectedMetrics, Temporality
from otel_ext.model.native_histograms import NativeHistogram
from otel_ext.storage.metrics.families import MetricMetadata, StoredExemplar
from otel_ext.storage.metrics.otlp_plans import (
    ExponentialPlan,
    HistogramPlan,
    MetricPlan,
    NumberPlan,
    PlanContext,
)
from otel_ext.storage.metrics.table import Table
from otel_ext.storage.metrics.translation import (
    MetricKind,
    TranslationStrategy,
    attribute_text,
    label_name,
    label_pairs,
    metric_name,
)

__all__ = ["ColumnWriter", "IngestCounts", "OtlpIngest"]

_KINDS: Mapping[str, MetricKind] = {
    "Gauge": MetricKind.GAUGE,
    "Histogram": MetricKind.HISTOGRAM,
    "ExponentialHistogram": MetricKind.EXPONENTIAL_HISTOGRAM,
}
_PLANS: Mapping[MetricKind, Callable[..., MetricPlan]] = {
    MetricKind.COUNTER: NumberPlan,
    MetricKind.UP_DOWN_COUNTER: NumberPlan,
    MetricKind.GAUGE: NumberPlan,
    MetricKind.HISTOGRAM: HistogramPlan,
    MetricKind.EXPONENTIAL_HISTOGRAM: ExponentialPlan,
}
_IDENTITY = ("service.name", "service.namespace", "service.instance.id")


class ColumnWriter(Protocol):
    """What the ingest needs of the store; every call is made under the store's lock."""

    def table(self, name: str) -> Table: ...
    def admit(self, table: Table, labels: Labels) -> int | None: ...
    def write(
        self,
        table: Table,
        ts_ms: int,
        rows: npt.NDArray[np.int64],
        values: npt.NDArray[np.float64],
        histograms: Mapping[int, NativeHistogram] | None = None,
    ) -> None: ...
    def add_exemplar(self, series: Labels, exemplar: StoredExemplar) -> None: ...


@dataclass(slots=True)
class IngestCounts:
    """Points of one collection that were not stored, and series that were refused or lumped together."""

    dropped: int = 0
    overflowed: int = 0


class OtlpIngest:
    """Plans by metric identity, what each wrote last, and the metadata of the translated names."""

    def __init__(
        self,
        *,
        translation: TranslationStrategy,
        zero_injection: bool,
        scope_labels: bool,
        resource_labels: tuple[str, ...],
    ) -> None:
        self._translation = translation
        self._zero_injection = zero_injection
        self._scope_labels = scope_labels
        self._resource_labels = resource_labels
        self._plans: dict[str, dict[Hashable, MetricPlan]] = {}
        self._bases: dict[Hashable, tuple[dict[str, str], Labels | None]] = {}
        self._previous_ms: dict[str, int] = {}
        self.metadata: dict[str, MetricMetadata] = {}

    def append(self, store: ColumnWriter, collected: CollectedMetrics, source: str) -> IngestCounts:
        """Write one collection; streams of this source that are not in it end here."""
        counts = IngestCounts()
        plans = self._plans.setdefault(source, {})
        context = PlanContext(
            store=store,
            ts_ms=collected.ts_ms,
            previous_ms=self._previous_ms.get(source),
            zero_injection=self._zero_injection,
            translation=self._translation,
            counts=counts,
        )
        for resource in collected.data.resource_metrics:
            base, target_info = self._base(resource.resource.attributes)
            if target_info is not None and any(scope.metrics for scope in resource.scope_metrics):
                self._write_target_info(plans, context, target_info)
            for scope in resource.scope_metrics:
                labels = self._with_scope(base, scope.scope)
                for metric in scope.metrics:
                    self._write_metric(plans, context, metric, labels)
        for plan in plans.values():
            plan.end_missing(context)
        self._previous_ms[source] = collected.ts_ms
        return counts

    def _write_metric(
        self, plans: dict[Hashable, MetricPlan], context: PlanContext, metric: Any, base: dict[str, str]
    ) -> None:
        kind = _kind(metric.data)
        points: Sequence[Any] = getattr(metric.data, "data_points", ())
        if kind is None or _is_delta(metric.data):
            context.counts.dropped += len(points)
            return
        key = (metric.name, metric.unit, kind, id(base))
        plan = plans.get(key)
        if plan is None:
            name = metric_name(metric.name, metric.unit or "", kind, self._translation)
            plan = plans[key] = _PLANS[kind](name, base)
            self._describe(name, kind, metric)
        plan.write(context, points)

    def _describe(self, name: str, kind: MetricKind, metric: Any) -> None:
        self.metadata[name] = MetricMetadata(
            type=kind.prometheus_type, unit=metric.unit or "", help=metric.description or ""
        )

    def _write_target_info(self, plans: dict[Hashable, MetricPlan], context: PlanContext, labels: Labels) -> None:
        key = ("target_info", labels)
        plan = plans.get(key)
        if plan is None:
            plan = plans[key] = NumberPlan("target_info", dict(labels.without(METRIC_NAME)))
            self.metadata["target_info"] = MetricMetadata(type="info", unit="", help="Target metadata")
        plan.write(context, (_TargetInfoPoint,))

    def _base(self, attributes: Mapping[str, Any]) -> tuple[dict[str, str], Labels | None]:
        """Labels every series of this resource carries, and its target_info labels when it has any."""
        key = frozenset((name, attribute_text(value)) for name, value in attributes.items())
        known = self._bases.get(key)
        if known is None:
            known = self._bases[key] = self._make_base(attributes)
        return known

    def _make_base(self, attributes: Mapping[str, Any]) -> tuple[dict[str, str], Labels | None]:
        identity = _identity(attributes)
        promoted = {name: attributes[name] for name in self._resource_labels if name in attributes}
        rest = {name: value for name, value in attributes.items() if name not in _IDENTITY}
        info = None
        if rest and identity:
            info = Labels({**label_pairs(rest, self._translation), **identity, METRIC_NAME: "target_info"})
        return {**label_pairs(promoted, self._translation), **identity}, info

    def _with_scope(self, base: dict[str, str], scope: Any) -> dict[str, str]:
        if not self._scope_labels:
            return base
        attributes = dict(getattr(scope, "attributes", None) or {})
        key = (id(base), scope.name, scope.version, scope.schema_url, frozenset(map(str, attributes.items())))
        known = self._bases.get(key)
        if known is None:
            named = {"otel_scope_name": scope.name, "otel_scope_version": scope.version or ""}
            named["otel_scope_schema_url"] = scope.schema_url or ""
            for name, value in attributes.items():
                named[label_name(f"otel_scope_{name}", self._translation)] = attribute_text(value)
            known = self._bases[key] = ({**named, **base}, None)
        return known[0]

    def forget(self, table: str) -> None:
        """Forget the rows of a table that is gone."""
        for plan in self._all_plans():
            plan.forget(table)

    def renumber(self, table: str, mapping: npt.NDArray[np.int64]) -> None:
        """Follow a table's rows to their new numbers (-1: the row is gone)."""
        for plan in self._all_plans():
            plan.renumber(table, mapping)

    def _all_plans(self) -> Iterable[MetricPlan]:
        return (plan for plans in self._plans.values() for plan in plans.values())


class _TargetInfoPoint:
    """The one point of target_info."""

    attributes: Mapping[str, Any] = {}
    start_time_unix_nano: int | None = None
    value = 1.0
    exemplars: Sequence[Any] = ()


def _identity(attributes: Mapping[str, Any]) -> dict[str, str]:
    identity: dict[str, str] = {}
    name = attribute_text(attributes.get("service.name", ""))
    if name:
        namespace = attribute_text(attributes.get("service.namespace", ""))
        identity["job"] = f"{namespace}/{name}" if namespace else name
    instance = attribute_text(attributes.get("service.instance.id", ""))
    if instance:
        identity["instance"] = instance
    return identity


def _kind(data: Any) -> MetricKind | None:
    kind = type(data).__name__
    if kind == "Sum":
        return MetricKind.COUNTER if data.is_monotonic else MetricKind.UP_DOWN_COUNTER
    return _KINDS.get(kind)


def _is_delta(data: Any) -> bool:
    return int(getattr(data, "aggregation_temporality", Temporality.CUMULATIVE)) != Temporality.CUMULATIVE
