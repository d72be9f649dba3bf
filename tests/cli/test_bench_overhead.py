"""The overhead benchmark: its arithmetic, and one small real run."""

from __future__ import annotations

import pytest
from rich.console import Console
from rich.progress import Progress

from otel_ext.cli.bench_overhead import measure_operation, measure_start_up, otlp_sink, paired_ratio


def test_the_ratio_is_of_pairs_not_of_sums() -> None:
    low, middle, high = paired_ratio([1.0, 10.0, 1.0], [1.1, 10.0, 1.2])

    assert (low, middle, high) == pytest.approx((1.05, 1.1, 1.15))


def test_one_pair_has_no_spread() -> None:
    assert paired_ratio([2.0], [3.0]) == (1.5, 1.5, 1.5)


@pytest.mark.real
def test_a_small_run_measures_both_variants() -> None:
    with otlp_sink() as endpoint, Progress(console=Console(quiet=True)) as progress:
        span = measure_operation("span", endpoint, blocks=2, count=2000, progress=progress)
        request = measure_operation("request", endpoint, blocks=2, count=200, progress=progress)
        start_up = measure_start_up(endpoint, interpreters=1, progress=progress)

    for measured in (span, request):
        assert measured.bare_us > 0
        assert measured.extended_us > 0
        assert measured.ratio_p25 <= measured.ratio <= measured.ratio_p75
    assert start_up.bare_wall_seconds > 0
    assert start_up.bare_resident_mib > 0
