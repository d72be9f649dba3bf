"""The examples of the SLO guide run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "slo.md"


def blocks_of(text):
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_catalog_and_virtual_time_examples_print_what_they_say(capsys):
    for block in blocks_of(GUIDE.read_text())[1:]:
        exec(compile(block, str(GUIDE), "exec"), {})
    assert capsys.readouterr().out == "52 page firing\n"
