"""The local HTTP port: ASGI routes over the pipeline's snapshots, the status page, and the server that serves them.

Stateless but for the server's socket and small caches; everything runs in the thread named ``otel-ext-web``. Nothing is
imported here, so that ``otel_ext.web.server`` costs nothing at install.
"""
