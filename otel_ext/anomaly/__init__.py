"""Streaming anomaly detection: detectors, decisions, verdicts, and the engine over the golden signals.

Imports numpy, so it is imported by the pipeline alone, lazily. May import the model.
"""

from __future__ import annotations

from otel_ext.anomaly.count_rate import CountRate
from otel_ext.anomaly.count_ratio import CountRatio
from otel_ext.anomaly.detector import Detector, Forecast, Observation
from otel_ext.anomaly.engine import AnomalyEngine
from otel_ext.anomaly.robust_level import RobustLevel
from otel_ext.anomaly.signals import GoldenRow
from otel_ext.anomaly.watch import AnomalyChange, ChangeKind

__all__ = [
    "AnomalyChange",
    "AnomalyEngine",
    "ChangeKind",
    "CountRate",
    "CountRatio",
    "Detector",
    "Forecast",
    "GoldenRow",
    "Observation",
    "RobustLevel",
]
