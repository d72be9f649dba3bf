"""What people see of a value never holds a secret, and is short."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ext.config.display import mask, show

_SECRET = st.text(min_size=1, max_size=20).filter(lambda text: text.strip("*") != "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://user:secret@host:9093/x", "http://user:***@host:9093/x"),
        ("https://token@host", "https://***@host"),
        ("http://user:a/b@c d@host", "http://user:***@host"),
        ("user:secret@host:9093", "user:***@host:9093"),
        ("http://host:9093", "http://host:9093"),
        ("mail someone@example.com", "mail someone@example.com"),
    ],
)
def test_user_information_of_urls_is_masked(text: str, expected: str) -> None:
    assert mask(text) == expected


@given(_SECRET.map(lambda secret: f"<{secret}>"))
def test_no_password_is_ever_shown(secret: str) -> None:
    for value in (f"http://user:{secret}@host", [f"https://user:{secret}@host"], {"a": {"b": f"x://u:{secret}@h"}}):
        assert secret not in show(value)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_anything_is_shown_on_one_short_line(value: object) -> None:
    shown = show(value)
    assert 0 < len(shown) <= 160
    assert len(shown.splitlines()) == 1


def test_huge_numbers_and_foreign_objects_are_described() -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    assert show(10**5000) == f"a whole number of {(10**5000).bit_length()} bits"
    assert show(Hostile()) == "an object of type Hostile"
    assert show(Path("a/b")) == "'a/b'"
    assert "…" in show([[[[[[[1]]]]]]])


def test_masking_a_long_text_takes_linear_time() -> None:
    assert mask("a" * 200_000 + "@").endswith("@")
