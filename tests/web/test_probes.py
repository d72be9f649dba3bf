"""Probes in Kubernetes' manner."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from otel_ext.health import HealthReport, HealthResult
from otel_ext.web import probes
from otel_ext.web.app import build_app
from tests.web.world import Client, World


@pytest.fixture
def world(world: World) -> World:
    world.health.mark_started()
    world.health.register("database", lambda: None)
    world.health.register("loop", lambda: None, kind="liveness")
    return world


def test_an_alive_and_ready_service_says_ok(web: Client) -> None:
    for path in ("/livez", "/readyz", "/startupz", "/healthz"):
        answer = web.get(path)
        assert (answer.status_code, answer.text) == (200, "ok\n"), path
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_a_failed_readiness_check_is_503_and_leaves_liveness_alone(web: Client, world: World) -> None:
    world.health.register("database", lambda: HealthResult.failed("connection refused"))
    ready = web.get("/readyz")
    assert ready.status_code == 503
    assert "[-]database failed: connection refused" in ready.text
    assert ready.text.endswith("readyz check failed\n")
    assert web.get("/livez").status_code == 200


def test_verbose_lists_every_check(web: Client) -> None:
    text = web.get("/readyz?verbose").text
    assert "[+]database ok\n" in text
    assert text.endswith("readyz check passed\n")
    assert "[+]loop ok\n" in web.get("/livez?verbose=1").text


def test_a_check_can_be_excluded_repeatedly_and_by_commas(web: Client, world: World) -> None:
    for name in ("database", "cache"):
        world.health.register(name, lambda: False)
    assert web.get("/readyz?exclude=database").status_code == 503
    assert web.get("/readyz?exclude=database&exclude=cache").status_code == 200
    assert web.get("/readyz?exclude=database,cache,unknown").status_code == 200


def test_one_check_can_be_asked_by_name_without_running_the_others(web: Client, world: World) -> None:
    ran: list[str] = []
    world.health.register("cache", lambda: ran.append("cache"))
    assert web.get("/readyz/database").text == "ok\n"
    assert web.get("/readyz/database?verbose").text == "[+]database ok\nreadyz/database check passed\n"
    assert ran == []


def test_an_unknown_check_is_404_with_the_names(web: Client) -> None:
    answer = web.get("/livez/database")
    assert answer.status_code == 404
    assert "there are: pipeline, queue, state" in answer.json()["error"]


def test_startup_is_503_until_started_and_runs_no_check() -> None:
    world = World()
    ran: list[str] = []
    world.health.register("database", lambda: ran.append("database"))
    web = Client(build_app(world))
    answer = web.get("/startupz")
    assert (answer.status_code, answer.text) == (503, "[-]startup failed: starting\nstartupz check failed\n")
    world.health.mark_started()
    assert web.get("/startupz").status_code == 200
    assert ran == []


def test_json_is_given_to_whom_accepts_it(web: Client, world: World) -> None:
    world.health.register("database", lambda: False)
    answer = web.get("/readyz", headers={"accept": "application/health+json"})
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/health+json"
    body = answer.json()
    assert body["status"] == "fail"
    assert body["checks"]["database"][0]["status"] == "fail"


def _on_a_thread(run: Callable[[], HealthReport]) -> Future[HealthReport]:
    future: Future[HealthReport] = Future()
    future.set_running_or_notify_cancel()  # as an executor does: what runs cannot be cancelled
    threading.Thread(target=lambda: future.set_result(run()), daemon=True).start()
    return future


def test_with_a_thread_for_checks_a_hanging_one_does_not_hold_the_loop(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "_WAIT_SECONDS", 0.05)
    release = threading.Event()
    world.health.register("database", lambda: bool(release.wait(10)))
    web = Client(build_app(world, submit=_on_a_thread))
    answer = web.get("/readyz")
    assert answer.status_code == 503
    assert "no check ended within 0.05 s" in answer.text
    assert web.get("/livez").status_code == 200
    release.set()


def test_with_a_thread_for_checks_the_answers_are_the_same(world: World) -> None:
    web = Client(build_app(world, submit=_on_a_thread))
    assert web.get("/readyz?verbose").text == Client(build_app(world)).get("/readyz?verbose").text
