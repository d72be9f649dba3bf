"""The daily profile: what is usual at this hour is no news, what is not is."""

from __future__ import annotations

import numpy as np

from otel_ext.anomaly.replay import Replayed, replay
from otel_ext.anomaly.robust_level import RobustLevel
from otel_ext.anomaly.seasonal_level import SeasonalLevel
from tests.anomaly.simulate import START_MS

INTERVAL_MS = 600_000
PER_DAY = 144
SERIES = 20


def days(count: int, rng: np.random.Generator) -> np.ndarray:
    """A job that doubles the load for an hour every day, on a noisy level."""
    ticks = np.arange(count * PER_DAY)
    job = (ticks % PER_DAY >= 60) & (ticks % PER_DAY < 66)
    return 100 + 100 * job[:, None] + rng.normal(0, 3, (ticks.size, SERIES))


def run(values: np.ndarray, detector: SeasonalLevel | RobustLevel) -> Replayed:
    first = START_MS - START_MS % 86_400_000
    at_ms = first + np.arange(values.shape[0], dtype=np.float64) * INTERVAL_MS
    return replay(values, np.repeat(at_ms[:, None], SERIES, axis=1), detector, interval_ms=INTERVAL_MS)


def test_a_daily_job_is_learned_and_a_level_alone_never_gets_used_to_it() -> None:
    values = days(14, np.random.default_rng())
    late = slice(9 * PER_DAY, None)
    assert run(values, SeasonalLevel()).opened[late].sum() <= 2
    assert run(values, RobustLevel()).opened[late].mean(axis=1).sum() >= 2


def test_the_same_value_at_another_hour_is_an_anomaly() -> None:
    values = days(14, np.random.default_rng())
    values[13 * PER_DAY + 100 : 13 * PER_DAY + 104] += 100
    replayed = run(values, SeasonalLevel())
    assert replayed.opened[13 * PER_DAY + 100 : 13 * PER_DAY + 103].any(axis=0).mean() >= 0.95


def test_the_profile_of_positive_values_works_in_logs() -> None:
    values = days(10, np.random.default_rng())
    assert run(values, SeasonalLevel(log=True)).opened[7 * PER_DAY :].sum() <= 3


def test_scores_after_a_restore_go_on_bit_for_bit() -> None:
    values = days(5, np.random.default_rng())
    first = SeasonalLevel()
    run(values, first)
    second = SeasonalLevel()
    second.restore(first.dump())
    assert np.array_equal(run(values, first).surprise, run(values, second).surprise)
