"""OTLP names, units and attributes as Prometheus' OTLP receiver writes them (otlptranslator, Prometheus 3.5).

Pure functions; the caller caches their results a metric and an attribute set.
"""

from __future__ import annotations

import enum
import json
import math
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["MetricKind", "TranslationStrategy", "attribute_text", "label_name", "label_pairs", "metric_name"]

_MAIN_UNITS = {
    "d": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds", "us": "microseconds",
    "ns": "nanoseconds", "By": "bytes", "KiBy": "kibibytes", "MiBy": "mebibytes", "GiBy": "gibibytes",
    "TiBy": "tibibytes", "KBy": "kilobytes", "MBy": "megabytes", "GBy": "gigabytes", "TBy": "terabytes",
    "m": "meters", "V": "volts", "A": "amperes", "J": "joules", "W": "watts", "g": "grams", "Cel": "celsius",
    "Hz": "hertz", "1": "", "%": "percent",
}  # fmt: skip
_PER_UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}
_NOT_TOKEN = re.compile(r"[^a-zA-Z0-9:]+")
_NOT_METRIC = re.compile(r"[^a-zA-Z0-9_:]")
_NOT_LABEL = re.compile(r"[^a-zA-Z0-9_]")


class TranslationStrategy(enum.Enum):
    """How OTLP names become Prometheus names (``otlp.translation_strategy``)."""

    UNDERSCORE_ESCAPING_WITH_SUFFIXES = "UnderscoreEscapingWithSuffixes"
    UNDERSCORE_ESCAPING_WITHOUT_SUFFIXES = "UnderscoreEscapingWithoutSuffixes"
    NO_UTF8_ESCAPING_WITH_SUFFIXES = "NoUTF8EscapingWithSuffixes"
    NO_TRANSLATION = "NoTranslation"

    @property
    def escapes(self) -> bool:
        return self.value.startswith("Underscore")

    @property
    def suffixes(self) -> bool:
        return self.value.endswith("WithSuffixes")


class MetricKind(enum.Enum):
    """The kinds naming tells apart; the value is Prometheus' metric type."""

    COUNTER = "counter"
    UP_DOWN_COUNTER = "gauge "  # a gauge to Prometheus, but without the _ratio suffix
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    EXPONENTIAL_HISTOGRAM = "histogram "

    @property
    def prometheus_type(self) -> str:
        return self.value.strip()


def metric_name(name: str, unit: str, kind: MetricKind, strategy: TranslationStrategy) -> str:
    """The Prometheus metric name of an OTLP metric."""
    if strategy.escapes:
        escaped = _suffixed_tokens(name, unit, kind) if strategy.suffixes else _escape_name(name)
        return f"_{escaped}" if escaped[:1].isdigit() else escaped
    return _suffixed_utf8(name, unit, kind) if strategy.suffixes else name


def _escape_name(name: str) -> str:
    return "_".join(token for token in _NOT_METRIC.split(name) if token)


def _suffixed_tokens(name: str, unit: str, kind: MetricKind) -> str:
    tokens = [token for token in _NOT_TOKEN.split(name) if token]
    main, per = (_clean_unit(part) for part in _unit_suffixes(unit))
    if main and main not in tokens:
        tokens.append(main)
    if per and per not in tokens:
        tokens += ["per", per]
    ending = _kind_suffix(unit, kind)
    if ending:
        tokens = [token for token in tokens if token != ending] + [ending]
    return "_".join(tokens)


def _suffixed_utf8(name: str, unit: str, kind: MetricKind) -> str:
    main, per = _unit_suffixes(unit)
    ending = _kind_suffix(unit, kind)
    if ending:
        name = _trim_suffix(name, ending)
    if per:
        name = _trim_suffix(name, f"per_{per}")
    if main and not name.endswith(main):
        name = f"{name}_{main}"
    if per:
        name = f"{name}_per_{per}"
    return f"{name}_{ending}" if ending else name


def _kind_suffix(unit: str, kind: MetricKind) -> str:
    if kind is MetricKind.COUNTER:
        return "total"
    return "ratio" if unit == "1" and kind is MetricKind.GAUGE else ""


def _trim_suffix(name: str, suffix: str) -> str:
    if name.endswith(suffix) and len(name) > len(suffix):
        return name[: -(len(suffix) + 1)]
    return name


def _unit_suffixes(unit: str) -> tuple[str, str]:
    main, _, per = unit.partition("/")
    main, per = main.strip(), per.strip()
    main = "" if "{" in main or "}" in main else _MAIN_UNITS.get(main, main)
    per = "" if "{" in per or "}" in per else _PER_UNITS.get(per, per)
    return main, per


def _clean_unit(unit: str) -> str:
    return re.sub(r"_+", "_", _NOT_METRIC.sub("_", unit)).removeprefix("_")


def label_name(name: str, strategy: TranslationStrategy) -> str:
    """The Prometheus label name of an attribute key."""
    if not strategy.escapes or not name:
        return name
    escaped = _NOT_LABEL.sub("_", name)
    if escaped[0].isdigit():
        return f"key_{escaped}"
    if escaped.startswith("_") and not escaped.startswith("__"):
        return f"key{escaped}"
    return escaped


def label_pairs(attributes: Mapping[str, Any], strategy: TranslationStrategy) -> dict[str, str]:
    """Attributes as labels; keys that become the same name join their values with ";" in key order."""
    pairs: dict[str, str] = {}
    for key in sorted(attributes):
        name, text = label_name(key, strategy), attribute_text(attributes[key])
        pairs[name] = f"{pairs[name]};{text}" if name in pairs else text
    return pairs


def attribute_text(value: Any) -> str:
    """An attribute value as text: booleans in lower case, whole floats without a point, sequences as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, (list, tuple, Mapping)):
        return json.dumps(_plain(value), separators=(",", ":"), ensure_ascii=False)
    return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(value[key]) for key in sorted(value)}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _float_text(value: float) -> str:
    if not math.isfinite(value):
        return {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN")
    return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)
