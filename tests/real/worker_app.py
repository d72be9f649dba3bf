"""The smallest services: an ASGI and a WSGI app that say which process answered and where it tells about itself."""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI
from flask import Flask, jsonify

from otel_ext.install import current

asgi = FastAPI()
wsgi = Flask(__name__)


def _identity() -> dict[str, Any]:
    handle = current()
    return {"pid": os.getpid(), "url": None if handle is None else handle.url}


@asgi.get("/whoami")
def whoami() -> dict[str, Any]:
    """Who answers."""
    return _identity()


@wsgi.get("/whoami")
def flask_whoami() -> Any:
    """Who answers."""
    return jsonify(_identity())
