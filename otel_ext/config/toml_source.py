"""TOML tables as nodes that know their line.

Stateless functions. tomllib keeps no positions, so lines are found by the keys' text in their section; a key inside an
inline table has the line of that table. tomllib is imported where a file is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from otel_ext.config.nodes import Node, Rejected, Style, wrap

__all__ = ["read_toml"]

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_AT_LINE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)")


def read_toml(text: str, table: tuple[str, ...], *, place: Callable[[int], str], base: Path) -> Node | Rejected | None:
    """The table at ``table`` as a node, ``None`` when there is none, or what is wrong with the file as TOML."""
    import tomllib  # noqa: PLC0415  (only where there is TOML)

    try:
        found: object = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
        return _fault(error, text, place=place, base=base)
    for key in table:
        found = found.get(key) if isinstance(found, dict) else None
    if found is None:
        return None
    lines = {path: place(line) for path, line in _lines(text, table).items()}
    return wrap(found, where=lines.get("", place(1)), base=base, style=Style.TOML, lines=lines)


def _fault(error: Exception, text: str, *, place: Callable[[int], str], base: Path) -> Rejected:
    found = _AT_LINE.search(str(error))
    all_lines = text.splitlines() or [""]
    line = int(found[1]) if found and found[1] else len(all_lines)
    at_fault = all_lines[min(line, len(all_lines)) - 1].strip()
    node = Node(value=at_fault, where=place(line), base=base, style=Style.TOML)
    return Rejected(node, f"is not valid TOML: {_AT_LINE.sub('', str(error))}", allowed="a TOML table of settings")


def _lines(text: str, table: tuple[str, ...]) -> dict[str, int]:
    """The line of each dotted path below ``table`` (``slos[0].name``); the table itself is the empty path."""
    prefix = ".".join(table)
    lines: dict[str, int] = {}
    counts: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        key = _KEY.match(line)
        if header:
            section = _dotted(header[2])
            if header[1] == "[[":
                counts[section] = counts.get(section, -1) + 1
            section = _indexed(section, counts)
            path = section
        elif key:
            path = f"{section}.{_dotted(key[1])}".lstrip(".")
        else:
            continue
        below = _below(path, prefix)
        if below is not None:
            lines.setdefault(below, number)
    return lines


def _dotted(key: str) -> str:
    return ".".join(part.strip("\"'") for part in _PART.findall(key))


def _indexed(section: str, counts: dict[str, int]) -> str:
    """``tool.otel_ext.slos.labels`` as ``tool.otel_ext.slos[1].labels`` in the second ``[[tool.otel_ext.slos]]``."""
    arrays = [array for array in counts if section == array or section.startswith(f"{array}.")]
    for array in sorted(arrays, key=len, reverse=True):
        section = f"{array}[{counts[array]}]{section[len(array) :]}"
    return section


def _below(path: str, prefix: str) -> str | None:
    if not prefix or path == prefix:
        return path if not prefix else ""
    return path[len(prefix) + 1 :] if path.startswith(f"{prefix}.") else None
