"""`docs/http.md` and the route table are the same."""

from __future__ import annotations

import re
from pathlib import Path

from otel_ext.web.app import routes
from tests.web.world import World

PAGE = Path(__file__).parents[2] / "docs" / "http.md"
HEADING = re.compile(r"^### `([A-Z, ]+) (/\S*)`$", re.MULTILINE)


def test_every_route_is_documented_with_its_methods_and_no_other() -> None:
    documented = {(path, frozenset(methods.split(", "))) for methods, path in HEADING.findall(PAGE.read_text("utf-8"))}
    served = {
        (re.sub(r":\w+}", "}", route.path), frozenset(route.methods or ()) - {"HEAD"}) for route in routes(World())
    }
    assert documented == served


def test_every_documented_parameter_of_a_route_is_read_by_the_code() -> None:
    code = "".join(path.read_text("utf-8") for path in (PAGE.parents[1] / "otel_ext" / "web").glob("*.py"))
    page = PAGE.read_text("utf-8")
    tables = re.findall(r"^\| (`[^|]+`) \| ", page, re.MULTILINE)
    names = {name for cell in tables for name in re.findall(r"`([a-z_]+)`", cell)}
    assert {"attribute", "severity", "min_duration"} <= names
    assert [name for name in sorted(names) if f'"{name}"' not in code] == []
