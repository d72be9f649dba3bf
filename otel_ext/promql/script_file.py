"""promqltest scripts as values: the commands of a ``.test`` file, parsed. Nothing is run here.

Pure functions. Source of the format: promqltest/README.md of Prometheus.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from otel_ext.model.labels import Labels
from otel_ext.promql.formatting import parse_go_float
from otel_ext.promql.go_strings import unquote
from otel_ext.promql.series_notation import SeriesValue, parse_series_values, split_series

__all__ = ["Clear", "Command", "Eval", "Load", "ScriptError", "parse_duration_ms", "parse_script"]

_UNITS_MS = {"y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_DURATION = re.compile(r"(\d+)(ms|[ywdhms])")
_LOAD = re.compile(r"load(?:_(with_nhcb))?\s+(\S+)$")
_INSTANT = re.compile(r"eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(\S+))?\s+(.+)$", re.DOTALL)
_RANGE = re.compile(r"eval(?:_(fail|warn|info))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.+)$", re.DOTALL)
_EXPECT = re.compile(r"expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(msg|regex):\s*(.+))?$")
_EXPECT_RANGE = re.compile(r"expect\s+range\s+vector\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)$")
_EXPECT_STRING = re.compile(r"expect\s+string\s+(.+)$")
_LEGACY_FAIL = re.compile(r"expected_fail_(message|regexp)\s+(.+)$")


class ScriptError(ValueError):
    """A script cannot be parsed; the message names file and line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clear:
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Series whose values stand ``step_ms`` apart from time 0."""

    line: int
    step_ms: int
    series: tuple[tuple[Labels, tuple[SeriesValue, ...]], ...]
    with_nhcb: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Eval:
    """One evaluation and what is expected of it; instant when ``step_ms`` is 0 (then start = end)."""

    line: int
    expr: str
    start_ms: int
    end_ms: int
    step_ms: int
    fail: bool = False
    fail_message: str | None = None
    fail_regexp: str | None = None
    ordered: bool = False
    warn: bool | None = None  # None: not asserted
    info: bool | None = None
    scalar: float | None = None
    string: str | None = None
    range_ms: tuple[int, int, int] | None = None  # the instants of an expected range vector
    series: tuple[tuple[Labels, tuple[SeriesValue, ...]], ...] = field(default=())


Command = Clear | Load | Eval


def parse_duration_ms(text: str) -> int:
    """``1h30m``, ``0``, ``-5m`` or a number of seconds, in milliseconds; ValueError for anything else."""
    sign, body = (-1, text[1:]) if text.startswith("-") else (1, text)
    if _DURATION.sub("", body) == "" and body:
        return sign * sum(int(number) * _UNITS_MS[unit] for number, unit in _DURATION.findall(body))
    seconds = parse_go_float(body)
    if seconds is None:
        raise ValueError(f"not a duration: {text!r}; a correct one is '1h30m'")
    return sign * round(seconds * 1000)


def parse_script(text: str, name: str) -> Iterator[Command]:
    """The commands of a script in order; ScriptError names the line."""
    lines = [line.strip() for line in text.splitlines()]
    lines = ["" if line.startswith("#") else line for line in lines]
    position = 0
    while position < len(lines):
        line = lines[position]
        if not line:
            position += 1
            continue
        end = position + 1
        while end < len(lines) and lines[end]:
            end += 1
        try:
            yield _command(line, lines[position + 1 : end], position + 1)
        except ValueError as error:
            raise ScriptError(f"{name}:{position + 1}: {error}") from error
        position = end if not _is_clear(line) else position + 1


def _is_clear(line: str) -> bool:
    return line.lower() == "clear"


def _command(line: str, block: Sequence[str], number: int) -> Command:
    if _is_clear(line):
        return Clear(line=number)
    if line.startswith("load"):
        return _load(line, block, number)
    if line.startswith("eval"):
        return _Block(line, number).parse(block)
    raise ValueError(f"unknown command {line!r}; commands are load, load_with_nhcb, eval and clear")


def _load(line: str, block: Sequence[str], number: int) -> Load:
    match = _LOAD.match(line)
    if match is None:
        raise ValueError(f"not a load command: {line!r}; a correct one is 'load 5m'")
    series = tuple(_series(item) for item in block)
    return Load(line=number, step_ms=parse_duration_ms(match[2]), series=series, with_nhcb=bool(match[1]))


def _series(line: str) -> tuple[Labels, tuple[SeriesValue, ...]]:
    labels, values = split_series(line)
    return labels, tuple(parse_series_values(values))


class _Block:
    """Reads one eval command with its expectations."""

    def __init__(self, line: str, number: int) -> None:
        self._fields: dict[str, object] = {"line": number}
        self._asserted = False
        instant, ranged = _INSTANT.match(line), _RANGE.match(line)
        if ranged is not None:
            kind, start, end, step, expr = ranged.groups()
            times = (parse_duration_ms(start), parse_duration_ms(end), parse_duration_ms(step))
        elif instant is not None:
            kind, at, expr = instant.groups()
            times = (parse_duration_ms(at or "0"), parse_duration_ms(at or "0"), 0)
        else:
            raise ValueError(f"not an eval command: {line!r}; a correct one is 'eval instant at 5m sum(up)'")
        self._kind = kind
        self._fields |= {"expr": expr, "start_ms": times[0], "end_ms": times[1], "step_ms": times[2]}

    def parse(self, block: Sequence[str]) -> Eval:
        series = []
        for item in block:
            if self._expectation(item):
                continue
            number = parse_go_float(item)
            if number is not None:
                self._fields["scalar"] = number
                break
            series.append(_series(item))
        self._fields["series"] = tuple(series)
        self._apply_kind()
        return Eval(**self._fields)  # type: ignore[arg-type]

    def _apply_kind(self) -> None:
        if self._kind in ("fail", "ordered"):
            self._fields[self._kind] = True
        if not self._asserted and self._kind not in ("fail", "ordered"):
            self._fields |= {"warn": self._kind == "warn", "info": self._kind == "info"}

    def _expectation(self, line: str) -> bool:
        if match := _LEGACY_FAIL.match(line):
            self._fields["fail_message" if match[1] == "message" else "fail_regexp"] = match[2]
            return True
        if match := _EXPECT_STRING.match(line):
            self._fields["string"] = unquote(match[1])
        elif match := _EXPECT_RANGE.match(line):
            self._fields["range_ms"] = tuple(parse_duration_ms(part) for part in match.groups())
        elif match := _EXPECT.match(line):
            self._asserted = True
            self._expect(*match.groups())
        else:
            if line.startswith("expect "):
                raise ValueError(f"unknown expectation {line!r}")
            return False
        return True

    def _expect(self, what: str, how: str | None, text: str | None) -> None:
        if what == "fail":
            self._fields["fail"] = True
            if how is not None:
                self._fields["fail_message" if how == "msg" else "fail_regexp"] = text
        elif what == "ordered":
            self._fields["ordered"] = True
        else:
            self._fields[what.removeprefix("no_")] = not what.startswith("no_")
