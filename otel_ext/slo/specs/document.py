"""One mapping of a specification file, with its place in it, so that errors can point there.

Stateless readers of parsed YAML. Imports errors.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from otel_ext.errors import ConfigError

__all__ = ["Section", "documents_of"]


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping at ``path`` (``slos[0].sli``) of ``source`` (a file name)."""

    source: str
    path: str
    values: Mapping[str, Any]

    def at(self, key: str) -> str:
        """The path of a key."""
        return f"{self.path}.{key}" if self.path else key

    def fail(self, key: str, reason: str) -> ConfigError:
        """The error to raise about a key."""
        return ConfigError(f"{self.source}: {self.at(key)}: {reason}")

    def only(self, *allowed: str) -> None:
        """Raise for a key that is none of these."""
        for key in self.values:
            if key not in allowed:
                near = difflib.get_close_matches(str(key), allowed, 1)
                hint = f", did you mean {near[0]!r}?" if near else ""
                raise self.fail(str(key), f"unknown key{hint} Allowed: {', '.join(allowed)}")

    def text(self, key: str, example: str) -> str:
        """A required text."""
        value = self.optional_text(key)
        if not value:
            raise self.fail(key, f"is required, for example {example!r}")
        return value

    def optional_text(self, key: str) -> str:
        """A text, or an empty one."""
        value = self.values.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.fail(key, f"must be text, not {value!r}")
        return value

    def number(self, key: str, low: int, high: int) -> Fraction:
        """A required number above ``low`` and up to ``high``, by its decimal digits."""
        value = self.values.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and low < value <= high:
            return Fraction(str(value))
        raise self.fail(key, f"must be a number above {low} and at most {high}, such as 99.9, not {value!r}")

    def flag(self, key: str) -> bool:
        """A boolean that is false when absent."""
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self.fail(key, f"must be true or false, not {value!r}")
        return value

    def words(self, key: str) -> Mapping[str, str]:
        """A mapping of text to scalars, read as text; empty when absent."""
        section = self.section(key)
        for name, value in section.values.items():
            if isinstance(value, dict | list) or value is None:
                raise section.fail(str(name), f"must be text, not {value!r}")
        return {str(name): _scalar_text(value) for name, value in section.values.items()}

    def section(self, key: str) -> Section:
        """A mapping; empty when absent."""
        value = self.values.get(key)
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise self.fail(key, f"must be a mapping, not {value!r}")
        return Section(self.source, self.at(key), value)

    def sections(self, key: str) -> Sequence[Section]:
        """A list of mappings with at least one entry."""
        value = self.values.get(key)
        if not isinstance(value, list) or not value:
            raise self.fail(key, "must be a list with at least one entry")
        for number, item in enumerate(value):
            if not isinstance(item, dict):
                raise self.fail(f"{key}[{number}]", f"must be a mapping, not {item!r}")
        return [Section(self.source, self.at(f"{key}[{number}]"), item) for number, item in enumerate(value)]


def _scalar_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def documents_of(text: str, source: str) -> Iterator[Section]:
    """Each YAML document that is not empty, as a section.

    Raises:
        ConfigError: for text that is no YAML, or a document that is no mapping.
    """
    import yaml  # noqa: PLC0415  (needed for files only)

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        documents = list(yaml.load_all(text, Loader=loader))  # a safe loader
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: not valid YAML: {error}") from error
    for number, document in enumerate(documents):
        if document is None:
            continue
        if not isinstance(document, dict):
            raise ConfigError(f"{source}: document {number + 1} must be a mapping, not {document!r}")
        yield Section(source, "", document)
