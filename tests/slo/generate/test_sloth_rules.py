"""Generated rules against those that Sloth made from the same files."""

from __future__ import annotations

import re
from fractions import Fraction

import promql_parser
import pytest
import yaml

from otel_ext.slo.generate import rule_documents, rules_yaml
from otel_ext.slo.specs import QueryAlert, QuerySlo, read_sloth

PAIRS = (
    "getting-started",
    "home-wifi",
    "k8s-getting-started",
    "k8s-home-wifi",
    "k8s-multifile",
    "kubernetes-apiserver",
    "multifile",
    "no-alerts",
    "openslo-getting-started",
    "raw-home-wifi",
)
NUMBER = re.compile(r"(?<![\w:])\d+\.\d+")


def normalised(rule):
    expr = promql_parser.parse(rule["expr"]).prettify()
    return {**rule, "expr": NUMBER.sub(lambda found: f"{float(found[0]):.9g}", expr)}


def rules_of(document):
    groups = document.get("spec", document)["groups"]
    return {group["name"]: [normalised(rule) for rule in group["rules"]] for group in groups}


def frame_of(document):
    return {key: value for key, value in document.items() if key not in {"groups", "spec"}}


@pytest.mark.conformance
@pytest.mark.parametrize("name", PAIRS)
def test_rules_equal_those_of_sloth(conformance_folder, name):
    slos = read_sloth((conformance_folder / f"sloth/in/{name}.yml").read_text(), f"{name}.yml")
    expected = [doc for doc in yaml.safe_load_all((conformance_folder / f"sloth/out/{name}.yml").read_text()) if doc]
    made = list(yaml.safe_load_all(rules_yaml(slos, extra_labels={"cmd": "examplesgen.sh"})))
    assert [frame_of(document) for document in made] == [frame_of(document) for document in expected]
    assert [rules_of(document) for document in made] == [rules_of(document) for document in expected]


@pytest.mark.conformance
def test_every_pair_of_the_folder_is_run(conformance_folder):
    assert sorted(path.stem for path in (conformance_folder / "sloth/in").glob("*.yml")) == sorted(PAIRS)


def checkout(**fields):
    given = {
        "service": "shop",
        "name": "checkout",
        "objective": Fraction("99.9"),
        "error_ratio": "(sum(rate(e[{{.window}}])))\n/\n(sum(rate(t[{{ .window }}])))",
        "spec": "prometheus/v1",
        "alert_name": "CheckoutErrors",
        "page": QueryAlert(labels={"severity": "critical"}),
        "ticket": QueryAlert(disabled=True),
    }
    return QuerySlo(**(given | fields))


def exprs(document):
    return {
        rule.get("record", rule.get("alert")): rule["expr"] for group in document["groups"] for rule in group["rules"]
    }


def test_thresholds_are_exact_decimals():
    (document,) = rule_documents([checkout()])
    found = exprs(document)
    assert "> (14.4 * 0.001))" in found["CheckoutErrors"]
    assert found["slo:objective:ratio"] == "vector(0.999)"


def test_a_window_of_28_days_has_its_own_burn_rates():
    (document,) = rule_documents([checkout()], window_days=28)
    found = exprs(document)
    assert "13.44 * 0.001" in found["CheckoutErrors"]
    assert "[28d]" in found["slo:sli_error:ratio_rate28d"]
    assert found["slo:time_period:days"] == "vector(28)"


def test_a_disabled_severity_makes_no_rule_and_two_make_no_group():
    (document,) = rule_documents([checkout()])
    assert [rule["labels"]["sloth_severity"] for rule in document["groups"][-1]["rules"]] == ["page"]
    (document,) = rule_documents([checkout(page=QueryAlert(disabled=True))])
    assert len(document["groups"]) == 2


@pytest.mark.parametrize("objective", ["100", "50", "99.99999", "0.1"])
def test_every_objective_that_sloth_takes_gives_rules_that_parse(objective):
    for document in rule_documents([checkout(objective=Fraction(objective))]):
        for group in document["groups"]:
            for rule in group["rules"]:
                promql_parser.parse(rule["expr"])
