"""The examples of the SLO guide run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "slo.md"


def blocks_of(text):
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


SLOTH_FILE = """
version: prometheus/v1
service: shop
slos:
  - name: checkout
    objective: 99.9
    sli: {raw: {error_ratio_query: "avg_over_time(errors[{{.window}}])"}}
    alerting: {name: CheckoutErrors}
"""


def test_the_examples_run_and_print_what_they_say(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("sloth.yml").write_text(SLOTH_FILE)
    for block in blocks_of(GUIDE.read_text())[1:]:
        exec(compile(block, str(GUIDE), "exec"), {})
    assert capsys.readouterr().out == "52 page firing\n"
    assert "alert: CheckoutErrors" in Path("rules.yml").read_text()
