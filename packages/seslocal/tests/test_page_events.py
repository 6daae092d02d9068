"""The page's timeline of a mail's events, and its filter by fate."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from seslocal.page import timeline
from seslocal.state.event_log import EventLog
from seslocal_fixtures.pages import NASTY, get, happen, mail, rows

if TYPE_CHECKING:
    from seslocal_fixtures.world import World

HTML = {"Html": {"Data": '<a href="https://acme.example/a?b=1&c=2">there</a>'}}


def events(text: str) -> list[str]:
    """The items of the timeline."""
    return text.partition('<ol class="timeline">')[2].partition("</ol>")[0].split("<li><span class=")[1:]


def document(item: str) -> dict[str, Any]:
    return json.loads(html.unescape(item.partition("<pre>")[2].partition("</pre>")[0]))


def test_the_timeline_shows_each_event_with_its_details_and_json(world: World) -> None:
    world.ready()
    world.mailbox("lee@example.com", "bounces", subtype="MailboxFull")
    world.mailbox("ada@yahoo.com", "complains")
    world.mailbox("joe@slow.example", "defers", seconds=30)
    to = ["kim@example.com", "lee@example.com", "ada@yahoo.com", "joe@slow.example"]
    sent = world.send(Destination={"ToAddresses": to})
    happen(world)
    _, text, _ = get(world, f"/mail/{sent}?view=events")
    found = {(one := document(item))["eventType"]: (item, one) for item in events(text)}
    assert set(found) == {"Send", "Delivery", "Bounce", "Complaint", "DeliveryDelay"}
    for kind, words in {
        "Send": ("Send</span>", "<time datetime="),
        "Delivery": ("<dt>Response</dt><dd>250 2.6.0 Message received", "192.0.2.80"),
        "Bounce": ("Transient · MailboxFull", "lee@example.com <code>smtp; 452 4.2.2 mailbox full</code>"),
        "Complaint": ("<dt>Feedback</dt><dd>abuse", "<dt>Agent</dt><dd>Amazon SES Mailbox Simulator"),
        "DeliveryDelay": ("TransientCommunicationFailure", "joe@slow.example <code>smtp; 421"),
    }.items():
        for word in words:
            assert word in found[kind][0], (kind, word)
        assert found[kind][1]["mail"]["messageId"] == sent
    chips = text.partition("<dt>Events</dt>")[2].partition("</dd>")[0]
    assert re.findall(r"<span>(\w[\w ]*) <small>", chips)[0] == "Send"


def test_opens_and_clicks_are_shown_and_what_their_client_says_is_escaped(world: World) -> None:
    world.ready(events=["OPEN", "CLICK"])
    sent = mail(world, body=HTML)
    happen(world)
    delivered = get(world, f"/_seslocal/sent/{sent}/html")[1]
    for link in re.findall(r'(?:href|src)="([^"]+)"', delivered):
        world.followed(html.unescape(link).partition(str(world.local.port))[2], {"User-Agent": NASTY})
    _, text, _ = get(world, f"/mail/{sent}?view=events")
    assert "<script>" not in text
    assert text.count(f"<dt>Agent</dt><dd>{html.escape(NASTY)}</dd>") == 2
    assert "<dt>Link</dt><dd>https://acme.example/a?b=1&amp;c=2</dd>" in text
    assert [document(item)["eventType"] for item in events(text)] == ["Send", "Delivery", "Click", "Open"]


def test_a_failed_rendering_is_shown_with_its_reason(world: World) -> None:
    world.ready()
    template = {"TemplateContent": {"Subject": "{{name}}", "Text": "t"}, "TemplateData": "{}"}
    sent = world.send("kim@example.com", Content={"Template": template})
    happen(world)
    _, text, _ = get(world, f"/mail/{sent}?view=events")
    [item] = events(text)
    assert "<dt>Failure</dt><dd>Attribute &#x27;name&#x27; is not present" in item


def test_only_the_first_events_of_a_mail_are_shown(world: World) -> None:
    world.ready()
    sent = mail(world)
    happen(world)
    log = world.local.account.events.log
    [_, delivery] = log.by_mail()[sent]
    for _ in range(timeline.MOST):
        log.add(*delivery)
    _, text, _ = get(world, f"/mail/{sent}?view=events")
    assert len(events(text)) == timeline.MOST
    assert "And 2 more: GET /_seslocal/events" in text
    assert "<span>and 40 more</span>" in text


def test_mail_is_filtered_by_fate_tenant_and_search(world: World) -> None:
    world.ready()
    world.tenant("globex", world.arn("identity/mail.acme.example"), world.arn("configuration-set/acme-reset"))
    world.mailbox("b@example.com", "bounces")
    world.mailbox("c@yahoo.com", "complains")
    world.mailbox("d@example.com", "defers", seconds=36_000)
    for to in ("a@example.com", "b@example.com", "c@yahoo.com", "d@example.com"):
        mail(world, to, to)
    happen(world)
    mail(world, "again", "b@example.com")
    mail(world, "globex", "b@example.com", tenant="globex")
    template = {"TemplateContent": {"Subject": "{{name}}", "Text": "t"}, "TemplateData": "{}"}
    world.send("kim@example.com", Content={"Template": template})
    happen(world)

    def found(query: str) -> list[str]:
        return rows(get(world, f"/?{query}")[1])

    expected = {
        "delivered": ["a@example.com"],
        "bounced": ["globex", "b@example.com"],
        "complained": ["c@yahoo.com"],
        "suppressed": ["again"],
        "rejected": ["<i>no subject</i>"],
        "delayed": ["d@example.com"],
        "in-flight": [],
    }
    assert {fate: found(f"fate={fate}") for fate in expected} == expected
    assert found("fate=bounced&tenant=globex") == ["globex"]
    assert found("fate=bounced&q=b@") == ["globex", "b@example.com"]
    assert found("fate=bounced&q=nothing") == []
    assert len(found("fate=nonsense")) == 7
    # What the log has forgotten is filtered by what the ledger foretold.
    world.local.account.events.log = EventLog()
    del expected["delayed"]  # it was foretold that it arrives
    assert {fate: found(f"fate={fate}") for fate in expected} == expected | {
        "delivered": ["d@example.com", "a@example.com"]
    }


def test_mail_whose_outcome_is_still_to_come_is_in_flight(world: World) -> None:
    world.admin("PUT", "/clock", {"frozen": True})
    world.ready()
    sent = mail(world)
    assert rows(get(world, "/?fate=in-flight")[1]) == ["Hi"]
    assert '<span class="fate slow">in flight</span>' in get(world, f"/mail/{sent}")[1]
    assert rows(get(world, "/?fate=delivered")[1]) == []
    world.admin("PUT", "/clock", {"advance": world.local.account.settings.event_delay * 1.5})
    assert len(events(get(world, f"/mail/{sent}?view=events")[1])) == 1  # the Send
    assert rows(get(world, "/?fate=in-flight")[1]) == ["Hi"]
    happen(world)
    assert rows(get(world, "/?fate=in-flight")[1]) == []
    assert rows(get(world, "/?fate=delivered")[1]) == ["Hi"]


def test_the_filter_offers_tenants_by_name_and_keeps_the_search(world: World) -> None:
    world.ready()
    world.tenant("Zeta")
    mail(world)
    _, text, _ = get(world, "/?q=hi&tenant=acme&fate=delivered")
    form = text.partition('<form class="filter"')[2].partition("</form>")[0]
    assert '<input type="hidden" name="q" value="hi">' in form
    assert re.findall(r'<option value="(\w+)"', form)[:2] == ["Zeta", "acme"]
    assert re.findall(r'<option value="(\w+)" selected>', form) == ["acme", "delivered"]
    search = text.partition('<form class="search"')[2].partition("</form>")[0]
    assert 'name="tenant" value="acme"' in search
    assert 'name="fate" value="delivered"' in search
    assert "“hi” · tenant acme · delivered" in text


@pytest.mark.parametrize(
    "query", [f"fate={quote(NASTY)}", f"tenant={quote(NASTY)}&fate=bounced", "fate=%00&tenant=%00"]
)
def test_filters_are_escaped(world: World, query: str) -> None:
    world.ready()
    mail(world)
    status, text, _ = get(world, f"/?{query}")
    assert status == 200
    assert "<script>" not in text
