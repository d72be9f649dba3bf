"""The golden signals as data: what is derived from a row of cumulative counts, and how it is judged and worded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from otel_ext.anomaly.count_rate import CountRate
from otel_ext.anomaly.count_ratio import CountRatio
from otel_ext.anomaly.detector import Detector
from otel_ext.anomaly.robust_level import RobustLevel
from otel_ext.model.labels import Labels

__all__ = ["GOLDEN_SIGNALS", "GoldenRow", "Signal"]


class GoldenRow(Protocol):
    """Cumulative counts of one series of spans: the shape of the span metrics connector's golden signals."""

    @property
    def labels(self) -> Labels:
        """Identity of the row."""

    @property
    def count(self) -> int:
        """Spans seen since the start."""

    @property
    def errors(self) -> int:
        """Failed spans among them."""

    @property
    def duration_nano_sum(self) -> int:
        """Sum of their durations in nanoseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One derived series of every row.

    ``both_sides``: a fall is news as well. ``least_relative`` and ``least_absolute``: a change smaller than either,
    relative to the expected value and in the unit of the series, is not worth anybody's time however certain it is.
    ``detector`` takes the warm-up in intervals.
    """

    name: str
    title: str
    unit: str
    severity: str
    both_sides: bool
    least_relative: float
    least_absolute: float
    detector: Callable[[int], Detector]


GOLDEN_SIGNALS: tuple[Signal, ...] = (
    Signal(
        name="request_rate",
        title="request rate",
        unit="/s",
        severity="info",
        both_sides=True,
        least_relative=0.2,
        least_absolute=0.0,
        detector=lambda warm_up: CountRate(warm_up=warm_up),
    ),
    Signal(
        name="error_ratio",
        title="error ratio",
        unit="%",
        severity="warning",
        both_sides=False,
        least_relative=0.0,
        least_absolute=0.005,
        detector=lambda warm_up: CountRatio(warm_up=warm_up),
    ),
    Signal(
        name="mean_latency",
        title="mean latency",
        unit="s",
        severity="info",
        both_sides=False,
        least_relative=0.2,
        least_absolute=0.001,
        detector=lambda warm_up: RobustLevel(log=True, warm_up=warm_up),
    ),
)
