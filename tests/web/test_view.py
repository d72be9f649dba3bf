"""The one sentence that says how the service is: the worst thing first."""

from __future__ import annotations

import pytest

from otel_ext.model.alerts import AlertSource, AlertState
from otel_ext.web.view import CheckRow, PageView, sentence, why
from tests.web.builders import DAY_MS, HOUR_MS, alert, anomaly, page_view, slo_status

BREACHED = slo_status("search", good=9_000, total=10_000, state="breached")
AT_RISK = slo_status("checkout", good=99_950, total=100_000, state="at_risk", burns={HOUR_MS: 14.9})
MET = slo_status("mail")
FAILED_CHECK = CheckRow(name="database", probe="ready", state="fail", detail="connection refused")


@pytest.mark.parametrize(
    ("view", "text", "tone"),
    [
        (page_view([MET, BREACHED, AT_RISK]), "The error budget of search is spent", "bad"),
        (page_view([MET, AT_RISK]), "Budget of checkout is burning 14.9\u00d7, exhausted in 1 d", "bad"),
        (page_view([MET], checks=[FAILED_CHECK]), "Not ready: database", "bad"),
        (page_view([MET], alerts=[alert("Slow")]), "Slow is firing", "bad"),
        (page_view([MET], alerts=[alert("Slow"), alert("Full")]), "Slow, Full are firing", "bad"),
        (
            page_view([MET], alerts=[alert("Slow", state=AlertState.PENDING)]),
            "All SLOs met, but Slow is pending",
            "watch",
        ),
        (page_view([MET], alerts=[alert("Slow", state=AlertState.RESOLVED)]), "All SLOs met", "good"),
        (page_view([MET], open_anomalies=[anomaly()]), "All SLOs met, 1 series behaves unusually", "watch"),
        (page_view([MET]), "All SLOs met", "good"),
        (
            page_view([MET, slo_status("idle", good=0, total=0, state="no_data")]),
            "All measured SLOs met (1 without events)",
            "good",
        ),
        (page_view([slo_status(good=0, total=0, state="no_data")]), "No requests counted yet", "quiet"),
        (page_view(), "No alert is firing", "quiet"),
    ],
)
def test_the_sentence_tells_the_worst(view: PageView, text: str, tone: str) -> None:
    said = sentence(view)
    assert said.text == text
    assert said.tone == tone


def test_a_failed_liveness_check_is_worse_than_readiness() -> None:
    live = CheckRow(name="loop", probe="live", state="fail", detail="stuck")
    assert sentence(page_view(checks=[FAILED_CHECK, live])).text == "Not alive: database, loop"


def test_the_worst_of_several_burning_budgets_is_named_and_the_others_counted() -> None:
    slower = slo_status("orders", state="at_risk", burns={HOUR_MS: 6.1})
    said = sentence(page_view([slower, AT_RISK, MET]))
    assert said.text.startswith("Budget of checkout is burning")
    assert said.detail.endswith("1 more SLO is in the same state")


def test_the_calm_sentence_says_how_long_was_measured() -> None:
    assert sentence(page_view([MET])).detail == "judged on what this process saw in the 1 h since it started"
    assert "no SLO is defined" in sentence(page_view()).detail


def test_more_than_three_names_are_counted() -> None:
    alerts = [alert(f"A{number}", active_at_ms=DAY_MS + number) for number in range(5)]
    assert sentence(page_view(alerts=alerts)).text == "A4, A3, A2 and 2 more are firing"


@pytest.mark.parametrize(
    ("annotations", "source", "text"),
    [
        ({"description": "d", "summary": "s"}, AlertSource.RULE, ["s", "d"]),
        ({"description": "d"}, AlertSource.RULE, ["d"]),
        ({}, AlertSource.RULE, ["value 1.5"]),
        ({}, AlertSource.SLO, ["burn rate 1.5"]),
    ],
)
def test_an_alert_explains_itself(annotations: dict[str, str], source: AlertSource, text: list[str]) -> None:
    assert why(alert(annotations=annotations, source=source)) == text


def test_a_young_window_is_told_by_the_time_it_has_data_of() -> None:
    young = slo_status("checkout", good=900, total=1000, state="at_risk", burns={HOUR_MS: 100.0}, coverage=1 / 720)
    said = sentence(page_view([young]))
    assert said.text == "Budget of checkout is burning 100\u00d7"
    assert said.detail == "90.000 % good where 99.9 % is promised, on 1 h of data"
