"""The error budget of an SLO as two integers, and what is exact about it: burn rate, remainder, overspending.

A frozen value made once for each SLO; every decision compares integers. Imports the model and stats.
"""

from __future__ import annotations

from dataclasses import dataclass

from otel_ext.model.slos import Slo
from otel_ext.stats.ring import WindowCount

__all__ = ["Budget"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The share of events that may be bad: ``numerator / denominator``, exact."""

    numerator: int
    denominator: int

    @classmethod
    def of(cls, slo: Slo) -> Budget:
        """The budget of this SLO."""
        return cls(numerator=slo.budget.numerator, denominator=slo.budget.denominator)

    def burn_rate(self, bad: int, total: int) -> float | None:
        """``(bad / total) / budget``, correctly rounded; ``None`` without events."""
        return bad * self.denominator / (total * self.numerator) if total else None

    def remaining(self, bad: int, total: int) -> float | None:
        """``1 - bad / (budget * total)``, correctly rounded; negative when overspent, ``None`` without events."""
        allowed = self.numerator * total
        return (allowed - bad * self.denominator) / allowed if total else None

    def events_left(self, bad: int, total: int) -> int | None:
        """Bad events that still fit, rounded down; negative when overspent, ``None`` without events."""
        return self.numerator * total // self.denominator - bad if total else None

    def is_overspent(self, count: WindowCount) -> bool:
        """Whether more of the events seen are bad than may be."""
        return count.bad * self.denominator > self.numerator * count.total

    def is_gone(self, count: WindowCount) -> bool:
        """Whether the budget of the whole window is spent, its unmeasured part taken as clean at the same traffic."""
        spent = count.bad * self.denominator * count.measured_ms
        return spent > self.numerator * count.total * count.window_ms
