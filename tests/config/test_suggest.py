"""Names that were probably meant."""

from __future__ import annotations

import pytest

from otel_ext.config.suggest import closest, did_you_mean

_KNOWN = ("http.port", "http.host", "tick_interval", "slos")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("http_port", "http.port"),
        ("http.prot", "http.port"),
        ("tickInterval", "tick_interval"),
        ("slo", "slos"),
        ("completely", None),
        ("", None),
    ],
)
def test_the_closest_name_is_found_whatever_its_separators(name: str, expected: str | None) -> None:
    assert closest(name, _KNOWN) == expected


def test_the_question_is_only_asked_when_there_is_an_answer() -> None:
    assert did_you_mean("slo", _KNOWN) == "; did you mean 'slos'?"
    assert did_you_mean("zzz", _KNOWN) == ""
