"""`python -m otel_ext.cli` is `otel-ext`."""

from otel_ext.cli import main

main()
