"""The few lines printed at start: what was attached, where to look, what limits the numbers.

Pure text; printed by ``install.py`` to stderr when that is a terminal, or when ``banner`` says so.
"""

from __future__ import annotations

from collections.abc import Sequence

from otel_ext.config import Settings

__all__ = ["banner_text", "wants_banner"]

_FACTS_SHOWN = 2


def wants_banner(settings: Settings, *, is_terminal: bool) -> bool:
    """Whether to print: as set, and under ``"auto"`` on a terminal."""
    return is_terminal if settings.banner == "auto" else bool(settings.banner)


def banner_text(settings: Settings, *, url: str | None, created: Sequence[str], facts: Sequence[str]) -> str:
    """At most five lines."""
    attached = [signal for signal in ("traces", "metrics", "logs") if signal not in created]
    providers = "; ".join(
        text
        for text in (
            f"attached to your {', '.join(attached)}" if attached else "",
            f"created providers for {', '.join(created)}" if created else "",
        )
        if text
    )
    watching = f"{_count(len(settings.slos), 'SLO')}, {_count(len(settings.rules), 'rule file')}"
    lines = [f"otel_ext  {url or 'no HTTP port'}", f"          {watching}; {providers}"]
    shown = facts if len(facts) <= _FACTS_SHOWN + 1 else [*facts[:_FACTS_SHOWN], f"{len(facts) - 2} more on the page"]
    return "\n".join((*lines, *(f"          {fact}" for fact in shown)))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
