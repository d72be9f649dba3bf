"""Sloth files: what is read from them, and what is said of wrong ones."""

from __future__ import annotations

from fractions import Fraction

import pytest

from otel_ext.errors import ConfigError
from otel_ext.slo.specs import read_sloth

GOOD = """
version: prometheus/v1
service: shop
labels: {team: payments, tier: 2}
slos:
  - name: checkout
    objective: 99.9
    labels: {tier: 1}
    sli:
      events:
        error_query: sum(rate(errors[{{.window}}]))
        total_query: sum(rate(requests[{{ .window }}]))
    alerting:
      name: CheckoutErrors
      page_alert: {labels: {severity: critical}}
      ticket_alert: {disable: true}
"""


def test_an_slo_is_read_with_its_service_labels_and_alerts():
    (slo,) = read_sloth(GOOD)
    assert (slo.service, slo.name, slo.identity) == ("shop", "checkout", "shop-checkout")
    assert slo.objective == Fraction("99.9")
    assert slo.budget == Fraction(1, 1000)
    assert slo.labels == {"team": "payments", "tier": "1"}
    assert slo.error_ratio_over("5m") == "(sum(rate(errors[5m])))\n/\n(sum(rate(requests[5m])))"
    assert slo.page.labels == {"severity": "critical"}
    assert (slo.page.disabled, slo.ticket.disabled) == (False, True)


def replaced(old, new):
    assert old in GOOD
    return GOOD.replace(old, new)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "shop.yml: not valid YAML"),
        ("- a\n", "shop.yml: document 1 must be a mapping"),
        ("", "shop.yml: holds no SLO"),
        ("kind: SLO", "shop.yml: version: must be 'prometheus/v1'"),
        (replaced("service: shop", ""), "shop.yml: service: is required, for example 'checkout'"),
        (replaced("service: shop", "service: ''"), "service: is required"),
        (replaced("service: shop", "service: shop floor"), "'shop floor' must be 1 to 63 letters"),
        (replaced("service: shop", "servce: shop"), "servce: unknown key, did you mean 'service'?"),
        (replaced("objective: 99.9", "objective: 101"), "slos[0].objective: must be a number above 0 and at most 100"),
        (replaced("objective: 99.9", "objective: '99.9'"), "slos[0].objective: must be a number"),
        (replaced("objective: 99.9", "objective: .nan"), "slos[0].objective: must be a number"),
        (replaced("objective: 99.9", "objective: true"), "slos[0].objective: must be a number"),
        (replaced("[{{.window}}]", "[5m]"), "slos[0].sli.events.error_query: must have {{.window}} as its range"),
        (
            replaced("      events:", "      plugin: {id: x}\n      events:"),
            "slos[0].sli.plugin: SLI plugins are programs",
        ),
        (
            replaced("      events:", "      raw: {error_ratio_query: 'x[{{.window}}]'}\n      events:"),
            "exactly one of",
        ),
        (replaced("      name: CheckoutErrors", ""), "slos[0].alerting.name: is required"),
        (replaced("disable: true", "disable: 'yes'"), "ticket_alert.disable: must be true or false"),
        (replaced("{severity: critical}", "[critical]"), "page_alert.labels: must be a mapping"),
        (replaced("{severity: critical}", "{severity: [x]}"), "page_alert.labels.severity: must be text"),
        (GOOD + "---" + GOOD, "the SLO 'shop-checkout' (service and name) is defined twice"),
        ("version: prometheus/v1\nservice: shop\nslos: []", "slos: must be a list with at least one entry"),
        ("version: prometheus/v1\nservice: shop\nslos: [1]", "slos[0]: must be a mapping"),
        ("apiVersion: openslo/v1alpha\nkind: Service", "kind: must be 'SLO'"),
        (
            "apiVersion: openslo/v1alpha\nkind: SLO\nspec: {budgetingMethod: Timeslices}",
            "only be made for 'Occurrences'",
        ),
        ("apiVersion: sloth.slok.dev/v1\nmetadata: {}\nspec: {}", "metadata.name: is required"),
    ],
)
def test_an_error_names_the_file_the_place_and_what_is_allowed(text, said):
    with pytest.raises(ConfigError) as caught:
        read_sloth(text, "shop.yml")
    assert said in str(caught.value)


def test_no_alert_name_is_needed_where_no_alert_is_wanted():
    text = GOOD.replace("      name: CheckoutErrors\n", "").replace("{labels: {severity: critical}}", "{disable: true}")
    assert read_sloth(text)[0].alert_name == ""
