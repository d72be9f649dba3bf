"""The 64-bit hash of a label set that ``limit_ratio`` samples by: XXH64 over length-prefixed names and values.

Pure functions; XXH64 as in its specification (xxhash_spec.md, seed 0).
"""

from __future__ import annotations

from otel_ext.model.labels import Labels

__all__ = ["label_hash", "xxh64"]

_MASK = (1 << 64) - 1
_P1, _P2, _P3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
_P4, _P5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5


def label_hash(labels: Labels) -> int:
    """Hash of the labels in order; the length prefix is one byte, or 255 and three bytes."""
    data = bytearray()
    for name, value in labels.items_sorted:
        for text in (name, value):
            encoded = text.encode(errors="surrogateescape")
            size = len(encoded)
            data += bytes([size]) if size < 255 else bytes([255]) + size.to_bytes(3, "little")
            data += encoded
    return xxh64(bytes(data))


def _rotated(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (64 - bits))) & _MASK


def _round(accumulator: int, lane: int) -> int:
    return (_rotated((accumulator + lane * _P2) & _MASK, 31) * _P1) & _MASK


def xxh64(data: bytes) -> int:
    """XXH64 with seed 0."""
    length, position = len(data), 0
    if length >= 32:
        digest, position = _stripes(data)
    else:
        digest = _P5
    return _avalanche(_tail(data, position, (digest + length) & _MASK))


def _stripes(data: bytes) -> tuple[int, int]:
    lanes = [(_P1 + _P2) & _MASK, _P2, 0, (-_P1) & _MASK]
    position = 0
    while position + 32 <= len(data):
        for index in range(4):
            start = position + 8 * index
            lanes[index] = _round(lanes[index], int.from_bytes(data[start : start + 8], "little"))
        position += 32
    digest = sum(_rotated(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18), strict=True)) & _MASK
    for lane in lanes:
        digest = ((digest ^ _round(0, lane)) * _P1 + _P4) & _MASK
    return digest, position


def _tail(data: bytes, position: int, digest: int) -> int:
    while position + 8 <= len(data):
        lane = _round(0, int.from_bytes(data[position : position + 8], "little"))
        digest = (_rotated(digest ^ lane, 27) * _P1 + _P4) & _MASK
        position += 8
    if position + 4 <= len(data):
        lane = int.from_bytes(data[position : position + 4], "little") * _P1
        digest = (_rotated((digest ^ lane) & _MASK, 23) * _P2 + _P3) & _MASK
        position += 4
    for byte in data[position:]:
        digest = (_rotated(digest ^ (byte * _P5 & _MASK), 11) * _P1) & _MASK
    return digest


def _avalanche(digest: int) -> int:
    digest = ((digest ^ (digest >> 33)) * _P2) & _MASK
    digest = ((digest ^ (digest >> 29)) * _P3) & _MASK
    return digest ^ (digest >> 32)
