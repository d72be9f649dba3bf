"""Reads Sloth's files: ``prometheus/v1``, the Kubernetes object, and the OpenSLO v1alpha that Sloth accepts.

Pure functions. Imports errors and this package. Source: the Sloth documentation (specs, Apache-2.0 project).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from otel_ext.errors import ConfigError
from otel_ext.slo.specs.definitions import WINDOW_PLACE, QueryAlert, QuerySlo, RuleTarget
from otel_ext.slo.specs.document import Section, documents_of

__all__ = ["read_sloth"]

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_PROMETHEUS = "prometheus/v1"
_KUBERNETES = "sloth.slok.dev/v1"
_OPENSLO = "openslo/v1alpha"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keys:
    """The same file in snake case and, for Kubernetes, in camel case."""

    error_query: str = "error_query"
    total_query: str = "total_query"
    error_ratio_query: str = "error_ratio_query"
    page_alert: str = "page_alert"
    ticket_alert: str = "ticket_alert"


_SNAKE = _Keys()
_CAMEL = _Keys(
    error_query="errorQuery",
    total_query="totalQuery",
    error_ratio_query="errorRatioQuery",
    page_alert="pageAlert",
    ticket_alert="ticketAlert",
)


def read_sloth(text: str, source: str = "sloth file") -> tuple[QuerySlo, ...]:
    """The SLOs of a file of one or more YAML documents; ``source`` names it in errors.

    Raises:
        ConfigError: for anything that Sloth could not generate rules from; names the place and what is allowed.
    """
    found: list[QuerySlo] = []
    for number, document in enumerate(documents_of(text, source)):
        found += _read_document(document, number)
    if not found:
        raise ConfigError(f"{source}: holds no SLO; a file starts with 'version: prometheus/v1'")
    _check_unique(found, source)
    return tuple(found)


def _read_document(document: Section, number: int) -> Iterator[QuerySlo]:
    kind = document.values.get("version") or document.values.get("apiVersion")
    if kind == _PROMETHEUS:
        document.only("version", "service", "labels", "slos")
        return _read_slos(document, _PROMETHEUS, number, None, _SNAKE)
    if kind == _KUBERNETES:
        document.only("apiVersion", "kind", "metadata", "spec")
        spec = document.section("spec")
        spec.only("service", "labels", "slos")
        return _read_slos(spec, _KUBERNETES, number, _target(document.section("metadata")), _CAMEL)
    if kind == _OPENSLO:
        return _read_openslo(document, number)
    raise document.fail(
        "version", f"must be {_PROMETHEUS!r}, or apiVersion {_KUBERNETES!r} or {_OPENSLO!r}, not {kind!r}"
    )


def _target(metadata: Section) -> RuleTarget:
    return RuleTarget(
        name=metadata.text("name", "my-service"),
        namespace=metadata.optional_text("namespace") or None,
        labels=metadata.words("labels"),
        annotations=metadata.words("annotations"),
    )


def _read_slos(document: Section, spec: str, number: int, target: RuleTarget | None, keys: _Keys) -> Iterator[QuerySlo]:
    service, common = _name(document, "service"), document.words("labels")
    for entry in document.sections("slos"):
        entry.only("name", "description", "objective", "labels", "sli", "alerting")
        alerting = entry.section("alerting")
        alerting.only("name", "labels", "annotations", keys.page_alert, keys.ticket_alert)
        page, ticket = _alert(alerting.section(keys.page_alert)), _alert(alerting.section(keys.ticket_alert))
        wanted = not (page.disabled and ticket.disabled)
        yield QuerySlo(
            service=service,
            name=_name(entry, "name"),
            objective=entry.number("objective", 0, 100),
            error_ratio=_indicator(entry.section("sli"), keys),
            spec=spec,
            document=number,
            description=entry.optional_text("description"),
            labels={**common, **entry.words("labels")},
            alert_name=alerting.text("name", "CheckoutErrors") if wanted else alerting.optional_text("name"),
            alert_labels=alerting.words("labels"),
            alert_annotations=alerting.words("annotations"),
            page=page,
            ticket=ticket,
            target=target,
        )


def _name(section: Section, key: str) -> str:
    value = section.text(key, "checkout")
    if not _NAME.fullmatch(value):
        raise section.fail(key, f"{value!r} must be 1 to 63 letters, digits, '-', '_' or '.', such as 'checkout'")
    return value


def _alert(section: Section) -> QueryAlert:
    section.only("disable", "labels", "annotations")
    return QueryAlert(
        disabled=section.flag("disable"), labels=section.words("labels"), annotations=section.words("annotations")
    )


def _indicator(sli: Section, keys: _Keys) -> str:
    sli.only("events", "raw", "plugin")
    if "plugin" in sli.values:
        raise sli.fail("plugin", "SLI plugins are programs of Sloth and cannot run here; write the queries as events")
    if ("events" in sli.values) == ("raw" in sli.values):
        raise sli.fail("events", "exactly one of events and raw is required")
    if "raw" in sli.values:
        raw = sli.section("raw")
        raw.only(keys.error_ratio_query)
        return f"({_query(raw, keys.error_ratio_query)})"
    events = sli.section("events")
    events.only(keys.error_query, keys.total_query)
    return f"({_query(events, keys.error_query)})\n/\n({_query(events, keys.total_query)})"


def _query(section: Section, key: str) -> str:
    query = section.text(key, "sum(rate(http_requests_total[{{.window}}]))")
    if not WINDOW_PLACE.search(query):
        raise section.fail(key, f"must have {{{{.window}}}} as its range, as in rate(x[{{{{.window}}}}]): {query!r}")
    return query.strip()


def _read_openslo(document: Section, number: int) -> Iterator[QuerySlo]:
    if document.values.get("kind") != "SLO":
        raise document.fail("kind", f"must be 'SLO', not {document.values.get('kind')!r}")
    spec = document.section("spec")
    method = spec.values.get("budgetingMethod")
    if method != "Occurrences":
        raise spec.fail("budgetingMethod", f"rules can only be made for 'Occurrences', not {method!r}")
    for index, objective in enumerate(spec.sections("objectives")):
        yield QuerySlo(
            service=_name(spec, "service"),
            name=f"{_name(document.section('metadata'), 'name')}-{index}",
            objective=objective.number("target", 0, 1) * 100,
            error_ratio=_openslo_ratio(objective.section("ratioMetrics")),
            spec=_OPENSLO,
            document=number,
            description=spec.optional_text("description"),
        )


def _openslo_ratio(metrics: Section) -> str:
    queries: Mapping[str, str] = {name: _openslo_query(metrics.section(name)) for name in ("good", "total")}
    return f"(\n  1 - (\n    (\n{queries['good']}\n)\n/\n(\n{queries['total']}\n)\n  )\n)"


def _openslo_query(metric: Section) -> str:
    source = metric.values.get("source")
    if source != "prometheus":
        raise metric.fail("source", f"must be 'prometheus' to make Prometheus rules, not {source!r}")
    return _query(metric, "query")


def _check_unique(slos: list[QuerySlo], source: str) -> None:
    seen: set[str] = set()
    for slo in slos:
        if slo.identity in seen:
            raise ConfigError(f"{source}: the SLO {slo.identity!r} (service and name) is defined twice")
        seen.add(slo.identity)
