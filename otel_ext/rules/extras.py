"""What Prometheus rule files cannot say, in a file of its own beside the rule file: ``rules.yml.extras``.

Strict loaders refuse unknown fields, so the rule file stays as it is and the same file runs in both places. Stateless.
Imports the strict YAML reader, values and errors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from otel_ext.errors import QueryError, RuleError
from otel_ext.rules.model import Rule, RuleFile
from otel_ext.rules.yaml_nodes import Fields, Reader, compose

__all__ = ["EXTRAS_SUFFIX", "with_extras"]

EXTRAS_SUFFIX = ".extras"
_FIELDS = ("recovery", "keep_state_on_missing_data")
_Extra = tuple[str, bool]


def with_extras(file: RuleFile, *, parse: Callable[[str], object]) -> RuleFile:
    """The rule file with the additions of ``<path>.extras``, unchanged when there is no such file.

    Raises:
        RuleError: unreadable, malformed, an expression that cannot be parsed, or an alert the rule file lacks.
    """
    path = Path(file.path + EXTRAS_SUFFIX)
    if not path.exists():
        return file
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(f"{path}: cannot read: {error}") from error
    extras = _load(text, str(path), {rule.alert for group in file.groups for rule in group.rules}, parse)
    groups = tuple(replace(g, rules=tuple(_extended(rule, extras) for rule in g.rules)) for g in file.groups)
    return replace(file, groups=groups)


def _extended(rule: Rule, extras: dict[str, _Extra]) -> Rule:
    if rule.alert not in extras:
        return rule
    recovery, keep = extras[rule.alert]
    return replace(rule, recovery=recovery, keep_state_on_missing_data=keep)


def _load(text: str, path: str, alerts: set[str], parse: Callable[[str], object]) -> dict[str, _Extra]:
    node, problem = compose(text, path)
    if problem is not None:
        raise RuleError(str(problem))
    reader, found = Reader(path), dict[str, _Extra]()
    document = {} if node is None else reader.mapping(node, "an extras file", ("alerts",))
    entries = reader.mapping(document["alerts"], "field 'alerts'") if "alerts" in document else {}
    for name, entry in entries.items():
        reader.rule = name
        fields = reader.fields(entry, "an alert's extras", _FIELDS)
        if name not in alerts:
            known = ", ".join(sorted(alert for alert in alerts if alert)) or "none"
            reader.problem(entry, f"the rule file has no such alert; it has: {known}")
        found[name] = _recovery(reader, fields, parse), fields.boolean("keep_state_on_missing_data")
    if reader.problems:
        raise RuleError("\n".join(str(item) for item in reader.problems))
    return found


def _recovery(reader: Reader, fields: Fields, parse: Callable[[str], object]) -> str:
    expr = fields.text("recovery")
    if expr:
        try:
            parse(expr)
        except QueryError as error:
            reader.problem(fields.at("recovery"), f"could not parse expression: {error}")
    return expr
