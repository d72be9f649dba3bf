"""Labels: the identity of a series, an alert or a group. An immutable, hashable mapping sorted by name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

__all__ = ["EMPTY_LABELS", "METRIC_NAME", "Labels"]

METRIC_NAME = "__name__"


class Labels(Mapping[str, str]):
    """Label names to values, sorted by name; equal labels hash equally.

    A label with an empty value is the same as no label (Prometheus data model), so it is dropped here.
    """

    __slots__ = ("_dict", "_hash", "items_sorted")

    items_sorted: tuple[tuple[str, str], ...]

    def __init__(self, pairs: Mapping[str, str] | None = None, /, **names: str) -> None:
        merged = {**(pairs or {}), **names}
        items = tuple(sorted((name, value) for name, value in merged.items() if value != ""))
        self.items_sorted = items
        self._dict = dict(items)
        self._hash = hash(items)

    def __getitem__(self, name: str) -> str:
        return self._dict[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._dict)

    def __len__(self) -> int:
        return len(self._dict)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Labels):
            return self._hash == other._hash and self.items_sorted == other.items_sorted
        if isinstance(other, Mapping):
            return self._dict == dict(other)
        return NotImplemented

    def __repr__(self) -> str:
        inner = ", ".join(f'{name}="{_escape(value)}"' for name, value in self.items_sorted if name != METRIC_NAME)
        return f"{self.metric_name}{{{inner}}}"

    @property
    def metric_name(self) -> str:
        """The value of ``__name__``, or an empty string."""
        return self._dict.get(METRIC_NAME, "")

    def with_labels(self, pairs: Mapping[str, str] | None = None, /, **names: str) -> Labels:
        """A copy with these labels set; an empty value removes the label."""
        return Labels({**self._dict, **(pairs or {}), **names})

    def without(self, *names: str) -> Labels:
        """A copy that lacks these names."""
        return Labels({name: value for name, value in self.items_sorted if name not in names})

    def only(self, *names: str) -> Labels:
        """A copy with these names alone; names that are absent stay absent."""
        return Labels({name: self._dict[name] for name in names if name in self._dict})

    def fingerprint(self) -> str:
        """Sixteen hex digits that are equal for equal labels, in every process and run."""
        digest = hashlib.blake2b(digest_size=8)
        for name, value in self.items_sorted:
            digest.update(f"{name}\xff{value}\xff".encode(errors="surrogatepass"))
        return digest.hexdigest()


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


EMPTY_LABELS = Labels()
