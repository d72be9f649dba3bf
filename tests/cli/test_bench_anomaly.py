"""The anomaly benchmark on small folders of the two layouts it reads."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import numpy as np
import pytest

from otel_ext.cli.bench_anomaly import read_microsoft, read_nab, run
from otel_ext.cli.output import CommandError

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def times(count: int) -> list[str]:
    return [(START + datetime.timedelta(minutes=5 * n)).strftime("%Y-%m-%d %H:%M:%S") for n in range(count)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One series a layout, with one change that nobody misses."""
    values = np.random.default_rng(1).normal(100, 5, 4000)
    values[3000:3050] += 200
    stamps = times(4000)
    nab = tmp_path / "nab" / "data" / "made"
    nab.mkdir(parents=True)
    (nab / "one.csv").write_text(
        "timestamp,value\n" + "".join(f"{at},{value}\n" for at, value in zip(stamps, values, strict=True))
    )
    windows = {"made/one.csv": [[f"{stamps[2990]}.000000", f"{stamps[3060]}.000000"]]}
    (tmp_path / "nab" / "windows.json").write_text(json.dumps(windows))
    microsoft = tmp_path / "microsoft" / "rates"
    microsoft.mkdir(parents=True)
    (microsoft / "one.csv").write_text(
        "TimeStamp,Value,Label\n"
        + "".join(
            f'"{at.replace(" ", "T")}Z",{value},{int(3000 <= n < 3050)}\n'
            for n, (at, value) in enumerate(zip(stamps, values, strict=True))
        )
    )
    return tmp_path


def test_series_are_read_with_their_labels(folder: Path) -> None:
    (nab,), (microsoft,) = read_nab(folder / "nab"), read_microsoft(folder / "microsoft")
    assert nab.windows == ((2990, 3060),)
    assert np.flatnonzero(microsoft.labels).tolist() == list(range(3000, 3050))
    assert nab.interval_ms == microsoft.interval_ms == 300_000
    assert np.array_equal(nab.at_ms, microsoft.at_ms)


def test_an_obvious_change_is_found_in_both_layouts(folder: Path) -> None:
    result = run(folder, 1.0)
    assert result["nab"]["standard"] > 80
    assert result["microsoft"]["found %"] == 100
    assert result["microsoft"]["median delay (values)"] <= 2


def test_a_folder_without_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="neither a folder 'nab' nor 'microsoft'"):
        run(tmp_path, 1.0)
