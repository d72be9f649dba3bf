"""Annotations of one query: warnings and infos, each text once, in order of appearance.

Owned by one evaluation. Wording follows Prometheus without positions, which the parser does not give.
"""

from __future__ import annotations

__all__ = ["Annotations"]


class Annotations:
    """Collects what Prometheus would annotate."""

    def __init__(self) -> None:
        self._warnings: dict[str, None] = {}
        self._infos: dict[str, None] = {}

    def warn(self, text: str) -> None:
        """Something is probably wrong with the query or its data."""
        self._warnings.setdefault(f"PromQL warning: {text}")

    def info(self, text: str) -> None:
        """Something may be wrong."""
        self._infos.setdefault(f"PromQL info: {text}")

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self._warnings)

    @property
    def infos(self) -> tuple[str, ...]:
        return tuple(self._infos)
