"""Tail probabilities of counts, vectorised: negative binomial (Poisson as its limit) and beta-binomial.

Exact sums of the first 32 terms and a geometric bound for what is left, so a probability is exact for low counts and
never understated for high ones by more than the bound. Pure functions; imports numpy alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from otel_ext.anomaly.detector import FloatArray

__all__ = ["beta_binomial_surprise", "log_gamma", "negative_binomial_surprise"]

_TERMS = 32
_LN10 = float(np.log(10.0))
_HALF_LN_2PI = 0.5 * float(np.log(2 * np.pi))
_LEAST = 1e-300

Ratio = Callable[[int], FloatArray]


def log_gamma(x: FloatArray) -> FloatArray:
    """Natural logarithm of the gamma function for ``x > 0``: Stirling's series after a shift by 8."""
    shifted = x + 8.0
    product = x * (x + 1) * (x + 2) * (x + 3) * (x + 4) * (x + 5) * (x + 6) * (x + 7)
    inverse = 1.0 / shifted
    square = inverse * inverse
    series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)))
    result: FloatArray = (shifted - 0.5) * np.log(shifted) - shifted + _HALF_LN_2PI + series - np.log(product)
    return result


def negative_binomial_surprise(count: FloatArray, mean: FloatArray, shape: FloatArray) -> FloatArray:
    """Signed surprise of a count whose expectation is ``mean > 0`` and variance ``mean + mean**2 / shape``.

    ``-log10 P(X >= count)``, positive, when the count is at or above the mean; ``log10 P(X <= count)``, negative,
    below. A large ``shape`` gives the Poisson law; a gamma posterior of a rate gives this law as its prediction.
    """
    success = mean / (mean + shape)
    log_mass = (
        log_gamma(count + shape)
        - log_gamma(shape)
        - log_gamma(count + 1.0)
        + shape * np.log(shape / (shape + mean))
        + count * np.log(success)
    )

    def up(step: int) -> FloatArray:
        ratio: FloatArray = (count + step + shape) / (count + step + 1.0) * success
        return ratio

    def down(step: int) -> FloatArray:
        left = np.maximum(count - step, 0.0)
        ratio: FloatArray = left / np.maximum((left - 1.0 + shape) * success, _LEAST)
        return ratio

    above = count >= mean
    upper = _surprise(log_mass, up, success)
    lower = _surprise(log_mass, down, np.zeros_like(count))
    signed: FloatArray = np.where(above, upper, -lower)
    return signed


def beta_binomial_surprise(count: FloatArray, total: FloatArray, alpha: FloatArray, beta: FloatArray) -> FloatArray:
    """Signed surprise of ``count`` out of ``total`` when the ratio has a Beta(``alpha``, ``beta``) posterior."""
    rest = total - count
    log_mass = (
        log_gamma(total + 1.0)
        - log_gamma(count + 1.0)
        - log_gamma(rest + 1.0)
        + log_gamma(count + alpha)
        + log_gamma(rest + beta)
        - log_gamma(total + alpha + beta)
        + log_gamma(alpha + beta)
        - log_gamma(alpha)
        - log_gamma(beta)
    )

    def up(step: int) -> FloatArray:
        return _beta_binomial_ratio(count + step, rest - step, alpha, beta)

    def down(step: int) -> FloatArray:
        return _beta_binomial_ratio(rest + step, count - step, beta, alpha)

    above = count * (alpha + beta) >= total * alpha
    nothing = np.zeros_like(count)
    signed: FloatArray = np.where(above, _surprise(log_mass, up, nothing), -_surprise(log_mass, down, nothing))
    return signed


def _beta_binomial_ratio(count: FloatArray, rest: FloatArray, alpha: FloatArray, beta: FloatArray) -> FloatArray:
    """Mass at ``count + 1`` over mass at ``count``; 0 when nothing is left."""
    left = np.maximum(rest, 0.0)
    ratio: FloatArray = left / (count + 1.0) * (count + alpha) / np.maximum(left - 1.0 + beta, _LEAST)
    return ratio


def _surprise(log_mass: FloatArray, ratio: Ratio, limit: FloatArray) -> FloatArray:
    """``-log10`` of the tail that starts at a mass and goes on by ``ratio(step)``, which tends to ``limit``."""
    total = np.ones_like(log_mass)
    term = np.ones_like(log_mass)
    for step in range(_TERMS):
        term = np.minimum(term * ratio(step), 1e150)
        total = total + term
    last = np.maximum(ratio(_TERMS), limit)
    remainder = np.where(last < 1.0, term * last / np.maximum(1.0 - last, 1e-12), np.inf)
    remainder = np.where(term > 0.0, remainder, 0.0)
    log_tail = log_mass + np.log(total + remainder)
    surprise: FloatArray = np.maximum(0.0, -log_tail / _LN10)
    return surprise
