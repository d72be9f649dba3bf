"""The effective settings with the origin of each value, secrets masked.

Pure functions; called by the status route in the web thread. Imports config.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from otel_ext.config.display import show
from otel_ext.config.schema import SETTINGS
from otel_ext.config.settings import Settings
from otel_ext.model.slos import Slo

__all__ = ["settings_json"]


def settings_json(settings: Settings, origins: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every setting in the order of the schema: name, value as one line of text, where the value came from."""
    return [
        {
            "name": setting.name,
            "value": _shown(attrgetter(setting.field)(settings)),
            "origin": origins.get(setting.name, "unknown"),
        }
        for setting in SETTINGS
    ]


def _shown(value: object) -> str:
    if isinstance(value, tuple) and any(isinstance(item, Slo) for item in value):
        return show([f"{item.name} {float(item.target * 100):.10g} %" for item in value])
    return show(value)
