"""A world small enough to be obviously right: samples in lists, and queries like ``up{job="a"} == 0``."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from otel_ext.errors import QueryError
from otel_ext.model.labels import METRIC_NAME, Labels

LOOKBACK_MS = 300_000
STALE = None
OPERATORS = {"==": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt, ">=": operator.ge}
SHAPE = re.compile(r"\s*([a-zA-Z_:]\w*)(?:\{([^}]*)\})?\s*(?:(==|!=|>=|>|<)\s*(\S+))?\s*")


@dataclass(frozen=True)
class Sample:
    labels: Labels
    value: float


@dataclass(frozen=True)
class Vector:
    samples: Sequence[Sample]


@dataclass(frozen=True)
class Scalar:
    value: float


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Result:
    value: object
    warnings: Sequence[str] = ()


@dataclass
class World:
    """``samples`` holds what was written, in order; ``queries`` what was asked."""

    samples: list[tuple[int, Labels, float | None]] = field(default_factory=list)
    queries: list[tuple[str, int]] = field(default_factory=list)
    seconds: float = 0.0

    def append(self, ts_ms: int, samples: Iterable[tuple[Labels, float]]) -> None:
        self.samples += [(ts_ms, labels, value) for labels, value in samples]

    def mark_stale(self, ts_ms: int, series: Iterable[Labels]) -> None:
        self.samples += [(ts_ms, labels, STALE) for labels in series]

    def put(self, ts_ms: int, name: str, value: float, **labels: str) -> None:
        self.append(ts_ms, [(Labels({METRIC_NAME: name, **labels}), value)])

    def monotonic_seconds(self) -> float:
        self.seconds += 0.25
        return self.seconds

    def latest(self, ts_ms: int) -> dict[Labels, float]:
        newest: dict[Labels, tuple[int, float | None]] = {}
        for at, labels, value in self.samples:
            if ts_ms - LOOKBACK_MS < at <= ts_ms and at >= newest.get(labels, (at, None))[0]:
                newest[labels] = at, value
        return {labels: value for labels, (_, value) in newest.items() if value is not STALE}

    def query(self, expr: str, ts_ms: int) -> Result:
        self.queries.append((expr, ts_ms))
        if expr == "crash":
            raise ZeroDivisionError("division by zero")
        if expr == "text":
            return Result(Text("x"))
        if expr.replace(".", "").isdecimal():
            return Result(Scalar(float(expr)))
        match = SHAPE.fullmatch(expr)
        if match is None:
            raise QueryError(f"cannot parse {expr!r}")
        name, matchers, op, bound = match.groups()
        wanted = dict(re.findall(r'(\w+)="([^"]*)"', matchers or ""))
        found = [
            Sample(labels, value)
            for labels, value in sorted(self.latest(ts_ms).items(), key=lambda item: item[0].items_sorted)
            if labels.metric_name == name
            and all(labels.get(key, "") == text for key, text in wanted.items())
            and (op is None or OPERATORS[op](value, float(bound)))
        ]
        return Result(Vector(found), ("odd",) if name == "odd" else ())
