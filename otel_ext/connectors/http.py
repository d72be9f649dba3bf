"""What HTTP semantic conventions say about a span: old and new attribute names read as one.

Pure functions of an attribute mapping, called for every span; they never raise on values of a wrong type.
Imports nothing of the package. Attribute names: OpenTelemetry semantic conventions, HTTP (stable and 1.20).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["METHOD", "OLD_METHOD", "OLD_STATUS_CODE", "ROUTE", "STATUS_CODE", "status_code_of"]

STATUS_CODE = "http.response.status_code"
OLD_STATUS_CODE = "http.status_code"
METHOD = "http.request.method"
OLD_METHOD = "http.method"
ROUTE = "http.route"

_MAX_CODE = 999


def status_code_of(attributes: Mapping[str, Any]) -> int:
    """The HTTP status code, the new name before the old one; 0 when there is none or it is not a code."""
    code = attributes.get(STATUS_CODE)
    if code is None:
        code = attributes.get(OLD_STATUS_CODE)
        if code is None:
            return 0
    if type(code) is int:  # bool is no status code
        return code if 0 < code <= _MAX_CODE else 0
    return _parsed(code)


def _parsed(code: object) -> int:
    if isinstance(code, str) and len(code) == 3 and code.isascii() and code.isdigit():
        return int(code)
    return 0
