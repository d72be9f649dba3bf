"""Keeps credentials of URLs out of messages, statistics and ``repr``.

Stateless; imports nothing of the package.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit, urlunsplit

__all__ = ["mask_secrets", "mask_url"]

_MASK = "***"


def mask_url(url: str) -> str:
    """The URL with user name, password and query values replaced: ``http://***@am:9093/?token=***``."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    netloc = f"{_MASK}@{host}" if "@" in parts.netloc else host
    query = "&".join(f"{name}={_MASK}" for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    return urlunsplit((parts.scheme, netloc, parts.path, query, ""))


def mask_secrets(text: str, url: str) -> str:
    """``text`` without the credentials that ``url`` holds, wherever they appear in it."""
    parts = urlsplit(url)
    secrets = {value for _, value in parse_qsl(parts.query)} | {parts.query, parts.netloc.rpartition("@")[0]}
    secrets |= {parts.password or "", parts.username or ""}
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) > 2:
            text = text.replace(secret, _MASK)
    return text
