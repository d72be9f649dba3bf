"""Burn-rate decisions against a reference that keeps every event and computes with fractions."""

from __future__ import annotations

import itertools
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_ext.alerting import AlertMachine
from otel_ext.model.alerts import AlertState
from otel_ext.model.slos import Slo
from otel_ext.slo import SloEngine
from otel_ext.slo.catalog import BurnRateAlert, BurnRateCatalog, BurnRateWindow

T0 = 1_700_000_000_000
GAP_MS = 20_000
PAIRS = ((60, 5, "14.4"), (360, 30, "6"))
CATALOG = BurnRateCatalog(
    name="small",
    alerts=(
        BurnRateAlert(
            severity="page",
            windows=tuple(
                BurnRateWindow.of_burn_rate(
                    rate, long_ms=long * 1000, short_ms=short * 1000, slo_window_ms=30 * 86_400_000, min_bad=2
                )
                for long, short, rate in PAIRS
            ),
        ),
    ),
)


class Reference:
    """Keeps every tick; decides each pair of windows with fractions."""

    def __init__(self, budget):
        self.rows = []
        self.budget = budget
        self.active = [False for _ in PAIRS]

    def seen(self, seconds):
        now = self.rows[-1][0]
        inside = [row for row in self.rows if now - seconds * 1000 < row[0]]
        return sum(row[1] for row in inside), sum(row[1] + row[2] for row in inside)

    def coverage(self, seconds):
        times = [row[0] for row in self.rows]
        start = times[-1] - seconds * 1000
        steps = [(max(a, start), b) for a, b in itertools.pairwise(times) if b - a <= GAP_MS and b > start]
        return Fraction(sum(b - a for a, b in steps), seconds * 1000)

    def tick(self, ts_ms, bad, good):
        self.rows.append((ts_ms, bad, good))
        for number, (long, short, rate) in enumerate(PAIRS):
            limit = Fraction(rate) * self.budget
            if self.active[number]:
                self.active[number] = self.over_seen(long, limit) and (
                    not self.seen(short)[1] or self.over_seen(short, limit)
                )
            else:
                self.active[number] = self.seen(long)[0] >= 2 and all(
                    self.over_whole(seconds, limit) for seconds in (long, short)
                )
        return any(self.active)

    def over_seen(self, seconds, limit):
        bad, total = self.seen(seconds)
        return total > 0 and Fraction(bad, total) > limit

    def over_whole(self, seconds, limit):
        bad, total = self.seen(seconds)
        coverage = self.coverage(seconds)
        return total > 0 and coverage > 0 and bad > limit * total / coverage


TICKS = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 1, 2, 5, 20, 21, 60, 400]),
        st.sampled_from([0, 0, 1, 2, 10, 100]),
        st.sampled_from([0, 0, 1, 10, 100, 1000]),
    ),
    min_size=5,
    max_size=80,
)


@settings(max_examples=400, deadline=None)
@given(ticks=TICKS, objective=st.sampled_from(["99.9", "99", "95", "93.1", "99.999"]))
def test_every_decision_equals_that_of_fractions_over_all_events(ticks, objective):
    slo = Slo(name="s", objective=objective)
    machine, reference = AlertMachine(), Reference(slo.budget)
    engine = SloEngine([slo], machine, CATALOG, max_gap_ms=GAP_MS)
    ts_ms, good, bad = T0, 0, 0
    for wait, more_bad, more_good in ticks:
        ts_ms, good, bad = ts_ms + wait * 1000, good + more_good, bad + more_bad
        engine.tick(ts_ms, {"s": (good, good + bad)})
        expected = reference.tick(ts_ms, more_bad, more_good)
        firing = [alert for alert in machine.alerts() if alert.state is AlertState.FIRING]
        assert bool(firing) == expected
        assert engine.status("s").total == good + bad
