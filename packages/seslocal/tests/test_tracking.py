"""Opens and clicks: what SES puts into a tracked mail, and the events when it is fetched."""

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
    """Sends a tracked mail. Returns its MessageId and its HTML as delivered."""
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


def test_fetching_the_pixel_publishes_an_open(world: World) -> None:
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
    details = event["open"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", details.pop("timestamp"))
    assert details == {"ipAddress": "127.0.0.1", "userAgent": PHONE["User-Agent"], "isBotEvent": "Unlikely"}


def test_following_a_link_publishes_a_click_with_its_tags_and_redirects(world: World) -> None:
    _, html = sent(world)
    [url] = re.findall(r'href="([^"]*/L0/[^"]+)"', html)
    assert "ses:tags" not in html
    connection_status, location = world.followed(path_of(url), PHONE)
    assert (connection_status, location) == (302, "https://shop.example/sale?a=1&b=2")
    [event] = world.events(1)
    assert event["eventType"] == "Click"
    details = event["click"]
    assert details["link"] == "https://shop.example/sale?a=1&b=2"
    assert details["linkTags"] == {"place": ["top"], "colour": ["red"]}
    assert set(details) == {"ipAddress", "timestamp", "userAgent", "link", "linkTags", "isBotEvent"}


def test_links_with_no_track_are_unchanged(world: World) -> None:
    _, html = sent(world)
    assert '<a href="https://shop.example/legal">' in html
    assert "href='mailto:help@acme.example'" in html


def test_fetches_by_robots_are_marked(world: World) -> None:
    _, html = sent(world)
    world.http("GET", pixel(html), headers={"User-Agent": "GoogleImageProxy"})
    assert world.events(1)[0]["open"]["isBotEvent"] == "Likely"


@pytest.mark.parametrize("part", [0, 1, 2, 3])
def test_a_modified_link_is_not_found_and_publishes_nothing(world: World, part: int) -> None:
    _, html = sent(world)
    [url] = re.findall(r'href="([^"]*/L0/[^"]+)"', html)
    pieces = path_of(url).removeprefix("/L0/").split("/")
    pieces[part] = pieces[part][:-1] + ("0" if pieces[part][-1:] != "0" else "1")
    assert world.followed("/L0/" + "/".join(pieces), PHONE) == (404, None)
    world.http("GET", pixel(html)[:-1] + "~", headers=PHONE)
    assert world.silent()


def test_the_pixel_replaces_the_open_tracker_placeholder(world: World) -> None:
    _, html = sent(world, "<p>{{ses:openTracker}} Hi</p>{{ses:openTracker}}")
    assert html.startswith("<p><img alt")
    assert "openTracker" not in html
    assert html.count("<img") == 1


def test_only_what_the_set_asks_for_is_tracked(world: World) -> None:
    _, html = sent(world, events=["OPEN"])
    assert "/L0/" not in html
    assert pixel(html)


def test_html_is_unchanged_without_tracking(world: World) -> None:
    _, html = sent(world, events=["SEND"])
    assert html == HTML


def test_vdm_turns_tracking_on(world: World) -> None:
    _, html = sent(world, events=["SEND"], VdmOptions={"DashboardOptions": {"EngagementMetrics": "ENABLED"}})
    assert "/L0/" in html
    assert pixel(html)


def test_the_ledger_keeps_what_the_caller_gave(world: World) -> None:
    message_id, _ = sent(world)
    content = world.admin("GET", f"/sent/{message_id}")["content"]
    assert content["Simple"]["Body"]["Html"]["Data"] == HTML
