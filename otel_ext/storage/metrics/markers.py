"""Float64 bit patterns that are not values: no sample, a stale marker, a native histogram kept beside the column.

The three are NaN payloads that no arithmetic produces. ``STALE_BITS`` is Prometheus' own stale marker
(``model/value``); the other two exist only inside the store's columns. Pure functions, any thread.
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

__all__ = [
    "HISTOGRAM",
    "HISTOGRAM_BITS",
    "MISSING",
    "MISSING_BITS",
    "STALE",
    "STALE_BITS",
    "histogram_mask",
    "is_stale",
    "valid_mask",
]

STALE_BITS = 0x7FF0000000000002
MISSING_BITS = 0x7FF0000000000003
HISTOGRAM_BITS = 0x7FF0000000000004

STALE: float = struct.unpack("<d", struct.pack("<Q", STALE_BITS))[0]
MISSING: float = struct.unpack("<d", struct.pack("<Q", MISSING_BITS))[0]
HISTOGRAM: float = struct.unpack("<d", struct.pack("<Q", HISTOGRAM_BITS))[0]

_STALE = np.uint64(STALE_BITS)
_MISSING = np.uint64(MISSING_BITS)
_HISTOGRAM = np.uint64(HISTOGRAM_BITS)


def is_stale(value: float) -> bool:
    """Whether this float is the stale marker (any other NaN is a value)."""
    return value != value and struct.unpack("<Q", struct.pack("<d", value))[0] == STALE_BITS  # noqa: PLR0124


def valid_mask(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """True where a sample is: a float, a real NaN, or a histogram marker. Shape of ``values``."""
    bits = values.view(np.uint64)
    mask: npt.NDArray[np.bool_] = (bits != _MISSING) & (bits != _STALE)
    return mask


def histogram_mask(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """True where the sample is a native histogram. Shape of ``values``."""
    mask: npt.NDArray[np.bool_] = values.view(np.uint64) == _HISTOGRAM
    return mask
