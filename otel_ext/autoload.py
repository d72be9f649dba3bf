"""Zero code: the entry points that ``opentelemetry-instrument`` calls.

``pre_instrument`` runs when the providers exist and before any instrumentor has taken a tracer. An exception there
would switch every instrumentation of the process off, so nothing leaves this module: problems are reported once
on stderr and the valid remainder runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from otel_ext.config import LoadedSettings, load_settings
from otel_ext.errors import RuleError
from otel_ext.guard import guard
from otel_ext.install import activate, current

__all__ = ["OtelExtInstrumentor", "post_instrument", "pre_instrument"]

_PREFORK_SERVERS = frozenset({"gunicorn", "celery", "uwsgi", "hypercorn"})
_HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")


def pre_instrument() -> None:
    """Entry point of the group ``opentelemetry_pre_instrument``."""
    with guard("zero-code start"):
        _activate()


def post_instrument() -> None:
    """Entry point of the group ``opentelemetry_post_instrument``: logging has its telemetry handler by now."""
    with guard("zero-code logging"):
        if current() is not None:
            from otel_ext.logging_bridge import keep_last_resort  # noqa: PLC0415

            keep_last_resort()


class OtelExtInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """The entry point by which a declarative configuration file names us, and the standard off switch.

    ``OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=otel_ext`` keeps otel_ext out.
    """

    def instrumentation_dependencies(self) -> Collection[str]:
        """None: the engines need no library of the application."""
        return ()

    def _instrument(self, **_: Any) -> None:
        with guard("zero-code start"):
            _activate()

    def _uninstrument(self, **_: Any) -> None:
        handle = current()
        if handle is not None:
            handle.shutdown()


def _activate() -> None:
    if current() is not None or _is_off(os.environ) or _is_helper(sys.orig_argv):
        return
    loaded, broken = _without_broken_rules(load_settings(strict=False))
    for problem in (*loaded.problems, *broken):
        print(f"otel_ext: {problem}", file=sys.stderr)  # noqa: T201 (logging may have no handler yet)
    activate(loaded, lazy=_is_prefork_parent(sys.orig_argv, os.environ), facts=[str(error) for error in broken])


def _without_broken_rules(loaded: LoadedSettings) -> tuple[LoadedSettings, tuple[RuleError, ...]]:
    """The settings without the rule files that cannot be loaded, and what is wrong with those."""
    if not loaded.settings.rules:
        return loaded, ()
    from otel_ext.promql import parse  # noqa: PLC0415 (only where there are rules)
    from otel_ext.rules import load_rule_file  # noqa: PLC0415

    good, broken = [], []
    for path in loaded.settings.rules:
        try:
            load_rule_file(path, parse=parse)
        except RuleError as error:
            broken.append(error)
        else:
            good.append(path)
    settings = replace(loaded.settings, rules=tuple(good))
    return replace(loaded, settings=settings), tuple(broken)


def _is_off(env: Mapping[str, str]) -> bool:
    disabled = env.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")
    return "otel_ext" in (name.strip() for name in disabled)


def _is_helper(command: Collection[str]) -> bool:
    """Whether this interpreter only serves ``multiprocessing`` (uvicorn --workers starts one)."""
    return any(helper in argument for argument in command for helper in _HELPERS)


def _is_prefork_parent(command: list[str], env: Mapping[str, str]) -> bool:
    """Whether this process will fork or spawn the workers that do the serving.

    ``command`` is the interpreter's own command line: ``python .../gunicorn app:app``, ``python -m celery ...``.
    """
    programs = {os.path.basename(argument) for argument in command[1:3]}
    if programs & _PREFORK_SERVERS:
        return True
    if "uvicorn" not in programs or "--multiprocessing-fork" in command:
        return False
    workers = env.get("WEB_CONCURRENCY", "1")
    for argument, following in pairwise((*command, "")):
        if argument == "--workers":
            workers = following
        elif argument.startswith("--workers="):
            workers = argument.partition("=")[2]
    return workers.isdigit() and int(workers) > 1
