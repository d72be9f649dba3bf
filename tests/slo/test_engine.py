"""The engine in virtual time: detection and reset against the workbook's formulas, young history, missing data."""

from __future__ import annotations

import functools
import itertools
import json
import random
from fractions import Fraction

import pytest

from otel_ext.alerting import AlertMachine
from otel_ext.errors import ConfigError, NotFoundError
from otel_ext.model.alerts import AlertState
from otel_ext.model.slos import Slo
from otel_ext.slo import SloEngine
from otel_ext.slo.catalog import BurnRateAlert, BurnRateCatalog, BurnRateWindow
from otel_ext.stats.ring import SnapshotRing

T0 = 1_699_999_200_000
MINUTE, HOUR, DAY = 60, 3_600, 86_400


UNIT = 36_000_000  # traffic is counted in this part of an event, so that every rate here is exact


class Service:
    """A service with constant traffic, and the alerts its engine raised: ``(second, severity, state)``."""

    def __init__(self, *, objective="99.9", rate=10_000, slo=None, **engine):
        self.slo = slo or Slo(name="checkout", objective=objective)
        self.machine = AlertMachine()
        self.engine = SloEngine([self.slo], self.machine, **engine)
        self.rate = rate
        self.second = 0
        self.total_units = 0
        self.bad_units = 0
        self.log = []
        self.tick()

    def counts(self):
        total, bad = self.total_units // UNIT, self.bad_units // UNIT
        return total - bad, total

    def tick(self):
        for transition in self.engine.tick(T0 + self.second * 1000, {self.slo.name: self.counts()}):
            alert = transition.alert
            self.log.append((self.second, alert.labels["severity"], alert.state))

    def run(self, seconds, errors="0", step=1, rate=None, resolution=1):
        """Tick every ``step`` seconds; between ticks the ring hears of the counts every ``resolution`` seconds."""
        end = self.second + seconds
        units = int(Fraction(self.rate if rate is None else rate) * UNIT)
        bad_units = int(units * Fraction(errors))
        record = self.engine._tracked[0].record
        while self.second < end:
            passed = min(resolution, end - self.second)
            self.second += passed
            self.total_units += passed * units
            self.bad_units += passed * bad_units
            if self.second == end or not self.second % step:
                self.tick()
            else:
                record(T0 + self.second * 1000, *self.counts())
        return self

    def add(self, *, bad, total):
        self.total_units += total * UNIT
        self.bad_units += bad * UNIT

    def first(self, severity, state=AlertState.FIRING, after=0):
        return next((s for s, found, new in self.log if (found, new) == (severity, state) and s >= after), None)

    def firing(self):
        return sorted(alert.labels["severity"] for alert in self.machine.alerts() if alert.state is AlertState.FIRING)


@functools.cache
def three_clean_days():
    """A ring that heard of three days without an error, second by second."""
    service = Service().run(3 * DAY, step=DAY)
    return service.engine._tracked[0].ring.to_bytes(), service.total_units


def old_service():
    """A service whose alert windows are all full of good events."""
    service = Service()
    ring, service.total_units = three_clean_days()
    service.engine._tracked[0].ring = SnapshotRing.from_bytes(ring, max_gap_ms=60_000)
    service.second = 3 * DAY
    return service


THEORY = [
    # error ratio, page after, ticket after: the smallest k * b * W / e of the pairs with k * b < e
    ("1", 51.84, 259.2),
    ("0.15", 345.6, 1_728),
    ("0.05", 1_036.8, 5_184),
    ("0.02", 2_592, 12_960),
    ("0.015", 3_456, 17_280),
    ("0.008", 16_200, 32_400),
    ("0.005", None, 51_840),
]


def detect(service, errors, page, ticket):
    """Run an incident with 1 s ticks around the times that matter and 30 s ticks between."""
    onset = service.second
    for expected in sorted(filter(None, (page, ticket))):
        service.run(max(0, onset + int(expected) - 60 - service.second), errors, step=30)
        service.run(onset + int(expected) + 5 - service.second, errors)
    return onset


@pytest.mark.parametrize(("errors", "page", "ticket"), THEORY)
def test_with_full_history_alerts_fire_within_one_tick_of_the_formula(errors, page, ticket):
    service = old_service()
    onset = detect(service, errors, page, ticket)
    for severity, expected in (("page", page), ("ticket", ticket)):
        fired = service.first(severity)
        assert (fired is None) if expected is None else 0 < fired - onset - expected <= 1


@pytest.mark.parametrize(("errors", "page", "ticket"), THEORY)
@pytest.mark.parametrize("history", [0, 7 * MINUTE, 8 * HOUR])
def test_with_young_history_they_fire_at_the_same_times_and_never_the_ticket_first(errors, page, ticket, history):
    service = Service().run(history, step=MINUTE)
    onset = detect(service, errors, page, ticket)
    for severity, expected in (("page", page), ("ticket", ticket)):
        fired = service.first(severity)
        assert (fired is None) if expected is None else 0 < fired - onset - expected <= 1


def test_a_hard_outage_after_a_fresh_start_pages_within_a_minute():
    service = Service(rate=5).run(MINUTE, errors="1")
    assert service.log == [(52, "page", AlertState.FIRING)]


def test_a_page_ends_271_seconds_after_a_ten_minute_incident_of_fifteen_percent():
    service = old_service().run(10 * MINUTE, "0.15")
    end = service.second
    service.run(10 * MINUTE)
    assert 0 <= service.first("page", AlertState.RESOLVED) - end - 271.2 <= 1


@pytest.mark.parametrize("minutes", [3, 10])
def test_the_six_hour_pair_holds_the_page_of_a_hard_outage_for_its_half_hour(minutes):
    service = old_service().run(minutes * MINUTE, "1")
    end = service.second
    service.run(35 * MINUTE)
    assert 0 <= service.first("page", AlertState.RESOLVED) - end - 1_789.2 <= 1


def test_burning_exactly_at_the_threshold_does_not_alert():
    window = BurnRateWindow.of_burn_rate("14.4", long_ms=60_000, short_ms=5_000, slo_window_ms=30 * DAY * 1000)
    catalog = BurnRateCatalog(name="one", alerts=(BurnRateAlert(severity="page", windows=(window,)),))
    service = Service(catalog=catalog).run(2 * MINUTE, "0.0144")
    assert service.log == []
    assert service.run(2 * MINUTE, "0.0145").first("page") is not None


def test_traffic_that_stops_during_an_outage_does_not_end_the_alert_while_the_long_window_remembers():
    service = Service().run(2 * HOUR, step=30).run(5 * MINUTE, "1")
    stopped = service.second
    service.run(54 * MINUTE, rate=0, step=10)
    assert service.firing() == ["page", "ticket"]
    service.run(8 * HOUR, rate=0, step=30)
    assert service.firing() == ["ticket"]
    assert 5 * HOUR < service.first("page", AlertState.RESOLVED) - stopped <= 6 * HOUR


def test_good_traffic_after_silence_ends_the_alert():
    service = Service().run(2 * HOUR, step=30).run(4 * MINUTE, "0.3").run(4 * MINUTE, rate=0)
    assert service.firing() == ["page"]
    service.run(10 * MINUTE, rate=0)
    assert service.firing() == ["page"]
    service.run(MINUTE)
    assert service.firing() == []


def test_a_process_that_slept_in_an_outage_wakes_up_with_the_alert_still_firing():
    service = Service().run(2 * HOUR, step=30).run(20 * MINUTE, "0.02", step=10)
    service.run(30 * MINUTE, "0.02", step=10)
    assert service.firing() == ["page"]
    service.second += 4 * MINUTE
    service.tick()
    service.run(5 * MINUTE, "0.02")
    assert service.firing() == ["page"]
    assert service.first("page", AlertState.RESOLVED) is None


def test_an_slo_without_counts_keeps_its_alert():
    service = Service().run(2 * HOUR, step=30).run(2 * MINUTE, "1")
    assert service.engine.tick(T0 + (service.second + 1) * 1000, {}) == ()
    assert service.firing() == ["page"]


def test_ten_requests_an_hour_page_at_the_third_failure_of_an_outage_and_not_at_the_first():
    service = Service(rate=Fraction(10, HOUR)).run(3 * DAY, step=MINUTE, resolution=30)
    outage = service.second
    service.run(HOUR, errors="1", step=MINUTE, resolution=MINUTE)
    assert service.first("page") - outage == 18 * MINUTE


def test_ten_requests_an_hour_at_exactly_the_budget_page_at_most_once_in_a_year():
    service = Service(rate=0, max_gap_ms=HOUR * 1000)
    chance = random.Random(20)
    for _ in range(365 * 48):
        service.second += HOUR // 2
        service.add(total=5, bad=sum(chance.random() < 0.001 for _ in range(5)))
        service.tick()
    assert service.bad_units > 60 * UNIT
    assert sum(severity == "page" and state is AlertState.FIRING for _, severity, state in service.log) <= 1


def test_one_failure_at_start_up_alerts_nobody():
    service = Service(rate=1).run(10)
    service.add(total=1, bad=1)
    service.run(10 * MINUTE)
    assert service.log == []
    assert service.engine.status("checkout").state == "at_risk"


def test_an_alert_carries_labels_a_summary_and_evidence_that_json_can_hold():
    slo = Slo(name="checkout", objective="99.9", labels={"team": "shop", "severity": "mine"})
    service = Service(slo=slo).run(104, "0.5")
    (alert,) = service.machine.alerts()
    assert dict(alert.labels) == {"alertname": "SloBurnRate", "slo": "checkout", "severity": "page", "team": "shop"}
    assert alert.value == 500
    assert alert.rule.key == "slo/checkout/page"
    assert alert.annotations["summary"] == "checkout burns its error budget 500 times as fast as it may"
    assert alert.annotations["description"].startswith(
        "520000 of 1040000 events (50 %) were bad over 1h, 520000 of 1040000 over 5m."
    )
    evidence = json.loads(json.dumps(dict(alert.evidence)))
    assert evidence["objective"] == "99.9"
    (first, *_) = evidence["windows"]
    assert first["burn_rate_threshold"] == 14.4
    assert first["long"]["window"] == "1h"
    assert first["short"]["bad"] == 520_000


def test_evidence_and_status_carry_example_traces():
    engine = SloEngine([Slo(name="a", objective="99.9")], AlertMachine())
    engine.tick(T0, {"a": (0, 0)})
    engine.tick(T0 + 60_000, {"a": (0, 100)}, {"a": ("ab" * 16,)})
    assert engine.status("a").exemplar_trace_ids == ("ab" * 16,)
    (alert,) = engine._machine.alerts()
    assert alert.evidence["trace_ids"] == ["ab" * 16]


def test_states_go_from_no_data_to_met_to_at_risk_to_breached():
    service = Service(slo=Slo(name="checkout", objective="99.9", window_days=1))
    assert service.engine.status("checkout").state == "no_data"
    service.run(DAY, step=60)
    assert service.engine.status("checkout").state == "met"
    service.run(30, "1")
    status = service.engine.status("checkout")
    assert (status.state, status.coverage) == ("at_risk", 1.0)
    assert 0 < status.budget_remaining < 1
    service.run(60, "1")
    status = service.engine.status("checkout")
    assert status.state == "breached"
    assert status.budget_remaining < 0
    assert status.budget_remaining_events == 864_000 - 900_000


def test_a_young_slo_shows_every_failure_but_is_not_breached_by_one():
    service = Service(rate=10).run(60).run(60, "0.5")
    status = service.engine.status("checkout")
    assert (status.good, status.total, status.state) == (900, 1200, "at_risk")
    assert status.budget_remaining == -249
    assert status.coverage == pytest.approx(120 / (30 * DAY))
    assert status.newest_data_ms == T0 + 120_000


def test_burn_rates_are_given_for_every_window_with_its_coverage():
    service = Service().run(10 * MINUTE, "0.001")
    burn = {rate.window_ms // 1000: rate for rate in service.engine.status("checkout").burn_rates}
    assert sorted(burn) == [300, 1800, HOUR, 2 * HOUR, 6 * HOUR, DAY, 3 * DAY, 30 * DAY]
    assert burn[300].burn == 1
    assert (burn[300].coverage, burn[HOUR].coverage) == (1, 1 / 6)
    assert burn[HOUR].bad == 6_000


def test_a_ninety_day_slo_counts_its_whole_window():
    service = Service(slo=Slo(name="checkout", objective="99.9", window_days=90), max_gap_ms=HOUR * 1000)
    service.run(100 * DAY, "0.0005", step=HOUR, resolution=HOUR)
    status = service.engine.status("checkout")
    assert status.coverage == 1
    assert status.total == 90 * DAY * 10_000
    assert status.budget_remaining == 0.5


def test_the_chart_adds_up_to_the_counts_and_its_budget_ends_where_the_status_does():
    service = Service().run(3 * HOUR, "0.0002", step=10)
    points = service.engine.history("checkout")
    status = service.engine.status("checkout")
    assert len(points) <= 120
    assert sum(point.total for point in points) == status.total
    assert sum(point.good for point in points) == status.good
    assert points[-1].budget_remaining == status.budget_remaining
    assert points[0].budget_remaining > points[-1].budget_remaining
    assert all(b.ts_ms - a.ts_ms == a.step_ms for a, b in itertools.pairwise(points))


def test_the_chart_of_a_first_second_is_empty_and_of_a_first_minute_is_not():
    service = Service()
    assert service.engine.history("checkout") == ()
    service.run(MINUTE)
    assert sum(point.total for point in service.engine.history("checkout")) >= 50 * 10_000


def test_asking_for_an_unknown_slo_lists_the_names():
    engine = SloEngine([Slo(name="b", objective="99"), Slo(name="a", objective="99")], AlertMachine())
    with pytest.raises(NotFoundError, match="no SLO is named 'c'; there are: a, b"):
        engine.status("c")
    with pytest.raises(NotFoundError, match="there are: a, b"):
        engine.history("c")
    assert [status.slo.name for status in engine.statuses()] == ["b", "a"]


def test_without_slos_the_engine_has_nothing_to_say():
    engine = SloEngine([], AlertMachine())
    assert engine.tick(T0, {}) == ()
    assert engine.statuses() == ()
    with pytest.raises(NotFoundError, match="none is defined"):
        engine.status("x")


def test_two_slos_of_one_name_are_an_error():
    with pytest.raises(ConfigError, match="'a' is used 2 times"):
        SloEngine([Slo(name="a", objective="99"), Slo(name="a", objective="98")], AlertMachine())


def test_alerts_that_can_never_fire_are_left_out_and_stated():
    engine = SloEngine([Slo(name="a", objective="90")], AlertMachine())
    (fact,) = engine.facts()
    assert "burn rate 14.4 over 1h can never be reached" in fact


def test_counts_that_go_down_are_refused():
    service = Service().run(2)
    with pytest.raises(ValueError, match="only grow"):
        service.engine.tick(T0 + 3_000, {"checkout": (0, 1)})


def test_ticks_at_one_instant_or_before_it_change_nothing_but_the_counts():
    service = Service().run(60)
    before = service.engine.status("checkout")
    service.engine.tick(T0 + 60_000, {"checkout": (before.good + 1, before.total + 2)})
    service.engine.tick(T0 + 59_000, {"checkout": (before.good + 2, before.total + 3)})
    status = service.engine.status("checkout")
    assert (status.good, status.total) == (before.good + 2, before.total + 3)
    assert service.log == []


def test_five_nines_page_on_half_a_second_of_a_hard_outage():
    service = old_service()
    service.slo = Slo(name="checkout", objective="99.999")
    ring = service.engine._tracked[0].ring
    service.engine = SloEngine([service.slo], service.machine)
    service.engine._tracked[0].ring = ring
    onset = service.second
    assert service.run(3, "1").first("page") == onset + 1


def test_a_service_that_only_ever_failed_has_no_good_event_and_overspends_a_thousandfold():
    status = Service().run(MINUTE, "1").engine.status("checkout")
    assert (status.good, status.sli, status.budget_remaining) == (0, 0.0, -999.0)


def test_a_laptop_that_slept_for_eight_hours_pages_as_fast_as_before():
    service = Service().run(10 * MINUTE)
    service.second += 8 * HOUR
    service.tick()
    onset = service.second
    assert 0 < service.run(MINUTE, "1").first("page") - onset - 51.84 <= 1
    assert service.engine.status("checkout").burn_rates[2].coverage == pytest.approx(60 / HOUR)
