"""What a health check is: a function with a name, a kind and its timing as data. Frozen values, no state."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["CheckFunction", "CheckKind", "HealthCheck", "HealthResult", "HealthStatus"]

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?", re.IGNORECASE)


class HealthStatus(enum.StrEnum):
    """The words of application/health+json. ``warn`` still counts as healthy (HTTP 200)."""

    PASS = "pass"  # noqa: S105 - a status, not a secret
    WARN = "warn"
    FAIL = "fail"


class CheckKind(enum.StrEnum):
    """``liveness``: restart me when it fails. ``readiness``: send me no traffic while it fails."""

    LIVENESS = "liveness"
    READINESS = "readiness"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthResult:
    """What a check found, with a sentence for people."""

    status: HealthStatus
    detail: str = ""

    @classmethod
    def passed(cls, detail: str = "") -> HealthResult:
        """All is well."""
        return cls(status=HealthStatus.PASS, detail=detail)

    @classmethod
    def warned(cls, detail: str) -> HealthResult:
        """Working, but somebody should look."""
        return cls(status=HealthStatus.WARN, detail=detail)

    @classmethod
    def failed(cls, detail: str) -> HealthResult:
        """Not working."""
        return cls(status=HealthStatus.FAIL, detail=detail)


CheckFunction = Callable[[], "HealthResult | bool | None"]
"""Returns a result, ``True`` or ``None`` for pass, ``False`` for fail; an exception is a failure with its text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """One registered check.

    Args:
        name: shown in reports and paths: letters, digits, ``.``, ``_``, ``-``, at most 63.
        kind: liveness or readiness.
        function: see :data:`CheckFunction`.
        timeout_ms: a run that takes longer is a failure. A function cannot be stopped from outside, so give
            the client inside it a timeout as well; a run that hangs blocks no later report.
        cache_ttl_ms: a result is used again for this long; 0 runs the check at every request.
        failure_threshold: so many failures in a row make a check that had passed ``fail``; before that it
            shows ``warn``. A check that never passed fails at once.
        success_threshold: so many passes in a row make a failed check ``pass`` again.
    """

    name: str
    kind: CheckKind
    function: CheckFunction
    timeout_ms: int = 1_000
    cache_ttl_ms: int = 5_000
    failure_threshold: int = 2
    success_threshold: int = 1

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"health check name {self.name!r}: 1 to 63 letters, digits, '.', '_' or '-', for example 'database'"
            )
        lowest = {"timeout_ms": 1, "cache_ttl_ms": 0, "failure_threshold": 1, "success_threshold": 1}
        for field, minimum in lowest.items():
            value = getattr(self, field)
            if value < minimum:
                raise ValueError(f"health check {self.name!r}: {field} {value!r} must be at least {minimum}")


def run_check(check: HealthCheck) -> HealthResult:
    """Call the function and read its answer; the one place where a check's exception ends."""
    try:
        answer: object = check.function()
    except Exception as error:  # noqa: BLE001 - any failure of a check is its result
        return HealthResult.failed(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    if answer is None or answer is True:
        return HealthResult.passed()
    if answer is False:
        return HealthResult.failed("the check returned False")
    if isinstance(answer, HealthResult):
        return answer
    return HealthResult.failed(
        f"the check returned {answer!r}; allowed are HealthResult, True, False and None, "
        "for example HealthResult.passed()"
    )
