"""Go string literals: quoted with escapes, or raw in backquotes. Bytes that are not UTF-8 become surrogate escapes.

Pure functions.
"""

from __future__ import annotations

import re

__all__ = ["bytes_marked", "bytes_restored", "is_label_name", "quoted", "unquote"]

_LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`|#[^\n]*', re.DOTALL)
_HIGH_BYTE = re.compile(r"\\(?:x[89a-fA-F]|[23][0-7]{2})")
_MARKS = 0x10FE00  # private use: byte 0x80 + n stands as this + n where the parser must not take it for a character

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


def bytes_marked(expr: str) -> str:
    """An expression whose byte escapes (``\\xc5``) are replaced so that a parser of characters keeps them apart.

    promql-parser takes ``\\xc5`` for the character U+00C5, where Go means the byte.
    """
    return _LITERAL.sub(_marked, expr) if _HIGH_BYTE.search(expr) else expr


def _marked(match: re.Match[str]) -> str:
    literal = match.group(0)
    if literal[0] in "`#" or not _HIGH_BYTE.search(literal):
        return literal
    text = "".join(chr(_MARKS + ord(c) - 0xDC80) if 0xDC80 <= ord(c) <= 0xDCFF else c for c in unquote(literal))
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{quoted}"'


def bytes_restored(text: str) -> str:
    """The text with marked bytes as surrogate escapes, which is how this package writes bytes that are not UTF-8."""
    if not any(_MARKS <= ord(character) < _MARKS + 128 for character in text):
        return text
    return "".join(chr(0xDC80 + ord(c) - _MARKS) if _MARKS <= ord(c) < _MARKS + 128 else c for c in text)


def is_label_name(name: str) -> bool:
    """Whether this is a label name: not empty, valid UTF-8."""
    return bool(name) and not any(0xD800 <= ord(character) <= 0xDFFF for character in name)


def quoted(text: str) -> str:
    """Go's ``%q``: in double quotes, bytes that are not UTF-8 as ``\\x..``."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + "".join(f"\\x{ord(c) - 0xDC00:02x}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in escaped) + '"'
