"""A local OTLP/HTTP endpoint that takes everything and keeps nothing, in a process of its own.

Run as a script by `otel-ext bench overhead`, so that exporters have a real socket to write to while the receiver's
CPU stays out of the measurement. Prints its port as the first line; ends when its standard input closes.
"""

from __future__ import annotations

import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["OtlpSink", "main"]


class OtlpSink(BaseHTTPRequestHandler):
    """Answers every POST with 200 and an empty protobuf message, over connections that stay open."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Read the body, drop it."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature is http.server's
        """Say nothing."""


def main() -> None:
    """Serve until standard input closes."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), OtlpSink)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    print(server.server_address[1], flush=True)
    server.serve_forever()


def _exit_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
