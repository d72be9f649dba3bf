"""stdlib logging into the logger provider, without silencing anybody's stderr.

Uses the logging instrumentation of the contrib project. Called once at start-up, on the installing thread.
"""

from __future__ import annotations

import logging

from opentelemetry.instrumentation.logging import LoggingInstrumentor
from opentelemetry.instrumentation.logging.handler import LoggingHandler

__all__ = ["bridge_logging", "keep_last_resort"]


def bridge_logging() -> None:
    """Send what the application logs to the global logger provider, where nobody does so yet."""
    root = logging.getLogger()
    if not any(isinstance(handler, LoggingHandler) for handler in root.handlers):
        LoggingInstrumentor().instrument()
    keep_last_resort()


def keep_last_resort() -> None:
    """Keep warnings of a program that never configured logging on stderr.

    Python prints them only while the root logger has no handler, and a telemetry handler counts as one. The handler
    itself is extended, and no second one added: ``logging.basicConfig`` must still find a root without handlers.
    """
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LoggingHandler) and not isinstance(handler, _LastResort):
            handler.__class__ = _LastResort


class _LastResort(LoggingHandler):
    """A telemetry handler that hands warnings to ``logging.lastResort`` while it is alone on the root logger."""

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        alone = all(isinstance(handler, LoggingHandler) for handler in logging.getLogger().handlers)
        last = logging.lastResort
        if alone and last is not None and record.levelno >= last.level and not _handled_elsewhere(record.name):
            last.handle(record)


def _handled_elsewhere(name: str) -> bool:
    """Whether a logger between this name and the root has a handler of its own."""
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None and logger.name != "root":
        if logger.handlers:
            return True
        logger = logger.parent
    return False
