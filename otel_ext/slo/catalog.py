"""Multi-window multi-burn-rate alerts as data: which windows, which share of the budget, how severe.

Frozen values and their scaling to an SLO's own window; no state. Imports the model and errors. Source of the
method: The Site Reliability Workbook, chapter 5, "Alerting on SLOs".
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from otel_ext.errors import ConfigError
from otel_ext.model.slos import DAY_MS, Slo
from otel_ext.slo.wording import duration_text, number_text

__all__ = ["SLOTH", "WORKBOOK", "BurnRateAlert", "BurnRateCatalog", "BurnRateThreshold", "BurnRateWindow"]

_MINUTE_MS = 60_000
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRateWindow:
    """One pair of windows: alert when ``budget_share`` of the whole budget went within ``long_ms``.

    Both windows must burn at the same rate: the long one makes it matter, the short one (a twelfth, as a rule)
    makes it end soon after the trouble does. ``min_bad`` is the low-traffic guard: fewer bad events than this in
    the long window never alert. The burn rate is ``budget_share * SLO window / long_ms``.

    Raises:
        ValueError: for windows or shares that make no sense.
    """

    long_ms: int
    short_ms: int
    budget_share: Fraction
    min_bad: int = 3

    def __post_init__(self) -> None:
        if not 1_000 <= self.short_ms < self.long_ms:
            raise ValueError(
                f"short_ms {self.short_ms!r} must be at least 1000 and below long_ms {self.long_ms!r}, "
                "for example short_ms=300_000, long_ms=3_600_000"
            )
        if not 0 < self.budget_share <= 1:
            raise ValueError(f"budget_share {self.budget_share!r} must be above 0 and at most 1, as Fraction(2, 100)")
        if self.min_bad < 1:
            raise ValueError(f"min_bad {self.min_bad!r} must be 1 or more, for example 3")

    @classmethod
    def of_burn_rate(
        cls, burn_rate: Fraction | str | int, *, long_ms: int, short_ms: int, slo_window_ms: int, min_bad: int = 3
    ) -> BurnRateWindow:
        """The pair that alerts at this burn rate on an SLO window of this length (``"14.4"`` on 30 days)."""
        share = Fraction(burn_rate) * long_ms / slo_window_ms
        return cls(long_ms=long_ms, short_ms=short_ms, budget_share=share, min_bad=min_bad)


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRateAlert:
    """One alert an SLO may raise: active when any of its window pairs is. ``severity`` is unique in a catalog."""

    severity: str
    windows: tuple[BurnRateWindow, ...]
    name: str = "SloBurnRate"
    for_ms: int = 0
    keep_firing_for_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRateThreshold:
    """A window pair made concrete for one SLO: both windows must burn faster than ``burn_rate``."""

    long_ms: int
    short_ms: int
    burn_rate: Fraction
    min_bad: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRateCatalog:
    """The alerts of an SLO, written for an SLO window of ``base_window_ms``.

    Budget shares hold for every SLO window. For SLO windows shorter than ``shrink_below_ms`` the alert windows
    shrink in proportion, which keeps the burn rates; for others the windows stay and the burn rates follow.
    ``strict`` makes an alert that can never fire an error; otherwise it is left out and stated.
    """

    name: str
    alerts: tuple[BurnRateAlert, ...]
    base_window_ms: int = 30 * DAY_MS
    shrink_below_ms: int = 0
    strict: bool = True

    def __post_init__(self) -> None:
        severities = [alert.severity for alert in self.alerts]
        if len(set(severities)) != len(severities):
            raise ValueError(f"catalog {self.name!r}: severities {severities!r} must be unique")

    def thresholds(self, slo: Slo, alert: BurnRateAlert) -> tuple[tuple[BurnRateThreshold, ...], tuple[str, ...]]:
        """The window pairs of ``alert`` for this SLO that can fire, and a sentence about each that cannot.

        Raises:
            ConfigError: for one that can never fire, when the catalog is strict.
        """
        usable, facts = [], []
        for threshold in self.scaled(alert, slo.window_ms):
            problem = _problem(slo, threshold)
            if problem is None:
                usable.append(threshold)
            elif self.strict:
                raise ConfigError(f"alert catalog {self.name!r}, {alert.severity}: {problem}")
            else:
                facts.append(f"{alert.severity} alert left out: {problem}")
        return tuple(usable), tuple(facts)

    def scaled(self, alert: BurnRateAlert, slo_window_ms: int) -> tuple[BurnRateThreshold, ...]:
        """The window pairs of ``alert`` for an SLO window of this length, possible or not."""
        shrinks = slo_window_ms < self.shrink_below_ms
        shrink = Fraction(slo_window_ms, self.base_window_ms) if shrinks else Fraction(1)
        return tuple(
            BurnRateThreshold(
                long_ms=int(window.long_ms * shrink),
                short_ms=max(1_000, int(window.short_ms * shrink)),
                burn_rate=window.budget_share * slo_window_ms / int(window.long_ms * shrink),
                min_bad=window.min_bad,
            )
            for window in alert.windows
        )


def _problem(slo: Slo, threshold: BurnRateThreshold) -> str | None:
    burn, window = number_text(threshold.burn_rate), duration_text(threshold.long_ms)
    if threshold.long_ms > slo.window_ms:
        return (
            f"SLO {slo.name!r}: the alert window {window} is longer than the SLO window of {slo.window_days} days; "
            f"use one of at most {duration_text(slo.window_ms)}"
        )
    needed = threshold.burn_rate * slo.budget
    if needed < 1:
        return None
    highest = 1 / slo.budget
    return (
        f"SLO {slo.name!r}: burn rate {burn} over {window} can never be reached, it needs {number_text(needed * 100)} "
        f"% bad events where the objective is {number_text(slo.target * 100)} %; use a burn rate below "
        f"{number_text(highest)}, for example {number_text(highest * Fraction(9, 10))}, or an objective above "
        f"{number_text(100 - 100 / threshold.burn_rate)}"
    )


_PAGE = BurnRateAlert(
    severity="page",
    windows=(
        BurnRateWindow(long_ms=_HOUR_MS, short_ms=5 * _MINUTE_MS, budget_share=Fraction(2, 100)),
        BurnRateWindow(long_ms=6 * _HOUR_MS, short_ms=30 * _MINUTE_MS, budget_share=Fraction(5, 100)),
    ),
)
_TICKET = BurnRateAlert(
    severity="ticket",
    windows=(
        BurnRateWindow(long_ms=DAY_MS, short_ms=2 * _HOUR_MS, budget_share=Fraction(10, 100)),
        BurnRateWindow(long_ms=3 * DAY_MS, short_ms=6 * _HOUR_MS, budget_share=Fraction(10, 100)),
    ),
)

WORKBOOK = BurnRateCatalog(name="workbook", alerts=(_PAGE, _TICKET), shrink_below_ms=28 * DAY_MS, strict=False)
"""The workbook's parameters: page at burn rate 14.4 over 1 h and 6 over 6 h, ticket at 3 over 1 d and 1 over 3 d."""

SLOTH = BurnRateCatalog(name="sloth", alerts=(_PAGE, _TICKET))
"""The same shares as Sloth applies them: windows never shrink, 28 days give 13.44, 5.6, 2.8 and 0.933."""
