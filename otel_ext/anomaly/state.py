"""The engine's state as bytes: arrays in numpy's own format, names and open verdicts as JSON, a version in front.

Pure functions; nothing is pickled, so reading foreign bytes runs no code.
"""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from otel_ext.anomaly.detector import Arrays
from otel_ext.model.anomalies import Anomaly
from otel_ext.model.labels import Labels

__all__ = ["SavedState", "decode", "encode"]

_VERSION = 1
_HEADER = "header"


class SavedState(NamedTuple):
    """What :func:`encode` was given."""

    arrays: Arrays
    labels: list[Labels | None]
    last_tick_ms: int | None
    opened: dict[str, dict[int, Anomaly]]
    ended: tuple[Anomaly, ...]


def encode(
    *,
    arrays: Arrays,
    labels: Sequence[Labels | None],
    last_tick_ms: int | None,
    opened: Mapping[str, Mapping[int, Anomaly]],
    ended: Sequence[Anomaly],
) -> bytes:
    """One self-contained value."""
    header = {
        "version": _VERSION,
        "labels": [None if label is None else dict(label) for label in labels],
        "last_tick_ms": last_tick_ms,
        "opened": {name: {str(slot): _plain(a) for slot, a in by_slot.items()} for name, by_slot in opened.items()},
        "ended": [_plain(anomaly) for anomaly in ended],
    }
    text = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{_HEADER: text}, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def decode(saved: bytes) -> SavedState:
    """The opposite; ``ValueError`` says why bytes cannot be used."""
    try:
        with np.load(io.BytesIO(saved), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(arrays.pop(_HEADER).tobytes())
    except (zipfile.BadZipFile, OSError, KeyError, EOFError, ValueError) as error:
        raise ValueError(f"saved anomaly state is damaged: {error}") from error
    if header.get("version") != _VERSION:
        raise ValueError(f"saved anomaly state has version {header.get('version')!r}; this one reads {_VERSION}")
    return SavedState(
        arrays=arrays,
        labels=[None if label is None else Labels(label) for label in header["labels"]],
        last_tick_ms=header["last_tick_ms"],
        opened={
            name: {int(slot): _anomaly(plain) for slot, plain in by_slot.items()}
            for name, by_slot in header["opened"].items()
        },
        ended=tuple(_anomaly(plain) for plain in header["ended"]),
    )


def _plain(anomaly: Anomaly) -> dict[str, Any]:
    fields = {field.name: getattr(anomaly, field.name) for field in dataclasses.fields(anomaly)}
    return {**fields, "series": dict(anomaly.series)}


def _anomaly(plain: dict[str, Any]) -> Anomaly:
    return Anomaly(**{**plain, "series": Labels(plain["series"])})
