"""The frame of functions of range vectors: float series as arrays, series with histograms one by one.

Pure functions over one FunctionCall.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from otel_ext.model.native_histograms import NativeHistogram
from otel_ext.promql.annotations import Annotations
from otel_ext.promql.frames import F64, Bool, Objects, StepVector
from otel_ext.promql.function_call import FunctionCall, StepResult
from otel_ext.promql.windows import RangeSource, RangeVector, Window

__all__ = ["FloatFunction", "MixedFunction", "MixedWindow", "floats_with_info", "windowed"]

# values of all series of a window (floats only), and which are samples (None: those with any float)
FloatFunction = Callable[[Window, int], tuple[F64, Bool | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedWindow:
    """One series' window that holds at least one histogram: floats and histograms with their times."""

    floats: list[tuple[int, float]]
    histograms: list[tuple[int, NativeHistogram]]
    start_ms: int
    end_ms: int
    step: int
    metric_name: str
    annotations: Annotations

    def merged(self) -> list[tuple[int, float | NativeHistogram]]:
        """All samples in order of time."""
        return sorted([*self.floats, *self.histograms], key=lambda item: item[0])


MixedFunction = Callable[[MixedWindow], float | NativeHistogram | None]


def windowed(
    call: FunctionCall, ranged: RangeVector, floats: FloatFunction, mixed: MixedFunction, *, keep_name: bool = False
) -> StepVector:
    """Apply a function to every window of a range vector."""

    def compute(source: RangeSource, end_ms: int, step: int) -> StepResult:
        window = source.window(end_ms - ranged.range_ms, end_ms)
        return apply_window(window, step, floats, mixed, (ranged.metric_name, call.annotations))

    return call.over_steps(ranged, compute, keep_name=keep_name)


def apply_window(
    window: Window, step: int, floats: FloatFunction, mixed: MixedFunction, context: tuple[str, Annotations]
) -> StepResult:
    """One window of one source."""
    if not window.length:
        return np.full(window.n, np.nan), np.zeros(window.n, dtype=np.bool_), None
    if window.histograms is None:
        values, present = floats(window, step)
        if present is None and not window.dense:
            present = window.counts > 0
        return values, present, None
    return _apply_mixed(window, step, floats, mixed, context)


def _apply_mixed(
    window: Window, step: int, floats: FloatFunction, mixed: MixedFunction, context: tuple[str, Annotations]
) -> StepResult:
    special = window.with_histograms()
    values = np.full(window.n, np.nan)
    present = np.zeros(window.n, dtype=np.bool_)
    found: Objects = np.full(window.n, None, dtype=object)
    plain = np.flatnonzero(~special).astype(np.int64)
    if len(plain):
        part = window.only(plain)
        part.histograms = None
        part.dense = bool((part.counts == part.length).all())
        values[plain], mask = floats(part, step)
        present[plain] = part.counts > 0 if mask is None else mask
    for index in np.flatnonzero(special).tolist():
        outcome = mixed(_mixed_window(window, index, step, context))
        if outcome is None:
            continue
        present[index] = True
        if isinstance(outcome, NativeHistogram):
            found[index] = outcome
        else:
            values[index] = outcome
    return values, present, found


def _mixed_window(window: Window, index: int, step: int, context: tuple[str, Annotations]) -> MixedWindow:
    count = int(window.counts[index])
    assert window.histograms is not None
    stamps = np.broadcast_to(window.ts_ms, window.values.shape)[:count, index].tolist()
    samples = zip(stamps, window.values[:count, index].tolist(), window.histograms[:count, index].tolist(), strict=True)
    floats: list[tuple[int, float]] = []
    histograms: list[tuple[int, NativeHistogram]] = []
    for ts_ms, value, histogram in samples:
        if histogram is None:
            floats.append((ts_ms, value))
        else:
            histograms.append((ts_ms, histogram))
    return MixedWindow(
        floats=floats,
        histograms=histograms,
        start_ms=window.start_ms,
        end_ms=window.end_ms,
        step=step,
        metric_name=context[0],
        annotations=context[1],
    )


def floats_with_info(floats: FloatFunction) -> MixedFunction:
    """Ignore the histograms of a window; an info when it has both, nothing when it has no floats."""

    def apply(window: MixedWindow) -> float | None:
        if not window.floats:
            return None
        window.annotations.info(
            "ignored histograms in a range containing both floats and histograms "
            f"for metric name {window.metric_name!r}"
        )
        stamps = np.array([[ts_ms] for ts_ms, _ in window.floats], dtype=np.int64)
        values, present = floats(
            Window(
                values=np.array([[value] for _, value in window.floats]),
                ts_ms=stamps,
                counts=np.array([len(window.floats)], dtype=np.int64),
                dense=True,
                start_ms=window.start_ms,
                end_ms=window.end_ms,
            ),
            window.step,
        )
        return float(values[0]) if present is None or present[0] else None

    return apply


def mixed_warning(window: MixedWindow) -> None:
    """The warning for a range with floats and histograms where they cannot be combined."""
    window.annotations.warn(f"encountered a mix of histograms and floats for metric name {window.metric_name!r}")
