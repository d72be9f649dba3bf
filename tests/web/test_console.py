"""The page as it is served: gathered from the engines, with its static files."""

from __future__ import annotations

import re

from tests.web.world import Client, World, client


def test_the_page_shows_what_the_engines_say(web: Client, world: World) -> None:
    world.said = ("state is kept in memory only",)
    world.health.mark_started()
    world.health.register("database", lambda: None)
    world.span(trace_id=7, name="POST /checkout", failed=True)
    world.fire("FromCode", labels={"team": "<b>"})
    answer = web.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for text in (
        "FromCode",
        "team=&lt;b&gt;",
        "database",
        "POST /checkout",
        "state is kept in memory only",
        ">requests<",
    ):
        assert text in answer.text, text
    assert "http_requests" not in answer.text


def test_the_pages_own_files_are_served(web: Client) -> None:
    page = web.get("/").text
    for path, media_type in (("page.css", "text/css"), ("page.js", "text/javascript"), ("good.svg", "image/svg+xml")):
        answer = web.get(f"/static/{path}")
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, media_type)
    for target in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        assert web.get(target).status_code == 200, target


def test_other_files_are_not_served(web: Client) -> None:
    for path in ("/static/../page.py", "/static/%2e%2e%2fpage.py", "/static/page.html", "/static/"):
        assert web.get(path).status_code == 404, path


def test_a_check_of_both_probes_is_listed_once(web: Client, world: World) -> None:
    assert web.get("/").text.count("<b>pipeline</b>") == 1


def test_a_new_process_has_a_page() -> None:
    answer = client(World()).get("/")
    assert answer.status_code == 200
    assert "No requests counted yet" in answer.text or "Not ready" in answer.text


def test_traces_are_searched_for_anew_after_five_seconds(web: Client, world: World) -> None:
    assert "None among the traces kept" in web.get("/").text
    world.span(failed=True)
    world.clock.advance(4.9)
    assert "None among the traces kept" in web.get("/").text
    world.clock.advance(0.1)
    assert "GET /" in web.get("/").text
