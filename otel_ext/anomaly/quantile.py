"""Tracked quantiles: one number a series that follows a quantile of a positive stream.

Stochastic approximation on the logarithm (Robbins and Monro 1951): up by ``step * q`` when the value is above, down
by ``step * (1 - q)`` when it is below, so an outlier of any size moves it by the same small amount. Pure functions.
"""

from __future__ import annotations

import numpy as np

from otel_ext.anomaly.detector import FloatArray

__all__ = ["step_quantile"]


def step_quantile(tracked: FloatArray, value: FloatArray, quantile: float, step: FloatArray) -> FloatArray:
    """The tracked quantile after one value each; where ``step`` is 0 it stays. ``tracked`` must be positive."""
    above = value > tracked
    move = np.where(above, quantile, quantile - 1.0) * step
    moved: FloatArray = tracked * np.exp(move)
    return moved
