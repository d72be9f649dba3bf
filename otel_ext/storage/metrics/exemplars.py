"""Exemplars: a few recent measurements of each series, with the trace each came from. Bounded twice.

Owned by the store and used under its lock.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence

from otel_ext.model.labels import Labels
from otel_ext.storage.metrics.families import StoredExemplar
from otel_ext.storage.metrics.matchers import Matcher, matches_all

__all__ = ["ExemplarStore"]

_PER_SERIES = 8
_SERIES_LIMIT = 10_000


class ExemplarStore:
    """The newest exemplars of at most ``_SERIES_LIMIT`` series; the series updated longest ago goes first."""

    def __init__(self) -> None:
        self._series: OrderedDict[Labels, deque[StoredExemplar]] = OrderedDict()

    def add(self, series: Labels, exemplar: StoredExemplar) -> None:
        """Keep an exemplar unless the series already ends with it (the SDK reports it until a newer one comes)."""
        kept = self._series.get(series)
        if kept is None:
            kept = self._series[series] = deque(maxlen=_PER_SERIES)
            self.forget_beyond(_SERIES_LIMIT)
        elif exemplar in kept:
            return
        kept.append(exemplar)
        self._series.move_to_end(series)

    def newest(self, series: Labels) -> StoredExemplar | None:
        """The latest exemplar of a series."""
        kept = self._series.get(series)
        return kept[-1] if kept else None

    def select(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> list[tuple[Labels, tuple[StoredExemplar, ...]]]:
        """Exemplars in ``[start, end]`` of the series that pass all matchers."""
        found = []
        for series, kept in self._series.items():
            if matches_all(matchers, series):
                inside = tuple(item for item in kept if start_ms <= item.ts_ms <= end_ms)
                if inside:
                    found.append((series, inside))
        return found

    def forget_beyond(self, series: int) -> None:
        """Keep no more series than this."""
        while len(self._series) > min(series, _SERIES_LIMIT):
            self._series.popitem(last=False)
