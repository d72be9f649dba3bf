"""Prometheus rule files in process: loading, groups, recording and alerting rules, templates.

A :class:`RuleManager` owns the running groups; the pipeline thread ticks it. Queries and storage are passed in.
"""

from otel_ext.rules.loader import check_rule_text, load_rule_file, load_rule_text
from otel_ext.rules.manager import RuleManager
from otel_ext.rules.model import Rule, RuleFile, RuleGroup, RuleProblem
from otel_ext.rules.status import GroupStatus, RuleEvaluation, RuleHealth, RuleStatus

__all__ = [
    "GroupStatus",
    "Rule",
    "RuleEvaluation",
    "RuleFile",
    "RuleGroup",
    "RuleHealth",
    "RuleManager",
    "RuleProblem",
    "RuleStatus",
    "check_rule_text",
    "load_rule_file",
    "load_rule_text",
]
