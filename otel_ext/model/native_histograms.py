"""NativeHistogram: Prometheus' sparse histogram value, exponential (schemas -4..8) or with custom bounds (-53).

A frozen value with the arithmetic of Prometheus' ``FloatHistogram`` (addition, subtraction, scaling, resolution
changes, zero-bucket reconciliation, reset detection). Bucket ``i`` of an exponential schema s covers
``(2**((i-1) * 2**-s), 2**(i * 2**-s)]``; of a custom one ``(bounds[i-1], bounds[i]]``. Imports go_floats only.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from otel_ext.model.go_floats import format_float_g

__all__ = [
    "CUSTOM_SCHEMA",
    "Bucket",
    "CounterResetHint",
    "IncompatibleBoundsError",
    "IncompatibleHistogramsError",
    "IncompatibleSchemaError",
    "NativeHistogram",
]

CUSTOM_SCHEMA = -53


class IncompatibleHistogramsError(ValueError):
    """Two histograms that cannot be combined."""


class IncompatibleSchemaError(IncompatibleHistogramsError):
    """One has exponential buckets, the other custom ones."""


class IncompatibleBoundsError(IncompatibleHistogramsError):
    """Both have custom buckets, with different bounds."""


class CounterResetHint(enum.Enum):
    """What a histogram says of itself and the one before it."""

    UNKNOWN = "unknown"
    RESET = "reset"
    NOT_RESET = "not_reset"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class Bucket:
    """Observations in ``lower``..``upper``; which bounds belong to it says ``lower_inclusive``/``upper_inclusive``."""

    lower: float
    upper: float
    lower_inclusive: bool
    upper_inclusive: bool
    count: float
    index: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NativeHistogram:
    """Counts by bucket index; buckets with a count of zero may be left out. ``custom_bounds`` only for schema -53."""

    schema: int = 0
    zero_threshold: float = 0.0
    zero_count: float = 0.0
    count: float = 0.0
    sum: float = 0.0
    positive: Mapping[int, float] = field(default_factory=dict)
    negative: Mapping[int, float] = field(default_factory=dict)
    custom_bounds: tuple[float, ...] = ()
    counter_reset_hint: CounterResetHint = CounterResetHint.UNKNOWN

    @property
    def custom(self) -> bool:
        """Whether the buckets have custom bounds."""
        return self.schema == CUSTOM_SCHEMA

    # ---- buckets ----

    def buckets(self) -> Iterator[Bucket]:
        """All buckets with their bounds, lowest first, the zero bucket between negative and positive ones."""
        for index in sorted(self.negative, reverse=True):
            upper, lower = -self.bound(index - 1), -self.bound(index)
            yield Bucket(lower, upper, True, False, self.negative[index], index)
        if self.zero_count and not self.custom:
            yield Bucket(-self.zero_threshold, self.zero_threshold, True, True, self.zero_count, 0)
        yield from self.positive_buckets()

    def positive_buckets(self) -> Iterator[Bucket]:
        """Positive (or custom) buckets, lowest first."""
        for index in sorted(self.positive):
            lower = self.bound(index - 1)
            inclusive = self.custom and math.isinf(lower)
            yield Bucket(lower, self.bound(index), inclusive, True, self.positive[index], index)

    def bound(self, index: int) -> float:
        """Upper bound of a positive bucket."""
        if self.custom:
            if index < 0:
                return -math.inf
            return self.custom_bounds[index] if index < len(self.custom_bounds) else math.inf
        return exponential_bound(index, self.schema)

    # ---- arithmetic ----

    def scaled(self, factor: float) -> NativeHistogram:
        """Every count and the sum times ``factor``; a negative factor makes it a gauge."""
        return replace(
            self,
            zero_count=self.zero_count * factor,
            count=self.count * factor,
            sum=self.sum * factor,
            positive={index: count * factor for index, count in self.positive.items()},
            negative={index: count * factor for index, count in self.negative.items()},
            counter_reset_hint=CounterResetHint.GAUGE if factor < 0 else self.counter_reset_hint,
        )

    def divided(self, divisor: float) -> NativeHistogram:
        """Every count and the sum divided by ``divisor``; division by zero empties the buckets as IEEE 754 has it."""
        divided = replace(
            self,
            zero_count=_div(self.zero_count, divisor),
            count=_div(self.count, divisor),
            sum=_div(self.sum, divisor),
            positive={index: _div(count, divisor) for index, count in self.positive.items()} if divisor else {},
            negative={index: _div(count, divisor) for index, count in self.negative.items()} if divisor else {},
        )
        return replace(divided, counter_reset_hint=CounterResetHint.GAUGE) if divisor < 0 else divided

    def __add__(self, other: NativeHistogram) -> NativeHistogram:
        """The sum in the coarser of both resolutions; IncompatibleHistogramsError when there is none."""
        return self._combined(other, 1.0)

    def __sub__(self, other: NativeHistogram) -> NativeHistogram:
        """The difference in the coarser of both resolutions."""
        return self._combined(other, -1.0)

    def _combined(self, other: NativeHistogram, sign: float) -> NativeHistogram:
        self._check_compatible(other)
        left, right = (self, other) if self.custom else _same_zero_bucket(self, other)
        schema = min(left.schema, right.schema)
        left, right = left.at_schema(schema), right.at_schema(schema)
        return replace(
            left,
            zero_count=left.zero_count + sign * right.zero_count,
            count=left.count + sign * right.count,
            sum=left.sum + sign * right.sum,
            positive=_merged(left.positive, right.positive, sign),
            negative=_merged(left.negative, right.negative, sign),
            counter_reset_hint=_combined_hint(self.counter_reset_hint, other.counter_reset_hint),
        )

    def _check_compatible(self, other: NativeHistogram) -> None:
        if self.custom != other.custom:
            raise IncompatibleSchemaError("cannot combine exponential with custom buckets")
        if self.custom and self.custom_bounds != other.custom_bounds:
            raise IncompatibleBoundsError("cannot combine custom buckets of different bounds")

    def at_schema(self, schema: int) -> NativeHistogram:
        """The same observations in a coarser resolution (itself when equal)."""
        if schema == self.schema or self.custom:
            return self
        shift = self.schema - schema
        return replace(
            self, schema=schema, positive=_coarser(self.positive, shift), negative=_coarser(self.negative, shift)
        )

    def emptied(self) -> NativeHistogram:
        """The same layout without an observation."""
        return replace(self, zero_count=0.0, count=0.0, sum=0.0, positive={}, negative={})

    def with_hint(self, hint: CounterResetHint) -> NativeHistogram:
        """The same histogram with another hint."""
        return self if hint is self.counter_reset_hint else replace(self, counter_reset_hint=hint)

    def compacted(self) -> NativeHistogram:
        """The same histogram without buckets of count zero."""
        return replace(
            self,
            positive={index: count for index, count in self.positive.items() if count != 0},
            negative={index: count for index, count in self.negative.items() if count != 0},
        )

    # ---- zero bucket ----

    def zero_count_at(self, threshold: float) -> tuple[float, float]:
        """The zero bucket's count were it at least as wide as ``threshold``, and its true width.

        A populated bucket that the threshold would cut widens it to the bucket's far bound.
        """
        while True:
            count, threshold = self._absorb(self.zero_count, self.positive, threshold)
            count, wider = self._absorb(count, self.negative, threshold)
            if wider == threshold:
                return count, threshold
            threshold = wider

    def _absorb(self, count: float, buckets: Mapping[int, float], threshold: float) -> tuple[float, float]:
        for index in sorted(buckets):
            if self.bound(index - 1) >= threshold:
                break
            count += buckets[index]
            upper = self.bound(index)
            if upper > threshold:
                if buckets[index] != 0:
                    threshold = upper
                break
        return count, threshold

    def with_zero_threshold(self, threshold: float) -> NativeHistogram:
        """The same observations with a zero bucket at least this wide."""
        if threshold <= self.zero_threshold:
            return self
        count, width = self.zero_count_at(threshold)
        return replace(
            self,
            zero_threshold=width,
            zero_count=count,
            positive=self._beyond(self.positive, width),
            negative=self._beyond(self.negative, width),
        )

    def _beyond(self, buckets: Mapping[int, float], threshold: float) -> dict[int, float]:
        return {index: count for index, count in buckets.items() if self.bound(index) > threshold}

    # ---- comparison ----

    def reset_since(self, previous: NativeHistogram) -> bool:
        """Whether the counter behind this histogram was reset after ``previous`` was taken."""
        if self.counter_reset_hint in (CounterResetHint.RESET, CounterResetHint.NOT_RESET):
            return self.counter_reset_hint is CounterResetHint.RESET
        if self.count < previous.count or self.custom != previous.custom:
            return True
        if self.custom:
            return self.custom_bounds != previous.custom_bounds or _decreased(self.positive, previous.positive)
        if self._layout_was_reset(previous):
            return True
        before = previous.with_zero_threshold(self.zero_threshold).at_schema(self.schema)
        return _decreased(self.positive, before.positive) or _decreased(self.negative, before.negative)

    def _layout_was_reset(self, previous: NativeHistogram) -> bool:
        """Whether resolution or zero bucket became finer, or the zero bucket lost observations."""
        if self.schema > previous.schema or self.zero_threshold < previous.zero_threshold:
            return True
        zero_count, threshold = previous.zero_count_at(self.zero_threshold)
        return threshold != self.zero_threshold or self.zero_count < zero_count

    def __eq__(self, other: object) -> bool:
        """Equal counts in every bucket, floats compared bit for bit except that NaN equals NaN; hints do not matter."""
        if not isinstance(other, NativeHistogram):
            return NotImplemented
        if self.schema != other.schema or not _same(self.zero_threshold, other.zero_threshold):
            return False
        totals = ((self.zero_count, other.zero_count), (self.count, other.count), (self.sum, other.sum))
        return (
            all(_same(left, right) for left, right in totals)
            and self.custom_bounds == other.custom_bounds
            and _same_buckets(self.positive, other.positive)
            and _same_buckets(self.negative, other.negative)
        )

    def __hash__(self) -> int:
        return hash((self.schema, self.count, self.sum, self.zero_count))

    def __repr__(self) -> str:
        return f"NativeHistogram({self})"

    def __str__(self) -> str:
        """Prometheus' text form: ``{count:4, sum:5, (1,2]:2, ...}``."""
        parts = [f"count:{format_float_g(self.count)}", f"sum:{format_float_g(self.sum)}"]
        for bucket in self.buckets():
            if bucket.count:
                left = "[" if bucket.lower_inclusive else "("
                right = "]" if bucket.upper_inclusive else ")"
                parts.append(
                    f"{left}{format_float_g(bucket.lower)},{format_float_g(bucket.upper)}{right}:{format_float_g(bucket.count)}"
                )
        return "{" + ", ".join(parts) + "}"


def exponential_bound(index: int, schema: int) -> float:
    """``2**(index * 2**-schema)``, infinite beyond the largest float."""
    if schema <= 0:
        exponent = index << -schema
        return math.inf if exponent > 1024 else _ldexp(1.0, exponent) if exponent != 1024 else _LARGEST
    whole, fraction = divmod(index, 1 << schema)
    if fraction == 0 and whole == 1024:
        return _LARGEST
    return _ldexp(2.0 ** (fraction / (1 << schema)), whole)


_LARGEST = 1.7976931348623157e308


def _ldexp(mantissa: float, exponent: int) -> float:
    try:
        return math.ldexp(mantissa, exponent)
    except OverflowError:
        return math.inf


def _same_zero_bucket(left: NativeHistogram, right: NativeHistogram) -> tuple[NativeHistogram, NativeHistogram]:
    while left.zero_threshold != right.zero_threshold:
        left, right = left.with_zero_threshold(right.zero_threshold), right.with_zero_threshold(left.zero_threshold)
    return left, right


def _merged(left: Mapping[int, float], right: Mapping[int, float], sign: float) -> dict[int, float]:
    merged = dict(left)
    for index, count in right.items():
        merged[index] = merged.get(index, 0.0) + sign * count
    return merged


def _coarser(buckets: Mapping[int, float], shift: int) -> dict[int, float]:
    merged: dict[int, float] = {}
    for index, count in sorted(buckets.items()):
        target = ((index - 1) >> shift) + 1
        merged[target] = merged.get(target, 0.0) + count
    return merged


def _combined_hint(left: CounterResetHint, right: CounterResetHint) -> CounterResetHint:
    if left is right:
        return left
    if CounterResetHint.GAUGE in (left, right):
        return CounterResetHint.GAUGE
    return CounterResetHint.UNKNOWN


def _decreased(now: Mapping[int, float], before: Mapping[int, float]) -> bool:
    return any(now.get(index, 0.0) < count for index, count in before.items())


def _same(left: float, right: float) -> bool:
    return left == right or (math.isnan(left) and math.isnan(right))


def _same_buckets(left: Mapping[int, float], right: Mapping[int, float]) -> bool:
    indexes: Iterable[int] = {*left, *right}
    return all(_same(left.get(index, 0.0), right.get(index, 0.0)) for index in indexes)


def _div(value: float, divisor: float) -> float:
    if divisor:
        return value / divisor
    if value == 0 or math.isnan(value) or math.isnan(divisor):
        return math.nan
    return math.copysign(math.inf, value) * math.copysign(1.0, divisor)
