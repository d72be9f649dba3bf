"""SeriesSet: array operations on label sets equal the same operations on the label sets themselves."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from otel_ext.model.labels import Labels
from otel_ext.storage.metrics import SeriesSet

NAMES = ("__name__", "a", "b", "c")
label_sets = st.lists(
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["", "x", "y", "z"]), max_size=4).map(Labels), max_size=12
)
some_names = st.lists(st.sampled_from(NAMES), unique=True, max_size=3).map(tuple)


@given(label_sets)
def test_labels_go_in_and_come_out(labels: list[Labels]) -> None:
    series = SeriesSet.of(labels)
    rebuilt = SeriesSet(series.n, series.columns)
    assert list(rebuilt.labels) == labels
    assert [rebuilt.values_of("a"), rebuilt.values_of("none")] == [[s.get("a", "") for s in labels], [""] * len(labels)]


@given(label_sets, some_names)
def test_projections_are_those_of_labels(labels: list[Labels], names: tuple[str, ...]) -> None:
    series = SeriesSet.of(labels)
    assert list(series.without(*names).labels) == [item.without(*names) for item in labels]
    assert list(series.only(*names).labels) == [item.only(*names) for item in labels]


@given(label_sets, some_names, st.booleans())
def test_groups_are_those_of_a_dictionary(labels: list[Labels], names: tuple[str, ...], without: bool) -> None:
    keys = [item.without(*names) if without else item.only(*names) for item in labels]
    groups, codes = SeriesSet.of(labels).group(names, without=without)
    assert list(groups.labels) == list(dict.fromkeys(keys))
    assert [groups.labels[code] for code in codes.tolist()] == keys
    assert SeriesSet.of(labels).has_duplicates() is (len(set(labels)) < len(labels))


@given(label_sets, label_sets, some_names, st.booleans())
def test_signatures_match_exactly_where_labels_do(
    left: list[Labels], right: list[Labels], names: tuple[str, ...], ignoring: bool
) -> None:
    def signature(item: Labels) -> Labels:
        return item.without("__name__", *names) if ignoring else item.only(*names)

    mine, other = SeriesSet.of(left), SeriesSet.of(right)
    left_keys, right_keys = mine.shared_keys(other, names, ignoring=ignoring)
    for i, one in enumerate(left):
        for j, two in enumerate(right):
            assert bool(left_keys[i] == right_keys[j]) is (signature(one) == signature(two))


@given(label_sets, label_sets)
def test_concatenation_keeps_both(left: list[Labels], right: list[Labels]) -> None:
    joined = SeriesSet.of(left).concat(SeriesSet.of(right))
    assert list(SeriesSet(joined.n, joined.columns).labels) == left + right


@given(label_sets, st.data())
def test_taken_series_keep_their_labels(labels: list[Labels], data: st.DataObject) -> None:
    at = data.draw(st.permutations(range(len(labels))).map(lambda rows: rows[: len(rows) // 2 + 1][: len(labels)]))
    taken = SeriesSet.of(labels).take(np.array(at, dtype=np.int64))
    assert list(taken.labels) == [labels[row] for row in at]
    bare = SeriesSet.of(labels)
    again = SeriesSet(bare.n, bare.columns).take(np.array(at, dtype=np.int64)).without("a")
    assert list(again.labels) == [labels[row].without("a") for row in at]


def test_a_label_can_be_set_and_removed() -> None:
    series = SeriesSet.of([Labels(a="1"), Labels(a="2")]).with_column("b", ["x", ""])
    assert list(series.labels) == [Labels(a="1", b="x"), Labels(a="2")]
    assert (series.label(0, "b"), series.label(1, "b")) == ("x", "")
