"""``install()``: one call at start-up that attaches to the SDK and starts the local engines.

One handle a process, guarded by one lock. Heavy modules (the engines, numpy, the SDK) are imported when install is
called, not when the package is.
"""

from __future__ import annotations

import atexit
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from otel_ext.banner import banner_text, wants_banner
from otel_ext.config import LoadedSettings, load_settings
from otel_ext.errors import AlreadyInstalledError

if TYPE_CHECKING:
    from otel_ext.attach import Attachment
    from otel_ext.handle import Handle
    from otel_ext.notify import NotifyQueue
    from otel_ext.pipeline import Pipeline
    from otel_ext.web.service import WebService

__all__ = ["activate", "current", "install"]

_lock = threading.RLock()
_handle: Handle | None = None
_exit_registered = False


def install(*, replace: bool = False, **settings: Any) -> Handle:
    """Start otel_ext in this process and return its handle.

    Attaches to the tracer, meter and logger providers that are set already and creates those that are not; never
    replaces one. Called again with the same settings it returns the same handle.

    Args:
        replace: when otel_ext runs with other settings, stop it and start anew.
        **settings: any setting of docs/configuration.md, nested (``http={"port": 0}``) or flat (``http_port=0``);
            they win over ``OTEL_EXT_*`` variables, which win over configuration files.

    Raises:
        ConfigError: a setting is wrong; lists all problems.
        RuleError: a rule file cannot be loaded.
        AlreadyInstalledError: otel_ext runs with other settings and ``replace`` is false.
    """
    return activate(load_settings(settings), replace=replace)


def current() -> Handle | None:
    """The handle of the running installation, ``None`` when there is none."""
    return _handle


def activate(
    loaded: LoadedSettings, *, replace: bool = False, lazy: bool = False, facts: Sequence[str] = ()
) -> Handle:
    """Install validated settings.

    Args:
        replace: as for :func:`install`.
        lazy: start threads and the HTTP port with the first span or log only, and at once in forked children
            (for the parent process of a prefork server, which serves nothing itself).
        facts: what the caller left out, to be stated with the other fallbacks.
    """
    global _handle  # noqa: PLW0603 (one handle a process, owned by this module)
    with _lock:
        if _handle is not None:
            if _handle.settings == loaded.settings:
                return _handle
            if not replace:
                raise AlreadyInstalledError(
                    f"otel_ext is installed already with other settings ({_difference(_handle, loaded)}); "
                    "use the handle that install() returned, or install(..., replace=True)"
                )
            _handle.shutdown()
        _handle = _start(loaded, lazy=lazy, facts=facts)
        _register_exit()
        return _handle


def _difference(handle: Handle, loaded: LoadedSettings) -> str:
    names = [n for n in type(loaded.settings).__slots__ if getattr(handle.settings, n) != getattr(loaded.settings, n)]
    return "different: " + ", ".join(names)


def _start(loaded: LoadedSettings, *, lazy: bool, facts: Sequence[str]) -> Handle:
    from otel_ext.attach import Attachment, forwarding  # noqa: PLC0415 (the SDK and numpy load on install only)
    from otel_ext.handle import Handle  # noqa: PLC0415
    from otel_ext.pipeline import Pipeline  # noqa: PLC0415

    settings = loaded.settings
    attachment = Attachment(settings) if settings.enabled else None
    notify = None if attachment is None else _notify_queue(loaded, attachment)
    pipeline = Pipeline(settings, notify=notify, forwarding=forwarding, origins=loaded.origins)
    for fact in (*map(str, loaded.problems), *facts):
        pipeline.state(fact)
    web = _add_web(pipeline)
    handle = Handle(pipeline, attachment, url=lambda: None if web is None else web.url, on_shutdown=_forget)
    if attachment is None:
        pipeline.state("enabled is false: nothing is measured or evaluated")
        return handle
    _connect(pipeline, attachment, lazy=lazy)
    if wants_banner(settings, is_terminal=sys.stderr.isatty()) and not lazy:
        text = banner_text(settings, url=handle.url, created=attachment.created, facts=handle.facts)
        print(text, file=sys.stderr)  # noqa: T201 (for the person who started it)
    return handle


def _connect(pipeline: Pipeline, attachment: Attachment, *, lazy: bool) -> None:
    from otel_ext.logging_bridge import bridge_logging  # noqa: PLC0415

    if pipeline.settings.state_dir is None:
        pipeline.state("no state_dir: budgets, alerts and anomalies are kept in memory and start anew with the process")
    attachment.connect(pipeline, started=not lazy)
    if "logs" in attachment.created:
        bridge_logging()
    pipeline.start_at_fork = lazy
    if not lazy:
        pipeline.start()


def _notify_queue(loaded: LoadedSettings, attachment: Attachment) -> NotifyQueue | None:
    if not loaded.settings.alertmanager.urls:
        return None
    from otel_ext.attach import service_identity  # noqa: PLC0415
    from otel_ext.notify import AlertmanagerNotifier, NotifyQueue  # noqa: PLC0415

    service, instance = service_identity(attachment.tracer_provider)
    labels = {"job": service, "instance": instance, **loaded.settings.external_labels}
    return NotifyQueue(
        AlertmanagerNotifier(
            loaded.settings.alertmanager.urls,
            timeout_seconds=loaded.settings.alertmanager.timeout_ms / 1000,
            external_labels=labels,
        )
    )


def _add_web(pipeline: Pipeline) -> WebService | None:
    if not (pipeline.settings.enabled and pipeline.settings.http.enabled):
        return None
    from otel_ext.web.service import WebService  # noqa: PLC0415

    service = WebService(pipeline)
    pipeline.add_service(service)
    return service


def _forget(handle: Handle) -> None:
    global _handle  # noqa: PLW0603
    with _lock:
        if _handle is handle:
            _handle = None


def _register_exit() -> None:
    global _exit_registered  # noqa: PLW0603
    if not _exit_registered:
        _exit_registered = True
        atexit.register(_leave)  # after the providers', so before theirs: handlers run last in, first out


def _leave() -> None:
    """At exit: stop, and give forwarding its bounded chance."""
    from otel_ext.attach import forwarding  # noqa: PLC0415

    handle = _handle
    timeout_ms = 1000 if handle is None else handle.settings.forward.shutdown_timeout_ms
    if handle is not None:
        handle.shutdown(timeout_seconds=0.4)
    forwarding.close(timeout_ms / 1000)
    sys.stderr.flush()
