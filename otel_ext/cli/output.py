"""What all commands share: how errors, tables and JSON reach the terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from otel_ext.errors import OtelExtError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["CommandError", "console", "error_console", "print_json"]


PIPE_WIDTH = 160  # a pipe has no width; 80 would fold names that programs look for


class CommandError(OtelExtError):
    """A command cannot do its work: one clear line for the user, and the exit code (1, or 2 for wrong usage)."""

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def console() -> Console:
    """Where results go: standard output, as written: no colours for numbers, no markup."""
    from rich.console import Console  # noqa: PLC0415 - `--json` and `--help` do not pay for it

    out = Console(highlight=False, markup=False)
    return out if out.is_terminal else Console(highlight=False, markup=False, width=PIPE_WIDTH)


def error_console() -> Console:
    """Where problems go: standard error."""
    from rich.console import Console  # noqa: PLC0415

    return Console(stderr=True, highlight=False, markup=False)


def print_json(value: object) -> None:
    """Print a result for programs: JSON on standard output, nothing else."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))
