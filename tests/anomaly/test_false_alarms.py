"""How often nothing is called something: fresh seeds, many kinds of noise, against the stated rate.

The rate is stated for noise without memory; the runs also show that slow waves and correlated noise stay below it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from otel_ext.anomaly import CountRate, CountRatio, RobustLevel
from tests.anomaly.simulate import MINUTE_MS, WEEK_MS, Run, Source, measured, rate, ratio

SERIES = 150
TICKS = 1000
DAY = 1440


def sources(rng: np.random.Generator) -> dict[str, Source]:
    state = {"ar": np.zeros(SERIES)}

    def correlated(_tick: int) -> np.ndarray:
        state["ar"] = 0.95 * state["ar"] + rng.normal(size=SERIES)
        return 100 + state["ar"]

    return {
        "gaussian": measured(lambda _: 100 + 5 * rng.normal(size=SERIES)),
        "daily wave": measured(lambda i: 100 + 30 * np.sin(2 * np.pi * i / DAY) + 5 * rng.normal(size=SERIES)),
        "correlated": measured(correlated),
        "student t3": measured(lambda _: 100 + 5 * rng.standard_t(3, size=SERIES)),
        "lognormal": measured(lambda _: rng.lognormal(0, 1, SERIES)),
        "pareto 2": measured(lambda _: 1 + rng.pareto(2, SERIES)),
    }


def check(run: Run, source: Source) -> None:
    """At most two alarms a series on the first day, then the stated one a week, with the room chance leaves."""
    run.feed(source, DAY * MINUTE_MS // run.interval_ms)
    assert run.opened.mean() <= 2
    first_day = run.opened.copy()
    run.feed(source, TICKS)
    later = run.opened - first_day
    expected = run.series * TICKS * run.interval_ms / WEEK_MS
    assert later.sum() <= expected + 3 * np.sqrt(expected), f"{later.sum() / expected:.2f} a week"
    assert run.opened.max() <= 14, "no single series alarms for ever"


@pytest.mark.parametrize("kind", ["gaussian", "daily wave", "correlated", "student t3", "lognormal", "pareto 2"])
def test_measured_values_keep_the_stated_rate(kind: str) -> None:
    rng = np.random.default_rng()
    check(Run(RobustLevel(), SERIES), sources(rng)[kind])


@pytest.mark.parametrize("kind", ["daily wave", "lognormal", "pareto 2"])
def test_positive_values_in_logs_keep_the_stated_rate(kind: str) -> None:
    rng = np.random.default_rng()
    check(Run(RobustLevel(log=True), SERIES), sources(rng)[kind])


@pytest.mark.parametrize("mean", [0.02, 0.3, 3, 3000])
def test_poisson_counts_at_any_rate_keep_the_stated_rate(mean: float) -> None:
    rng = np.random.default_rng()
    check(Run(CountRate(), SERIES), rate(lambda _: rng.poisson(mean, SERIES)))


@pytest.mark.parametrize(("mean", "scatter"), [(30, 0.1), (1000, 0.05)])
def test_counts_with_more_scatter_than_poisson_keep_the_stated_rate(mean: float, scatter: float) -> None:
    rng = np.random.default_rng()
    noisy: Callable[[int], np.ndarray] = lambda _: rng.poisson(mean * rng.gamma(1 / scatter, scatter, SERIES))  # noqa: E731
    check(Run(CountRate(), SERIES), rate(noisy))


@pytest.mark.parametrize(("traffic", "share"), [(2, 0.01), (10, 0.001), (10, 0.1), (100, 0.01), (1000, 0.001)])
def test_error_ratios_at_any_traffic_keep_the_stated_rate(traffic: int, share: float) -> None:
    rng = np.random.default_rng()

    def pairs(_tick: int) -> tuple[np.ndarray, np.ndarray]:
        total = rng.poisson(traffic, SERIES)
        return rng.binomial(total, share), total

    check(Run(CountRatio(), SERIES, both_sides=False), ratio(pairs))


def test_errors_that_come_in_bursts_keep_the_stated_rate() -> None:
    rng = np.random.default_rng()

    def pairs(_tick: int) -> tuple[np.ndarray, np.ndarray]:
        total = rng.poisson(100, SERIES)
        return rng.binomial(total, rng.beta(0.5, 49.5, SERIES)), total

    check(Run(CountRatio(), SERIES, both_sides=False), ratio(pairs))


def test_short_intervals_need_more_surprise_and_keep_the_rate() -> None:
    rng = np.random.default_rng()
    run = Run(RobustLevel(log=True), SERIES, interval_ms=10_000)
    check(run, measured(lambda _: rng.lognormal(0, 0.5, SERIES)))
