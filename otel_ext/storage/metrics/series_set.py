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

__all__ = ["EMPTY_SERIES", "METADATA_LABELS", "UNLABELLED", "LabelColumn", "SeriesSet", "shared_keys"]

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

    __slots__ = ("_labels", "_memo", "columns", "n")

    def __init__(self, n: int, columns: Mapping[str, LabelColumn]) -> None:
        self.n = n
        self.columns = dict(columns)
        self._labels: tuple[Labels, ...] | None = None
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
        self._remember(key, made)
        return made

    def _remember(self, key: Hashable, made: object) -> None:
        if len(self._memo) >= _MEMO_LIMIT:
            self._memo = {}
        self._memo[key] = made

    @property
    def labels(self) -> tuple[Labels, ...]:
        """The label sets as values, built on first use."""
        if self._labels is None:
            self._labels = self._build_labels()
        return self._labels

    def _build_labels(self) -> tuple[Labels, ...]:
        columns = [(name, column.values, column.codes.tolist()) for name, column in sorted(self.columns.items())]
        return tuple(
            Labels({name: values[codes[row]] for name, values, codes in columns if codes[row]}) for row in range(self.n)
        )

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
        """The series at these positions, in their order."""
        taken = SeriesSet(
            len(rows), {name: LabelColumn(column.values, column.codes[rows]) for name, column in self.columns.items()}
        )
        if self._labels is not None and len(rows) <= 64:
            taken._labels = tuple(self._labels[row] for row in rows.tolist())
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


def shared_keys(left: SeriesSet, right: SeriesSet, names: tuple[str, ...], *, ignoring: bool) -> tuple[Index, Index]:
    """Signature numbers that are equal exactly where both sides agree on the matching labels.

    ``ignoring`` matches on all labels but ``names`` (and ``__name__``), else on ``names`` alone.
    """
    key = ("shared", id(right), names, ignoring)
    found = left._memo.get(key)
    if found is not None and cast("tuple[object, object]", found)[0] is right:
        return cast("tuple[SeriesSet, tuple[Index, Index]]", found)[1]
    keys = _shared_keys(left, right, names, ignoring=ignoring)
    left._remember(key, (right, keys))
    return keys


def _shared_keys(left: SeriesSet, right: SeriesSet, names: tuple[str, ...], *, ignoring: bool) -> tuple[Index, Index]:
    if ignoring:
        excluded = {*names, METRIC_NAME}
        used = [name for name in {**left.columns, **right.columns} if name not in excluded]
    else:
        used = [name for name in names if name in left.columns or name in right.columns]
    parts: list[Codes] = []
    for name in used:
        mine, other = left._column(name), right._column(name)
        parts.append(np.concatenate([mine.codes, _unify(mine, other)[1]]))
    keys = _combine(parts, left.n + right.n)
    return keys[: left.n], keys[left.n :]


def _unify(left: LabelColumn, right: LabelColumn) -> tuple[Sequence[str], Codes]:
    """The left's values extended by those of the right, and the right's codes into them."""
    if left.values is right.values:
        return left.values, right.codes
    dictionary = {value: code for code, value in enumerate(left.values)}
    mapping = np.fromiter(
        (dictionary.setdefault(value, len(dictionary)) for value in right.values), dtype=np.int64, count=len(right.values)
    )
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
