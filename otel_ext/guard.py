"""The one guard at the boundary to the host application: hooks report here what went wrong and never raise.

Under this project's own tests (``set_reraise(True)``) the exception comes out, so that no bug hides behind the
guard. Called from any thread; the counter is only ever added to.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import traceback
from collections import Counter
from types import TracebackType

__all__ = ["guard", "hook_errors", "report", "set_reraise"]

_errors: Counter[str] = Counter()
_lock = threading.Lock()
_reraise = False


def set_reraise(reraise: bool) -> None:
    """Let exceptions out of hooks (tests of this package) or keep them in (everywhere else)."""
    global _reraise  # noqa: PLW0603 (one switch for the process, owned by this module)
    _reraise = reraise


def hook_errors() -> dict[str, int]:
    """How often each hook failed since start, by hook name."""
    with _lock:
        return dict(_errors)


def report(hook: str, error: Exception) -> None:
    """Count a failure of a hook; the first one of each hook is printed to stderr with its traceback.

    stderr and not logging: a failing log hook that logs would feed itself.
    """
    if _reraise:
        raise error
    with _lock:
        _errors[hook] += 1
        first = _errors[hook] == 1
    if first:
        with contextlib.suppress(OSError, ValueError):  # a closed stderr is no reason to fail the application
            print(f"otel_ext: {hook} failed; the application goes on, this is printed once:", file=sys.stderr)  # noqa: T201
            traceback.print_exception(error, file=sys.stderr)


class guard:  # noqa: N801 (reads as a statement: `with guard("name"):`)
    """``with guard("SpanProcessor.on_end"):`` keeps every ``Exception`` of its body from the application."""

    __slots__ = ("_hook",)

    def __init__(self, hook: str) -> None:
        self._hook = hook

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, Exception):
            report(self._hook, error)
            return True
        return False
