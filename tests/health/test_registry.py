"""The registry: what probes answer while checks pass, fail, hang, flap, and while the pipeline lives or not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from otel_ext.clock import ManualClock
from otel_ext.errors import NotFoundError
from otel_ext.health import CheckReport, HealthRegistry, HealthReport, HealthResult, HealthStatus

NOW = 1_700_000_000_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def registry(clock: ManualClock) -> HealthRegistry:
    registry = HealthRegistry(clock=clock)
    registry.mark_started()
    registry.heartbeat(NOW)
    return registry


def named(report: HealthReport, name: str) -> CheckReport:
    return next(check for check in report.checks if check.name == name)


def test_readiness_says_starting_until_everything_is_installed_and_fails_while_stopping() -> None:
    registry = HealthRegistry(clock=ManualClock(NOW))
    report = registry.readiness(NOW)
    assert report.status is HealthStatus.FAIL
    assert named(report, "startup").detail == "starting"
    assert registry.liveness(NOW).ok
    registry.mark_started()
    assert registry.readiness(NOW).ok
    registry.mark_stopping()
    assert named(registry.readiness(NOW), "startup").detail == "shutting down"
    assert registry.liveness(NOW).ok


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (True, HealthStatus.PASS),
        (None, HealthStatus.PASS),
        (False, HealthStatus.FAIL),
        (HealthResult.warned("slow"), HealthStatus.WARN),
        (HealthResult.failed("down"), HealthStatus.FAIL),
        ("yes", HealthStatus.FAIL),
    ],
)
def test_the_answer_of_a_check_becomes_its_status(
    registry: HealthRegistry, answer: HealthResult | bool | None, status: HealthStatus
) -> None:
    registry.register("database", lambda: answer)
    report = registry.readiness(NOW)
    assert named(report, "database").status is status
    assert report.ok is (status is not HealthStatus.FAIL)
    assert registry.liveness(NOW).ok


def test_a_check_that_raises_fails_with_the_text(registry: HealthRegistry) -> None:
    def broken() -> bool:
        raise ConnectionError("connection refused")

    registry.register("database", broken)
    assert named(registry.readiness(NOW), "database").detail == "ConnectionError: connection refused"


def test_a_result_is_reused_until_its_time_is_over(registry: HealthRegistry) -> None:
    calls: list[int] = []
    registry.register("database", lambda: calls.append(1), cache_ttl_ms=5000)
    assert not named(registry.readiness(NOW), "database").cached
    assert named(registry.readiness(NOW + 4999), "database").cached
    assert len(calls) == 1
    registry.readiness(NOW + 5000)
    assert len(calls) == 2


def test_a_slow_check_fails_and_says_how_slow(registry: HealthRegistry, clock: ManualClock) -> None:
    registry.register("database", lambda: bool(clock.advance(2)), timeout_ms=1000)
    check = named(registry.readiness(NOW), "database")
    assert check.status is HealthStatus.FAIL
    assert check.detail == "took 2000 ms, allowed are 1000 ms"
    assert check.duration_ms == 2000


def sequence(*answers: bool) -> Callable[[], bool]:
    remaining = list(answers)
    return lambda: remaining.pop(0)


def test_a_check_that_passed_fails_only_after_the_threshold(registry: HealthRegistry) -> None:
    registry.register("db", sequence(True, False, True, False, False, True), cache_ttl_ms=0, failure_threshold=2)
    seen = [named(registry.readiness(NOW + n), "db").status for n in range(6)]
    warn, fail, ok = HealthStatus.WARN, HealthStatus.FAIL, HealthStatus.PASS
    assert seen == [ok, warn, ok, warn, fail, ok]


def test_a_check_that_never_passed_fails_at_once(registry: HealthRegistry) -> None:
    registry.register("db", lambda: False, failure_threshold=5)
    assert not registry.readiness(NOW).ok


def test_a_failed_check_passes_again_only_after_the_threshold(registry: HealthRegistry) -> None:
    answers = sequence(False, True, True, True)
    registry.register("db", answers, cache_ttl_ms=0, failure_threshold=1, success_threshold=3)
    assert [registry.readiness(NOW + n).ok for n in range(4)] == [False, False, False, True]


def test_a_hanging_check_blocks_no_later_probe(registry: HealthRegistry) -> None:
    entered, release = threading.Event(), threading.Event()

    def hang() -> bool:
        entered.set()
        return release.wait(10)

    registry.register("db", hang, timeout_ms=1000)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(registry.readiness, NOW)
        assert entered.wait(10)
        assert named(registry.readiness(NOW + 500), "db").status is HealthStatus.WARN
        late = named(registry.readiness(NOW + 1500), "db")
        assert late.status is HealthStatus.FAIL
        assert late.detail == "still running after 1500 ms, allowed are 1000 ms"
        release.set()
        assert first.result().ok


def test_liveness_checks_are_not_part_of_readiness(registry: HealthRegistry) -> None:
    registry.register("deadlock", lambda: False, kind="liveness")
    assert not registry.liveness(NOW).ok
    assert registry.readiness(NOW).ok


def test_trouble_of_the_pipeline_warns_but_never_fails_the_service(registry: HealthRegistry) -> None:
    registry.heartbeat(NOW, queue_saturation=0.95, store_error="cannot write /var/lib/x: read-only")
    report = registry.readiness(NOW + 31_000)
    assert report.ok
    assert {check.name: check.detail for check in report.checks if check.status is HealthStatus.WARN} == {
        "pipeline": "last heartbeat 31 s ago, allowed are 30 s",
        "queue": "95% full",
        "state": "cannot write /var/lib/x: read-only",
    }


def test_an_excluded_check_is_neither_run_nor_shown(registry: HealthRegistry) -> None:
    calls: list[int] = []
    registry.register("db", lambda: calls.append(1))
    report = registry.readiness(NOW, exclude=["db"])
    assert "db" not in {check.name for check in report.checks}
    assert calls == []


def test_names_and_numbers_are_validated(registry: HealthRegistry) -> None:
    with pytest.raises(ValueError, match="for example 'database'"):
        registry.register("no spaces", lambda: True)
    with pytest.raises(ValueError, match="built in"):
        registry.register("pipeline", lambda: True)
    with pytest.raises(ValueError, match="'liveness' or 'readiness'"):
        registry.register("db", lambda: True, kind="startup")
    with pytest.raises(ValueError, match="timeout_ms 0 must be at least 1"):
        registry.register("db", lambda: True, timeout_ms=0)


def test_registering_again_replaces_and_unregistering_forgets(registry: HealthRegistry) -> None:
    registry.register("db", lambda: False)
    registry.register("db", lambda: True)
    assert registry.readiness(NOW).ok
    assert [check.name for check in registry.checks()] == ["db"]
    registry.unregister("db")
    assert registry.checks() == ()
    with pytest.raises(NotFoundError, match="registered are: none"):
        registry.unregister("db")
