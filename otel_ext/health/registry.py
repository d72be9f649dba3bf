"""The registry of health checks and the facts the pipeline tells about itself.

The pipeline thread calls ``heartbeat`` and nothing else here; the web thread (or the handle) runs the checks when
a probe asks, with a cache. A lock guards each check's state, never while its function runs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace

from otel_ext.clock import Clock, SystemClock
from otel_ext.errors import NotFoundError
from otel_ext.health.checks import CheckFunction, CheckKind, HealthCheck, HealthResult, HealthStatus, run_check
from otel_ext.health.report import CheckReport, HealthReport, worst

__all__ = ["HealthRegistry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heartbeat:
    """What the pipeline last said of itself; replaced whole, so readers need no lock."""

    ts_ms: int
    queue_saturation: float = 0.0
    store_error: str = ""


class _CheckState:
    """The last result of one check, its run of failures or passes, and who is running it."""

    __slots__ = ("check", "ever_passed", "failures", "lock", "passes", "report", "running_since_ms", "standing")

    def __init__(self, check: HealthCheck) -> None:
        self.check = check
        self.lock = threading.Lock()
        self.report: CheckReport | None = None
        self.running_since_ms: int | None = None
        self.failures = 0
        self.passes = 0
        self.ever_passed = False
        self.standing = HealthStatus.PASS

    def settle(self, result: HealthResult, ts_ms: int, duration_ms: int) -> CheckReport:
        """Count the result, apply hysteresis and keep the report; the caller holds the lock."""
        if duration_ms > self.check.timeout_ms:
            result = HealthResult.failed(f"took {duration_ms} ms, allowed are {self.check.timeout_ms} ms")
        if result.status is HealthStatus.FAIL:
            status, detail = self._failed(result)
        else:
            status, detail = self._passed(result)
        self.standing = HealthStatus.FAIL if status is HealthStatus.FAIL else HealthStatus.PASS
        self.report = CheckReport(
            name=self.check.name, status=status, detail=detail, duration_ms=duration_ms, checked_at_ms=ts_ms
        )
        return self.report

    def _failed(self, result: HealthResult) -> tuple[HealthStatus, str]:
        self.failures += 1
        self.passes = 0
        needed = self.check.failure_threshold
        if self.standing is HealthStatus.FAIL or not self.ever_passed or self.failures >= needed:
            return HealthStatus.FAIL, result.detail
        return HealthStatus.WARN, f"{result.detail} (failure {self.failures} of {needed} in a row)"

    def _passed(self, result: HealthResult) -> tuple[HealthStatus, str]:
        self.failures = 0
        self.passes += 1
        needed = self.check.success_threshold
        if self.standing is HealthStatus.FAIL and self.passes < needed:
            return HealthStatus.FAIL, f"passed {self.passes} of {needed} times in a row after a failure"
        self.ever_passed = True
        return result.status, result.detail


class HealthRegistry:
    """Named checks and the built-in ones: ``pipeline``, ``queue`` and ``state``.

    The built-in checks report ``warn`` at most: trouble inside this library must neither restart the service nor
    take traffic from it. They are part of both probes.

    Args:
        clock: measures how long a check takes.
        heartbeat_limit_ms: a pipeline that was silent for longer is reported.
        saturation_limit: share of the ingest queue in use, 0 to 1, from which it is reported.
    """

    def __init__(
        self, *, clock: Clock | None = None, heartbeat_limit_ms: int = 30_000, saturation_limit: float = 0.9
    ) -> None:
        self._clock = clock or SystemClock()
        self._heartbeat_limit_ms = heartbeat_limit_ms
        self._saturation_limit = saturation_limit
        self._lock = threading.Lock()
        self._states: dict[str, _CheckState] = {}
        self._heartbeat: _Heartbeat | None = None
        self._phase = "starting"

    def register(
        self,
        name: str,
        function: CheckFunction,
        *,
        kind: CheckKind | str = CheckKind.READINESS,
        timeout_ms: int = 1_000,
        cache_ttl_ms: int = 5_000,
        failure_threshold: int = 2,
        success_threshold: int = 1,
    ) -> HealthCheck:
        """Add a check, or replace the one of that name; see :class:`HealthCheck` for the arguments."""
        if kind not in tuple(CheckKind):
            raise ValueError(f"health check {name!r}: kind {kind!r} must be 'liveness' or 'readiness'")
        check = HealthCheck(
            name=name,
            kind=CheckKind(kind),
            function=function,
            timeout_ms=timeout_ms,
            cache_ttl_ms=cache_ttl_ms,
            failure_threshold=failure_threshold,
            success_threshold=success_threshold,
        )
        if name in _BUILT_IN:
            raise ValueError(f"health check name {name!r} is built in ({', '.join(_BUILT_IN)}); choose another")
        with self._lock:
            self._states[name] = _CheckState(check)
        return check

    def unregister(self, name: str) -> None:
        """Remove a check; ``NotFoundError`` lists the names there are."""
        with self._lock:
            if name not in self._states:
                known = ", ".join(sorted(self._states)) or "none"
                raise NotFoundError(f"no health check {name!r}; registered are: {known}")
            del self._states[name]

    def checks(self) -> tuple[HealthCheck, ...]:
        """The registered checks, in order of registration."""
        with self._lock:
            return tuple(state.check for state in self._states.values())

    def heartbeat(self, ts_ms: int, *, queue_saturation: float = 0.0, store_error: str = "") -> None:
        """Say that the pipeline lives at ``ts_ms``; called by its thread at each tick.

        ``queue_saturation`` is the share of the ingest queue in use (0 to 1); ``store_error`` tells why the
        durable state cannot be written, empty when it can.
        """
        self._heartbeat = _Heartbeat(ts_ms=ts_ms, queue_saturation=queue_saturation, store_error=store_error)

    def mark_started(self) -> None:
        """Everything is installed: readiness no longer answers "starting"."""
        self._phase = "started"

    def mark_stopping(self) -> None:
        """Shutdown began: readiness fails from now on, so that traffic goes elsewhere."""
        self._phase = "stopping"

    def liveness(self, ts_ms: int, *, exclude: Iterable[str] = ()) -> HealthReport:
        """The answer to ``/livez`` at Unix time ``ts_ms``; runs the liveness checks that have no fresh result."""
        return self._report(CheckKind.LIVENESS, ts_ms, frozenset(exclude))

    def readiness(self, ts_ms: int, *, exclude: Iterable[str] = ()) -> HealthReport:
        """The answer to ``/readyz``: fails while starting and stopping, else as the readiness checks say."""
        return self._report(CheckKind.READINESS, ts_ms, frozenset(exclude))

    def _report(self, kind: CheckKind, ts_ms: int, exclude: frozenset[str]) -> HealthReport:
        reports = [self._phase_report(ts_ms)] if kind is CheckKind.READINESS else []
        reports.extend(self._own_reports(ts_ms))
        with self._lock:
            states = [state for state in self._states.values() if state.check.kind is kind]
        reports.extend(self._checked(state, ts_ms) for state in states if state.check.name not in exclude)
        shown = tuple(report for report in reports if report.name not in exclude)
        return HealthReport(kind=kind, status=worst([r.status for r in shown]), ts_ms=ts_ms, checks=shown)

    def _phase_report(self, ts_ms: int) -> CheckReport:
        if self._phase == "started":
            return _fact("startup", ts_ms)
        detail = "starting" if self._phase == "starting" else "shutting down"
        return _fact("startup", ts_ms, HealthStatus.FAIL, detail)

    def _own_reports(self, ts_ms: int) -> list[CheckReport]:
        beat = self._heartbeat
        if beat is None:
            return [_fact("pipeline", ts_ms, HealthStatus.WARN, "has not run yet")]
        return [self._pipeline_fact(beat, ts_ms), self._queue_fact(beat, ts_ms), _state_fact(beat, ts_ms)]

    def _pipeline_fact(self, beat: _Heartbeat, ts_ms: int) -> CheckReport:
        age_ms = max(0, ts_ms - beat.ts_ms)
        if age_ms <= self._heartbeat_limit_ms:
            return _fact("pipeline", ts_ms)
        detail = f"last heartbeat {age_ms / 1000:.0f} s ago, allowed are {self._heartbeat_limit_ms / 1000:.0f} s"
        return _fact("pipeline", ts_ms, HealthStatus.WARN, detail)

    def _queue_fact(self, beat: _Heartbeat, ts_ms: int) -> CheckReport:
        if beat.queue_saturation < self._saturation_limit:
            return _fact("queue", ts_ms)
        return _fact("queue", ts_ms, HealthStatus.WARN, f"{beat.queue_saturation:.0%} full")

    def _checked(self, state: _CheckState, ts_ms: int) -> CheckReport:
        """A fresh enough report, a new run, or, while another thread runs the check, what is known."""
        with state.lock:
            if state.running_since_ms is not None:
                return _while_running(state, ts_ms)
            report = state.report
            if report is not None and ts_ms - report.checked_at_ms < state.check.cache_ttl_ms:
                return replace(report, cached=True)
            state.running_since_ms = ts_ms
        started_ms = self._clock.now_ms()
        result = HealthResult.failed("was interrupted")
        try:
            result = run_check(state.check)
        finally:
            duration_ms = self._clock.now_ms() - started_ms
            with state.lock:
                state.running_since_ms = None
                report = state.settle(result, ts_ms, duration_ms)
        return report


_BUILT_IN = ("startup", "pipeline", "queue", "state")


def _fact(name: str, ts_ms: int, status: HealthStatus = HealthStatus.PASS, detail: str = "") -> CheckReport:
    return CheckReport(name=name, status=status, detail=detail, duration_ms=0, checked_at_ms=ts_ms)


def _state_fact(beat: _Heartbeat, ts_ms: int) -> CheckReport:
    if not beat.store_error:
        return _fact("state", ts_ms)
    return _fact("state", ts_ms, HealthStatus.WARN, beat.store_error)


def _while_running(state: _CheckState, ts_ms: int) -> CheckReport:
    """Another probe waits for this check: do not wait as well."""
    running_ms = ts_ms - (state.running_since_ms or ts_ms)
    if running_ms > state.check.timeout_ms:
        detail = f"still running after {running_ms} ms, allowed are {state.check.timeout_ms} ms"
        return _fact(state.check.name, ts_ms, HealthStatus.FAIL, detail)
    if state.report is not None:
        return replace(state.report, cached=True)
    return _fact(state.check.name, ts_ms, HealthStatus.WARN, "the first run has not ended yet")
