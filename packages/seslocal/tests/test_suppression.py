"""Suppression: which list applies to a mail, the events that follow, and how entries are managed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from seslocal_fixtures.world import World

BOTH = ["BOUNCE", "COMPLAINT"]
REASONS = [BOTH, ["BOUNCE"], ["COMPLAINT"], []]


def hit(world: World, address: str) -> str:
    """Sends to the address. Returns its outcome in the ledger."""
    message_id = world.send(address)
    line = world.admin("GET", f"/sent/{message_id}")
    return line["fates"][address]["subtype"] or line["fates"][address]["fate"]


@pytest.mark.parametrize("scope", ["TENANT", "ACCOUNT"])
@pytest.mark.parametrize("reasons", REASONS, ids=lambda r: "+".join(r) or "none")
def test_scope_and_reasons_decide_what_is_checked(world: World, scope: str, reasons: list[str]) -> None:
    world.ready(scope=scope, reasons=reasons)
    for reason in BOTH:
        address = f"{reason.lower()}ed@example.com"
        world.ses.put_suppressed_destination(EmailAddress=address, Reason=reason, TenantName="acme")
        world.ses.put_suppressed_destination(EmailAddress=f"acct-{address}", Reason=reason)
        word = "OnTenantSuppressionList" if scope == "TENANT" else "OnAccountSuppressionList"
        expected = word if reason in reasons else "delivers"
        in_scope, other = (address, f"acct-{address}") if scope == "TENANT" else (f"acct-{address}", address)
        assert hit(world, in_scope) == expected
        assert hit(world, other) == "delivers"


@pytest.mark.parametrize("scope", ["TENANT", "ACCOUNT"])
@pytest.mark.parametrize("reasons", REASONS, ids=lambda r: "+".join(r) or "none")
def test_scope_and_reasons_decide_what_is_recorded(world: World, scope: str, reasons: list[str]) -> None:
    world.ready(scope=scope, reasons=reasons)
    world.mailbox("hard@example.com", "bounces")
    world.mailbox("soft@example.com", "bounces", subtype="MailboxFull")
    world.mailbox("angry@example.com", "complains")
    for address in ("hard@example.com", "soft@example.com", "angry@example.com"):
        world.send(address)
    world.events(7)  # Send + Bounce, Send + Bounce, Send + Delivery + Complaint
    expected = {"hard@example.com": "BOUNCE", "angry@example.com": "COMPLAINT"}
    mine = world.ses.list_suppressed_destinations(TenantName="acme")["SuppressedDestinationSummaries"]
    account = world.ses.list_suppressed_destinations()["SuppressedDestinationSummaries"]
    listed, unlisted = (mine, account) if scope == "TENANT" else (account, mine)
    assert {e["EmailAddress"]: e["Reason"] for e in listed} == {
        a: r for a, r in expected.items() if r in reasons
    }
    assert unlisted == []


@pytest.mark.parametrize(
    ("set_options", "tenant_options", "scope", "reasons"),
    [
        ({}, (None, None), "ACCOUNT", BOTH),
        ({}, ("TENANT", ["BOUNCE"]), "TENANT", ["BOUNCE"]),
        ({"SuppressionScope": "ACCOUNT"}, ("TENANT", ["BOUNCE"]), "ACCOUNT", ["BOUNCE"]),
        ({"SuppressedReasons": ["COMPLAINT"]}, ("TENANT", ["BOUNCE"]), "TENANT", ["COMPLAINT"]),
        ({"SuppressedReasons": []}, ("TENANT", BOTH), "TENANT", []),
        ({"SuppressionScope": "TENANT", "SuppressedReasons": ["BOUNCE"]}, (None, None), "TENANT", ["BOUNCE"]),
        ({"SuppressionScope": "TENANT"}, (None, None), "TENANT", BOTH),
    ],
)
def test_scope_and_reasons_resolve_separately_set_then_tenant_then_account(
    world: World,
    set_options: dict[str, Any],
    tenant_options: tuple[str | None, list[str] | None],
    scope: str,
    reasons: list[str],
) -> None:
    given: Any = {"SuppressionOptions": set_options} if set_options else {}
    arns = world.domain(), world.configuration_set(**given)
    world.tenant("acme", *arns, scope=tenant_options[0], reasons=tenant_options[1])
    for reason in BOTH:
        on_tenant, on_account = f"t-{reason}@example.com", f"a-{reason}@example.com"
        world.ses.put_suppressed_destination(EmailAddress=on_tenant, Reason=reason, TenantName="acme")
        world.ses.put_suppressed_destination(EmailAddress=on_account, Reason=reason)
        counts = reason in reasons
        assert (hit(world, on_tenant) != "delivers") == (counts and scope == "TENANT")
        assert (hit(world, on_account) != "delivers") == (counts and scope == "ACCOUNT")


def test_the_accounts_reasons_apply_last(world: World) -> None:
    world.tenant("acme", world.domain(), world.configuration_set())
    world.ses.put_account_suppression_attributes(SuppressedReasons=["COMPLAINT"])
    world.ses.put_suppressed_destination(EmailAddress="a@example.com", Reason="BOUNCE")
    world.ses.put_suppressed_destination(EmailAddress="b@example.com", Reason="COMPLAINT")
    assert hit(world, "a@example.com") == "delivers"
    assert hit(world, "b@example.com") == "OnAccountSuppressionList"
    assert world.ses.get_account()["SuppressionAttributes"] == {"SuppressedReasons": ["COMPLAINT"]}


def test_bounce_of_one_tenant_leaves_the_address_open_to_others(world: World) -> None:
    world.ready()
    world.tenant(
        "other",
        world.arn("identity/mail.acme.example"),
        world.arn("configuration-set/acme-reset"),
        scope="TENANT",
        reasons=BOTH,
    )
    world.mailbox("kim@example.com", "bounces", tenant="acme")
    world.send("kim@example.com")
    world.events(2)
    assert hit(world, "kim@example.com") == "OnTenantSuppressionList"
    world.send("kim@example.com", tenant="other")
    assert world.sent(tenant="other")[0]["fates"] == {
        "kim@example.com": {"fate": "delivers", "subtype": None}
    }


def test_a_mail_to_a_suppressed_address_is_accepted_and_bounces_by_event(world: World) -> None:
    world.ready()
    world.ses.put_suppressed_destination(EmailAddress="kim@example.com", Reason="BOUNCE", TenantName="acme")
    message_id = world.send("kim@example.com")
    send, bounce = world.events(2)
    assert (send["eventType"], bounce["eventType"]) == ("Send", "Bounce")
    assert bounce["mail"]["messageId"] == message_id
    assert bounce["bounce"]["bounceType"] == "Permanent"
    assert bounce["bounce"]["bounceSubType"] == "OnTenantSuppressionList"
    assert bounce["bounce"]["reportingMTA"] == "dns; amazonses.com"
    assert bounce["bounce"]["bouncedRecipients"] == [
        {
            "emailAddress": "kim@example.com",
            "action": "failed",
            "status": "5.1.1",
            "diagnosticCode": "Amazon SES did not send the message to this address because it is on the "
            "suppression list for your tenant.",
        }
    ]
    assert world.silent()  # never a Delivery
    assert world.ses.get_account()["SendQuota"]["SentLast24Hours"] == 2  # the suppressed one and the canary


def test_a_suppressed_complaint_is_a_complaint_without_feedback_type(world: World) -> None:
    world.ready()
    world.ses.put_suppressed_destination(
        EmailAddress="lee@example.com", Reason="COMPLAINT", TenantName="acme"
    )
    world.send("lee@example.com")
    _, complaint = world.events(2)
    assert complaint["eventType"] == "Complaint"
    assert complaint["complaint"]["complaintSubType"] == "OnTenantSuppressionList"
    assert "complaintFeedbackType" not in complaint["complaint"]


def test_suppression_by_the_account_list_names_the_account(world: World) -> None:
    world.ready(scope="ACCOUNT")
    world.ses.put_suppressed_destination(EmailAddress="kim@example.com", Reason="BOUNCE")
    world.send("kim@example.com")
    bounce = world.events(2)[1]["bounce"]
    assert bounce["bounceSubType"] == "OnAccountSuppressionList"
    assert "for your account" in bounce["bouncedRecipients"][0]["diagnosticCode"]


def test_each_cause_has_its_own_event_with_the_whole_destination(world: World) -> None:
    world.ready()
    world.ses.put_suppressed_destination(EmailAddress="old@example.com", Reason="BOUNCE", TenantName="acme")
    world.mailbox("new@example.com", "bounces")
    world.send("old@example.com", "new@example.com", "fine@example.com")
    events = world.events(4)
    bounces = {
        e["bounce"]["bounceSubType"]: e["bounce"]["bouncedRecipients"] for e in events if "bounce" in e
    }
    assert {k: [r["emailAddress"] for r in v] for k, v in bounces.items()} == {
        "OnTenantSuppressionList": ["old@example.com"],
        "General": ["new@example.com"],
    }
    assert all(
        e["mail"]["destination"] == ["old@example.com", "new@example.com", "fine@example.com"] for e in events
    )
    [delivery] = [e["delivery"] for e in events if "delivery" in e]
    assert delivery["recipients"] == ["fine@example.com"]


def test_suppression_ignores_case_but_management_calls_do_not(world: World) -> None:
    world.ready()
    world.ses.put_suppressed_destination(EmailAddress="Kim@Example.COM", Reason="BOUNCE", TenantName="acme")
    assert hit(world, "kim@example.com") == "OnTenantSuppressionList"
    [entry] = world.ses.list_suppressed_destinations(TenantName="acme")["SuppressedDestinationSummaries"]
    assert entry["EmailAddress"] == "Kim@example.com"
    assert world.refused(
        world.ses.get_suppressed_destination, EmailAddress="kim@example.com", TenantName="acme"
    )[:2] == (404, "NotFoundException")
    found = world.ses.get_suppressed_destination(EmailAddress="Kim@example.com", TenantName="acme")
    assert found["SuppressedDestination"].get("TenantName") == "acme"
    world.ses.delete_suppressed_destination(EmailAddress="Kim@example.com", TenantName="acme")
    assert hit(world, "kim@example.com") == "delivers"


def test_deleting_a_missing_entry_is_404_with_the_lists_own_text(world: World) -> None:
    world.ready()
    assert world.refused(
        world.ses.delete_suppressed_destination, EmailAddress="a@b.example", TenantName="acme"
    ) == (
        404,
        "NotFoundException",
        "Email address a@b.example does not exist on your tenant suppression list.",
    )
    assert world.refused(world.ses.delete_suppressed_destination, EmailAddress="a@b.example") == (
        404,
        "NotFoundException",
        "Email address a@b.example does not exist on your suppression list.",
    )


def test_an_entry_ses_made_names_the_mail_that_caused_it_and_a_put_overwrites_it(world: World) -> None:
    world.ready()
    world.mailbox("kim+1@example.com", "bounces")
    message_id = world.send("kim+1@example.com")
    feedback_id = world.events(2)[1]["bounce"]["feedbackId"]
    where = {"EmailAddress": "kim+1@example.com", "TenantName": "acme"}
    entry = world.ses.get_suppressed_destination(**where)["SuppressedDestination"]
    assert entry.get("Attributes") == {"MessageId": message_id, "FeedbackId": feedback_id}
    world.ses.put_suppressed_destination(**where, Reason="COMPLAINT")
    entry = world.ses.get_suppressed_destination(**where)["SuppressedDestination"]
    assert (entry["Reason"], "Attributes" in entry) == ("COMPLAINT", False)


def test_not_spam_removes_the_complaint(world: World) -> None:
    world.ready()
    world.ses.put_suppressed_destination(
        EmailAddress="lee@example.com", Reason="COMPLAINT", TenantName="acme"
    )
    world.ses.put_tenant_suppression_attributes(
        TenantName="acme", SuppressionScope="TENANT", SuppressedReasons=["BOUNCE"]
    )
    world.mailbox("lee@example.com", "complains", subtype="not-spam")
    world.send("lee@example.com")
    assert [e["eventType"] for e in world.events(3)] == ["Send", "Delivery", "Complaint"]
    assert world.ses.list_suppressed_destinations(TenantName="acme")["SuppressedDestinationSummaries"] == []


def test_entries_are_kept_while_suppression_is_off(world: World) -> None:
    world.ready()
    world.ses.put_suppressed_destination(EmailAddress="kim@example.com", Reason="BOUNCE", TenantName="acme")
    put = world.ses.put_tenant_suppression_attributes
    put(TenantName="acme", SuppressionScope="TENANT", SuppressedReasons=[])
    assert hit(world, "kim@example.com") == "delivers"
    put(TenantName="acme", SuppressionScope="TENANT", SuppressedReasons=["BOUNCE"])
    assert hit(world, "kim@example.com") == "OnTenantSuppressionList"


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"SuppressedReasons": BOTH}, "SuppressedReasons cannot be specified without SuppressionScope."),
        ({"SuppressionScope": "TENANT"}, "SuppressionScope cannot be specified without SuppressedReasons."),
        (
            {"SuppressionScope": "TENANT", "SuppressedReasons": ["BOUNCE", "BOUNCE"]},
            "Each suppressed reason can only be specified at most once",
        ),
    ],
)
def test_incomplete_suppression_attributes_are_refused(
    world: World, attributes: dict[str, Any], message: str
) -> None:
    world.tenant("acme")
    expected = (400, "BadRequestException", message)
    assert (
        world.refused(world.ses.put_tenant_suppression_attributes, TenantName="acme", **attributes)
        == expected
    )
    assert (
        world.refused(world.ses.create_tenant, TenantName="b", SuppressionAttributes=attributes) == expected
    )


def test_suppression_attributes_are_set_read_back_and_cleared(world: World) -> None:
    world.tenant("acme", scope="TENANT", reasons=["BOUNCE"])
    expected = {"SuppressionScope": "TENANT", "SuppressedReasons": ["BOUNCE"]}
    assert world.ses.get_tenant(TenantName="acme")["Tenant"].get("SuppressionAttributes") == expected
    world.ses.put_tenant_suppression_attributes(TenantName="acme")
    assert "SuppressionAttributes" not in world.ses.get_tenant(TenantName="acme")["Tenant"]


def test_deleting_a_tenant_deletes_its_list(world: World) -> None:
    first = world.tenant("acme")
    world.ses.put_suppressed_destination(EmailAddress="kim@example.com", Reason="BOUNCE", TenantName="acme")
    world.ses.delete_tenant(TenantName="acme")
    assert world.tenant("acme") != first
    assert world.ses.list_suppressed_destinations(TenantName="acme")["SuppressedDestinationSummaries"] == []


def test_lists_filter_and_page(world: World) -> None:
    for i in range(25):
        reason = "BOUNCE" if i % 2 else "COMPLAINT"
        world.ses.put_suppressed_destination(EmailAddress=f"a{i:02}@example.com", Reason=reason)
    pages = world.ses.get_paginator if world.ses.can_paginate("list_suppressed_destinations") else None
    assert pages is None  # botocore has no paginator for it, so we page by hand
    found: list[str] = []
    more: dict[str, Any] = {}
    while True:
        page = world.ses.list_suppressed_destinations(Reasons=["BOUNCE"], PageSize=5, **more)
        found += [e["EmailAddress"] for e in page["SuppressedDestinationSummaries"]]
        if "NextToken" not in page:
            break
        more = {"NextToken": page["NextToken"]}
    assert found == [f"a{i:02}@example.com" for i in range(1, 25, 2)]
    assert world.refused(world.ses.list_suppressed_destinations, NextToken="foreign")[:2] == (
        400,
        "InvalidNextTokenException",
    )
    start = world.ses.get_suppressed_destination(EmailAddress="a24@example.com")["SuppressedDestination"]
    later = world.ses.list_suppressed_destinations(StartDate=start["LastUpdateTime"].replace(year=2400))
    assert later["SuppressedDestinationSummaries"] == []


def test_an_invalid_address_is_refused(world: World) -> None:
    assert world.refused(world.ses.put_suppressed_destination, EmailAddress="kim", Reason="BOUNCE")[:2] == (
        400,
        "BadRequestException",
    )


def test_simulator_bounces_and_complaints_are_not_listed(world: World) -> None:
    world.ready()
    world.send("bounce+x@simulator.amazonses.com")
    world.send("complaint@simulator.amazonses.com")
    kinds = [(e["eventType"], json.dumps(e.get("bounce", {}).get("bounceSubType"))) for e in world.events(5)]
    assert ("Bounce", '"General"') in kinds
    assert world.ses.list_suppressed_destinations(TenantName="acme")["SuppressedDestinationSummaries"] == []
