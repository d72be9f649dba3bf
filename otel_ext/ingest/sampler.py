"""The sampler wrapper that lets local engines see every span while exporters get only the sampled ones.

Not the SDK's ``AlwaysRecordSampler``: in Python that one loses the attributes a span was created with. Runs on
the application's threads, at each span start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

from otel_ext import sdk_private

__all__ = ["RecordAllSampler", "record_all", "sampler_from_argument", "stop_recording_all"]


class RecordAllSampler(Sampler):
    """Asks ``delegate`` and turns its DROP into RECORD_ONLY, with the span's attributes kept.

    The sampled flag, the trace state and so what is exported and propagated are the delegate's own.
    """

    def __init__(self, delegate: Sampler) -> None:
        self.delegate = delegate

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """The delegate's decision, with DROP replaced by RECORD_ONLY."""
        result = self.delegate.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        if result.decision is Decision.DROP:
            return SamplingResult(Decision.RECORD_ONLY, attributes, result.trace_state)
        return result

    def get_description(self) -> str:
        """``RecordAll{<delegate>}``."""
        return f"RecordAll{{{self.delegate.get_description()}}}"


def sampler_from_argument(argument: str | None = None) -> Sampler:
    """Entry point ``otel_ext_record_all``: parent based, with the ratio given by ``OTEL_TRACES_SAMPLER_ARG``.

    An argument that is no ratio in [0, 1] samples everything, as the SDK's own samplers do.
    """
    try:
        ratio = float(argument) if argument else 1.0
        root: Sampler = TraceIdRatioBased(ratio)
    except ValueError:
        root = ALWAYS_ON
    return RecordAllSampler(ParentBased(root))


def record_all(provider: Any) -> bool:
    """Wrap the sampler of a live provider, and of the tracers it has handed out already.

    ``False`` when the provider has no sampler to wrap (a vendor's own type).
    """
    if not isinstance(getattr(provider, "sampler", None), Sampler):
        return False
    for owner in (provider, *sdk_private.tracers(provider)):
        if not isinstance(owner.sampler, RecordAllSampler):
            owner.sampler = RecordAllSampler(owner.sampler)
    return True


def stop_recording_all(provider: Any) -> None:
    """Undo :func:`record_all`."""
    for owner in (provider, *sdk_private.tracers(provider)):
        sampler = getattr(owner, "sampler", None)
        if isinstance(sampler, RecordAllSampler):
            owner.sampler = sampler.delegate
