"""The tree of exceptions users can catch.

    OtelExtError
    ├── ConfigError          a setting is wrong; names the setting, its source, the value, what is allowed
    ├── AlreadyInstalledError  install() was called twice with different settings
    ├── RuleError            a rule file cannot be loaded; names file, group and rule
    ├── AlertError           the result of one evaluation cannot become alerts: duplicates, over the limit
    ├── QueryError           a PromQL expression cannot be parsed or evaluated
    │   └── QueryLimitError  the query exceeded a limit; says which
    │       └── QueryTimeoutError  it ran longer than it may
    └── NotFoundError        no SLO, trace or rule of that name

Values only; imports nothing.
"""

from __future__ import annotations

__all__ = [
    "AlertError",
    "AlreadyInstalledError",
    "ConfigError",
    "NotFoundError",
    "OtelExtError",
    "QueryError",
    "QueryLimitError",
    "QueryTimeoutError",
    "RuleError",
]


class OtelExtError(Exception):
    """Base of every exception this package raises on purpose."""


class ConfigError(OtelExtError):
    """A setting is wrong. The message names the setting, the source, the value, what is allowed, an example."""


class AlreadyInstalledError(OtelExtError):
    """``install()`` was called again with different settings and without ``replace=True``."""


class RuleError(OtelExtError):
    """A rule file cannot be loaded. The message names the file, the line, the group and the rule."""


class AlertError(OtelExtError):
    """The result of one evaluation cannot become alerts: equal label sets, or more than the limit."""


class QueryError(OtelExtError):
    """A PromQL expression cannot be parsed or evaluated."""


class QueryLimitError(QueryError):
    """A query exceeded one of its limits; the message says which one and by how much."""


class QueryTimeoutError(QueryLimitError):
    """A query ran longer than its time limit."""


class NotFoundError(OtelExtError, KeyError):
    """There is no object of that name; the message lists the names there are."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""
