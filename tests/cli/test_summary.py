"""The comparison at the end of the demo, and the detection times."""

from __future__ import annotations

from otel_ext.cli.demo.load import CHECKOUT, LIST_PRODUCTS, SHOW_PRODUCT, LoadTally, Observation
from otel_ext.cli.demo.phases import schedule
from otel_ext.cli.demo.state import DemoState
from otel_ext.cli.demo.summary import all_equal, compare, compare_routes, detections
from otel_ext.cli.demo.verdicts import AlertVerdict, SloVerdict, Verdicts


def tally_of(*answers: tuple[object, int]) -> LoadTally:
    tally = LoadTally()
    for operation, status in answers:
        tally.add(Observation(0.0, operation, status, 0.01))  # type: ignore[arg-type]
    return tally


def slo(name: str, good: int, total: int) -> SloVerdict:
    return SloVerdict(
        name=name, objective="99 %", latency_ms=None, state="met", good=good, total=total,
        budget_remaining=1.0, burn_rates=(),
    )  # fmt: skip


TALLY = [(CHECKOUT, 201), (CHECKOUT, 201), (CHECKOUT, 503), (LIST_PRODUCTS, 200), (SHOW_PRODUCT, 200)]


def test_equal_counts_are_found_equal() -> None:
    verdicts = Verdicts(
        slos=(slo("checkout-availability", 2, 3), slo("catalogue-latency", 1, 2), slo("orders-shipped", 2, 2))
    )

    comparisons = compare(tally_of(*TALLY), verdicts)

    assert all_equal(comparisons)
    assert [(item.sent, item.counted) for item in comparisons] == [(3, 3), (1, 1), (2, 2), (2, 2)]


def test_one_lost_event_is_found() -> None:
    verdicts = Verdicts(
        slos=(slo("checkout-availability", 2, 3), slo("catalogue-latency", 1, 2), slo("orders-shipped", 1, 1))
    )

    assert [item.what for item in compare(tally_of(*TALLY), verdicts) if not item.equal] == ["paid orders"]


def test_a_missing_slo_is_not_equal() -> None:
    assert not any(item.equal for item in compare(tally_of(*TALLY), Verdicts()))


def test_a_request_without_an_answer_may_or_may_not_have_been_counted() -> None:
    tally = tally_of((CHECKOUT, 201))
    tally.unanswered[CHECKOUT] = 1

    for counted in (1, 2):
        assert compare(tally, Verdicts(slos=(slo("checkout-availability", counted, counted),)))[0].equal
    assert not compare(tally, Verdicts(slos=(slo("checkout-availability", 3, 3),)))[0].equal


def test_every_route_of_the_load_is_compared_with_the_span_metrics() -> None:
    comparisons = compare_routes(tally_of(*TALLY), {"POST /checkout": 3, "GET /products": 1})

    assert {item.what: (item.sent, item.counted) for item in comparisons} == {
        "GET /products": (1, 1),
        "GET /products/{product_id}": (1, None),
        "POST /checkout": (3, 3),
    }


def alert(name: str, fired_seconds: float | None, resolved_seconds: float | None) -> AlertVerdict:
    def ms(seconds: float | None) -> int | None:
        return None if seconds is None else round(seconds * 1000)

    return AlertVerdict(
        key=name, name=name, subject="", source="rule", severity="page", state="firing", summary="",
        active_at_ms=round((fired_seconds or 0) * 1000), fired_at_ms=ms(fired_seconds),
        resolved_at_ms=ms(resolved_seconds),
    )  # fmt: skip


def test_the_first_alert_that_fired_within_a_faulty_phase_detected_it() -> None:
    state = DemoState(
        scheduled=schedule(100), rate=40, console_url="", shop_url="", shop_pid=1, forwarding_to=None,
        origin_ms=0, tally=LoadTally(),
    )  # fmt: skip
    slow, burst = state.scheduled[1], state.scheduled[2]
    alerts = [
        alert("Late", slow.start_seconds + 9, None),
        alert("Slow", slow.start_seconds + 4, slow.end_seconds + 7),
        alert("PendingOnly", None, None),
        alert("BeforeAnything", slow.start_seconds - 1, None),
    ]
    state.verdicts.alerts = {item.name: item for item in alerts}

    found = detections(state)

    assert [item.phase for item in found] == ["slow database", "error burst"]
    assert found[0].alert is not None
    assert found[0].alert.name == "Slow"
    assert (round(found[0].fired_after_seconds or 0), round(found[0].resolved_after_seconds or 0)) == (4, 7)
    assert burst.phase.name == found[1].phase
    assert found[1].alert is None
