"""Tail probabilities against sums in plain Python."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_ext.anomaly.tails import beta_binomial_surprise, log_gamma, negative_binomial_surprise


def one(value: float) -> np.ndarray:
    return np.array([value], dtype=np.float64)


@given(st.floats(1e-3, 1e8))
def test_log_gamma_equals_the_standard_library(x: float) -> None:
    assert float(log_gamma(one(x))[0]) == pytest.approx(math.lgamma(x), rel=1e-10, abs=1e-9)


def poisson_tail(count: int, mean: float, upper: bool) -> float:
    def mass(k: int) -> float:
        return math.exp(k * math.log(mean) - mean - math.lgamma(k + 1))

    ks = range(count, count + 400) if upper else range(count + 1)
    return math.fsum(mass(k) for k in ks)


@settings(max_examples=200)
@given(st.integers(0, 60), st.floats(0.01, 40))
def test_a_large_shape_gives_the_exact_poisson_tail(count: int, mean: float) -> None:
    surprise = float(negative_binomial_surprise(one(count), one(mean), one(1e7))[0])
    tail = poisson_tail(count, mean, upper=count >= mean)
    assert (surprise >= 0) == (count >= mean) or surprise == 0
    assert abs(surprise) == pytest.approx(-math.log10(min(tail, 1.0)), rel=0.02, abs=0.02)


def negative_binomial_tail(count: int, mean: float, shape: float, upper: bool) -> float:
    def mass(k: int) -> float:
        return math.exp(
            math.lgamma(k + shape)
            - math.lgamma(shape)
            - math.lgamma(k + 1)
            + shape * math.log(shape / (shape + mean))
            + k * math.log(mean / (mean + shape))
        )

    ks = range(count, count + 3_000) if upper else range(count + 1)
    return math.fsum(mass(k) for k in ks)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 300), st.floats(0.1, 150), st.floats(0.5, 500))
def test_negative_binomial_tails_are_right_and_never_overstate_surprise_by_much(
    count: int, mean: float, shape: float
) -> None:
    surprise = float(negative_binomial_surprise(one(count), one(mean), one(shape))[0])
    tail = negative_binomial_tail(count, mean, shape, upper=count >= mean)
    if tail < 1e-250:
        assert abs(surprise) > 249
        return
    exact = -math.log10(min(tail, 1.0))
    assert abs(surprise) <= exact + 0.02
    assert abs(surprise) >= exact * 0.9 - 0.5


def beta_binomial_tail(count: int, total: int, alpha: float, beta: float, upper: bool) -> float:
    def mass(k: int) -> float:
        return math.comb(total, k) * math.exp(
            math.lgamma(k + alpha)
            + math.lgamma(total - k + beta)
            - math.lgamma(total + alpha + beta)
            + math.lgamma(alpha + beta)
            - math.lgamma(alpha)
            - math.lgamma(beta)
        )

    return math.fsum(mass(k) for k in (range(count, total + 1) if upper else range(count + 1)))


@settings(max_examples=200, deadline=None)
@given(st.data(), st.integers(1, 30), st.floats(0.3, 50), st.floats(0.3, 5000))
def test_beta_binomial_tails_of_few_events_are_exact(
    data: st.DataObject, total: int, alpha: float, beta: float
) -> None:
    count = data.draw(st.integers(0, total))
    surprise = float(beta_binomial_surprise(one(count), one(total), one(alpha), one(beta))[0])
    upper = count * (alpha + beta) >= total * alpha
    tail = beta_binomial_tail(count, total, alpha, beta, upper)
    assert abs(surprise) == pytest.approx(-math.log10(min(tail, 1.0)), abs=1e-6)
    assert surprise >= 0 if upper else surprise <= 0


def test_huge_counts_stay_finite() -> None:
    counts = np.array([0.0, 1e6, 1e9, 2e9])
    surprise = negative_binomial_surprise(counts, np.full(4, 1e9), np.full(4, 1e4))
    assert np.isfinite(surprise).all()
    assert surprise[0] < -1000
    assert surprise[3] > 100
