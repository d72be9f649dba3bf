"""NAB's rules and incident counts on examples worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from otel_ext.anomaly.scoring import NabProfile, NabSeries, nab_score, probation, score_incidents

FILE = NabSeries(length=1000, windows=((500, 599),))


def score(*alarms: int, profile: NabProfile | None = None) -> float:
    return nab_score([FILE], [np.array(alarms, dtype=np.intp)], profile)


def test_no_alarm_scores_zero_and_the_earliest_possible_one_a_hundred() -> None:
    assert score() == 0
    assert score(500) == pytest.approx(100, abs=0.05)


def test_a_late_alarm_in_the_window_earns_less_and_a_second_one_nothing() -> None:
    assert 50 < score(599) < score(550) < score(500)
    assert score(520, 560) == score(520)


def test_alarms_outside_cost_and_less_soon_after_a_window() -> None:
    far, soon = score(500, 950), score(500, 605)
    assert far == pytest.approx(score(500) - 50 * 0.11, abs=0.01)
    assert far < soon < score(500)
    assert score(500, 200) == pytest.approx(far, abs=0.01)


def test_alarms_in_the_probation_are_not_scored() -> None:
    assert probation(1000) == 150
    assert probation(100_000) == 750
    assert score(10, 149) == 0


def test_the_position_in_a_window_follows_the_published_sigmoid() -> None:
    gain = (2 / (1 + math.exp(5 * -0.5)) - 1) / (2 / (1 + math.exp(-5.0)) - 1)
    assert score(550) == pytest.approx(50 * (1 + gain), abs=1e-9)


def test_the_profile_weighs_misses_and_false_alarms() -> None:
    assert score(900, profile=NabProfile(false_positive=0.22)) == pytest.approx(2 * score(900))


def test_files_without_any_window_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match="at least one labelled window"):
        nab_score([NabSeries(length=10, windows=())], [np.array([], dtype=np.intp)])


def labels(*runs: tuple[int, int], size: int = 1000) -> np.ndarray:
    made = np.zeros(size, dtype=np.bool_)
    for first, last in runs:
        made[first : last + 1] = True
    return made


def judged(*alarms: int, runs: tuple[tuple[int, int], ...] = ((500, 509),), ignore: int = 0):  # type: ignore[no-untyped-def]
    return score_incidents(np.array(alarms, dtype=np.intp), labels(*runs), interval_ms=604_800, ignore=ignore)


def test_an_alarm_near_an_incident_finds_it_with_its_delay() -> None:
    assert judged(498).delays == (0,)
    assert judged(503).delays == (3,)
    assert judged(519).found == 1
    assert (judged(520).found, judged(520).false_alarms) == (0, 1)


def test_alarms_close_together_are_one_false_alarm() -> None:
    result = judged(100, 110, 120, 300)
    assert (result.false_alarms, result.weeks, result.false_alarms_per_week) == (2, 1.0, 2.0)


def test_what_is_ignored_counts_neither_way() -> None:
    result = judged(100, runs=((90, 110), (500, 509)), ignore=200)
    assert (result.incidents, result.found, result.false_alarms) == (1, 0, 0)
    assert result.weeks == pytest.approx(0.8)


def test_results_of_files_add_up() -> None:
    total = judged(503) + judged(100)
    assert (total.incidents, total.found, total.false_alarms, total.recall) == (2, 1, 1, 0.5)
