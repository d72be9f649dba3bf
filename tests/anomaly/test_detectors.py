"""What every detector must do: find changes soon, forget nothing it should keep, learn nothing it should not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from otel_ext.anomaly import CountRate, CountRatio, Detector, Observation, RobustLevel
from tests.anomaly.simulate import Run, measured, observed, rate, ratio

SERIES = 100
SECONDS_10 = 10_000
Step = Callable[[np.random.Generator, bool], Observation]


def latency(rng: np.random.Generator, bad: bool) -> Observation:
    values = rng.lognormal(np.log(0.05 * (5 if bad else 1)), 0.1, SERIES)
    return observed(values, values * 100, np.full(SERIES, 100.0))


def errors(rng: np.random.Generator, bad: bool) -> Observation:
    total = rng.poisson(100, SERIES).astype(float) + 1
    failed = rng.binomial(total.astype(int), 0.2 if bad else 0.001).astype(float)
    return observed(failed / total, failed, total)


def traffic(rng: np.random.Generator, bad: bool) -> Observation:
    calls = rng.poisson(20 if bad else 100, SERIES).astype(float)
    return observed(calls / 10, calls, np.full(SERIES, 10.0))


def robust_level(warm_up: int = 30) -> Detector:
    return RobustLevel(log=True, warm_up=warm_up)


def count_ratio(warm_up: int = 30) -> Detector:
    return CountRatio(warm_up=warm_up)


def count_rate(warm_up: int = 30) -> Detector:
    return CountRate(warm_up=warm_up)


CASES = [(robust_level, latency), (count_ratio, errors), (count_rate, traffic)]
IDS = ["latency five times", "errors 0.1 % to 20 %", "traffic to a fifth"]


@pytest.mark.parametrize(("make", "step"), CASES, ids=IDS)
def test_a_change_after_ten_minutes_is_found_within_three_intervals(make: Callable[[], Detector], step: Step) -> None:
    rng = np.random.default_rng()
    run = Run(make(), SERIES, interval_ms=SECONDS_10)
    for _ in range(60):
        run.step(step(rng, False))
    before = run.opened.sum()
    for _ in range(3):
        run.step(step(rng, True))
    assert before <= 1
    assert run.decision.is_open.mean() >= 0.97


@pytest.mark.parametrize(("make", "step"), CASES, ids=IDS)
def test_a_short_warm_up_at_two_seconds_works_too(make: Callable[[int], Detector], step: Step) -> None:
    rng = np.random.default_rng()
    run = Run(make(20), SERIES, interval_ms=2_000)
    for _ in range(25):
        run.step(step(rng, False))
    for _ in range(4):
        run.step(step(rng, True))
    assert run.decision.is_open.mean() >= 0.95


@pytest.mark.parametrize(("make", "step"), CASES, ids=IDS)
def test_an_incident_is_not_learned_as_normal(make: Callable[[], Detector], step: Step) -> None:
    rng = np.random.default_rng()
    run = Run(make(), SERIES, interval_ms=SECONDS_10)
    everything = np.arange(SERIES)
    for _ in range(120):
        run.step(step(rng, False))
    before = run.detector.forecast(everything, step(rng, False), np.full(SERIES, 4.0)).expected
    for _ in range(180):
        run.step(step(rng, True))
    after = run.detector.forecast(everything, step(rng, False), np.full(SERIES, 4.0)).expected
    assert run.decision.is_open.mean() >= 0.97, "still open after half an hour"
    assert np.median(np.abs(np.log(after / before))) < 0.1
    for _ in range(20):
        run.step(step(rng, False))
    assert run.decision.is_open.mean() <= 0.02
    for _ in range(3):
        run.step(step(rng, True))
    assert run.decision.is_open.mean() >= 0.95, "the second incident is found like the first"


@pytest.mark.parametrize(("make", "step"), CASES, ids=IDS)
def test_a_change_that_stays_for_an_hour_becomes_the_new_normal(make: Callable[[], Detector], step: Step) -> None:
    rng = np.random.default_rng()
    run = Run(make(), SERIES, interval_ms=SECONDS_10)
    for _ in range(60):
        run.step(step(rng, False))
    for _ in range(400):
        run.step(step(rng, True))
    assert run.decision.is_open.mean() <= 0.02
    opened = run.opened.copy()
    for _ in range(100):
        run.step(step(rng, True))
    assert (run.opened - opened).mean() < 0.05


@pytest.mark.parametrize(("make", "step"), CASES, ids=IDS)
def test_the_band_holds_normal_values_and_not_the_incident(make: Callable[[], Detector], step: Step) -> None:
    rng = np.random.default_rng()
    run = Run(make(), SERIES, interval_ms=SECONDS_10)
    for _ in range(200):
        run.step(step(rng, False))
    normal, incident = step(rng, False), step(rng, True)
    band = run.detector.forecast(np.arange(SERIES), normal, run.decision.thresholds())
    assert ((band.lower <= normal.value) & (normal.value <= band.upper)).mean() >= 0.98
    outside = (band.lower > incident.value) | (incident.value > band.upper)
    assert outside.mean() >= 0.9, "of 100 series, so give or take 0.04 by chance"
    assert (band.lower <= band.expected).all()
    assert (band.expected <= band.upper).all()


@pytest.mark.parametrize(("make", "step"), CASES, ids=IDS)
def test_scores_after_a_restore_equal_the_uninterrupted_run_bit_for_bit(
    make: Callable[[], Detector], step: Step
) -> None:
    rng = np.random.default_rng()
    whole, interrupted = make(), make()
    whole.reserve(SERIES)
    interrupted.reserve(SERIES)
    weight = np.ones(SERIES)
    for tick in range(120):
        observation = step(rng, tick % 50 == 49)
        assert np.array_equal(whole.score(observation), interrupted.score(observation))
        whole.learn(observation, weight)
        interrupted.learn(observation, weight)
        if tick % 30 == 29:
            saved = interrupted.dump()
            interrupted = make()
            interrupted.restore(saved)


@pytest.mark.parametrize("make", [RobustLevel, CountRate, CountRatio])
def test_a_state_of_another_shape_is_refused(make: Callable[[], Detector]) -> None:
    with pytest.raises(ValueError, match="has no array"):
        make().restore({"age": np.zeros(3)})


@pytest.mark.parametrize("make", [RobustLevel, CountRate, CountRatio])
def test_clearing_a_slot_forgets_its_series_alone(make: Callable[[], Detector]) -> None:
    rng = np.random.default_rng()
    run = Run(make(), 2, interval_ms=SECONDS_10)
    for _ in range(60):
        count = rng.poisson(50, 2).astype(float)
        run.step(observed(count / 100, count, np.full(2, 100.0)))
    kept = {name: values[..., 1].copy() for name, values in run.detector.dump().items()}
    run.detector.clear(np.array([0]))
    after = run.detector.dump()
    assert all(np.array_equal(values[..., 1], kept[name], equal_nan=True) for name, values in after.items())
    assert after["age"][0] == 0


def test_missing_values_change_nothing() -> None:
    rng = np.random.default_rng()
    run = Run(RobustLevel(), 3)
    run.feed(measured(lambda _: rng.normal(100, 5, 3)), 60)
    before = run.detector.dump()
    missing = np.full(3, np.nan)
    surprise = run.step(observed(missing, missing, np.ones(3)))
    after = run.detector.dump()
    assert not surprise.any()
    assert all(np.array_equal(after[name], values, equal_nan=True) for name, values in before.items())


def test_a_constant_series_is_calm_and_its_small_wobble_is_no_news() -> None:
    run = Run(RobustLevel(), 2)
    run.feed(measured(lambda _: np.array([0.0, 42.0])), 200)
    run.feed(measured(lambda i: np.array([0.0, 42.0 + 0.5 * (i % 2)])), 200)
    assert run.opened.sum() == 0


def test_a_mean_of_few_measurements_is_believed_less() -> None:
    rng = np.random.default_rng()
    run = Run(RobustLevel(log=True), 2, interval_ms=SECONDS_10)
    for _ in range(200):
        values = rng.lognormal(0, 0.1, 2)
        run.step(observed(values, values * 100, np.full(2, 100.0)))
    surprise = run.detector.score(observed(np.full(2, 2.0), np.full(2, 2.0), np.array([100.0, 1.0])))
    assert surprise[0] > 3 * surprise[1] > 0


def test_silence_after_traffic_is_a_drop_and_traffic_after_silence_a_spike() -> None:
    rng = np.random.default_rng()
    run = Run(CountRate(), 2, interval_ms=SECONDS_10)
    run.feed(rate(lambda _: np.array([rng.poisson(30), 0]), SECONDS_10), 100)
    run.feed(rate(lambda _: np.array([0, 30]), SECONDS_10), 3)
    assert run.decision.side.tolist() == [-1.0, 1.0]


def test_an_interval_without_requests_says_nothing_about_errors() -> None:
    run = Run(CountRatio(), 1, interval_ms=SECONDS_10)
    run.feed(ratio(lambda _: (np.array([0.0]), np.array([0.0]))), 500)
    assert run.detector.dump()["age"][0] == 0
