"""Random series and random PromQL over them, for differential tests; everything follows from one seed.

``modern`` is Prometheus 3. For older oracles times are chosen so that no sample and no subquery step lies exactly on a
window's open border (closed before 3.0), counters have no gaps (their extrapolation to zero was ordered differently),
and what was a bug then is not asked for.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

INTERVAL_SECONDS = 16
SAMPLES = 45
LAST_SECONDS = INTERVAL_SECONDS * (SAMPLES - 1)


@dataclass(frozen=True)
class RandomSeries:
    """A series in the notation of rule unit tests."""

    name: str
    values: str


class QueryGenerator:
    """Draws series and expressions.

    What turns a difference in the last digit into another result (``%``, ``sin``, texts of values) is asked of
    samples, not of sums: the oracle itself does not add up in the same order twice.
    """

    def __init__(self, seed: int, *, modern: bool) -> None:
        self.random = random.Random(seed)
        self.modern = modern

    # ---- data ----

    def series(self) -> list[RandomSeries]:
        found = []
        for job in ("api", "web"):
            for instance in range(3):
                labels = f'job="{job}",instance="{instance}"'
                found.append(RandomSeries(f"counter_total{{{labels}}}", self._counter(gaps=self.modern)))
                found.append(RandomSeries(f"gauge{{{labels}}}", self._gauge()))
                found.append(RandomSeries(f'other{{{labels},extra="{self.random.choice("xy")}"}}', self._gauge()))
            found.append(RandomSeries(f'info{{job="{job}",version="{self.random.choice("ab")}"}}', f"1x{SAMPLES}"))
        for job in ("api", "web"):
            found += self._histogram(job)
        return found

    def _counter(self, *, gaps: bool) -> str:
        value, values = float(self.random.randint(0, 1000)), []
        for _ in range(SAMPLES):
            if self.random.random() < 0.06:
                value = float(self.random.randint(0, 30))
            value += self.random.choice([0, 1, 5, self.random.randint(0, 100), round(self.random.random() * 10, 3)])
            values.append("_" if gaps and self.random.random() < 0.08 else f"{value!r}")
        return " ".join(values)

    def _gauge(self) -> str:
        values = []
        for _ in range(SAMPLES):
            draw = self.random.random()
            if draw < 0.06:
                values.append("_")
            elif draw < 0.09:
                values.append("stale")
            elif draw < 0.10:
                values.append(self.random.choice(["NaN", "Inf", "-Inf"]))
            else:
                values.append(repr(round(self.random.uniform(-50, 50), self.random.choice([0, 2, 9])) + 0.0))  # no -0
        return " ".join(values)

    def _histogram(self, job: str) -> list[RandomSeries]:
        bounds = ["0.1", "0.5", "1", "5", "+Inf"]
        rows: list[list[str]] = [[] for _ in bounds]
        counts = [0] * len(bounds)
        for _ in range(SAMPLES):
            if self.random.random() < 0.04:
                counts = [0] * len(bounds)
            for index in range(len(bounds)):
                counts[index] += self.random.randint(0, 8)
            for index in range(len(bounds)):
                rows[index].append(str(sum(counts[: index + 1])))
        return [
            RandomSeries(f'latency_bucket{{job="{job}",le="{bound}"}}', " ".join(row))
            for bound, row in zip(bounds, rows, strict=True)
        ]

    # ---- expressions ----

    def eval_seconds(self) -> int:
        """An evaluation time well inside the data; off the grid for old oracles."""
        if self.modern:
            return self.random.randint(0, LAST_SECONDS + 400)
        return INTERVAL_SECONDS * self.random.randint(26, SAMPLES - 1) + 7

    def expression(self, depth: int = 3) -> str:
        """An instant vector."""
        if depth <= 0:
            return self._selector()
        make = self.random.choice(
            [
                self._over_range, self._over_range, self._aggregation, self._aggregation, self._binary, self._binary,
                self._histogram_function, self._elementwise, self._labels, self._in_parens, self._plain,
            ]
        )  # fmt: skip
        return make(depth)

    def _in_parens(self, depth: int) -> str:
        return f"({self.expression(depth - 1)})"

    def _plain(self, _: int) -> str:
        return self._selector()

    def _selector(self, name: str | None = None) -> str:
        name = name or self.random.choice(["counter_total", "gauge", "other"])
        matchers = self.random.choice(
            ["", '{job="api"}', '{job!="api"}', '{instance=~"0|2"}', '{instance!~"1.*",job=~".+"}', '{extra=""}']
        )
        return f"{name}{matchers}{self._modifiers()}"

    def _modifiers(self) -> str:
        text = ""
        if self.random.random() < 0.12:
            text += f" offset {INTERVAL_SECONDS * self.random.randint(1, 4)}s"
        if self.random.random() < 0.06:
            text += f" @ {INTERVAL_SECONDS * self.random.randint(26, SAMPLES - 1) + 7}"
        return text

    def _range(self) -> str:
        extra = self.random.randint(0, 15) if self.modern else 4
        return f"{INTERVAL_SECONDS * self.random.randint(1, 12) + extra}s"

    def _ranged(self, depth: int, name: str) -> str:
        if self.random.random() < 0.3 and depth > 1:
            step = self.random.choice(["8s", "16s", "32s"])
            return f"({self.expression(depth - 2)})[{self._range()}:{step}]"
        matchers = self.random.choice(["", '{job="web"}', '{instance=~"[01]"}'])
        return f"{name}{matchers}[{self._range()}]{self._modifiers()}"

    def _over_range(self, depth: int) -> str:
        function = self.random.choice(
            [
                "rate", "increase", "irate", "delta", "idelta", "deriv", "changes", "resets", "avg_over_time",
                "sum_over_time", "min_over_time", "max_over_time", "count_over_time", "last_over_time",
                "present_over_time", "stddev_over_time", "stdvar_over_time", "quantile", "predict",
            ]
        )  # fmt: skip
        counting = function in ("rate", "increase", "irate", "resets")
        if counting:
            ranged = f"counter_total[{self._range()}]"
        else:
            ranged = self._ranged(depth, self.random.choice(["gauge", "other", "counter_total"]))
        if function == "quantile":
            return f"quantile_over_time({self.random.choice(['0', '0.3', '0.5', '0.95', '1'])}, {ranged})"
        if function == "predict":
            if not self.modern:  # a pinned window moved with the steps before Prometheus 3
                ranged = f"{self.random.choice(['gauge', 'counter_total'])}[{self._range()}]"
            return f"predict_linear({ranged}, {self.random.choice(['60', '600', '-30'])})"
        return f"{function}({ranged})"

    def _grouping(self) -> str:
        return self.random.choice(
            ["", " by (job)", " by (instance, job)", " without (instance)", " without (job, extra)", " by (extra)"]
        )

    def _aggregation(self, depth: int) -> str:
        op = self.random.choice(
            ["sum", "avg", "min", "max", "count", "stddev", "stdvar", "group", "quantile", "topk", "count_values"]
        )
        inner = self.expression(depth - 1)
        if op in ("stddev", "stdvar") and not self.modern:  # infinities gave 0 before Prometheus 3
            inner = self._selector("counter_total")
        if op == "quantile":
            return f"quantile{self._grouping()} ({self.random.choice(['0', '0.25', '0.9', '1'])}, {inner})"
        if op == "topk":  # ties have no defined order
            grouping = self._grouping()
            return f"max{grouping} ({self.random.choice(['topk', 'bottomk'])}{grouping} (1, {inner}))"
        if op == "count_values":
            return f'count_values{self._grouping()} ("value", round({self._selector()}, 25))'
        return f"{op}{self._grouping()} ({inner})"

    def _binary(self, depth: int) -> str:
        left = self.expression(depth - 1)
        op = self.random.choice(["+", "-", "*", "/", "^", "atan2", ">", "<", ">=", "<=", "==", "!="])
        if op == "atan2" and not self.modern:  # kept the metric name before Prometheus 3
            op = "+"
        if self.random.random() < 0.3:
            number = self.random.choice(["2", "0.5", "-3", "0", "time()"])
            bool_modifier = " bool" if op[0] in "><=!" and self.random.random() < 0.4 else ""
            return f"{left} {op}{bool_modifier} {number}"
        if self.random.random() < 0.3:
            set_op = self.random.choice(["and", "or", "unless"])
            matching = self.random.choice(["", " on (job)", " on (job, instance)", " ignoring (extra)"])
            return f"{left} {set_op}{matching} {self.expression(depth - 1)}"
        if self.random.random() < 0.4:
            return f"{left} {op} on (job) group_left(version) info"
        right = f"sum by (job, instance) ({self.expression(depth - 1)})"
        return f"sum by (job, instance) ({left}) {op} {right}"

    def _histogram_function(self, depth: int) -> str:
        inner = self.random.choice(["latency_bucket", "rate(latency_bucket[{range}])"]).format(range=self._range())
        if depth > 1 and self.random.random() < 0.5:
            inner = f"sum by (le{self.random.choice([', job', ''])}) ({inner})"
        return f"histogram_quantile({self.random.choice(['0.1', '0.5', '0.9', '0.99', '1'])}, {inner})"

    def _elementwise(self, depth: int) -> str:
        inner = self.expression(depth - 1)
        return self.random.choice(
            [
                f"abs({inner})", f"ceil({inner})", f"floor({inner})", f"-({inner})", f"exp({inner} / 100)",
                f"sqrt(abs({inner}))", f"ln({inner})", f"log2({inner})", f"sgn({inner})", f"round({inner}, 0.5)",
                f"clamp({inner}, -5, 10)", f"clamp_min({inner}, 1)", f"clamp_max({inner}, 20)",
                f"sin({self._selector()})", f"{self._selector()} % 7",
                f"absent({inner})", f"scalar({inner}) + gauge", f"hour({inner})", f"minute({inner} * 1000)",
                f"day_of_week({inner} * 100000)", f"timestamp({self._selector()})", f"vector(scalar({inner}))",
                f"deg({inner})", f"days_in_month({inner} * 10000000)", f"absent_over_time(nothing[{self._range()}])",
            ]
        )  # fmt: skip

    def _labels(self, depth: int) -> str:
        inner = self.expression(depth - 1)
        return self.random.choice(
            [
                f'label_replace({inner}, "copy", "$1-x", "job", "(a.*)")',
                f'label_join({inner}, "joined", "/", "job", "instance")',
                f'label_replace({inner}, "job", "", "job", ".*")',
                f"sort_desc({inner})",
            ]
        )
