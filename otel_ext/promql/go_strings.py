"""Go string literals: quoted with escapes, or raw in backquotes. Bytes that are not UTF-8 become surrogate escapes.

Pure functions.
"""

from __future__ import annotations

import re

__all__ = ["unquote"]

_SIMPLE = {
    "a": b"\a", "b": b"\b", "f": b"\f", "n": b"\n", "r": b"\r", "t": b"\t", "v": b"\v", "\\": b"\\", "'": b"'",
    '"': b'"', "`": b"`",
}  # fmt: skip
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL)


def unquote(literal: str) -> str:
    """The text of a literal; ValueError for an unknown escape."""
    body = literal[1:-1]
    if literal[0] == "`" or "\\" not in body:
        return body
    parts: list[bytes] = []
    position = 0
    for match in _ESCAPE.finditer(body):
        parts.append(body[position : match.start()].encode(errors="surrogateescape"))
        parts.append(_escaped(match))
        position = match.end()
    parts.append(body[position:].encode(errors="surrogateescape"))
    return b"".join(parts).decode(errors="surrogateescape")


def _escaped(match: re.Match[str]) -> bytes:
    byte, short, long, octal, simple = match.groups()
    if byte:
        return bytes([int(byte, 16)])
    if short or long:
        return chr(int(short or long, 16)).encode(errors="surrogatepass")
    if octal:
        return bytes([int(octal, 8) & 0xFF])
    if simple not in _SIMPLE:
        raise ValueError(f"unknown escape \\{simple} in a string")
    return _SIMPLE[simple]
