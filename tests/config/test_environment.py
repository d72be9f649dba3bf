"""The module of variables that opentelemetry-instrument reads agrees with the table."""

from __future__ import annotations

from otel_ext.config import environment
from otel_ext.config.schema import CONFIG_VARIABLE, environment_names


def test_there_is_one_constant_for_each_variable_and_its_value_is_its_name() -> None:
    constants = {name: getattr(environment, name) for name in dir(environment) if name.startswith("OTEL_")}
    assert constants == {name: name for name in [*environment_names(), CONFIG_VARIABLE]}
    assert environment.__all__ == sorted(constants)
