"""`otel-ext config check`: the settings a process started in this directory would have, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence

from otel_ext.cli.output import CommandError, console, print_json
from otel_ext.config import LoadedSettings, SettingProblem, load_settings
from otel_ext.config.display import show
from otel_ext.config.schema import SETTINGS, Setting

__all__ = ["check"]

_DEFAULT = "default"


def check(*, as_json: bool) -> None:
    """Load and print.

    Raises:
        CommandError: a setting is wrong; the message lists every problem.
    """
    loaded = load_settings(strict=False)
    if as_json:
        print_json(_as_json(loaded))
    else:
        _print_table(loaded)
    if loaded.problems:
        raise CommandError(_problem_text(loaded.problems))


def _problem_text(problems: Sequence[SettingProblem]) -> str:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return "\n".join([f"{count} in the settings", *(f"  - {problem}" for problem in problems)])


def _value(loaded: LoadedSettings, setting: Setting) -> str:
    if setting.name == "slos":  # a table's cell has room for their names
        return show([slo.name for slo in loaded.settings.slos])
    value: object = loaded.settings
    for name in setting.field.split("."):
        value = getattr(value, name)
    return show(value)


def _as_json(loaded: LoadedSettings) -> dict[str, object]:
    settings = {
        setting.field: {"value": _value(loaded, setting), "origin": loaded.origins[setting.name]}
        for setting in SETTINGS
    }
    problems = [
        {
            "setting": problem.setting,
            "source": problem.source,
            "value": problem.value,
            "reason": problem.reason,
            "allowed": problem.allowed,
            "example": problem.example,
        }
        for problem in loaded.problems
    ]
    return {"settings": settings, "problems": problems}


def _print_table(loaded: LoadedSettings) -> None:
    from rich.table import Table  # noqa: PLC0415 - not for --json
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("setting", "value", "from"):
        table.add_column(column, overflow="fold")
    for setting in SETTINGS:
        origin = loaded.origins[setting.name]
        style = "dim" if origin == _DEFAULT else ""
        table.add_row(Text(setting.field, style), Text(_value(loaded, setting), style), Text(origin, style))
    console().print(table)
