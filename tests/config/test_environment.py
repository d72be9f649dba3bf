"""The module of variables that opentelemetry-instrument reads agrees with the table."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from otel_ext.config import environment
from otel_ext.config.schema import CONFIG_VARIABLE, environment_names

_GROUP = "opentelemetry_environment_variables"
_ROOT = Path(__file__).parents[2]


def test_there_is_one_constant_for_each_variable_and_its_value_is_its_name() -> None:
    constants = {name: getattr(environment, name) for name in dir(environment) if name.startswith("OTEL_")}
    assert constants == {name: name for name in [*environment_names(), CONFIG_VARIABLE]}
    assert environment.__all__ == sorted(constants)


def test_opentelemetry_instrument_has_a_flag_for_each_variable(tmp_path: Path) -> None:
    paths = [str(_ROOT)]
    if not any(entry.value == "otel_ext.config.environment" for entry in entry_points(group=_GROUP)):
        # Run from a checkout: metadata like that of the installed package, with the one entry point.
        metadata = tmp_path / "otel_ext-0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: otel-ext\nVersion: 0\n")
        (metadata / "entry_points.txt").write_text(f"[{_GROUP}]\notel_ext = otel_ext.config.environment\n")
        paths.append(str(tmp_path))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    code = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"
    done = subprocess.run([sys.executable, "-c", code, "--help"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in (*environment_names(), CONFIG_VARIABLE):
        assert f"--{name.removeprefix('OTEL_').lower()} " in done.stdout
