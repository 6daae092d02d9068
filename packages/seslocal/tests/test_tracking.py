"""Opens and clicks: what SES puts into a tracked mail, and what is told when somebody fetches it."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from seslocal_fixtures.world import World

PHONE = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)"}
HTML = """<html><body><p>Hi</p>
<a href="https://shop.example/sale?a=1&amp;b=2" ses:tags="place:top;colour:red;">Sale</a>
<a ses:no-track href="https://shop.example/legal">Legal</a>
<a href='mailto:help@acme.example'>Help</a></body></html>"""


def sent(world: World, html: str = HTML, events: list[str] | None = None, **options: Any) -> tuple[str, str]:
    """A tracked mail: its MessageId and its HTML as it would arrive."""
    world.ready(events=events or ["OPEN", "CLICK"], **options)
    body = {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Html": {"Data": html}}}}
    tags = [{"Name": "attempt", "Value": "a-1"}]
    message_id = world.send("kim@example.com", Content=body, EmailTags=tags)
    status, page = world.http("GET", f"/_seslocal/sent/{message_id}/html")
    assert status == 200
    return message_id, page.decode()


def path_of(url: str) -> str:
    parts = urlsplit(unescape(url))
    return parts.path


def pixel(html: str) -> str:
    [url] = re.findall(r'<img alt="" src="([^"]+)" width="1" height="1">', html)
    return path_of(url)


def test_an_open_is_told_when_the_pixel_is_fetched(world: World) -> None:
    message_id, html = sent(world)
    assert html.index("<img") < html.index("</body>")
    status, image = world.http("GET", pixel(html), headers=PHONE)
    assert (status, image[:6]) == (200, b"GIF89a")
    [event] = world.events(1)
    assert event["eventType"] == "Open"
    assert event["mail"]["messageId"] == message_id
    assert event["mail"]["tags"]["attempt"] == ["a-1"]
    assert event["mail"]["tags"]["ses:configuration-set"] == ["acme-reset"]
    assert event["mail"]["commonHeaders"]["subject"] == "Hi"
    told = event["open"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told.pop("timestamp"))
    assert told == {"ipAddress": "127.0.0.1", "userAgent": PHONE["User-Agent"], "isBotEvent": "Unlikely"}


def test_a_click_is_told_with_its_tags_and_leads_on(world: World) -> None:
    _, html = sent(world)
    [url] = re.findall(r'href="([^"]*/L0/[^"]+)"', html)
    assert "ses:tags" not in html
    connection_status, location = world.followed(path_of(url), PHONE)
    assert (connection_status, location) == (302, "https://shop.example/sale?a=1&b=2")
    [event] = world.events(1)
    assert event["eventType"] == "Click"
    told = event["click"]
    assert told["link"] == "https://shop.example/sale?a=1&b=2"
    assert told["linkTags"] == {"place": ["top"], "colour": ["red"]}
    assert set(told) == {"ipAddress", "timestamp", "userAgent", "link", "linkTags", "isBotEvent"}


def test_links_that_must_not_be_tracked_are_left_alone(world: World) -> None:
    _, html = sent(world)
    assert '<a href="https://shop.example/legal">' in html
    assert "href='mailto:help@acme.example'" in html


def test_a_robot_is_told_from_a_person(world: World) -> None:
    _, html = sent(world)
    world.http("GET", pixel(html), headers={"User-Agent": "GoogleImageProxy"})
    assert world.events(1)[0]["open"]["isBotEvent"] == "Likely"


@pytest.mark.parametrize("part", [0, 1, 2, 3])
def test_a_link_that_was_changed_leads_nowhere_and_tells_nothing(world: World, part: int) -> None:
    _, html = sent(world)
    [url] = re.findall(r'href="([^"]*/L0/[^"]+)"', html)
    pieces = path_of(url).removeprefix("/L0/").split("/")
    pieces[part] = pieces[part][:-1] + ("0" if pieces[part][-1:] != "0" else "1")
    assert world.followed("/L0/" + "/".join(pieces), PHONE) == (404, None)
    world.http("GET", pixel(html)[:-1] + "~", headers=PHONE)
    assert world.silent()


def test_the_pixel_goes_where_it_is_asked_for(world: World) -> None:
    _, html = sent(world, "<p>{{ses:openTracker}} Hi</p>{{ses:openTracker}}")
    assert html.startswith("<p><img alt")
    assert "openTracker" not in html
    assert html.count("<img") == 1


def test_only_what_the_set_asks_for_is_tracked(world: World) -> None:
    _, html = sent(world, events=["OPEN"])
    assert "/L0/" not in html
    assert pixel(html)


def test_a_set_that_does_not_track_leaves_the_html_alone(world: World) -> None:
    _, html = sent(world, events=["SEND"])
    assert html == HTML


def test_vdm_switches_tracking_on(world: World) -> None:
    _, html = sent(world, events=["SEND"], VdmOptions={"DashboardOptions": {"EngagementMetrics": "ENABLED"}})
    assert "/L0/" in html
    assert pixel(html)


def test_the_ledger_keeps_what_the_caller_gave(world: World) -> None:
    message_id, _ = sent(world)
    content = world.admin("GET", f"/sent/{message_id}")["content"]
    assert content["Simple"]["Body"]["Html"]["Data"] == HTML
