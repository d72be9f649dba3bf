"""Loads Prometheus rule files strictly, with the checks of rulefmt (3.5) and a position for each problem.

Stateless. Imports the strict YAML reader, the templates' parser, values and errors.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml

from otel_ext.errors import QueryError, RuleError
from otel_ext.rules.extras import with_extras
from otel_ext.rules.model import Rule, RuleFile, RuleGroup, RuleProblem
from otel_ext.rules.template import TemplateError, check_template
from otel_ext.rules.yaml_nodes import Fields, Reader, compose

__all__ = ["ParseFunc", "check_rule_text", "load_rule_file", "load_rule_text"]

ParseFunc = Callable[[str], object]
"""Parses a PromQL expression; raises :class:`otel_ext.errors.QueryError` when it cannot."""

_GROUP_FIELDS = ("name", "interval", "query_offset", "limit", "labels", "rules")
_RULE_FIELDS = ("record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations")


def load_rule_file(path: str | Path, *, parse: ParseFunc) -> RuleFile:
    """Read and check one rule file, with the additions of ``<path>.extras`` when there is one.

    Raises:
        RuleError: it cannot be read, or it has problems; the message lists every one with file, line, group and
            rule.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise RuleError(f"{path}: cannot read the rule file: {reason}") from error
    return with_extras(load_rule_text(text, path=str(path), parse=parse), parse=parse)


def load_rule_text(text: str, *, path: str, parse: ParseFunc) -> RuleFile:
    """Check the text of a rule file; ``path`` names it in messages and in the groups' identity.

    Raises:
        RuleError: as :func:`load_rule_file`.
    """
    loaded, problems = check_rule_text(text, path=path, parse=parse)
    if problems:
        raise RuleError("\n".join(str(problem) for problem in problems))
    return loaded


def check_rule_text(text: str, *, path: str, parse: ParseFunc) -> tuple[RuleFile, tuple[RuleProblem, ...]]:
    """The groups that could be read, and all problems in the order of the file."""
    node, problem = compose(text, path)
    if problem is not None:
        return RuleFile(path=path, groups=()), (problem,)
    loader = _Loader(Reader(path), parse)
    groups = () if node is None else loader.groups(node)
    return RuleFile(path=path, groups=groups), tuple(loader.reader.problems)


class _Loader:
    """Walks one document; the reader holds the position and the problems."""

    def __init__(self, reader: Reader, parse: ParseFunc) -> None:
        self.reader = reader
        self._parse = parse

    def groups(self, node: yaml.Node) -> tuple[RuleGroup, ...]:
        fields = self.reader.fields(node, "a rule file", ("groups",))
        groups, lines = list[RuleGroup](), dict[str, int]()
        for item in fields.items("groups"):
            group = self._group(item)
            if group.name in lines:
                self.reader.problem(
                    item, f'group name "{group.name}" is repeated; the first is in line {lines[group.name]}'
                )
            lines.setdefault(group.name, group.line)
            groups.append(group)
        return tuple(groups)

    def _group(self, node: yaml.Node) -> RuleGroup:
        fields = self.reader.fields(node, "a rule group", _GROUP_FIELDS)
        name = fields.text("name")
        if not name:
            self.reader.problem(node, "a rule group needs a name, for example 'name: checkout'")
        self.reader.group = name
        labels = fields.string_map("labels")
        for label in labels:
            self._label_name(fields.at("labels"), label)
        interval_ms = fields.duration_ms("interval")
        group = RuleGroup(
            name=name,
            interval_ms=interval_ms or None,
            limit=fields.integer("limit"),
            query_offset_ms=fields.duration_ms("query_offset"),
            labels=labels,
            rules=tuple(self._rule(item, labels) for item in fields.items("rules")),
            line=node.start_mark.line + 1,
        )
        self.reader.group = self.reader.rule = ""
        return group

    def _rule(self, node: yaml.Node, group_labels: dict[str, str]) -> Rule:
        fields = self.reader.fields(node, "a rule", _RULE_FIELDS)
        own_labels = fields.string_map("labels")
        rule = Rule(
            record=fields.text("record"),
            alert=fields.text("alert"),
            expr=fields.text("expr"),
            for_ms=fields.duration_ms("for") or 0,
            keep_firing_for_ms=fields.duration_ms("keep_firing_for") or 0,
            labels={**group_labels, **own_labels},
            annotations=fields.string_map("annotations"),
            line=node.start_mark.line + 1,
        )
        self.reader.rule = rule.name
        self._check_kind(fields, rule)
        self._check_expr(fields, rule)
        for name in own_labels:
            self._label_name(fields.at("labels"), name)
        if rule.alert:
            self._check_templates(fields, rule)
        self.reader.rule = ""
        return rule

    def _check_kind(self, fields: Fields, rule: Rule) -> None:
        if rule.record and rule.alert:
            self.reader.problem(fields.node, "only one of 'record' and 'alert' may be set")
        if not rule.record and not rule.alert:
            self.reader.problem(fields.node, "one of 'record' or 'alert' must be set")
        if not rule.record:
            return
        for name in ("for", "keep_firing_for", "annotations"):
            if name in fields:
                self.reader.problem(fields.at(name), f"field {name!r} is for alerting rules; this is a recording rule")
        if "{" in rule.record or "}" in rule.record:
            self.reader.problem(
                fields.at("record"), f"braces are no part of a series name: {rule.record!r}; use 'labels' for labels"
            )

    def _check_expr(self, fields: Fields, rule: Rule) -> None:
        if not rule.expr:
            self.reader.problem(fields.at("expr"), "field 'expr' must be set, for example 'expr: up == 0'")
            return
        try:
            self._parse(rule.expr)
        except QueryError as error:
            self.reader.problem(fields.at("expr"), f"could not parse expression: {error}")

    def _label_name(self, node: yaml.Node, name: str) -> None:
        if not name or name == "__name__":
            self.reader.problem(node, f"invalid label name: {name!r}")

    def _check_templates(self, fields: Fields, rule: Rule) -> None:
        for field, texts in (("labels", rule.labels), ("annotations", rule.annotations)):
            for name, text in texts.items():
                try:
                    check_template(text)
                except TemplateError as error:
                    self.reader.problem(fields.at(field), f"{field[:-1]} {name!r}: template: {error}")
