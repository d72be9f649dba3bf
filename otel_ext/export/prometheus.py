"""The newest value of every series as a Prometheus scrape: OpenMetrics with exemplars, or the text format.

Owns no state: each call turns families into bytes; the web thread calls it. prometheus-client writes the formats;
what it leaves open is decided here (content negotiation by q-value, names escaped before writing, exemplars that fit).
Imports model, storage and prometheus-client.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import exposition as text_format
from prometheus_client.metrics_core import Metric as ClientMetric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar as ClientExemplar

from otel_ext.model.labels import METRIC_NAME
from otel_ext.storage.metrics.families import FamilySample, MetricFamily, StoredExemplar
from otel_ext.storage.metrics.translation import MetricKind, TranslationStrategy, metric_name

__all__ = ["negotiate", "render"]

_OPENMETRICS = "application/openmetrics-text"
_TEXT = "text/plain"
_ESCAPINGS = {
    "allow-utf-8": openmetrics.ALLOWUTF8,
    "underscores": openmetrics.UNDERSCORES,
    "dots": openmetrics.DOTS,
    "values": openmetrics.VALUES,
}
_EXEMPLAR_MAX_RUNES = 128  # OpenMetrics 1.0: names and values of an exemplar's labels together
_TRACE_LABELS = ("trace_id", "span_id")
_HISTOGRAM_ORDER = {"_bucket": 0, "_count": 1, "_sum": 2, "": 3}
_TYPES = frozenset({"counter", "gauge", "histogram", "summary", "info", "unknown"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Negotiated:
    """The format a scraper asked for: ``escaping`` says what happens to names outside ``[a-zA-Z0-9_:]``."""

    openmetrics: bool
    version: str
    escaping: str
    says_escaping: bool

    @property
    def content_type(self) -> str:
        """The value of the Content-Type header."""
        media = _OPENMETRICS if self.openmetrics else _TEXT
        suffix = f"; escaping={self.escaping}" if self.says_escaping else ""
        return f"{media}; version={self.version}; charset=utf-8{suffix}"


def render(families: Iterable[MetricFamily], accept_header: str = "") -> tuple[str, bytes]:
    """Write the families in the format that an ``Accept`` header prefers.

    Returns:
        The Content-Type and the body. Without a preference (curl, a browser) that is the text format 0.0.4;
        exemplars exist in OpenMetrics only.
    """
    chosen = negotiate(accept_header)
    collected = _Families(_client_metrics(families, chosen.escaping))
    # Names are escaped already: the writer would escape a sample's name and its family's name differently.
    writer: Callable[..., bytes] = openmetrics.generate_latest if chosen.openmetrics else text_format.generate_latest
    return chosen.content_type, writer(collected, escaping=openmetrics.ALLOWUTF8)


class _Families(Collector):
    """What prometheus-client's writers read."""

    def __init__(self, metrics: Iterable[ClientMetric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[ClientMetric]:
        return self._metrics


def negotiate(accept_header: str) -> Negotiated:
    """Choose a format as RFC 9110 and Prometheus' content negotiation say: highest q first, then header order."""
    best = Negotiated(openmetrics=False, version="0.0.4", escaping=openmetrics.UNDERSCORES, says_escaping=False)
    best_q = 0.0
    for part in accept_header.split(","):
        media, _, rest = part.partition(";")
        parameters = dict(_parameters(rest))
        quality = _quality(parameters.get("q"))
        offered = _offer(media.strip().lower(), parameters)
        if offered is not None and quality > best_q:
            best, best_q = offered, quality
    return best


def _parameters(text: str) -> Iterator[tuple[str, str]]:
    for piece in text.split(";"):
        name, _, value = piece.partition("=")
        yield name.strip().lower(), value.strip().strip('"').lower()


def _quality(text: str | None) -> float:
    if text is None:
        return 1.0
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0.0 <= value <= 1.0 else 0.0


def _offer(media: str, parameters: Mapping[str, str]) -> Negotiated | None:
    version = parameters.get("version", "")
    escaping = _ESCAPINGS.get(parameters.get("escaping", ""), openmetrics.UNDERSCORES)
    plain = openmetrics.UNDERSCORES
    if media == _OPENMETRICS and version in ("", "1.0.0"):
        says = "escaping" in parameters
        return Negotiated(openmetrics=True, version="1.0.0", escaping=escaping, says_escaping=says)
    if media == _OPENMETRICS and version == "0.0.1":
        return Negotiated(openmetrics=True, version="0.0.1", escaping=plain, says_escaping=False)
    if media == _TEXT and version == "1.0.0":
        return Negotiated(openmetrics=False, version="1.0.0", escaping=escaping, says_escaping=True)
    if media in (_TEXT, "text/*", "*/*") and version in ("", "0.0.4"):
        return Negotiated(openmetrics=False, version="0.0.4", escaping=plain, says_escaping=False)
    return None


def _client_metrics(families: Iterable[MetricFamily], escaping: str) -> Iterator[ClientMetric]:
    seen: set[str] = set()
    for family in families:
        metric = _client_metric(family, escaping)
        if metric.samples and metric.name not in seen:
            seen.add(metric.name)
            yield metric


def _client_metric(family: MetricFamily, escaping: str) -> ClientMetric:
    kind = _kind(family)
    base = family.name.removesuffix("_total") if kind == "counter" else family.name
    base = base.removesuffix("_info") if kind == "info" else base
    name = openmetrics.escape_metric_name(base, escaping) if escaping != openmetrics.ALLOWUTF8 else base
    unit = _unit(family.unit)
    unit = unit if unit and base.endswith(f"_{unit}") else ""  # OpenMetrics: a stated unit ends the name
    metric = ClientMetric(name, _text(family.help), kind, unit)
    for sample in _ordered(family.samples, base, kind):
        suffix = sample.name[len(base) :] if sample.name.startswith(base) else ""
        exemplar = _exemplar(sample.exemplar) if _carries_exemplars(kind, suffix) else None
        labels = _labels(sample.labels, escaping)
        metric.add_sample(name + suffix, labels, float(sample.value), None, exemplar)
    return metric


@functools.lru_cache(maxsize=256)
def _unit(ucum: str) -> str:
    """The unit as it stands in metric names: ``seconds`` for ``s``."""
    named = metric_name("x", ucum, MetricKind.HISTOGRAM, TranslationStrategy.UNDERSCORE_ESCAPING_WITH_SUFFIXES)
    return named.removeprefix("x").removeprefix("_")


def _kind(family: MetricFamily) -> str:
    """The type under which every sample of the family can be written; what fits no type is ``unknown``."""
    kind = family.type if family.type in _TYPES else "unknown"
    if kind == "counter" and not all(sample.name.endswith("_total") for sample in family.samples):
        return "unknown"
    if kind == "info" and not all(sample.name.endswith("_info") for sample in family.samples):
        return "gauge"
    return kind


def _ordered(samples: Sequence[FamilySample], base: str, kind: str) -> Sequence[FamilySample]:
    """Histograms by label set and then by bucket, as OpenMetrics demands; other families as they come."""
    if kind != "histogram":
        return samples

    def position(sample: FamilySample) -> tuple[tuple[tuple[str, str], ...], int, float]:
        group = tuple(sorted((name, value) for name, value in sample.labels.items() if name not in ("le", METRIC_NAME)))
        bound = float(sample.labels.get("le", "nan"))
        return group, _HISTOGRAM_ORDER.get(sample.name[len(base) :], 4), 0.0 if math.isnan(bound) else bound

    return sorted(samples, key=position)


def _carries_exemplars(kind: str, suffix: str) -> bool:
    return (kind, suffix) in (("counter", "_total"), ("histogram", "_bucket"))


def _labels(labels: Mapping[str, str], escaping: str) -> dict[str, str]:
    utf8 = escaping == openmetrics.ALLOWUTF8
    return {
        (name if utf8 else openmetrics.escape_label_name(name, escaping)): _text(value)
        for name, value in labels.items()
        if name != METRIC_NAME
    }


def _exemplar(exemplar: StoredExemplar | None) -> ClientExemplar | None:
    """Trace and span first, then as many of the measurement's own attributes as the 128 characters hold."""
    if exemplar is None or not math.isfinite(exemplar.value):
        return None
    labels: dict[str, str] = {}
    room = _EXEMPLAR_MAX_RUNES
    for key, raw in sorted(exemplar.labels.items(), key=lambda item: (item[0] not in _TRACE_LABELS, item[0])):
        name, value = openmetrics.escape_label_name(key, openmetrics.UNDERSCORES), _text(raw)
        room -= len(name) + len(value)
        if room < 0:
            break
        labels.setdefault(name, value)
    return ClientExemplar(labels, float(exemplar.value), exemplar.ts_ms / 1000 or None)


def _text(value: str) -> str:
    """The value with what UTF-8 cannot hold (lone surrogates) replaced."""
    return value.encode("utf-8", "replace").decode("utf-8")
