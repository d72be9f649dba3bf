"""The rule manager: evaluates rule groups at their slots as Prometheus does, and keeps state over reloads.

The manager owns groups and runners; ``tick``, ``evaluate_all`` and ``replace_files`` are called by one thread,
``groups`` returns a published snapshot and may be called by any. Imports alerting, templates, values and errors.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from otel_ext.alerting import AlertMachine
from otel_ext.model.alerts import AlertSource, Transition
from otel_ext.model.labels import Labels
from otel_ext.rules.evaluation import RuleContext, RuleRunner
from otel_ext.rules.model import Rule, RuleFile, RuleGroup
from otel_ext.rules.ports import AppendFunc, MarkStaleFunc, QueryFunc, SampleLike, samples_of
from otel_ext.rules.status import GroupStatus
from otel_ext.rules.template import Expander

__all__ = ["RuleManager"]


@dataclass(slots=True)
class _GroupState:
    """One running group. Its slots are ``k * interval_ms + slot_offset_ms``; ``next_ms`` is the next one, if known."""

    file: str
    group: RuleGroup
    interval_ms: int
    query_offset_ms: int
    runners: tuple[RuleRunner, ...]
    slot_offset_ms: int
    next_ms: int | None = None
    last_ms: int | None = None
    duration_seconds: float = 0.0
    evaluations: int = 0
    missed: int = 0

    @property
    def identity(self) -> tuple[str, str]:
        return self.file, self.group.name


class RuleManager:
    """Runs the groups of rule files.

    Args:
        files: what :func:`otel_ext.rules.load_rule_file` returned.
        query: evaluates an expression at a time; results must include what ``append`` wrote before.
        append: writes the series of recording rules, ``ALERTS`` and ``ALERTS_FOR_STATE``.
        mark_stale: ends series that a rule no longer yields.
        machine: the state machine all alerts share.
        monotonic_seconds: measures durations; it decides nothing.
        external_labels: ``$externalLabels`` of templates.
        external_url: ``$externalURL`` of templates, an absolute URL or empty.
        default_interval_ms: of groups that state none, and the time between collections, which are expected at its
            multiples.
        default_query_offset_ms: of groups that state none.
        history_size: evaluations remembered for each rule.
    """

    def __init__(
        self,
        *,
        files: Sequence[RuleFile],
        query: QueryFunc,
        append: AppendFunc,
        mark_stale: MarkStaleFunc,
        machine: AlertMachine,
        monotonic_seconds: Callable[[], float],
        external_labels: Mapping[str, str] | None = None,
        external_url: str = "",
        default_interval_ms: int = 60_000,
        default_query_offset_ms: int = 0,
        history_size: int = 20,
    ) -> None:
        def template_query(expr: str, ts_ms: int) -> Sequence[SampleLike]:
            return samples_of(query(expr, ts_ms))

        self._context = RuleContext(
            query=query,
            append=append,
            mark_stale=mark_stale,
            machine=machine,
            expander=Expander(query=template_query, external_labels=external_labels, external_url=external_url),
            monotonic_seconds=monotonic_seconds,
            history_size=history_size,
        )
        self._default_interval_ms = default_interval_ms
        self._default_query_offset_ms = default_query_offset_ms
        self._orphans: set[Labels] = set()
        self._begun = False
        self._groups = [self._start(file.path, group) for file in files for group in file.groups]
        self._published: tuple[GroupStatus, ...] = ()
        self._publish()

    def tick(self, ts_ms: int) -> tuple[Transition, ...]:
        """Evaluate every group whose slot has come, each at the time of its slot; count slots that were missed.

        The first tick resolves restored alerts of rules that are no longer in the files.
        """
        transitions = self._forget_strangers(ts_ms)
        due = [(slot, group) for group in self._groups if (slot := _due_slot(group, ts_ms)) is not None]
        if not due:
            return tuple(transitions)
        for slot, group in sorted(due, key=lambda pair: pair[0]):
            transitions.extend(self._evaluate(group, slot))
        self._context.machine.prune(ts_ms)
        self._publish()
        return tuple(transitions)

    def start(self, ts_ms: int) -> None:
        """Schedule every group's first slot at or after ``ts_ms`` without evaluating; ``tick`` does so by itself."""
        for group in self._groups:
            if group.next_ms is None:
                group.next_ms = _first_slot(group, ts_ms)

    def evaluate_all(self, ts_ms: int) -> tuple[Transition, ...]:
        """Evaluate every group at ``ts_ms``, whatever its interval: for tests and replays."""
        transitions = tuple(item for group in self._groups for item in self._evaluate(group, ts_ms))
        self._publish()
        return transitions

    def next_evaluation_ms(self) -> int | None:
        """The earliest next slot; ``None`` without groups or before the first tick."""
        return min((group.next_ms for group in self._groups if group.next_ms is not None), default=None)

    def groups(self) -> tuple[GroupStatus, ...]:
        """Every group as of the last tick, in the order of the files."""
        return self._published

    def replace_files(self, files: Sequence[RuleFile], ts_ms: int) -> tuple[Transition, ...]:
        """Run these files from now on. Rules that are still there, by file, group, name and labels, keep their state.

        Firing alerts of rules that are gone resolve; their series end with a stale marker at the next evaluation.
        """
        before = {runner.key: runner for group in self._groups for runner in group.runners}
        schedule = {group.identity: group for group in self._groups}
        self._groups = [self._start(file.path, group) for file in files for group in file.groups]
        for group in self._groups:
            _keep_schedule(group, schedule.get(group.identity))
            for runner in group.runners:
                old = before.pop(runner.key, None)
                if old is not None:
                    runner.adopt(old)
        for runner in before.values():
            self._orphans |= runner.written
        transitions = [item for key in before for item in self._context.machine.forget(key, ts_ms)]
        self._publish()
        return tuple(transitions)

    def _forget_strangers(self, ts_ms: int) -> list[Transition]:
        if self._begun:
            return []
        self._begun = True
        machine, known = self._context.machine, {runner.key for group in self._groups for runner in group.runners}
        restored = {alert.rule.key for alert in machine.alerts() if alert.rule.source is AlertSource.RULE}
        return [item for key in sorted(restored - known) for item in machine.forget(key, ts_ms)]

    def _start(self, path: str, group: RuleGroup) -> _GroupState:
        keys = _rule_keys(path, group)
        offset = self._default_query_offset_ms if group.query_offset_ms is None else group.query_offset_ms
        interval_ms = group.interval_ms or self._default_interval_ms
        runners = tuple(
            RuleRunner(rule, key, interval_ms, self._context) for rule, key in zip(group.rules, keys, strict=True)
        )
        slot_offset_ms = _slot_offset_ms(path, group.name, interval_ms, self._default_interval_ms)
        return _GroupState(path, group, interval_ms, offset, runners, slot_offset_ms)

    def _evaluate(self, group: _GroupState, ts_ms: int) -> list[Transition]:
        started = self._context.monotonic_seconds()
        if self._orphans:
            self._context.mark_stale(ts_ms, sorted(self._orphans, key=lambda labels: labels.items_sorted))
            self._orphans.clear()
        transitions: list[Transition] = []
        for runner in group.runners:
            transitions.extend(runner.evaluate(ts_ms, query_offset_ms=group.query_offset_ms, limit=group.group.limit))
        group.last_ms = ts_ms
        group.evaluations += 1
        group.duration_seconds = self._context.monotonic_seconds() - started
        return transitions

    def _publish(self) -> None:
        self._published = tuple(_status(group) for group in self._groups)


def _due_slot(group: _GroupState, ts_ms: int) -> int | None:
    """The time to evaluate the group for, or ``None`` when its next slot is still to come."""
    slot = _slot_at(group, ts_ms)
    if group.next_ms is None:
        group.next_ms = _first_slot(group, ts_ms)
    if slot < group.next_ms:
        return None
    group.missed += (slot - group.next_ms) // group.interval_ms
    group.next_ms = slot + group.interval_ms
    return slot


def _slot_at(group: _GroupState, ts_ms: int) -> int:
    """The last slot at or before ``ts_ms``."""
    return ts_ms - (ts_ms - group.slot_offset_ms) % group.interval_ms


def _first_slot(group: _GroupState, ts_ms: int) -> int:
    """The first slot at or after ``ts_ms``."""
    return _slot_at(group, ts_ms + group.interval_ms - 1)


def _slot_offset_ms(file: str, group: str, interval_ms: int, collect_interval_ms: int) -> int:
    """Spreads groups over their interval, always the same way for the same file and group.

    Where collections fit into the interval, every slot is the time of a collection: what was just measured is
    evaluated at once, and no group waits for the next one.
    """
    digest = hashlib.blake2b(f"{file}\xff{group}".encode(errors="surrogatepass"), digest_size=8).digest()
    step_ms = collect_interval_ms if interval_ms % collect_interval_ms == 0 else 1
    return int.from_bytes(digest, "big") % (interval_ms // step_ms) * step_ms


def _keep_schedule(group: _GroupState, old: _GroupState | None) -> None:
    if old is None:
        return
    group.last_ms, group.duration_seconds = old.last_ms, old.duration_seconds
    group.evaluations, group.missed = old.evaluations, old.missed
    if old.interval_ms == group.interval_ms:
        group.next_ms = old.next_ms


def _rule_keys(path: str, group: RuleGroup) -> list[str]:
    """``rule/<file>/<group>/<name>/<hash of the labels>``; the n-th of equal ones ends in ``#n``."""
    seen: Counter[str] = Counter()
    keys = []
    for rule in group.rules:
        key = f"rule/{path}/{group.name}/{_rule_identity(rule)}"
        seen[key] += 1
        keys.append(key if seen[key] == 1 else f"{key}#{seen[key]}")
    return keys


def _rule_identity(rule: Rule) -> str:
    return f"{rule.name}/{Labels(rule.labels).fingerprint()}"


def _status(group: _GroupState) -> GroupStatus:
    return GroupStatus(
        name=group.group.name,
        file=group.file,
        interval_ms=group.interval_ms,
        limit=group.group.limit,
        query_offset_ms=group.query_offset_ms,
        last_evaluation_ms=group.last_ms,
        next_evaluation_ms=group.next_ms,
        evaluation_duration_seconds=group.duration_seconds,
        evaluations=group.evaluations,
        missed_evaluations=group.missed,
        rules=tuple(runner.status() for runner in group.runners),
    )
