"""Wrong settings without a line of code: the service runs, one report on stderr says what is wrong and what is done.

In code the same settings raise at start-up.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.support.processes import ProcessFactory, clean_environment, run_python, wait_until
from tests.support.shop import Shop, shopping, wait_listening

pytestmark = pytest.mark.real

GOOD_SLO = "slos: [{name: everything, objective: 99}]\n"
BROKEN_RULES = """\
groups:
  - name: broken
    rules:
      - alert: Fine
        expr: vector(1)
      - alert: Broken
        expr: sum(rate(requests_total[5m])
"""


@dataclass(frozen=True)
class Mistake:
    """Settings with one mistake, and what the report must name."""

    settings: str = GOOD_SLO
    env: dict[str, str] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    raises: str = "ConfigError"


MISTAKES = {
    "malformed-yaml": Mistake(settings="slos: [{name: x\n", says=("otel-ext", ":2", "not valid YAML")),
    "unknown-key": Mistake(settings=GOOD_SLO + "tick_intervall: 1s\n", says=("tick_intervall", "tick_interval", ":2")),
    "wrong-value": Mistake(
        settings=GOOD_SLO + "collect_interval: 7 parsecs\n", says=("collect_interval", "7 parsecs", "5s", ":2")
    ),
    "wrong-variable": Mistake(env={"OTEL_EXT_TICK_INTERVAL": "soon"}, says=("OTEL_EXT_TICK_INTERVAL", "soon", "1s")),
    "missing-rule-file": Mistake(settings=GOOD_SLO + "rules: [nowhere.yml]\n", says=("nowhere.yml",)),
    "broken-expression": Mistake(
        settings=GOOD_SLO + "rules: [broken-rules.yml]\n",
        says=("broken-rules.yml", "Broken", "sum(rate(requests_total[5m])"),
        raises="RuleError",
    ),
}


def _write(folder: Path, mistake: Mistake) -> None:
    (folder / "broken-rules.yml").write_text(BROKEN_RULES)
    (folder / "otel-ext.yaml").write_text(mistake.settings)


@pytest.mark.parametrize("name", MISTAKES)
def test_without_code_the_shop_runs_and_the_mistake_is_reported_once(processes: ProcessFactory, name: str) -> None:
    mistake = MISTAKES[name]
    _write(processes.folder, mistake)
    shop = Shop(processes=processes, settings=mistake.settings, env=mistake.env)
    shop.launch()
    wait_listening(shop.port, shop.process)
    load = shop.load()
    load.run(shopping(30))
    assert load.total(lambda one: one.status == 0) == 0
    reports = [line for line in shop.process.output().splitlines() if mistake.says[0] in line]
    assert len(reports) == 1, shop.process.output()
    for text in mistake.says:
        assert text in shop.process.output()
    assert "Traceback" not in shop.process.output()


@pytest.mark.parametrize("name", sorted(set(MISTAKES) - {"malformed-yaml"}))
def test_the_valid_remainder_still_counts(processes: ProcessFactory, name: str) -> None:
    mistake = MISTAKES[name]
    _write(processes.folder, mistake)
    shop = Shop(processes=processes, settings=mistake.settings, env=mistake.env).start()
    load = shop.load()
    load.run(shopping(30))
    wait_until(lambda: shop.local.counts("everything")[1] >= 30, "the requests to be counted")
    facts = " ".join(shop.local.get("/v1/observability/status")["facts"])
    assert mistake.says[0] in facts


@pytest.mark.parametrize("name", MISTAKES)
def test_in_code_the_same_mistake_raises_at_start_up(tmp_path: Path, name: str) -> None:
    mistake = MISTAKES[name]
    _write(tmp_path, mistake)
    code = """
import otel_ext
try:
    otel_ext.install(http=False)
except otel_ext.OtelExtError as error:
    print(type(error).__name__, error)
"""
    done = run_python(code, env=clean_environment(**mistake.env), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(mistake.raises)
    for text in mistake.says:
        assert text in done.stdout


def test_a_taken_port_is_a_stated_fallback(processes: ProcessFactory) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        shop = Shop(processes=processes, settings=GOOD_SLO, local_port=port)
        shop.launch()
        wait_listening(shop.port, shop.process)
        assert httpx.get(f"{shop.url}/products", trust_env=False).status_code == 200
        wait_until(lambda: str(port) in shop.process.output(), "the report")
    assert "Traceback" not in shop.process.output()


def test_a_state_directory_that_cannot_be_written_is_a_stated_fallback(processes: ProcessFactory) -> None:
    occupied = processes.folder / "occupied"
    occupied.write_text("a file, not a folder")
    settings = GOOD_SLO + f"state_dir: {occupied / 'state'}\n"
    shop = Shop(processes=processes, settings=settings).start()
    shop.load().run(shopping(10))
    wait_until(lambda: shop.local.counts("everything")[1] >= 10, "the requests to be counted")
    assert "state" in shop.process.output()
    assert str(occupied) in " ".join(shop.local.get("/v1/observability/status")["facts"])


def test_several_mistakes_are_all_reported_at_once(tmp_path: Path) -> None:
    env = clean_environment(OTEL_EXT_HTTP_PORT="none", OTEL_EXT_TICK_INTERVAL="soon", OTEL_EXT_RULES=os.devnull + "x")
    done = run_python("import otel_ext\notel_ext.install()", env=env, cwd=tmp_path)
    assert done.returncode == 1
    for text in ("OTEL_EXT_HTTP_PORT", "OTEL_EXT_TICK_INTERVAL", "OTEL_EXT_RULES"):
        assert text in done.stderr


def test_a_port_of_zero_takes_a_free_one() -> None:
    code = """
import otel_ext, urllib.request
handle = otel_ext.install(http_port=0)
print(urllib.request.urlopen(handle.url + "/livez").status)
"""
    done = run_python(code, env=clean_environment())
    assert (done.returncode, done.stdout.strip()) == (0, "200"), done.stderr
