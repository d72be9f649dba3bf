"""HTML by construction: nothing that came from outside becomes markup."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_ext.web.markup import el, raw


class _Reader(HTMLParser):
    """What a browser's parser makes of a document: elements with attributes, and text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def _read(document: str) -> _Reader:
    reader = _Reader()
    reader.feed(document)
    reader.close()
    return reader


@given(
    st.text(st.characters(blacklist_categories=["Cs", "Cc"])), st.text(st.characters(blacklist_categories=["Cs", "Cc"]))
)
def test_any_text_and_attribute_reads_back_as_it_was(text: str, value: str) -> None:
    read = _read(el("p", text, title=value))
    assert read.elements == [("p", {"title": value})]
    assert read.text == text


def test_script_in_text_and_quotes_in_attributes_are_inert() -> None:
    written = el("a", "<script>alert(1)</script>", href='"><img src=x onerror=alert(1)>')
    assert [tag for tag, _ in _read(written).elements] == ["a"]
    assert "<script" not in written
    assert "<img" not in written


def test_elements_nest_without_being_escaped_twice() -> None:
    assert el("ul", [el("li", "a & b"), el("li", 2), None]) == "<ul><li>a &amp; b</li><li>2</li></ul>"


@pytest.mark.parametrize(
    ("attributes", "written"),
    [
        ({"class_": "card"}, '<p class="card"></p>'),
        ({"aria_label": "x"}, '<p aria-label="x"></p>'),
        ({"hidden": True}, "<p hidden></p>"),
        ({"hidden": False, "title": None}, "<p></p>"),
        ({"width": 0}, '<p width="0"></p>'),
    ],
)
def test_attribute_names_and_flags(attributes: dict[str, str | bool | int | None], written: str) -> None:
    assert el("p", **attributes) == written


def test_void_elements_have_no_end() -> None:
    assert el("meta", charset="utf-8") == '<meta charset="utf-8">'


def test_lone_surrogates_are_replaced_so_that_the_page_can_be_encoded() -> None:
    assert el("p", "a\udc80b").encode("utf-8") == b"<p>a?b</p>"


def test_raw_markup_is_taken_as_it_is() -> None:
    assert el("p", raw("<b>x</b>")) == "<p><b>x</b></p>"
