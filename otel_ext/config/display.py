"""How a value is shown to people: short, on one line, without secrets.

Stateless; called wherever a setting is printed. Imports the standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath

__all__ = ["mask", "show", "show_name"]

_LONGEST = 160
_HUGE = 10**30
_WITH_SCHEME = r"(?s)([A-Za-z][A-Za-z0-9+.-]{0,15}://)([^\s/:@]*)(:)?.*@"
_WITHOUT_SCHEME = r"^([^\s/:@]+):\S*@"


def mask(text: str) -> str:
    """``text`` with the user information of URLs hidden: ``http://user:***@host``.

    It hides up to the last ``@``, so a password that itself contains ``@``, ``/`` or a space stays hidden too; it may
    hide more than the password, never less. A user name without a password may be a token: it is hidden.
    """
    if "@" not in text:
        return text
    hidden = re.sub(_WITH_SCHEME, lambda found: f"{found[1]}{f'{found[2]}:' if found[3] else ''}***@", text)
    return re.sub(_WITHOUT_SCHEME, r"\1:***@", hidden) if hidden == text else hidden


def show_name(text: str) -> str:
    """A name from outside as it can stand in a line: masked, printable, at most 160 characters."""
    shown = mask(text)
    shown = shown if shown and shown.isprintable() else repr(shown)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def show(value: object) -> str:
    """``value`` as one line of at most 160 characters; objects foreign to settings show only their type."""
    shown = _show(value, depth=0)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def _show(value: object, *, depth: int) -> str:
    if value is None or isinstance(value, bool | float):
        return repr(value)
    if isinstance(value, int):
        return repr(int(value)) if abs(value) < _HUGE else f"a whole number of {value.bit_length()} bits"
    if isinstance(value, str | PurePath):
        return repr(mask(str(value)))
    return _show_nested(value, depth=depth) if depth <= 4 else "…"


def _show_nested(value: object, *, depth: int) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{show_name(str(key))}: {_show(item, depth=depth + 1)}" for key, item in list(value.items())[:20])
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(_show(item, depth=depth + 1) for item in value[:20])}]"
    inner = getattr(value, "shown_as", None)
    return _show(inner(), depth=depth) if callable(inner) else f"an object of type {type(value).__name__}"
