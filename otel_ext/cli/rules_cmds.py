"""`otel-ext check rules`, `test rules`, `replay`: their options. The work is in rules_work, imported by what runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="One or more files.")]


def register(parent: typer.Typer) -> None:
    """Add the commands to the command line."""
    _group(parent, "check", "Check files before they are used.").command("rules")(_check_rules)
    _group(parent, "test", "Run tests of rules and queries.").command("rules")(_test_rules)
    parent.command("replay")(_replay)


def _group(parent: typer.Typer, name: str, text: str) -> typer.Typer:
    """The group of that name, new unless another module has added it already."""
    for known in parent.registered_groups:
        if known.name == name and known.typer_instance is not None:
            return known.typer_instance
    group = typer.Typer(help=text, no_args_is_help=True, rich_markup_mode=None)
    parent.add_typer(group, name=name)
    return group


def _check_rules(files: Files) -> None:
    """Load Prometheus rule files as strictly as Prometheus does; exit code 1 when one has a problem."""
    from otel_ext.cli import rules_work  # noqa: PLC0415

    raise typer.Exit(rules_work.check_files(files))


def _test_rules(
    files: Files,
    run: Annotated[str, typer.Option(help="Only tests whose name matches.", metavar="REGEX")] = "",
) -> None:
    """Run unit tests of rules in promtool's format; exit code 1 when one fails."""
    from otel_ext.cli import rules_work  # noqa: PLC0415

    raise typer.Exit(rules_work.run_tests(files, run=run))


def _replay(
    rules: Annotated[list[Path], typer.Option(help="Rule file; may be repeated.", metavar="FILE")],
    data: Annotated[
        str,
        typer.Option(help="OpenMetrics text, OTLP JSON lines, or the URL of a Prometheus server.", metavar="FILE|URL"),
    ],
    start: Annotated[str, typer.Option("--from", help="Unix seconds or RFC 3339.", metavar="TIME")] = "",
    end: Annotated[str, typer.Option("--to", help="Unix seconds or RFC 3339.", metavar="TIME")] = "",
    interval: Annotated[str, typer.Option(help="Of groups that state none.", metavar="DURATION")] = "1m",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Which alerts would have fired when, had these rules run over recorded metrics."""
    from otel_ext.cli import rules_work  # noqa: PLC0415

    rules_work.replay_files(rules, data, start=start, end=end, interval=interval, as_json=as_json)
