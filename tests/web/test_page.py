"""The status page and its cards: complete, self-contained, and deaf to hostile values."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from otel_ext.model.alerts import AlertState
from otel_ext.model.labels import Labels
from otel_ext.web.page import render_page
from otel_ext.web.view import CheckRow, PageView
from tests.web.builders import HOUR_MS, MINUTE_MS, NOW_MS, alert, anomaly, page_view, slo_status, trace

HOSTILE = "\"'><script>alert(document.domain)</script><img src=x onerror=alert(1)>\u202e\x00\udc80"


def _hostile_view() -> PageView:
    labels = Labels({"__name__": HOSTILE, HOSTILE: HOSTILE})
    return page_view(
        [slo_status(HOSTILE[:100], description=HOSTILE, state=HOSTILE, exemplars=(HOSTILE,))],
        service=HOSTILE,
        alerts=[
            alert(
                HOSTILE,
                labels={HOSTILE: HOSTILE},
                annotations={"summary": HOSTILE},
                evidence={"exemplar_trace_ids": (HOSTILE, "4bf92f3577b34da6a3ce929d0e0e4736")},
            )
        ],
        open_anomalies=[anomaly(series=labels, reason=HOSTILE, watch=HOSTILE)],
        recent_anomalies=[anomaly(series=labels, reason=HOSTILE, ended_at_ms=NOW_MS)],
        checks=[CheckRow(name=HOSTILE, probe=HOSTILE, state=HOSTILE, detail=HOSTILE)],
        traces=[trace(HOSTILE, operation=HOSTILE, errors=1)],
        counters={HOSTILE: HOSTILE},
        facts=[HOSTILE],
    )


class _Tags(HTMLParser):
    def __init__(self, document: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.scripts: list[dict[str, str | None]] = []
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.targets: list[str] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}
        self.targets += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag == "script":
            self.scripts.append(dict(attrs))
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_hostile_values_stay_text_everywhere() -> None:
    document = render_page(_hostile_view())
    tags = _Tags(document)
    assert tags.open == []
    assert [script.get("src") for script in tags.scripts] == ["/static/page.js"]
    assert "img" not in tags.tags
    assert not any(name.startswith("on") for name in tags.names)
    document.encode("utf-8")


def test_hostile_names_lead_nowhere_but_home() -> None:
    targets = _Tags(render_page(_hostile_view())).targets
    assert targets
    assert all(re.match(r"/[a-zA-Z0-9]", target) or target == "/" for target in targets)


def test_the_page_needs_nothing_from_elsewhere_and_no_inline_style_or_script() -> None:
    tags = _Tags(render_page(page_view([slo_status()])))
    assert "style" not in tags.tags
    assert "style" not in tags.names
    assert all(script.get("src") for script in tags.scripts)


def test_every_link_is_below_the_path_the_app_is_mounted_at() -> None:
    view = page_view([slo_status(exemplars=("4bf92f3577b34da6a3ce929d0e0e4736",))], traces=[trace()])
    assert all(target.startswith("/_otel/") for target in _Tags(render_page(view, "/_otel")).targets)


def test_an_slo_card_tells_budget_promise_burn_and_coverage() -> None:
    status = slo_status(
        good=99_950,
        total=100_000,
        state="at_risk",
        burns={HOUR_MS: 14.9, 5 * MINUTE_MS: 21.0},
        coverage=0.5,
        latency_ms=300,
    )
    document = render_page(page_view([status]))
    for text in (
        "50 %",
        "99.9 % within 300 ms over 30 d",
        "99.950 %",
        "50 of 100\u2009000",
        "at risk",
        "14.9",
        "15 d of 30 d",
    ):
        assert text in document, text
    assert document.index(">5m<") < document.index(">1h<")
    assert 'width="50.0"' in document


def test_an_overspent_budget_is_an_empty_bar_and_a_negative_number() -> None:
    document = render_page(page_view([slo_status(good=9_980, total=10_000, state="breached")]))
    assert "2\u00d7" in document
    assert "overspent by" in document
    assert 'class="fill" width="0.0"' in document


def test_an_slo_without_events_says_so() -> None:
    document = render_page(page_view([slo_status(good=0, total=0, state="no_data", burns={HOUR_MS: None}, coverage=0)]))
    assert "no events in the window yet" in document
    assert "waiting for the first event" in document


def test_the_worst_slo_comes_first() -> None:
    document = render_page(page_view([slo_status("aaa"), slo_status("zzz", state="breached")]))
    assert document.index(">zzz<") < document.index(">aaa<")


def test_alerts_are_listed_firing_first_with_reason_and_example() -> None:
    shown = page_view(
        alerts=[
            alert("Done", state=AlertState.RESOLVED),
            alert("Soon", state=AlertState.PENDING),
            alert(
                "Now", annotations={"summary": "too slow"}, evidence={"trace_ids": ["4bf92f3577b34da6a3ce929d0e0e4736"]}
            ),
        ]
    )
    document = render_page(shown)
    assert document.index(">Now<") < document.index(">Soon<") < document.index(">Done<")
    assert "1 firing, 1 pending, 1 resolved" in document
    assert "too slow" in document
    assert "/v1/observability/traces/4bf92f3577b34da6a3ce929d0e0e4736" in document


@pytest.mark.parametrize(
    "text",
    [
        "No SLO is defined.",
        "Nothing is pending or firing.",
        "Every watched series is within its band.",
        "No check is registered.",
    ],
)
def test_an_empty_page_says_what_is_empty(text: str) -> None:
    assert text in render_page(page_view())


def test_long_values_are_cut() -> None:
    document = render_page(page_view(facts=["x" * 100_000]))
    assert len(document) < 10_000


def test_the_title_is_the_sentence() -> None:
    assert "<title>All SLOs met · shop</title>" in render_page(page_view([slo_status()]))
