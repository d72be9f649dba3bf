"""The table of functions is complete, typed as the parser types it, and documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from otel_ext.errors import QueryError
from otel_ext.promql import SIGNATURES, parse
from otel_ext.promql.functions import IMPLEMENTATIONS
from otel_ext.promql.nodes import ValueType

DOCS = Path(__file__).parents[2] / "docs" / "promql.md"
ARGUMENTS = {ValueType.SCALAR: "1", ValueType.VECTOR: "m", ValueType.MATRIX: "m[5m]", ValueType.STRING: '"l"'}


def test_every_function_is_implemented() -> None:
    assert set(SIGNATURES) == set(IMPLEMENTATIONS)


def test_every_function_is_documented() -> None:
    table = DOCS.read_text().split("### Functions")[1].split("## Results")[0]
    assert set(re.findall(r"`([a-z0-9_]+)`", table)) == set(SIGNATURES)


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_the_parser_takes_the_declared_arguments(name: str) -> None:
    signature = SIGNATURES[name]
    arguments = ['{data=~".+"}' if name == "info" and i else ARGUMENTS[t] for i, t in enumerate(signature.args)]
    parse(f"{name}({', '.join(arguments)})")
    if signature.variadic:
        parse(f"{name}({', '.join(arguments[: len(arguments) - 1])})")
    if signature.args:
        with pytest.raises(QueryError):
            parse(f"{name}()" if not signature.variadic or len(arguments) > 1 else f"{name}(1, 2, 3)")
