"""The `otel-ext` command: what sub-commands there are, with their options. The work is in the modules they name.

Only typer is imported here; everything else is imported by the command that runs, so that `--help` is quick.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Annotated

import typer

__all__ = ["build_app"]

_HELP = {"help_option_names": ["-h", "--help"]}

# Modules of other commands: each has `register(parent)`, which adds its commands to the group it belongs to.
_PLUGGED = {"": ("promql_cmds", "rules_cmds"), "bench": ("bench_promql", "bench_anomaly")}

Url = Annotated[str, typer.Option("--url", envvar="OTEL_EXT_URL", help="Where the process answers.", metavar="URL")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
DEFAULT_URL = "http://127.0.0.1:4319"


def build_app() -> typer.Typer:
    """All commands, as a typer application."""
    app = _group("Decide about a service in its own process: SLOs, alert rules, anomalies.")
    app.command("demo")(_demo)
    app.command("status")(_status)
    app.command("alerts")(_alerts)
    slo = _group("Service level objectives of a running process.")
    slo.command("list")(_slo_list)
    slo.command("status")(_slo_status)
    app.add_typer(slo, name="slo")
    config = _group("The settings of a service.")
    config.command("check")(_config_check)
    app.add_typer(config, name="config")
    bench = _group("Benchmarks: ratios taken side by side in one run.")
    bench.command("overhead")(_bench_overhead)
    app.add_typer(bench, name="bench")
    _plug(app, "")
    _plug(bench, "bench")
    return app


def _group(text: str) -> typer.Typer:
    return typer.Typer(
        help=text,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings=_HELP,
    )


def _plug(group: typer.Typer, name: str) -> None:
    for module in _PLUGGED[name]:
        if importlib.util.find_spec(f"otel_ext.cli.{module}") is not None:
            importlib.import_module(f"otel_ext.cli.{module}").register(group)


def _demo(
    duration: Annotated[str, typer.Option(help="How long the load lasts.", metavar="TIME")] = "90s",
    rate: Annotated[float, typer.Option(help="Requests a second.", min=1, max=1000)] = 40.0,
    port: Annotated[int, typer.Option(help="The process's own port; 0 takes a free one.", min=0, max=65535)] = 4319,
    plain: Annotated[bool, typer.Option("--plain", "--no-tty", help="Print lines, draw no live screen.")] = False,
    stay: Annotated[bool, typer.Option("--stay", help="Leave the shop running at the end, until Ctrl-C.")] = False,
) -> None:
    """Run a small real shop under load, break it, and watch what it concludes about itself."""
    from otel_ext.cli.demo.command import run  # noqa: PLC0415 - imported by the command that runs

    run(duration=duration, rate=rate, port=port, plain=plain, stay=stay)


def _status(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """How a running process stands: health, SLOs, alerts, and what it counts about itself."""
    from otel_ext.cli import remote_cmds  # noqa: PLC0415

    remote_cmds.show_status(url, as_json=as_json)


def _alerts(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """The alerts that are pending, firing or resolved lately."""
    from otel_ext.cli import remote_cmds  # noqa: PLC0415

    remote_cmds.show_alerts(url, as_json=as_json)


def _slo_list(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """The promises: objective, window, and which requests count."""
    from otel_ext.cli import remote_cmds  # noqa: PLC0415

    remote_cmds.list_slos(url, as_json=as_json)


def _slo_status(
    name: Annotated[str | None, typer.Argument(help="One SLO; all without it.", show_default=False)] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """What is left of the error budgets, and how fast they burn."""
    from otel_ext.cli import remote_cmds  # noqa: PLC0415

    remote_cmds.show_slos(url, name, as_json=as_json)


def _config_check(as_json: AsJson = False) -> None:
    """Load the settings of this directory as a process started here would; exit code 1 when one is wrong."""
    from otel_ext.cli import config_cmds  # noqa: PLC0415

    config_cmds.check(as_json=as_json)


def _bench_overhead(
    blocks: Annotated[int, typer.Option(help="Pairs of blocks.", min=1, max=1000)] = 15,
    spans: Annotated[int, typer.Option(help="Spans a block.", min=100)] = 15_000,
    requests: Annotated[int, typer.Option(help="FastAPI requests a block.", min=100)] = 2_000,
    interpreters: Annotated[int, typer.Option(help="Fresh interpreters for the start-up cost.", min=1)] = 7,
    as_json: AsJson = False,
) -> None:
    """CPU per span and per FastAPI request, bare SDK against otel_ext; and what import and install() cost."""
    from otel_ext.cli import bench_overhead  # noqa: PLC0415

    bench_overhead.run(blocks=blocks, spans=spans, requests=requests, interpreters=interpreters, as_json=as_json)
