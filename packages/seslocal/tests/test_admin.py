"""The admin API: the ledger, mailboxes, account settings, reset."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from seslocal.state.mailboxes import Mailbox

if TYPE_CHECKING:
    from seslocal_fixtures.world import World


def test_the_ledger_shows_everything_about_an_accepted_mail(world: World) -> None:
    world.ready()
    content = {
        "Simple": {
            "Subject": {"Data": "Hi"},
            "Body": {"Text": {"Data": "Hello"}, "Html": {"Data": "<p>Hello"}},
            "Headers": [{"Name": "List-Unsubscribe", "Value": "<https://x.example/u>"}],
        }
    }
    message_id = world.send("kim@example.com", Content=content, EmailTags=[{"Name": "attempt", "Value": "1"}])
    [line] = world.sent()
    assert isinstance(line.pop("at"), float)
    headers = {h["name"]: h["value"] for h in line.pop("headers")}
    assert headers["List-Unsubscribe"] == "<https://x.example/u>"
    assert headers["Content-Type"].startswith("multipart/alternative")
    assert line.pop("size") > 10
    assert line == {
        "message_id": message_id,
        "tenant": "acme",
        "configuration_set": "acme-reset",
        "from": "Acme <no-reply@mail.acme.example>",
        "recipients": ["kim@example.com"],
        "subject": "Hi",
        "tags": {"attempt": ["1"]},
        "fates": {"kim@example.com": {"fate": "delivers", "subtype": None}},
    }
    assert world.admin("GET", f"/sent/{message_id}")["content"] == content
    assert "no mail" in world.admin("GET", "/sent/none", expect=404)["error"]


def test_the_ledger_filters_by_recipient_tenant_set_and_tag(world: World) -> None:
    world.ready()
    world.tenant("other", world.arn("identity/mail.acme.example"), world.arn("configuration-set/acme-reset"))
    world.send("Kim@example.com", EmailTags=[{"Name": "n", "Value": "1"}])
    world.send("lee@example.com", EmailTags=[{"Name": "n", "Value": "2"}])
    world.send("kim@example.com", tenant="other")
    assert [line["tenant"] for line in world.sent(recipient="kim@example.com")] == ["acme", "other"]
    assert [line["recipients"] for line in world.sent(tenant="acme")] == [
        ["Kim@example.com"],
        ["lee@example.com"],
    ]
    assert [line["recipients"] for line in world.sent(**{"tag.n": "2"})] == [["lee@example.com"]]
    assert world.sent(configuration_set="none") == []
    assert "colour" in world.admin("GET", "/sent?colour=red", expect=400)["error"]


def test_the_ledger_pages_oldest_first_and_can_show_the_newest(world: World) -> None:
    world.ready()
    ids = [world.send(f"k{i}@example.com") for i in range(5)]
    first = world.admin("GET", "/sent?limit=2")
    assert ([line["message_id"] for line in first["sent"]], first["total"]) == (ids[:2], 5)
    second = world.admin("GET", f"/sent?limit=2&after={first['next']}")
    assert [line["message_id"] for line in second["sent"]] == ids[2:4]
    last = world.admin("GET", f"/sent?limit=2&after={second['next']}")
    assert ([line["message_id"] for line in last["sent"]], last["next"]) == (ids[4:], None)
    newest = world.admin("GET", "/sent?limit=1&order=newest")
    assert newest["sent"][0]["message_id"] == ids[4]
    for query in ("limit=0", "limit=x", "order=sideways", "limit=1001"):
        assert world.admin("GET", f"/sent?{query}", expect=400)["error"]


def test_a_refused_mail_is_not_in_the_ledger(world: World) -> None:
    world.ready()
    world.refused(lambda: world.send("nonsense"))
    assert world.admin("GET", "/sent")["total"] == 0


@pytest.mark.parametrize(
    ("mailbox", "kinds", "subtype"),
    [
        ({"fate": "delivers"}, ["Send", "Delivery"], None),
        ({"fate": "bounces"}, ["Send", "Bounce"], "General"),
        ({"fate": "bounces", "subtype": "NoEmail"}, ["Send", "Bounce"], "NoEmail"),
        (
            {"fate": "bounces", "subtype": "CustomTimeoutExceeded"},
            ["Send", "Bounce"],
            "CustomTimeoutExceeded",
        ),
        ({"fate": "complains"}, ["Send", "Delivery", "Complaint"], None),
        ({"fate": "defers"}, ["Send", "DeliveryDelay", "Delivery"], None),
        ({"fate": "defers", "then": "bounces"}, ["Send", "DeliveryDelay", "Bounce"], "General"),
        ({"fate": "defers", "then": "complains"}, ["Send", "DeliveryDelay", "Delivery", "Complaint"], None),
        ({"fate": "delivers", "then": "bounces"}, ["Send", "Delivery", "Bounce"], "General"),
        ({"fate": "delivers", "then": "complains"}, ["Send", "Delivery", "Complaint"], None),
    ],
)
def test_a_mailbox_does_what_it_was_set_to(
    world: World, mailbox: dict[str, Any], kinds: list[str], subtype: str | None
) -> None:
    world.ready()
    world.mailbox("kim@example.com", **mailbox)
    world.send("Kim@Example.com")
    events = world.events(len(kinds))
    assert [e["eventType"] for e in events] == kinds
    assert events[-1].get("bounce", {}).get("bounceSubType") == subtype


def test_transient_general_names_its_type(world: World) -> None:
    world.ready()
    world.mailbox("kim@example.com", "bounces", subtype="Transient/General")
    world.send("kim@example.com")
    bounce = world.events(2)[1]["bounce"]
    assert (bounce["bounceType"], bounce["bounceSubType"]) == ("Transient", "General")
    assert world.ses.list_suppressed_destinations(TenantName="acme")["SuppressedDestinationSummaries"] == []


def test_a_mailbox_setting_for_one_tenant_wins_over_one_for_all(world: World) -> None:
    world.ready()
    world.mailbox("kim@example.com", "bounces")
    world.mailbox("kim@example.com", "delivers", tenant="acme")
    world.mailbox("*@broken.example", "defers", then="nothing")
    world.send("kim@example.com")
    world.send("anybody@broken.example")
    fates = [line["fates"] for line in world.sent()]
    assert fates[0]["kim@example.com"]["fate"] == "delivers"
    assert fates[1]["anybody@broken.example"]["fate"] == "defers"


def test_the_narrowest_mailbox_setting_wins(world: World) -> None:
    world.ready()
    world.mailbox("*@*.example", "bounces")
    world.mailbox("*@*.shop.example", "complains")
    world.mailbox("*@kim.shop.example", "defers", then="nothing")
    world.mailbox("kim@kim.shop.example", "delivers")
    expected = {
        "kim@kim.shop.example": "delivers",
        "lee@kim.shop.example": "defers",
        "lee@lee.shop.example": "complains",
        "lee@shop.example": "bounces",
        "lee@example": "delivers",
    }
    for recipient in expected:
        world.send(recipient)
    assert [next(iter(line["fates"].values()))["fate"] for line in world.sent()] == list(expected.values())


def test_a_mailbox_bounces_with_the_words_that_it_is_given() -> None:
    said = "smtp; 554 5.7.1 message identified as spam"
    late = Mailbox("delivers", then="bounces", diagnostic=said).plan
    assert [(one.kind, one.diagnostic) for one in late] == [("Delivery", ""), ("Bounce", said)]
    assert Mailbox("bounces", diagnostic=said).plan[0].listed


def test_mailboxes_are_read_listed_and_deleted(world: World) -> None:
    world.mailbox("Kim@example.com", "bounces", tenant="acme", subtype="MailboxFull")
    expected = {
        "address": "kim@example.com",
        "tenant": "acme",
        "fate": "bounces",
        "subtype": "MailboxFull",
        "then": None,
        "seconds": 0.0,
        "delays": 1,
        "diagnostic": None,
        "opens": 0,
        "clicks": 0,
    }
    assert world.admin("GET", "/mailboxes/kim%40example.com?tenant=acme") == expected
    assert world.admin("GET", "/mailboxes")["mailboxes"] == [expected]
    assert world.admin("GET", "/mailboxes/kim@example.com", expect=404)["error"]
    world.admin("DELETE", "/mailboxes/kim@example.com?tenant=acme")
    assert world.admin("DELETE", "/mailboxes/kim@example.com?tenant=acme", expect=404)["error"]


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("kim", {"fate": "bounces"}),
        ("kim@example.com", {}),
        ("kim@example.com", {"fate": "explodes"}),
        ("kim@example.com", {"fate": "bounces", "subtype": "Nonsense"}),
        ("kim@example.com", {"fate": "bounces", "subtype": "Transient/NoEmail"}),
        ("kim@example.com", {"fate": "bounces", "then": "delivers"}),
        ("kim@example.com", {"fate": "defers", "then": "whatever"}),
        ("kim@example.com", {"fate": 3}),
        ("kim@example.com", {"fate": "bounces", "colour": "red"}),
    ],
)
def test_an_invalid_mailbox_setting_is_refused(world: World, address: str, body: dict[str, Any]) -> None:
    assert world.admin("PUT", f"/mailboxes/{address}", body, expect=400)["error"].endswith(".")


def test_reset_deletes_everything(world: World) -> None:
    world.ready()
    world.send("kim@example.com")
    world.fault("throttle")
    world.admin("PUT", "/account", {"rate": 3})
    world.admin("POST", "/reset")
    assert world.admin("GET", "/sent")["total"] == 0
    assert world.admin("GET", "/faults")["faults"] == []
    assert world.ses.list_tenants()["Tenants"] == []
    assert world.sqs.list_queues().get("QueueUrls", []) == []
    assert world.ses.get_account()["SendQuota"]["MaxSendRate"] == 1000


def test_account_settings_are_checked_before_any_is_changed(world: World) -> None:
    before = world.admin("GET", "/account")
    for body in (
        {"rate": 5, "quota": "many"},
        {"rate": 5, "behaviour": {"nonsense": True}},
        {"rate": 5, "behaviour": {"verify_at_once": 1}},
        {"rate": 5, "behaviour": {"default_policy": "lenient"}},
        {"rate": 5, "enforcement": "BAD"},
        {"rate": 5, "sending_enabled": "yes"},
        {"rate": 5, "colour": 1},
        {"rate": -5},
        {"rate": 5, "behaviour": []},
    ):
        assert world.admin("PUT", "/account", body, expect=400)["error"]
    assert world.admin("GET", "/account") == before


def test_missing_identities_and_tenants_are_404(world: World) -> None:
    assert (
        "no identity"
        in world.admin("PUT", "/identities/x.example", {"status": "FAILED"}, expect=404)["error"]
    )
    assert "no tenant" in world.admin("PUT", "/tenants/x", {"aws_status": "DISABLED"}, expect=404)["error"]


def test_unknown_paths_and_methods_and_bad_bodies_are_refused_with_a_sentence(world: World) -> None:
    assert "no call at" in world.admin("GET", "/nowhere", expect=404)["error"]
    assert "not PATCH" in world.admin("PATCH", "/sent", expect=405)["error"]
    for body in (b"{", b"[]", b"\xff", b"[" * 100_000):
        status, answer = world.http("PUT", "/_seslocal/account", body)
        assert status == 400, answer
        assert json.loads(answer)["error"]
