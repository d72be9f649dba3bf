"""Keeps the alert machine's dump in a file, whole or not at all, so that alerts survive a restart and ``kill -9``.

Stateless; called by the owner of the machine, never on a request's path. Imports nothing of the package.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["load_state", "save_state"]


def save_state(path: Path, state: Mapping[str, object]) -> None:
    """Replace ``path`` by ``state`` as JSON: a reader sees the old file or the new one, also after a crash.

    Raises:
        OSError: the directory cannot be written.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8") as out:
            json.dump(state, out, default=str, separators=(",", ":"))
            out.flush()
            os.fsync(out.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load_state(path: Path) -> Mapping[str, Any] | None:
    """What :func:`save_state` wrote; ``None`` when there is no such file.

    Raises:
        ValueError: the file is not JSON of an object; it is left where it is.
        OSError: it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        state = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"alert state {path} is not JSON: {error}") from error
    if not isinstance(state, dict):
        raise ValueError(f"alert state {path} is not an object")  # noqa: TRY004 - the file is wrong, not a type
    return state
