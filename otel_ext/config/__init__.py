"""One strict schema of settings for arguments, ``OTEL_EXT_*`` variables and files; every error names its source.

``load_settings`` gives frozen ``Settings``; nothing here holds state or runs in a thread of its own. Imports the
vocabulary only, yaml and tomllib where a file needs them.
"""

from otel_ext.config.load import LoadedSettings, load_settings
from otel_ext.config.problems import SettingProblem
from otel_ext.config.settings import (
    AlertmanagerSettings,
    AnomalySettings,
    ForwardSettings,
    HttpSettings,
    SamplingSettings,
    Settings,
)

__all__ = [
    "AlertmanagerSettings",
    "AnomalySettings",
    "ForwardSettings",
    "HttpSettings",
    "LoadedSettings",
    "SamplingSettings",
    "SettingProblem",
    "Settings",
    "load_settings",
]
