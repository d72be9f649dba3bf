"""`otel-ext demo`: a real shop, real load, and what the process itself concludes, live in the terminal."""
