"""The metric store: columns of samples, OTLP translation, label sets as code columns, matchers, exemplars."""

from otel_ext.storage.metrics.families import (
    FamilySample,
    MetricFamily,
    MetricMetadata,
    MetricStoreStats,
    StoredExemplar,
)
from otel_ext.storage.metrics.markers import STALE, is_stale
from otel_ext.storage.metrics.matchers import Matcher, MatchType
from otel_ext.storage.metrics.series_set import SeriesSet
from otel_ext.storage.metrics.store import MetricStore
from otel_ext.storage.metrics.translation import TranslationStrategy
from otel_ext.storage.metrics.view import SeriesBlock

__all__ = [
    "STALE",
    "FamilySample",
    "MatchType",
    "Matcher",
    "MetricFamily",
    "MetricMetadata",
    "MetricStore",
    "MetricStoreStats",
    "SeriesBlock",
    "SeriesSet",
    "StoredExemplar",
    "TranslationStrategy",
    "is_stale",
]
