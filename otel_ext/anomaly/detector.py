"""What a detector is: one model of "normal" for all series of a watch at once, in numpy.

Every array has the shape ``(series,)``; position ``i`` belongs to the same series for as long as its slot is in use.
The watch's owner (the pipeline thread) is the only caller. Imports numpy alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = [
    "PENDING_WEIGHT",
    "Arrays",
    "BoolArray",
    "Detector",
    "FloatArray",
    "Forecast",
    "IndexArray",
    "Observation",
    "SlotArrays",
]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IndexArray = npt.NDArray[np.intp]
PENDING_WEIGHT = 0.25
"""Weight of a value that is far out while nothing is open: noise, or the first of an incident. Tails learn from it
(a tail that is never fed stays too thin), scatter does not, the level a little."""

Arrays = dict[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Observation:
    """One tick of all series. A missing value is NaN in ``value``; ``count`` and ``exposure`` are then ignored.

    ``value = count / exposure``: for a rate, events and seconds; for a ratio, bad events and all events; for a mean,
    the sum and the number of measurements. A plain gauge has exposure 1. ``at_ms`` is the Unix time of each value in
    milliseconds, in local time where days should follow the people and not UTC.
    """

    value: FloatArray
    count: FloatArray
    exposure: FloatArray
    at_ms: FloatArray


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a model expects, in the unit of the series, for the slots that were asked for."""

    expected: FloatArray
    lower: FloatArray
    upper: FloatArray


class Detector(Protocol):
    """A streaming model: ``score`` first, then ``learn``, once a tick each.

    ``score`` returns the signed surprise: plus (above expected) or minus (below) ``-log10`` of the probability of a
    value at least as far out if nothing is wrong; 0 where the value is missing or the series is too young.
    """

    name: str

    def reserve(self, capacity: int) -> None:
        """Make room for at least ``capacity`` series; state of existing slots stays."""

    def clear(self, slots: IndexArray) -> None:
        """Forget everything about these slots: they get new series."""

    def score(self, observation: Observation) -> FloatArray:
        """Signed surprise of each value against the state before it was learned."""

    def learn(self, observation: Observation, weight: FloatArray) -> None:
        """Take in the values that were just scored, each with a weight.

        1: as normal; ``PENDING_WEIGHT``: far out; less: under an anomaly; 0: not at all.
        """

    def accept(self, slots: IndexArray) -> None:
        """Take the recent values of these slots as the new normal."""

    def forecast(self, slots: IndexArray, observation: Observation, surprise: FloatArray) -> Forecast:
        """What these slots were expected to show at this observation's time and exposure, before it is learned.

        The band is the one outside which a value has at least ``surprise`` (one number a slot asked for).
        """

    def dump(self) -> Arrays:
        """The state as arrays whose last axis is the slot."""

    def restore(self, arrays: Arrays) -> None:
        """Take over what :meth:`dump` gave; scores go on bit for bit."""


class SlotArrays:
    """Named arrays of floats that grow together; the last axis is the slot."""

    def __init__(self, **defaults: float | tuple[int, float]) -> None:
        self._defaults: dict[str, tuple[int, float]] = {}
        for name, default in defaults.items():
            self._defaults[name] = default if isinstance(default, tuple) else (0, default)
        self._arrays: Arrays = {name: self._made(name, 0) for name in self._defaults}
        self.capacity = 0

    def __getitem__(self, name: str) -> FloatArray:
        return self._arrays[name]

    def __setitem__(self, name: str, values: FloatArray) -> None:
        self._arrays[name] = values

    def _made(self, name: str, width: int) -> FloatArray:
        depth, default = self._defaults[name]
        return np.full((depth, width) if depth else width, default, dtype=np.float64)

    def reserve(self, capacity: int) -> None:
        """Grow to ``capacity`` slots; never shrinks."""
        extra = capacity - self.capacity
        if extra <= 0:
            return
        for name, values in self._arrays.items():
            self._arrays[name] = np.concatenate([values, self._made(name, extra)], axis=-1)
        self.capacity = capacity

    def clear(self, slots: IndexArray) -> None:
        """Set these slots to the defaults."""
        for name, values in self._arrays.items():
            values[..., slots] = self._defaults[name][1]

    def dump(self) -> Arrays:
        """Copies of all arrays by name."""
        return {name: values.copy() for name, values in self._arrays.items()}

    def restore(self, arrays: Arrays) -> None:
        """Replace all arrays; ``ValueError`` when names or depths differ from this version's."""
        for name, (depth, _) in self._defaults.items():
            found = arrays.get(name)
            if found is None or (found.shape[0] if found.ndim == 2 else 0) != depth:
                raise ValueError(f"saved detector state has no array {name!r} of depth {depth}")
        self._arrays = {name: np.array(arrays[name], dtype=np.float64) for name in self._defaults}
        self.capacity = next(iter(self._arrays.values())).shape[-1]
