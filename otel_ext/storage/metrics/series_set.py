"""SeriesSet: many label sets as columns of integer codes, so that grouping, joining and renaming are array work.

Immutable once built, therefore shared between threads; derived sets are memoised on the set they come from, which
makes a rule that is evaluated again cost no label work at all. Imports model only.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt

from otel_ext.model.labels import METRIC_NAME, Labels

__all__ = ["EMPTY_SERIES", "METADATA_LABELS", "UNLABELLED", "LabelColumn", "SeriesSet"]

Codes = npt.NDArray[np.int64]
Index = npt.NDArray[np.int64]
T = TypeVar("T")

_MEMO_LIMIT = 256
METADATA_LABELS = (METRIC_NAME, "__type__", "__unit__")


class LabelColumn(NamedTuple):
    """One label name over all series: ``values[codes[i]]`` is the value of series i; ``values[0]`` is absent ("")."""

    values: Sequence[str]
    codes: Codes


class SeriesSet:
    """``n`` label sets. Two series of one set may carry equal labels only between evaluation steps."""

    __slots__ = ("_built", "_labels", "_memo", "_origin", "columns", "n")

    def __init__(self, n: int, columns: Mapping[str, LabelColumn]) -> None:
        self.n = n
        self.columns = dict(columns)
        self._labels: tuple[Labels, ...] | None = None
        self._built: list[Labels | None] | None = None  # single label sets that others asked for
        self._origin: tuple[SeriesSet, Index] | None = None  # where these series were taken from
        self._memo: dict[Hashable, object] = {}

    @classmethod
    def of(cls, labels: Iterable[Mapping[str, str]]) -> SeriesSet:
        """Build from label sets, in their order."""
        rows = tuple(item if isinstance(item, Labels) else Labels(item) for item in labels)
        codes: dict[str, Codes] = {}
        dictionaries: dict[str, dict[str, int]] = {}
        for position, row in enumerate(rows):
            for name, value in row.items_sorted:
                dictionary = dictionaries.get(name)
                if dictionary is None:
                    dictionary = dictionaries[name] = {"": 0}
                    codes[name] = np.zeros(len(rows), dtype=np.int64)
                codes[name][position] = dictionary.setdefault(value, len(dictionary))
        made = cls(len(rows), {name: LabelColumn(tuple(dictionaries[name]), codes[name]) for name in codes})
        made._labels = rows
        return made

    def memo(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` returned for ``key`` the first time (idempotent: a race computes it twice)."""
        if key in self._memo:
            return cast("T", self._memo[key])
        made = make()
        if len(self._memo) >= _MEMO_LIMIT:
            self._memo = {}
        self._memo[key] = made
        return made

    @property
    def labels(self) -> tuple[Labels, ...]:
        """The label sets as values, built on first use."""
        if self._labels is None:
            self._labels = self._build_labels()
        return self._labels

    def _build_labels(self) -> tuple[Labels, ...]:
        if self._origin is not None:
            source, rows = self._origin
            return source.labels_at(rows.tolist())
        columns = [(name, column.values, column.codes.tolist()) for name, column in sorted(self.columns.items())]
        return tuple(
            Labels({name: values[codes[row]] for name, values, codes in columns if codes[row]}) for row in range(self.n)
        )

    def labels_at(self, rows: Sequence[int]) -> tuple[Labels, ...]:
        """Some of the label sets, each built once however often it is asked for."""
        if self._labels is not None:
            return tuple(self._labels[row] for row in rows)
        if self._origin is not None:
            source, taken = self._origin
            return source.labels_at(taken[np.asarray(rows, dtype=np.int64)].tolist())
        built = self._built
        if built is None:
            built = self._built = [None] * self.n
        return tuple([self._built_row(built, row) if (kept := built[row]) is None else kept for row in rows])

    def _built_row(self, built: list[Labels | None], row: int) -> Labels:
        pairs = {name: column.values[column.codes[row]] for name, column in self.columns.items() if column.codes[row]}
        made = built[row] = Labels(pairs)
        return made

    def label(self, row: int, name: str) -> str:
        """The value of one label of one series, "" when absent."""
        column = self.columns.get(name)
        return "" if column is None else column.values[int(column.codes[row])]

    def values_of(self, name: str) -> list[str]:
        """The value of one label for every series, "" where absent."""
        column = self.columns.get(name)
        if column is None:
            return [""] * self.n
        return [column.values[code] for code in column.codes.tolist()]

    def take(self, rows: Index) -> SeriesSet:
        """The series at these positions, which are distinct, in their order."""
        taken = SeriesSet(
            len(rows), {name: LabelColumn(column.values, column.codes[rows]) for name, column in self.columns.items()}
        )
        taken._origin = (self, rows) if self._origin is None else (self._origin[0], self._origin[1][rows])
        return taken

    def without(self, *names: str) -> SeriesSet:
        """The same series lacking these labels."""
        if not any(name in self.columns for name in names):
            return self
        return self.memo(
            ("without", names),
            lambda: SeriesSet(self.n, {name: column for name, column in self.columns.items() if name not in names}),
        )

    def only(self, *names: str) -> SeriesSet:
        """The same series with these labels alone."""
        return self.memo(
            ("only", names),
            lambda: SeriesSet(self.n, {name: self.columns[name] for name in names if name in self.columns}),
        )

    def with_column(self, name: str, values: Sequence[str]) -> SeriesSet:
        """The same series with one label set to these values ("" removes it)."""
        dictionary: dict[str, int] = {"": 0}
        codes = np.fromiter((dictionary.setdefault(v, len(dictionary)) for v in values), dtype=np.int64, count=self.n)
        return SeriesSet(self.n, {**self.columns, name: LabelColumn(tuple(dictionary), codes)})

    def drop_metric_name(self) -> SeriesSet:
        """The same series without ``__name__`` and the labels that describe the metric of that name."""
        return self.without(*METADATA_LABELS)

    def group(self, names: tuple[str, ...], *, without: bool) -> tuple[SeriesSet, Index]:
        """Distinct groups in order of first appearance, and the group number of each series."""
        return self.memo(("group", names, without), lambda: self._group(names, without=without))

    def _group(self, names: tuple[str, ...], *, without: bool) -> tuple[SeriesSet, Index]:
        projected = self.without(*names) if without else self.only(*names)
        codes, first = projected.identity()
        return projected.take(first), codes

    def identity(self) -> tuple[Index, Index]:
        """A number per distinct label set for each series, and where each number appeared first."""
        return self.memo("identity", self._identity)

    def _identity(self) -> tuple[Index, Index]:
        return _renumber(_combine([column.codes for column in self.columns.values()], self.n))

    def has_duplicates(self) -> bool:
        """Whether two series carry equal labels."""
        if self._origin is not None and not self._origin[0].has_duplicates():
            return False
        return len(self.identity()[1]) != self.n

    def concat(self, other: SeriesSet) -> SeriesSet:
        """These series followed by the other's."""
        columns: dict[str, LabelColumn] = {}
        for name in {**self.columns, **other.columns}:
            left, right = self._column(name), other._column(name)
            values, recoded = _unify(left, right)
            columns[name] = LabelColumn(values, np.concatenate([left.codes, recoded]))
        joined = SeriesSet(self.n + other.n, columns)
        if self._labels is not None and other._labels is not None:
            joined._labels = self._labels + other._labels
        return joined

    def _column(self, name: str) -> LabelColumn:
        return self.columns.get(name) or LabelColumn(("",), np.zeros(self.n, dtype=np.int64))

    def shared_keys(self, right: SeriesSet, names: tuple[str, ...], *, ignoring: bool) -> tuple[Index, Index]:
        """Signature numbers that are equal exactly where both sides agree on the matching labels.

        ``ignoring`` matches on all labels but ``names`` (and ``__name__``), else on ``names`` alone.
        """
        key = ("shared", id(right), names, ignoring)
        held = self.memo(key, lambda: (right, self._shared_keys(right, names, ignoring=ignoring)))
        return held[1] if held[0] is right else self._shared_keys(right, names, ignoring=ignoring)

    def _shared_keys(self, right: SeriesSet, names: tuple[str, ...], *, ignoring: bool) -> tuple[Index, Index]:
        if ignoring:
            excluded = {*names, METRIC_NAME}
            used = [name for name in {**self.columns, **right.columns} if name not in excluded]
        else:
            used = [name for name in names if name in self.columns or name in right.columns]
        parts: list[Codes] = []
        for name in used:
            mine, other = self._column(name), right._column(name)
            parts.append(np.concatenate([mine.codes, _unify(mine, other)[1]]))
        keys = _combine(parts, self.n + right.n)
        return keys[: self.n], keys[self.n :]


def _unify(left: LabelColumn, right: LabelColumn) -> tuple[Sequence[str], Codes]:
    """The left's values extended by those of the right, and the right's codes into them."""
    if left.values is right.values:
        return left.values, right.codes
    dictionary = {value: code for code, value in enumerate(left.values)}
    codes = (dictionary.setdefault(value, len(dictionary)) for value in right.values)
    mapping = np.fromiter(codes, dtype=np.int64, count=len(right.values))
    return tuple(dictionary), mapping[right.codes]


def _combine(parts: Sequence[Codes], n: int) -> Codes:
    """One number a row that is equal exactly where all parts are equal."""
    key = np.zeros(n, dtype=np.int64)
    for part in parts:
        if not n:
            break
        spread = int(part.max()) + 1
        if spread == 1:
            continue
        if int(key.max()) > (1 << 62) // spread:
            key = np.unique(key, return_inverse=True)[1].astype(np.int64).reshape(-1)
        key = key * spread + part
    return key


def _renumber(key: Codes) -> tuple[Index, Index]:
    """Dense numbers in order of first appearance, and the position of each first appearance."""
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[inverse.reshape(-1)], first[order].astype(np.int64)


EMPTY_SERIES = SeriesSet(0, {})
UNLABELLED = SeriesSet(1, {})
