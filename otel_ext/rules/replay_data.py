"""Recorded metrics for a replay: OpenMetrics text with timestamps, OTLP JSON lines, series of a Prometheus answer.

Each reader gives a :class:`Recording`: steps in time order, each of which knows how to put itself into a store.
Stateless. Imports the vocabulary, the metric store and the series notation.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otel_ext.errors import OtelExtError
from otel_ext.model.labels import Labels
from otel_ext.model.metrics import CollectedMetrics
from otel_ext.rules.otlp_json import metrics_from_json
from otel_ext.rules.series_notation import parse_labels
from otel_ext.storage.metrics import MetricStore

__all__ = ["Recording", "ReplayDataError", "recording_from_prometheus", "recording_of_samples", "read_recording"]


class ReplayDataError(OtelExtError):
    """Recorded data cannot be read; the message names the file and the line."""


@dataclass(frozen=True, slots=True)
class _SampleStep:
    ts_ms: int
    samples: Sequence[tuple[Labels, float]]

    def load(self, store: MetricStore) -> int:
        store.append(self.ts_ms, self.samples)
        return len(self.samples)


@dataclass(frozen=True, slots=True)
class _OtlpStep:
    collected: CollectedMetrics

    @property
    def ts_ms(self) -> int:
        return self.collected.ts_ms

    def load(self, store: MetricStore) -> int:
        store.append_otlp(self.collected)
        return sum(
            len(metric.data.data_points)
            for resource in self.collected.data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        )


@dataclass(frozen=True, slots=True)
class Recording:
    """Steps in time order. ``start_ms`` and ``end_ms`` are the first and last, 0 when there are none."""

    steps: tuple[_SampleStep | _OtlpStep, ...]

    @property
    def start_ms(self) -> int:
        """Unix milliseconds of the first sample."""
        return self.steps[0].ts_ms if self.steps else 0

    @property
    def end_ms(self) -> int:
        """Unix milliseconds of the last sample."""
        return self.steps[-1].ts_ms if self.steps else 0


def recording_of_samples(samples: Iterable[tuple[Labels, int, float]]) -> Recording:
    """A recording of (labels, Unix ms, value) in any order."""
    columns: dict[int, list[tuple[Labels, float]]] = defaultdict(list)
    for labels, ts_ms, value in samples:
        columns[ts_ms].append((labels, value))
    return Recording(tuple(_SampleStep(ts_ms, columns[ts_ms]) for ts_ms in sorted(columns)))


def read_recording(path: str | Path) -> Recording:
    """Read a file: OTLP JSON lines when it begins with ``{``, else OpenMetrics text.

    Raises:
        ReplayDataError: it cannot be read, or a line is malformed or has no timestamp.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ReplayDataError(f"{path}: cannot read: {error}") from error
    first = next((line for line in lines if line.strip()), "")
    if first.lstrip().startswith("{"):
        collected = (_otlp_line(line, f"{path}:{number}") for number, line in _numbered(lines))
        return Recording(tuple(sorted((_OtlpStep(item) for item in collected), key=lambda step: step.ts_ms)))
    return recording_of_samples(_openmetrics(lines, str(path)))


def recording_from_prometheus(result: Sequence[Mapping[str, Any]]) -> Recording:
    """A recording of ``data.result`` of a range vector from Prometheus's HTTP API."""
    return recording_of_samples(
        (Labels(series["metric"]), round(float(seconds) * 1000), float(text))
        for series in result
        for seconds, text in series.get("values", ())
    )


def _numbered(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(lines, 1) if line.strip())


_SAMPLE = re.compile(
    r"""(?P<series>[^\s{]*(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?)
        \s+(?P<value>\S+)(?:\s+(?P<seconds>[-+\d.eE]+))?(?:\s+\#\s.*)?\s*""",
    re.VERBOSE,
)


def _openmetrics(lines: Sequence[str], path: str) -> Iterator[tuple[Labels, int, float]]:
    for number, line in _numbered(lines):
        if line.startswith("#"):
            continue
        match = _SAMPLE.fullmatch(line)
        if match is None:
            raise ReplayDataError(
                f"{path}:{number}: not a sample: {line!r}; a correct one is 'up{{job=\"a\"}} 1 1700000000'"
            )
        if match["seconds"] is None:
            raise ReplayDataError(
                f"{path}:{number}: the sample has no timestamp (Unix seconds behind the value): {line!r}"
            )
        try:
            yield parse_labels(match["series"]), round(float(match["seconds"]) * 1000), float(match["value"])
        except ValueError as error:
            raise ReplayDataError(f"{path}:{number}: {error}") from error


def _otlp_line(line: str, place: str) -> CollectedMetrics:
    try:
        return metrics_from_json(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReplayDataError(f"{place}: not an OTLP metrics export: {type(error).__name__}: {error}") from error
