"""XXH64 by the published test values, and the hash of labels built on it."""

from __future__ import annotations

import pytest

from otel_ext.model.labels import Labels
from otel_ext.promql.label_hash import label_hash, xxh64


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", 0xEF46DB3751D8E999),
        (b"a", 0xD24EC4F1A98C6E5B),
        (b"abc", 0x44BC2CF5AD770999),
        (b"xxhash", 0x32DD38952C4BC720),
    ],
)
def test_known_digests(data: bytes, digest: int) -> None:
    assert xxh64(data) == digest


def test_labels_hash_by_names_and_values() -> None:
    assert label_hash(Labels(a="b")) == label_hash(Labels(a="b"))
    assert len({label_hash(Labels(a=value)) for value in ("b", "c", "b" * 300, "")}) == 4
