"""The exposition: what parsers and a real Prometheus read from it, in every format that can be asked for."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from otel_ext.export.prometheus import negotiate, render
from otel_ext.model.labels import Labels
from otel_ext.storage.metrics.families import FamilySample, MetricFamily, StoredExemplar

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;"
    "version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
EXEMPLAR = StoredExemplar(
    labels=Labels(trace_id="0af7651916cd43dd8448eb211c80319c", span_id="b7ad6b7169203331"),
    value=0.3,
    ts_ms=1_700_000_000_123,
)


def family(
    name: str, kind: str, samples: Iterable[FamilySample], *, unit: str = "", text: str = "what it is"
) -> MetricFamily:
    return MetricFamily(name=name, type=kind, unit=unit, help=text, samples=list(samples))


def sample(name: str, value: float, exemplar: StoredExemplar | None = None, **labels: str) -> FamilySample:
    return FamilySample(name=name, labels=Labels(labels), value=value, exemplar=exemplar)


def requests_total(exemplar: StoredExemplar | None = None) -> MetricFamily:
    return family("requests", "counter", [sample("requests_total", 7, exemplar, route="/")])


def latency(exemplar: StoredExemplar | None = None) -> MetricFamily:
    return family(
        "latency_seconds",
        "histogram",
        [
            sample("latency_seconds_sum", 4.5, route="/"),
            sample("latency_seconds_bucket", 10, route="/", le="+Inf"),
            sample("latency_seconds_bucket", 9, exemplar, route="/", le="10.0"),
            sample("latency_seconds_bucket", 2, route="/", le="0.5"),
            sample("latency_seconds_count", 10, route="/"),
        ],
        unit="s",
    )


def lines(families: Iterable[MetricFamily], accept: str = OPENMETRICS) -> list[str]:
    return render(families, accept)[1].decode().splitlines()


def test_openmetrics_reads_back_with_type_unit_help_and_exemplars() -> None:
    content_type, body = render([requests_total(EXEMPLAR), latency(EXEMPLAR)], OPENMETRICS)
    assert content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    counter, histogram = read_openmetrics(body.decode())
    assert (counter.name, counter.type, counter.documentation) == ("requests", "counter", "what it is")
    assert (histogram.name, histogram.type, histogram.unit) == ("latency_seconds", "histogram", "seconds")
    read = counter.samples[0]
    assert (read.name, read.labels, read.value) == ("requests_total", {"route": "/"}, 7.0)
    assert read.exemplar.labels == dict(EXEMPLAR.labels)
    assert (read.exemplar.value, float(read.exemplar.timestamp)) == (0.3, 1_700_000_000.123)
    assert [(s.name, s.labels.get("le")) for s in histogram.samples] == [
        ("latency_seconds_bucket", "0.5"),
        ("latency_seconds_bucket", "10.0"),
        ("latency_seconds_bucket", "+Inf"),
        ("latency_seconds_count", None),
        ("latency_seconds_sum", None),
    ]


def test_the_text_format_reads_back_without_exemplars() -> None:
    content_type, body = render([requests_total(EXEMPLAR), latency(EXEMPLAR)], "")
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert "# {" not in body.decode()
    counter, histogram = read_text(body.decode())
    assert (counter.name, counter.type) == ("requests", "counter")
    assert histogram.type == "histogram"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        ("application/openmetrics-text;version=2.0.0,*/*;q=0.1", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;q=0", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;q=0.1,text/plain", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;version=0.0.1", "application/openmetrics-text; version=0.0.1; charset=utf-8"),
        (PROMETHEUS_2, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        (PROMETHEUS_3, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"),
        ("text/plain;version=1.0.0;escaping=dots", "text/plain; version=1.0.0; charset=utf-8; escaping=dots"),
        (
            'application/openmetrics-text; version="1.0.0"; escaping=underscores',
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
        ),
        (
            "application/openmetrics-text;version=1.0.0;escaping=nonsense",
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
        ),
    ],
)
def test_the_format_is_the_one_preferred(accept: str, content_type: str) -> None:
    assert negotiate(accept).content_type == content_type


@given(st.text(alphabet=st.characters(max_codepoint=300)))
def test_any_accept_header_gets_a_content_type_that_can_be_sent(accept: str) -> None:
    content_type, _ = render([requests_total()], accept)
    assert re.fullmatch(r"[a-z/=.;0-9 -]+", content_type)


@pytest.mark.parametrize(
    ("escaping", "line"),
    [
        ("allow-utf-8", '{"http.requests_total","http.route"="/"} 1.0'),
        ("underscores", 'http_requests_total{http_route="/"} 1.0'),
        ("dots", 'http_dot_requests_total{http_dot_route="/"} 1.0'),
        ("values", 'U__http_2e_requests_total{U__http_2e_route="/"} 1.0'),
    ],
)
def test_dotted_names_are_escaped_as_asked(escaping: str, line: str) -> None:
    dotted = family(
        "http.requests",
        "counter",
        [FamilySample(name="http.requests_total", labels=Labels({"http.route": "/"}), value=1)],
    )
    written = lines([dotted], f"{OPENMETRICS}; escaping={escaping}")
    assert line in written
    (read,) = read_openmetrics("\n".join(written) + "\n")
    assert read.type == "counter"


@pytest.mark.parametrize("escaping", ["allow-utf-8", "underscores", "values"])
@pytest.mark.parametrize("accept", ["application/openmetrics-text;version=1.0.0", "text/plain;version=1.0.0"])
def test_the_colons_of_recording_rules_survive(accept: str, escaping: str) -> None:
    recorded = family("job:errors:ratio_rate5m", "unknown", [sample("job:errors:ratio_rate5m", 0.1, job="shop")])
    assert 'job:errors:ratio_rate5m{job="shop"} 0.1' in lines([recorded], f"{accept};escaping={escaping}")


def test_an_exemplar_keeps_the_trace_when_its_labels_are_too_long() -> None:
    long = StoredExemplar(labels=EXEMPLAR.labels.with_labels(a_user="x" * 100), value=1, ts_ms=1)
    (line,) = [line for line in lines([requests_total(long)]) if line.startswith("requests_total")]
    assert "trace_id=" in line
    assert "a_user" not in line


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_exemplar_without_a_number_is_left_out(value: float) -> None:
    broken = StoredExemplar(labels=EXEMPLAR.labels, value=value, ts_ms=1)
    assert not any("trace_id" in line for line in lines([requests_total(broken)]))


def test_exemplars_on_gauges_and_sums_are_left_out() -> None:
    gauge = family("queue", "gauge", [sample("queue", 3, EXEMPLAR)])
    assert not any("trace_id" in line for line in lines([gauge]))


def test_a_unit_that_is_not_part_of_the_name_is_not_stated() -> None:
    odd = family("queue", "gauge", [sample("queue", 3)], unit="items")
    assert not any(line.startswith("# UNIT") for line in lines([odd]))


def test_a_counter_whose_name_has_no_total_is_of_unknown_type() -> None:
    odd = family("requests", "counter", [sample("requests", 3)])
    assert lines([odd])[1:3] == ["# TYPE requests unknown", "requests 3.0"]


def test_target_info_is_written_as_the_store_types_it() -> None:
    info = family("target", "info", [sample("target_info", 1, version="1.2")])
    gauge = family("target_info", "gauge", [sample("target_info", 1, version="1.2")])
    for one in (info, gauge):
        assert 'target_info{version="1.2"} 1.0' in lines([one])
        assert list(read_openmetrics("\n".join(lines([one])) + "\n"))


def test_one_name_is_one_family() -> None:
    written = lines([requests_total(), requests_total()])
    assert written.count("# TYPE requests counter") == 1


def test_families_without_samples_are_left_out() -> None:
    assert lines([family("nothing", "gauge", [])]) == ["# EOF"]


TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=30)


@given(help_text=TEXT, value=TEXT, number=st.floats(allow_nan=False))
def test_any_help_label_value_and_number_reads_back(help_text: str, value: str, number: float) -> None:
    one = family("queue", "gauge", [sample("queue", number, label=value)], text=help_text)
    (read,) = read_openmetrics(render([one], OPENMETRICS)[1].decode())
    assert read.documentation.strip(" ") == help_text.strip(" ")  # the parser drops a help of spaces
    assert read.samples[0].labels == ({"label": value} if value else {})
    assert read.samples[0].value == number


def test_values_that_utf8_cannot_hold_do_not_break_the_scrape() -> None:
    one = family("queue", "gauge", [sample("queue", 1, label="a\udc80b")], text="\ud800")
    assert 'queue{label="a?b"} 1.0' in lines([one])
