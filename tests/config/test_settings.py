"""Settings are values: equal by value, safe to print."""

from __future__ import annotations

import dataclasses

import pytest

from otel_ext.config import AlertmanagerSettings, ForwardSettings, HttpSettings, Settings
from otel_ext.model.slos import Slo


def test_settings_are_equal_by_value_and_frozen() -> None:
    assert Settings() == Settings()
    assert Settings(http=HttpSettings(port=1)) != Settings()
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().enabled = False  # type: ignore[misc]


def test_the_default_slo_is_availability_of_requests() -> None:
    assert Settings().slos == (Slo(name="requests", objective="99.9"),)


def test_printing_masks_secrets() -> None:
    settings = Settings(alertmanager=AlertmanagerSettings(urls=("http://user:secret@am:9093", "http://b")))
    assert "secret" not in repr(settings)
    assert "http://user:***@am:9093" in repr(settings)
    assert "'http://b'" in repr(settings)


@pytest.mark.parametrize(
    ("enabled", "env", "expected"),
    [
        ("auto", {}, False),
        ("auto", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317"}, True),
        ("auto", {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://c:4317"}, True),
        ("auto", {"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        (True, {}, True),
        (False, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317"}, False),
    ],
)
def test_forwarding_follows_the_standard_endpoints_unless_it_is_set(
    enabled: bool, env: dict[str, str], expected: bool
) -> None:
    assert ForwardSettings(enabled=enabled).wanted(env) is expected
