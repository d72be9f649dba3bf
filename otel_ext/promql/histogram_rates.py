"""Differences of native histograms over a window: what rate, increase, delta, irate and idelta need.

Pure functions; warnings go to the window's annotations.
"""

from __future__ import annotations

from otel_ext.model.native_histograms import (
    CounterResetHint,
    IncompatibleHistogramsError,
    IncompatibleSchemaError,
    NativeHistogram,
)
from otel_ext.promql.range_functions import MixedWindow

__all__ = ["histogram_instant_rate", "histogram_rate"]

_GAUGE = CounterResetHint.GAUGE


def histogram_rate(window: MixedWindow, *, counter: bool) -> NativeHistogram | None:
    """Last less first, plus what was lost at resets for a counter; None with a warning when incompatible."""
    points = [histogram for _, histogram in window.histograms]
    first, last = points[0], points[-1]
    if counter and any(point.counter_reset_hint is _GAUGE for point in (first, *points[1:-1], last)):
        _warn_not_counter(window)
    if counter and points[1].reset_since(first):
        # what came before a reset does not matter, nor whether its buckets fit
        first = NativeHistogram(schema=points[1].schema, custom_bounds=points[1].custom_bounds)
    if any(point.custom != first.custom for point in (*points[1:-1], last)):
        return _warn_schema(window)
    schema = min(point.schema for point in (first, *(points[1:-1] if counter else []), last))
    try:
        change = last.at_schema(schema) - first
        if counter:
            previous = first
            for point in points[1:]:
                if point.reset_since(previous):
                    change = change + previous
                previous = point
        elif not (points[0].counter_reset_hint is last.counter_reset_hint is _GAUGE):
            _warn_not_gauge(window)
    except IncompatibleSchemaError:
        return _warn_schema(window)
    except IncompatibleHistogramsError:
        return _warn_bounds(window)
    return change.with_hint(_GAUGE).compacted()


def histogram_instant_rate(
    window: MixedWindow, older: NativeHistogram, newest: NativeHistogram, *, rate: bool
) -> NativeHistogram | None:
    """The difference of the last two histograms, or the newest after a reset."""
    hints = (older.counter_reset_hint, newest.counter_reset_hint)
    if rate and _GAUGE in hints:
        _warn_not_counter(window)
    if not rate and hints != (_GAUGE, _GAUGE):
        _warn_not_gauge(window)
    if rate and newest.reset_since(older):
        return newest.with_hint(_GAUGE).compacted()
    try:
        return (newest - older).with_hint(_GAUGE).compacted()
    except IncompatibleSchemaError:
        return _warn_schema(window)
    except IncompatibleHistogramsError:
        return _warn_bounds(window)


def _warn_not_counter(window: MixedWindow) -> None:
    window.annotations.warn(f"this native histogram metric is not a counter: {window.metric_name!r}")


def _warn_not_gauge(window: MixedWindow) -> None:
    window.annotations.warn(f"this native histogram metric is not a gauge: {window.metric_name!r}")


def _warn_schema(window: MixedWindow) -> NativeHistogram | None:
    window.annotations.warn(
        "vector contains a mix of histograms with exponential and custom buckets "
        f"for metric name {window.metric_name!r}"
    )
    return None


def _warn_bounds(window: MixedWindow) -> NativeHistogram | None:
    window.annotations.warn(
        f"vector contains histograms with incompatible custom buckets for metric name {window.metric_name!r}"
    )
    return None
