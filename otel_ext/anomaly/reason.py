"""Verdicts in words: what is seen, what was expected, since when. Pure functions."""

from __future__ import annotations

from otel_ext.anomaly.signals import Signal
from otel_ext.model.anomalies import Anomaly
from otel_ext.model.labels import Labels

__all__ = ["sentence", "value_text"]


def sentence(signal: Signal, anomaly: Anomaly, ts_ms: int) -> str:
    """One sentence: signal, subject, actual against expected with the band, and how long."""
    actual, expected = value_text(anomaly.actual, signal.unit), value_text(anomaly.expected, signal.unit)
    band = f"{value_text(anomaly.lower, signal.unit)} to {value_text(anomaly.upper, signal.unit)}"
    text = f"{signal.title} of {subject(anomaly.series)} is {actual}, {_compared(anomaly)} the expected {expected}"
    text = f"{text} (band {band})"
    lasted_seconds = (ts_ms - anomaly.started_at_ms) / 1000
    if lasted_seconds <= 0:
        return text
    return f"{text}, for {_duration_text(lasted_seconds)}"


def subject(series: Labels) -> str:
    """How people name this series: its span name or route, else all its labels."""
    for name in ("span.name", "span_name", "http.route", "http_route"):
        if name in series:
            return series[name]
    return repr(series.without("signal"))


def value_text(value: float, unit: str) -> str:
    """A value with its unit: ratios in percent, seconds below one in milliseconds, rates a second."""
    if unit == "%":
        return f"{value * 100:.3g} %"
    if unit == "s":
        return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"
    return f"{value:.3g}{unit}"


def _compared(anomaly: Anomaly) -> str:
    if anomaly.expected > 0 and anomaly.actual > anomaly.expected * 1.5:
        return f"{anomaly.actual / anomaly.expected:.3g} times"
    return "above" if anomaly.actual > anomaly.expected else "below"


def _duration_text(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
