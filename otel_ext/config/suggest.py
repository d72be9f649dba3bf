"""Names that were probably meant. Stateless; imports the standard library only."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["closest", "did_you_mean"]


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like ``name``, ignoring case, dots, dashes and underscores; ``None`` when none is."""
    from difflib import get_close_matches  # noqa: PLC0415  (only needed when something is wrong)

    by_key = {_key(candidate): candidate for candidate in known}
    found = get_close_matches(_key(name[:100]), by_key, n=1, cutoff=0.6)
    return by_key[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``"; did you mean 'http.port'?"``, or nothing when no known name is like it."""
    found = closest(name, known)
    return f"; did you mean {found!r}?" if found else ""


def _key(name: str) -> str:
    return name.lower().replace(".", "_").replace("-", "_")
