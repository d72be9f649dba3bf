"""What a service promises, and how it stands: SLO definitions and their status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType

__all__ = ["BurnRate", "Slo", "SloStatus"]

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """A service level objective counted on SERVER and CONSUMER spans, one event a span.

    Args:
        name: unique name, used as the value of the label ``slo``.
        objective: share of good events in percent, exact: ``"99.9"`` (a string or an int; a float is read by
            its shortest decimal form).
        latency_ms: when set, a good event is also one that took at most this many milliseconds, decided
            exactly on each span; ``None`` makes it an availability SLO.
        window_days: rolling window, 1 to 90 days.
        match: span attributes (``http.route``, ``http.request.method``) or ``span.name``, ``span.kind``,
            ``service.name`` that an event must carry to count; a value ending in ``*`` matches a prefix.
        description: shown to people.
        labels: added to this SLO's alerts and metrics (``team``, ``tier``).

    Raises:
        ConfigError: where it is read from settings; ``ValueError`` where it is built in code.
    """

    name: str
    objective: str | int | float | Fraction
    latency_ms: float | None = None
    window_days: int = 30
    match: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if not self.name or len(self.name) > 128:
            raise ValueError(f"Slo name {self.name!r}: 1 to 128 characters, for example 'checkout-availability'")
        if not 0 < self.target < 1:
            raise ValueError(
                f"Slo {self.name!r}: objective {self.objective!r} must be above 0 and below 100 percent, "
                "for example 99.9"
            )
        if self.latency_ms is not None and not self.latency_ms > 0:
            raise ValueError(f"Slo {self.name!r}: latency_ms {self.latency_ms!r} must be above 0, for example 300")
        if not 1 <= self.window_days <= 90:
            raise ValueError(f"Slo {self.name!r}: window_days {self.window_days!r} must be 1 to 90, for example 30")

    @property
    def target(self) -> Fraction:
        """The objective as an exact ratio in (0, 1)."""
        percent = self.objective if isinstance(self.objective, Fraction) else Fraction(str(self.objective))
        return percent / 100

    @property
    def budget(self) -> Fraction:
        """The allowed share of bad events, ``1 - target``, exact."""
        return 1 - self.target

    @property
    def window_ms(self) -> int:
        """The rolling window in milliseconds."""
        return self.window_days * DAY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRate:
    """How fast the budget is spent over one window: 1.0 spends it exactly by the end of the SLO window.

    ``coverage`` is the share of the window that was measured; ``burn`` is ``None`` without events.
    """

    window_ms: int
    bad: int
    total: int
    burn: float | None
    coverage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SloStatus:
    """How an SLO stands at ``ts_ms``, from integer counts over its window.

    ``state``: ``met``, ``at_risk`` (a burn-rate alert is active), ``breached`` (budget spent) or ``no_data``.
    ``budget_remaining`` is a ratio, negative when overspent, ``None`` without events.
    """

    slo: Slo
    ts_ms: int
    good: int
    total: int
    state: str
    sli: float | None
    budget_remaining: float | None
    budget_remaining_events: int | None
    burn_rates: tuple[BurnRate, ...]
    coverage: float
    newest_data_ms: int | None
    exemplar_trace_ids: tuple[str, ...] = ()
