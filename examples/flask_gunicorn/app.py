"""A Flask application for gunicorn. See README.md for the command."""

import os

from flask import Flask

app = Flask(__name__)


@app.get("/hello")
def hello() -> dict[str, object]:
    """Greets, and says which worker did."""
    return {"hello": "you", "pid": os.getpid()}
