"""What we say of random rules, series and templates, real `promtool test rules` confirms word for word."""

from __future__ import annotations

import json
import math
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from otel_ext.alerting import AlertMachine
from otel_ext.model.alerts import AlertState
from otel_ext.model.labels import METRIC_NAME, Labels
from otel_ext.promql import QueryEngine, parse
from otel_ext.rules import RuleManager, load_rule_file
from otel_ext.rules.series_notation import STALE, parse_values
from otel_ext.rules.template import Expander
from otel_ext.rules.unittest import run_test_file
from otel_ext.storage.metrics import MetricStore
from tests.support.servers import find_server

pytestmark = pytest.mark.real

MINUTE = 60_000
MINUTES = 30


def promtool(file: Path) -> str:
    """What `promtool test rules` says when it is not content; empty when it is."""
    program = shutil.which("promtool") or str(find_server("promtool"))
    done = subprocess.run(
        [program, "test", "rules", str(file)], check=False, capture_output=True, text=True, timeout=120
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def write(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.write_text(json.dumps(content))  # JSON is YAML
    return path


def random_series(rng: random.Random) -> str:
    """Values of one series; never five minutes without one, where Prometheus 2 and 3 differ by a millisecond."""
    items = ["1", "0", "2x2", "0x3", "_ 1", "_x3 0", "stale", "stale _x6 1"]
    return " ".join(rng.choices(items, weights=[6, 4, 2, 2, 1, 1, 1, 1], k=MINUTES))


def our_verdicts(rules: Path, series: dict[str, str]) -> dict[int, list[tuple[str, Labels, dict[str, str]]]]:
    """State, labels and annotations of the alerts after each minute, evaluated by our own parts."""
    store, machine = MetricStore(retention_ms=1 << 50, max_bytes=1 << 28), AlertMachine()
    manager = RuleManager(
        files=[load_rule_file(rules, parse=parse)],
        query=QueryEngine(store).instant,
        append=store.append,
        mark_stale=store.mark_stale,
        machine=machine,
        monotonic_seconds=lambda: 0.0,
    )
    values = {Labels({METRIC_NAME: "v", "s": name}): parse_values(text) for name, text in series.items()}
    found = {}
    for minute in range(MINUTES):
        now = [(labels, column[minute]) for labels, column in values.items()]
        store.append(minute * MINUTE, [(labels, value) for labels, value in now if isinstance(value, float)])
        store.mark_stale(minute * MINUTE, [labels for labels, value in now if value is STALE])
        manager.evaluate_all(minute * MINUTE)
        found[minute] = [
            (alert.state.value, alert.labels, dict(alert.annotations))
            for alert in machine.alerts()
            if alert.state in (AlertState.PENDING, AlertState.FIRING)
        ]
    return found


def expectations(name: str, verdicts: dict[int, list[tuple[str, Labels, dict[str, str]]]]) -> dict[str, Any]:
    alerts, expressions = [], []
    for minute, seen in verdicts.items():
        firing = [
            {"exp_labels": dict(labels.without("alertname")), "exp_annotations": notes}
            for state, labels, notes in seen
            if state == "firing"
        ]
        samples = [
            {"labels": repr(labels.with_labels({METRIC_NAME: "ALERTS", "alertstate": state})), "value": 1}
            for state, labels, _ in seen
        ]
        alerts.append({"eval_time": f"{minute}m", "alertname": name, "exp_alerts": firing})
        expressions.append({"expr": "ALERTS", "eval_time": f"{minute}m", "exp_samples": samples})
    return {"alert_rule_test": alerts, "promql_expr_test": expressions}


def test_random_rules_over_random_series_fire_as_promtool_says(tmp_path: Path) -> None:
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    fired = 0
    for number in range(12):
        rule = {
            "alert": "A",
            "expr": rng.choice(["v > 0", "v == 1", "v unless v > 1", "max(v) > 1"]),
            "for": f"{rng.choice([0, 0, 1, 2, 5])}m",
            "keep_firing_for": f"{rng.choice([0, 0, 1, 3])}m",
            "labels": {"l": "{{ $labels.s }}x", "e": ""},
            "annotations": {"a": "{{ $value }} {{ $labels }}"},
        }
        recorded = {"record": "v", "expr": 'v{s="a"} + 1', "labels": {"s": "c"}}
        rules = write(tmp_path, f"rules{number}.yml", {"groups": [{"name": "g", "rules": [recorded, rule]}]})
        series = {"a": random_series(rng), "b": random_series(rng)}
        verdicts = our_verdicts(rules, series)
        fired += sum(state == "firing" for seen in verdicts.values() for state, _, _ in seen)
        inputs = [{"series": f'v{{s="{name}"}}', "values": text} for name, text in series.items()]
        test = {"interval": "1m", "input_series": inputs, **expectations("A", verdicts)}
        file = write(tmp_path, f"test{number}.yml", {"rule_files": [rules.name], "tests": [test]})
        complaint = promtool(file)
        assert not complaint, f"seed {seed}, {rule}, {series}\n{complaint}"
        assert run_test_file(file).failures == ()
    assert fired > 50, f"seed {seed}: nothing was tested"


TEMPLATES = r"""
{{ $value }} {{ humanize $value }} {{ humanize1024 $value }}
{{ humanizeDuration $value }} {{ humanizePercentage $value }}
{{ printf `%v %g %.3g %8.2f|%-9.1e|%+v` $value $value $value $value $value $value }} {{ printf `%06.1f` $value }}
{{ printf `%d %s %q %x %t %5d|%-5d|%05d %c` $value $value `a"b` 255 true 42 42 42 65 }}
{{ if gt $value 1.0 }}more{{ else if lt $value 0.0 }}less{{ else }}between{{ end }}
{{ range $i, $x := query `v` }}{{ $i }}:{{ $x.Labels.s }}={{ $x.Value | humanize }} {{ end }}
{{ with $x := $labels.s }}[{{ $x | title | toUpper | printf `%5s` }}]{{ end }}
{{ with $labels.none }}x{{ else }}-{{ end }}|{{ $labels.none }}|{{ index $labels `s` }}|{{ len $labels }}
{{ print 1 2 `a` 3 4 }}|{{ println $labels }}
{{ define `t` }}<{{ .arg0 }}{{ .arg1 }}>{{ end }}{{ template `t` (args $value `x`) }}{{- /* trimmed */ -}}   .
{{ reReplaceAll `(\w)b(.*)` `$2-${1}` `abcabc` }} {{ match `^a+$` `aaa` }} {{ stripPort `h.x:80` }}
{{ tableLink `up > 0` }} {{ graphLink `a+b` }} {{ urlquery `a b` `c` }} {{ html `<a>'"` }} {{ js `'x'<` }}
{{ and 1 0 }} {{ or 0 `` `x` }} {{ not 1 }} {{ eq 1 2 1 }} {{ ne `a` `b` }} {{ ge 2 2 }} {{ slice `abcdef` 1 3 }}
{{ 1234567.0 }} {{ 1e20 }} {{ 0.00001 }} {{ 100000.0 }} {{ 0x1F }} {{ 'a' }} {{ -3 }} {{ 1_000 }}
{{ parseDuration `1h30m` }}
{{ query `v` | first | value }} {{ sortByLabel `s` (query `v`) | first | label `s` }} {{ stripDomain `h.x:80` }}
""".strip().splitlines()


def test_templates_give_the_text_that_promtool_gives(tmp_path: Path) -> None:
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    edges = [0.0, 1.0, -1.0, 999.5, 1000.0, 1023.9, 1e6, 123456789.0, 1e18, 1e-9, 0.5, 60.0, 3661.0, 86400.5, math.pi]
    values = edges + [rng.choice([-1, 1]) * rng.random() * 10 ** rng.randint(-12, 18) for _ in range(60)]
    annotations = {f"a{number}": text for number, text in enumerate(TEMPLATES)}
    rule = {"alert": "A", "expr": "v", "annotations": annotations}
    write(tmp_path, "rules.yml", {"groups": [{"name": "g", "rules": [rule]}]})
    tests = []
    for value in values:
        vector = [Element(Labels({METRIC_NAME: "v", "s": "ab"}), value)]
        expander = Expander(query=lambda expr, ts_ms, vector=vector: vector)
        expanded = {
            name: expander.expand(text, labels=vector[0].labels, value=value, ts_ms=0)
            for name, text in annotations.items()
        }
        assert not [text for text in expanded.values() if text.startswith("<error")], expanded
        tests.append(
            {
                "interval": "1m",
                "input_series": [{"series": 'v{s="ab"}', "values": repr(value)}],
                "alert_rule_test": [
                    {
                        "eval_time": "0m",
                        "alertname": "A",
                        "exp_alerts": [{"exp_labels": {"s": "ab"}, "exp_annotations": expanded}],
                    }
                ],
            }
        )
    complaint = promtool(write(tmp_path, "test.yml", {"rule_files": ["rules.yml"], "tests": tests}))
    assert not complaint, f"seed {seed}\n{complaint}"


class Element:
    """An element of a query's result."""

    def __init__(self, labels: Labels, value: float) -> None:
        self.labels = labels
        self.value = value
