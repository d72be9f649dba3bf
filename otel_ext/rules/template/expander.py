"""Expands label and annotation templates of alerting rules with Prometheus's variables and functions.

:class:`Expander` is made once a rule manager and called by the pipeline thread. Parsed templates are cached.
Imports the interpreter, the vocabulary and errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Protocol
from urllib.parse import urlsplit

from otel_ext.errors import QueryError
from otel_ext.rules.template.builtins import BUILTINS, SHORT_CIRCUIT, StringMap, Struct
from otel_ext.rules.template.functions import FUNCTIONS
from otel_ext.rules.template.interpreter import execute
from otel_ext.rules.template.nodes import TemplateError
from otel_ext.rules.template.parser import Template, parse

__all__ = ["Expander", "check_template"]

_VARIABLES = ("$labels", "$externalLabels", "$externalURL", "$value")
_BOUND = ("query", "pathPrefix", "externalURL")
_NAMES = frozenset({*BUILTINS, *SHORT_CIRCUIT, *FUNCTIONS, *_BOUND})


class _Sample(Protocol):
    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def value(self) -> object: ...


TemplateQuery = Callable[[str, int], Sequence[_Sample]]
"""Runs an instant query at a time in milliseconds for the function ``query``."""


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Template:
    return parse(text, functions=_NAMES, variables=_VARIABLES)


def check_template(text: str) -> None:
    """Raise :class:`TemplateError` unless ``text`` parses; nothing is executed."""
    _parsed(text)


class Expander:
    """Renders templates for one place in the world: its external labels, URL and query function."""

    def __init__(
        self, *, query: TemplateQuery, external_labels: Mapping[str, str] | None = None, external_url: str = ""
    ) -> None:
        self._query = query
        self._external_labels = StringMap(external_labels or {})
        self._external_url = external_url
        self._path_prefix = urlsplit(external_url).path
        self._bound: tuple[int, Mapping[str, Callable[..., object]]] | None = None

    def expand(self, text: str, *, labels: Mapping[str, str], value: object, ts_ms: int) -> str:
        """``text`` rendered for one element of a rule's result at ``ts_ms``.

        A failing template never fails the rule: the text becomes ``<error expanding template: …>``.
        """
        if "{{" not in text:
            return text
        given = StringMap(labels)
        values = (given, self._external_labels, self._external_url, value)
        dot = Struct(zip(("Labels", "ExternalLabels", "ExternalURL", "Value"), values, strict=True))
        try:
            variables = dict(zip(_VARIABLES, values, strict=True))
            return execute(_parsed(text), dot, self._functions(ts_ms), variables)
        except (TemplateError, RecursionError) as error:
            return f"<error expanding template: {error}>"

    def _functions(self, ts_ms: int) -> Mapping[str, Callable[..., object]]:
        """All functions, with ``query`` at ``ts_ms``; made once for all elements of an evaluation."""
        if self._bound is None or self._bound[0] != ts_ms:
            self._bound = ts_ms, self._bind(ts_ms)
        return self._bound[1]

    def _bind(self, ts_ms: int) -> Mapping[str, Callable[..., object]]:
        def query(expression: object) -> list[Struct]:
            try:
                samples = self._query(str(expression), ts_ms)
            except QueryError as error:
                raise TemplateError(str(error)) from error
            return [Struct(Labels=StringMap(sample.labels), Value=sample.value) for sample in samples]

        return {
            **BUILTINS,
            **FUNCTIONS,
            "query": query,
            "externalURL": lambda: self._external_url,
            "pathPrefix": lambda: self._path_prefix,
        }
