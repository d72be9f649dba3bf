"""The `otel-ext` command. `main()` is the one place where errors become a line on stderr and an exit code."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line: exit code 0, 1 when the work failed, 2 for wrong usage, 130 after Ctrl-C."""
    from otel_ext.cli.app import build_app  # noqa: PLC0415 - `otel_ext.cli` itself stays light
    from otel_ext.errors import OtelExtError  # noqa: PLC0415

    try:
        build_app()(prog_name="otel-ext")
    except OtelExtError as error:
        sys.stderr.write(f"otel-ext: {error}\n")
        sys.exit(getattr(error, "exit_code", 1))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: nobody to tell
        sys.exit(1)
