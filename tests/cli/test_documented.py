"""Every command and option is documented."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from otel_ext.cli.app import build_app

DOCS = Path(__file__).resolve().parents[2] / "docs"


def leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        for name, sub in command.commands.items():
            yield from leaves(sub, f"{path} {name}")
    else:
        yield path, command


COMMANDS = dict(leaves(typer.main.get_command(build_app()), "otel-ext"))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_is_documented(name: str) -> None:
    texts = "".join(page.read_text() for page in DOCS.glob("*.md"))

    assert name in texts, f"docs/cli.md says nothing about {name}"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_says_what_it_does(name: str) -> None:
    assert COMMANDS[name].help


@pytest.mark.parametrize("name", ["otel-ext demo", "otel-ext bench overhead"])
def test_the_options_are_documented(name: str) -> None:
    text = (DOCS / ("demo.md" if name.endswith("demo") else "cli.md")).read_text()
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts} - {"--help", "-h"}

    assert not {option for option in options if f"`{option}" not in text}
