"""Rule files as values: file, group, rule; and the positioned problems a file can have.

Values only. Imports nothing of the package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = ["Rule", "RuleFile", "RuleGroup", "RuleProblem"]


def _nothing() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleProblem:
    """Why a rule file is refused, and where: 1-based line, group and rule (empty when outside of one)."""

    path: str
    line: int
    message: str
    group: str = ""
    rule: str = ""

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}: "
        where += f'group "{self.group}": ' if self.group else ""
        return where + (f'rule "{self.rule}": ' if self.rule else "") + self.message


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One recording rule (``record``) or alerting rule (``alert``); the other of the two names is empty.

    ``expr`` is the text as written. ``labels`` are the group's labels with the rule's own over them; an empty
    value removes the label from the result. ``line`` is where the rule starts. ``recovery`` and
    ``keep_state_on_missing_data`` are our own additions, from a file beside the rule file.
    """

    record: str = ""
    alert: str = ""
    expr: str
    for_ms: int = 0
    keep_firing_for_ms: int = 0
    labels: Mapping[str, str] = field(default_factory=_nothing)
    annotations: Mapping[str, str] = field(default_factory=_nothing)
    line: int = 0
    recovery: str = ""
    keep_state_on_missing_data: bool = False

    @property
    def name(self) -> str:
        """The name of the series or the alert."""
        return self.alert or self.record

    @property
    def is_alerting(self) -> bool:
        """Whether this is an alerting rule."""
        return bool(self.alert)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleGroup:
    """Rules evaluated one after the other; an interval or query offset of ``None`` is the manager's default."""

    name: str
    rules: tuple[Rule, ...]
    interval_ms: int | None = None
    limit: int = 0
    query_offset_ms: int | None = None
    labels: Mapping[str, str] = field(default_factory=_nothing)
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """One rule file: its path as given, and its groups in order."""

    path: str
    groups: tuple[RuleGroup, ...]
