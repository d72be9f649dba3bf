"""`otel-ext bench anomaly`: the default detector on labelled folders, by NAB's rules and by incidents found.

Reads `DIR/nab` (values and `windows.json`) and `DIR/microsoft` (values with labels); one configuration and one
threshold for everything. numpy is imported when the command runs.
"""

from __future__ import annotations

import csv
import datetime
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from otel_ext.cli.output import CommandError, console, print_json

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from otel_ext.anomaly.replay import Replayed
    from otel_ext.anomaly.scoring import IncidentScore

__all__ = ["LabelledSeries", "read_microsoft", "read_nab", "register", "run"]

_WEEK_VALUES_MS = 604_800_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSeries:
    """One file: Unix milliseconds, values, and either windows (NAB) or a label for each value."""

    name: str
    at_ms: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    labels: npt.NDArray[np.bool_]
    windows: tuple[tuple[int, int], ...]

    @property
    def interval_ms(self) -> int:
        """Median distance of two values."""
        import numpy as np  # noqa: PLC0415

        return int(np.median(np.diff(self.at_ms)))


def register(parent: typer.Typer) -> None:
    """Add the command to the group `bench`."""
    parent.command("anomaly")(_command)


def _command(
    data: Annotated[Path, typer.Option("--data", help="Folder that holds `nab/`, `microsoft/` or both.")],
    false_alarms_per_week: Annotated[
        float, typer.Option("--false-alarms-per-week", help="The sensitivity, as in the settings.")
    ] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Score the default anomaly detector on labelled series."""
    result = run(data, false_alarms_per_week)
    if as_json:
        print_json(result)
        return
    out = console()
    for part, numbers in result.items():
        out.print(part)
        for name, value in numbers.items():
            out.print(f"  {name:32} {value}")


def run(data: Path, false_alarms_per_week: float) -> dict[str, dict[str, Any]]:
    """All folders that are there; raises CommandError when none is."""
    result: dict[str, dict[str, Any]] = {}
    parts: tuple[tuple[str, Callable[[Path], list[LabelledSeries]], Callable[..., dict[str, Any]]], ...] = (
        ("nab", read_nab, _nab_numbers),
        ("microsoft", read_microsoft, _incident_numbers),
    )
    for name, read, numbers in parts:
        if (data / name).is_dir():
            series = read(data / name)
            started = time.process_time()
            replayed = _replay(series, false_alarms_per_week)
            cpu_seconds = time.process_time() - started
            points = sum(one.values.size for one in series)
            cost = {"series": len(series), "points": points, "cpu us a point": round(cpu_seconds / points * 1e6, 2)}
            result[name] = {**numbers(series, replayed), **cost}
    if not result:
        raise CommandError(f"--data {str(data)!r}: there is neither a folder 'nab' nor 'microsoft' in it", exit_code=2)
    return result


def read_nab(folder: Path) -> list[LabelledSeries]:
    """Every series named in `windows.json` (NAB's `combined_windows.json`)."""
    import numpy as np  # noqa: PLC0415

    found = []
    for name, windows in sorted(json.loads((folder / "windows.json").read_text()).items()):
        at_ms, values, _ = _columns(folder / "data" / name)
        edges = [(_unix_ms(left), _unix_ms(right)) for left, right in windows]
        found.append(
            LabelledSeries(
                name=name,
                at_ms=at_ms,
                values=values,
                labels=np.zeros(values.size, dtype=np.bool_),
                windows=tuple(
                    (int(np.searchsorted(at_ms, left)), int(np.searchsorted(at_ms, right, side="right")) - 1)
                    for left, right in edges
                ),
            )
        )
    return found


def read_microsoft(folder: Path) -> list[LabelledSeries]:
    """Every CSV below the folder with columns time, value, label."""
    found = []
    for path in sorted(folder.rglob("*.csv")):
        at_ms, values, labels = _columns(path)
        name = str(path.relative_to(folder))
        found.append(LabelledSeries(name=name, at_ms=at_ms, values=values, labels=labels, windows=()))
    return found


def _columns(path: Path) -> tuple[Any, Any, Any]:
    import numpy as np  # noqa: PLC0415

    with path.open(newline="") as lines:
        rows = list(csv.reader(lines))[1:]
    at_ms = np.array([_unix_ms(row[0]) for row in rows], dtype=np.float64)
    values = np.array([float(row[1]) if row[1] else np.nan for row in rows], dtype=np.float64)
    labels = np.array([len(row) > 2 and row[2].strip() == "1" for row in rows], dtype=np.bool_)
    return at_ms, values, labels


def _unix_ms(text: str) -> float:
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return moment.timestamp() * 1000


def _replay(series: list[LabelledSeries], false_alarms_per_week: float) -> dict[str, Replayed]:
    """All series of one interval go together, as they would in one watch."""
    import numpy as np  # noqa: PLC0415

    from otel_ext.anomaly.replay import replay  # noqa: PLC0415
    from otel_ext.anomaly.seasonal_level import SeasonalLevel  # noqa: PLC0415

    replayed: dict[str, Replayed] = {}
    for interval_ms, group in _by_interval(series):
        ticks = max(one.values.size for one in group)
        values = np.full((ticks, len(group)), np.nan)
        at_ms = np.zeros((ticks, len(group)))
        for column, one in enumerate(group):
            values[: one.values.size, column] = one.values
            at_ms[: one.values.size, column] = one.at_ms
        whole = replay(
            values, at_ms, SeasonalLevel(), interval_ms=interval_ms, false_alarms_per_week=false_alarms_per_week
        )
        for column, one in enumerate(group):
            replayed[one.name] = type(whole)(
                surprise=whole.surprise[: one.values.size, [column]],
                opened=whole.opened[: one.values.size, [column]],
                threshold=whole.threshold,
            )
    return replayed


def _by_interval(series: list[LabelledSeries]) -> Iterator[tuple[int, list[LabelledSeries]]]:
    groups: dict[int, list[LabelledSeries]] = {}
    for one in series:
        groups.setdefault(one.interval_ms, []).append(one)
    yield from sorted(groups.items())


def _nab_numbers(series: list[LabelledSeries], replayed: dict[str, Replayed]) -> dict[str, Any]:
    import numpy as np  # noqa: PLC0415

    from otel_ext.anomaly.scoring import NabProfile, NabSeries, nab_score  # noqa: PLC0415

    files = [NabSeries(length=one.values.size, windows=one.windows) for one in series]
    alarms = [np.flatnonzero(replayed[one.name].opened[:, 0]) for one in series]
    return {
        "standard": round(nab_score(files, alarms), 1),
        "low false positives": round(nab_score(files, alarms, NabProfile(false_positive=0.22)), 1),
        "low false negatives": round(nab_score(files, alarms, NabProfile(false_negative=2.0)), 1),
        "alarms": int(sum(found.size for found in alarms)),
        "windows": sum(len(one.windows) for one in series),
    }


def _incident_numbers(series: list[LabelledSeries], replayed: dict[str, Replayed]) -> dict[str, Any]:
    """The first week of each series is not scored."""
    import numpy as np  # noqa: PLC0415

    from otel_ext.anomaly.scoring import score_incidents  # noqa: PLC0415

    scores: list[IncidentScore] = []
    for one in series:
        alarms = np.flatnonzero(replayed[one.name].opened[:, 0])
        first_week = int(_WEEK_VALUES_MS / one.interval_ms)
        scores.append(score_incidents(alarms, one.labels, interval_ms=one.interval_ms, ignore=first_week))
    total = scores[0]
    for score in scores[1:]:
        total = total + score
    return {
        "incidents": total.incidents,
        "found %": round(100 * total.recall, 1),
        "false alarms a series and week": round(total.false_alarms_per_week, 2),
        "median delay (values)": float(np.median(total.delays)) if total.delays else None,
        "worst series, false alarms a week": round(max(score.false_alarms_per_week for score in scores), 2),
    }
