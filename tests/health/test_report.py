"""The text and JSON forms of a report."""

from __future__ import annotations

from otel_ext.health import CheckKind, CheckReport, HealthReport, HealthStatus
from otel_ext.health.report import worst

NOW = 1_700_000_000_000


def report(*statuses: HealthStatus, kind: CheckKind = CheckKind.READINESS) -> HealthReport:
    checks = tuple(
        CheckReport(
            name=f"c{n}",
            status=status,
            detail="" if status is HealthStatus.PASS else f"why{n}",
            duration_ms=n,
            checked_at_ms=NOW,
        )
        for n, status in enumerate(statuses)
    )
    return HealthReport(kind=kind, status=worst(list(statuses)), ts_ms=NOW, checks=checks)


def test_the_worst_check_decides_and_no_check_passes() -> None:
    assert report().status is HealthStatus.PASS
    assert report(HealthStatus.PASS, HealthStatus.WARN).status is HealthStatus.WARN
    assert report(HealthStatus.WARN, HealthStatus.FAIL, HealthStatus.PASS).status is HealthStatus.FAIL


def test_only_a_failure_is_a_503() -> None:
    assert report(HealthStatus.WARN).http_status == 200
    assert report(HealthStatus.FAIL).http_status == 503


def test_text_is_short_when_ok_and_names_failures_otherwise() -> None:
    assert report(HealthStatus.PASS).text() == "ok\n"
    assert report(HealthStatus.PASS, HealthStatus.FAIL).text() == "[-]c1 failed: why1\nreadyz check failed\n"


def test_verbose_text_has_a_line_for_each_check() -> None:
    shown = report(HealthStatus.PASS, HealthStatus.WARN, kind=CheckKind.LIVENESS).text(verbose=True)
    assert shown == "[+]c0 ok\n[~]c1 ok, warning: why1\nlivez check passed\n"


def test_json_has_the_shape_of_health_json() -> None:
    assert report(HealthStatus.PASS, HealthStatus.FAIL).json() == {
        "status": "fail",
        "output": "c1: why1",
        "checks": {
            "c0": [{"status": "pass", "observedValue": 0, "observedUnit": "ms", "time": "2023-11-14T22:13:20.000Z"}],
            "c1": [
                {
                    "status": "fail",
                    "observedValue": 1,
                    "observedUnit": "ms",
                    "time": "2023-11-14T22:13:20.000Z",
                    "output": "why1",
                }
            ],
        },
    }
