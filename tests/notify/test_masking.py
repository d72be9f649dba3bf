"""Credentials never leave a URL for a message."""

from __future__ import annotations

import pytest

from otel_ext.notify.masking import mask_secrets, mask_url


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("http://am:9093/x", "http://am:9093/x"),
        ("http://user:secret@am:9093/x", "http://***@am:9093/x"),
        ("https://token@am/", "https://***@am/"),
        ("http://am/p?token=secret&a=b", "http://am/p?token=***&a=***"),
    ],
)
def test_a_url_is_shown_without_its_credentials(url: str, masked: str) -> None:
    assert mask_url(url) == masked


def test_a_message_that_repeats_the_url_is_cleaned() -> None:
    url = "http://user:hunter2@am:9093/?token=abcdef"
    text = mask_secrets(f"no route to {url}: hunter2, abcdef", url)
    assert "hunter2" not in text
    assert "abcdef" not in text
