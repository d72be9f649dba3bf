"""The lines at start: few, and only where somebody reads them."""

from __future__ import annotations

import pytest

from otel_ext.banner import banner_text, wants_banner
from otel_ext.config import Settings


@pytest.mark.parametrize(
    ("setting", "is_terminal", "expected"),
    [("auto", True, True), ("auto", False, False), (True, False, True), (False, True, False)],
)
def test_it_is_printed_where_it_is_wanted(setting: bool | str, is_terminal: bool, expected: bool) -> None:
    settings = Settings(banner=setting)  # type: ignore[arg-type]
    assert wants_banner(settings, is_terminal=is_terminal) is expected


def test_it_says_what_was_attached_and_where_to_look_in_five_lines() -> None:
    text = banner_text(
        Settings(), url="http://127.0.0.1:4319", created=["logs"], facts=["one", "two", "three", "four"]
    )
    assert len(text.splitlines()) <= 5
    assert "http://127.0.0.1:4319" in text
    assert "attached to your traces, metrics; created providers for logs" in text
    assert "1 SLO, 0 rule files" in text
    assert "2 more on the page" in text
