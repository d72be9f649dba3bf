"""HTML by construction: ``el()`` escapes every text and attribute, so that no caller can forget to.

Values only; called by the page's builders in the web thread. Imports nothing of the package.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TypeAlias

__all__ = ["Child", "Html", "el", "raw"]

_VOID = frozenset({"br", "col", "hr", "img", "input", "link", "meta"})


class Html(str):
    """Text that is markup already. Made by :func:`el` and :func:`raw` alone."""

    __slots__ = ()


Child: TypeAlias = "str | int | Iterable[Child] | None"


def raw(markup: str) -> Html:
    """Take constant markup as it is; never call it with anything that came from outside this package."""
    return Html(markup)


def el(name: str, /, *children: Child, **attributes: str | float | bool | None) -> Html:
    """One element. ``class_`` is the class; ``aria_label`` becomes ``aria-label``; ``None`` and False are left out."""
    opening = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    if name in _VOID:
        return Html(opening)
    return Html(f"{opening}{''.join(map(_child, children))}</{name}>")


def _attribute(key: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{_escape(str(value))}"'


def _child(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, str | int):
        return _escape(str(child))
    return "".join(map(_child, child))


def _escape(text: str) -> str:
    return html.escape(text.encode("utf-8", "replace").decode("utf-8"), quote=True)
