"""`./dev bench pages`, very short: everything that it asks is answered, and what it asks for is found by following links."""

import ast
import asyncio
import json
import random
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench.pages import command, events, links, routes
from bench.search_rows import Filled, Lane
from mailcordon.adapters import dashboard

_SMALL = (
    *("--tenants", "4", "--lanes", "8", "--days", "2", "--messages", "60", "--message-days", "2"),
    *("--rounds", "1", "--each", "1", "--json"),
)


def test_every_route_search_and_page_that_is_measured_answers(capsys: pytest.CaptureFixture[str]) -> None:
    paths = ["/now", "/tenants", "/messages"]
    asked = ["--parts", "routes", "search", "pages", "--only", "/v1/", "state held", "to", "--paths", *paths]
    assert command.main([*_SMALL, *asked]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    refused = [
        line["name"]
        for part in ("routes", "search", "pages")
        for line in said[part]
        if line["worst"] == routes.NEVER
    ]
    assert refused == []
    assert [line["name"] for line in said["pages"]] == paths


#: Asked by pages of one thing each, which the pages that links lead to are measured with.
_ONE = re.compile(r"\{|/(preview|lift|assign|finish|read)$|^/v1/(cancellations)?$")
#: No list is taken apart on the installation that is measured.
_NOT_THERE = {"/v1/suppression-split", "/v1/suppression-split/entries"}


def test_every_list_that_pages_ask_for_is_measured() -> None:
    pages = Path(str(dashboard.__file__)).parent.rglob("*.py")
    asked = {
        node.value
        for page in pages
        for node in ast.walk(ast.parse(page.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("/v1/")
    }
    lane = Lane(tenant=1, slug="acme", id=1, type="news")
    filled = Filled(messages=1, days=1, first_ms=0, last_ms=1, lanes=[lane])
    measured = {one(random.Random(1))[0] for one in routes.questions(filled).values()} | {"/v1/messages"}
    assert {one for one in asked if not _ONE.search(one)} - measured == _NOT_THERE


def test_a_refused_question_is_shown_as_slow() -> None:
    class Refuses:
        async def call(self, *_: object) -> tuple[int, bytes]:
            return 503, b"{}"

    asked = routes.ask(Refuses(), routes.platform(), "x", lambda _: ("/x", {}), 1)  # pyright: ignore[reportArgumentType]
    line = asyncio.run(asked)
    assert line.name == "x: 503"
    assert line.median > command.PAGE_MS


def test_pages_are_found_by_links_one_of_each_kind_and_not_too_far() -> None:
    site: Mapping[str, str] = {
        "/now": '<nav><a href="/tenants">t</a><a href="/sign-out">o</a></nav><a href="https://evil.example/x">x</a>',
        "/tenants": '<a href="/tenants/acme?tab=1">a</a><a href="/tenants/zen">z</a><a href="/tenants/all.csv">c</a>',
        "/tenants/acme?tab=1": '<a href="/tenants/acme/lanes/news">l</a>',
        "/tenants/acme/lanes/news": '<a href="/tenants/acme/lanes/news/far">f</a>',
    }

    async def fetch(path: str) -> str:
        return site.get(path, "")

    async def found(each: int, clicks: int) -> list[str]:
        return [path async for path in links.pages(fetch, each=each, clicks=clicks)]

    near = ["/now", "/tenants", "/tenants/acme?tab=1"]
    assert asyncio.run(found(1, 2)) == near
    assert asyncio.run(found(2, 2)) == [*near, "/tenants/zen"]
    assert asyncio.run(found(1, 3)) == [*near, "/tenants/acme/lanes/news"]


def test_amounts_of_a_small_installation_are_small_and_not_none() -> None:
    assert events.Amounts.of(10_000) == events.Amounts()
    small = events.Amounts.of(3)
    assert 0 < small.suppressions < 100
    assert small.open_ < small.incidents


def test_every_statement_of_the_rows_has_a_name() -> None:
    text = (Path(events.__file__).parent / "events.sql").read_text()
    assert text.count("-- name: ") == text.count(";\n")
