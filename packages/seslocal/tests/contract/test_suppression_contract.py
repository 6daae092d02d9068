"""Suppression as documented or observed (ses.md 2): which list applies to a mail, what is recorded, the events of a
suppressed mail, how entries are managed, and Auto Validation."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from seslocal_fixtures.world import World

BOTH = ["BOUNCE", "COMPLAINT"]
DAY = 86400
KIM = "kim@example.com"


@pytest.fixture
def still(world: World) -> World:
    """Tenant acme with its own list, and a frozen clock."""
    world.ready()
    world.admin("PUT", "/clock", {"at": "2026-03-02T12:00:00Z", "frozen": True})
    return world


def put(world: World, address: str = KIM, reason: str = "BOUNCE", **where: str) -> None:
    world.ses.put_suppressed_destination(EmailAddress=address, Reason=reason, **where)


def listed(world: World, **where: Any) -> dict[str, str]:
    found = world.ses.list_suppressed_destinations(**where)["SuppressedDestinationSummaries"]
    return {entry["EmailAddress"]: entry["Reason"] for entry in found}


def global_addresses(world: World) -> list[str]:
    return [one["address"] for one in world.admin("GET", "/global-list")["addresses"]]


def mail(world: World, *to: str, **more: Any) -> list[tuple[str, str | None]]:
    """Sends a mail and lets time pass. Returns each event with its subtype."""
    world.send(*to, **more)
    world.admin("PUT", "/clock", {"advance": 60})
    events: list[tuple[str, str | None]] = []
    while True:
        got = world.sqs.receive_message(QueueUrl=world.queue(), MaxNumberOfMessages=10).get("Messages", [])
        if not got:
            return events
        for message in got:
            world.sqs.delete_message(QueueUrl=world.queue(), ReceiptHandle=message["ReceiptHandle"])
            event = document(message)
            if event:
                part = event.get("bounce", event.get("complaint", {}))
                events.append((event["eventType"], part.get("bounceSubType") or part.get("complaintSubType")))


def document(message: Any) -> dict[str, Any]:
    text = json.loads(message["Body"])["Message"]
    return json.loads(text) if text.startswith("{") else {}


# the three lists


def test_a_new_account_suppresses_for_both_reasons(world: World) -> None:
    assert world.ses.get_account()["SuppressionAttributes"]["SuppressedReasons"] == BOTH


def test_the_global_list_shows_in_no_call_of_ses(still: World) -> None:
    still.mailbox(KIM, "bounces")
    still.ses.put_account_suppression_attributes(SuppressedReasons=[])
    still.ses.put_tenant_suppression_attributes(TenantName="acme")
    mail(still, KIM)
    assert global_addresses(still) == [KIM]
    assert listed(still) == listed(still, TenantName="acme") == {}
    assert still.refused(still.ses.get_suppressed_destination, EmailAddress=KIM)[0] == 404


def test_lists_of_account_and_tenants_are_separate(world: World) -> None:
    world.tenant("acme")
    world.tenant("zen")
    put(world, "a@example.com")
    put(world, "b@example.com", TenantName="acme")
    put(world, "c@example.com", TenantName="zen")
    assert [*listed(world)] == ["a@example.com"]
    assert [*listed(world, TenantName="acme")] == ["b@example.com"]
    assert [*listed(world, TenantName="zen")] == ["c@example.com"]


# which list applies


def test_a_mail_without_tenant_and_set_uses_the_accounts_list(still: World) -> None:
    put(still)
    put(still, "lee@example.com", TenantName="acme")
    message_id = still.send(KIM, "lee@example.com", tenant=None, configuration_set=None)
    fates = still.admin("GET", f"/sent/{message_id}")["fates"]
    assert fates[KIM]["subtype"] == "OnAccountSuppressionList"
    assert fates["lee@example.com"]["fate"] == "delivers"


def test_a_set_of_scope_tenant_on_a_mail_without_tenant_uses_the_accounts_list(still: World) -> None:
    still.ses.put_configuration_set_suppression_options(
        ConfigurationSetName="acme-reset", SuppressionScope="TENANT", SuppressedReasons=BOTH
    )
    put(still)
    assert mail(still, KIM, tenant=None) == [("Send", None), ("Bounce", "OnAccountSuppressionList")]


def test_a_hard_bounce_of_scope_tenant_is_on_the_tenants_and_the_global_list(still: World) -> None:
    still.mailbox(KIM, "bounces")
    mail(still, KIM)
    assert (listed(still, TenantName="acme"), listed(still)) == ({KIM: "BOUNCE"}, {})
    assert global_addresses(still) == [KIM]


def test_a_complaint_of_scope_tenant_is_on_the_tenants_list_only(still: World) -> None:
    still.mailbox(KIM, "complains")
    mail(still, KIM)
    assert (listed(still, TenantName="acme"), listed(still)) == ({KIM: "COMPLAINT"}, {})
    assert global_addresses(still) == []


@pytest.mark.parametrize("subtype", ["MailboxFull", "MessageTooLarge", "Transient/General", "Undetermined"])
def test_only_permanent_bounces_are_listed(still: World, subtype: str) -> None:
    still.mailbox(KIM, "bounces", subtype=subtype)
    assert [kind for kind, _ in mail(still, KIM)] == ["Send", "Bounce"]
    assert listed(still) == listed(still, TenantName="acme") == {}
    assert global_addresses(still) == []


@pytest.mark.parametrize("domain", ["gmail.com", "GoogleMail.com"])
def test_a_complaint_at_gmail_is_not_reported_or_listed(still: World, domain: str) -> None:
    still.mailbox(f"*@{domain}", "complains")
    assert mail(still, f"kim@{domain}") == [("Send", None), ("Delivery", None)]
    assert listed(still, TenantName="acme") == {}


def test_not_spam_removes_complaints_from_the_accounts_list_too_but_never_bounces(still: World) -> None:
    still.ses.put_tenant_suppression_attributes(
        TenantName="acme", SuppressionScope="ACCOUNT", SuppressedReasons=[]
    )
    put(still, "a@example.com", "COMPLAINT")
    put(still, "b@example.com", "BOUNCE")
    still.mailbox("*@example.com", "complains", subtype="not-spam")
    mail(still, "a@example.com", "b@example.com")
    assert listed(still) == {"b@example.com": "BOUNCE"}


@pytest.mark.parametrize("strikes", [False, True])
def test_the_global_list_applies_to_tenants_only_when_switched(still: World, strikes: bool) -> None:
    still.admin("PUT", "/global-list/" + KIM)
    still.admin("PUT", "/account", {"behaviour": {"global_list_for_tenants": strikes}})
    assert mail(still, KIM) == [
        ("Send", None),
        ("Bounce", "Suppressed") if strikes else ("Delivery", None),
    ]


# settings


@pytest.mark.parametrize(
    "body",
    [b'{"TenantName":"acme"}', b'{"TenantName":"acme","SuppressedReasons":null,"SuppressionScope":null}'],
)
def test_neither_scope_nor_reasons_clears_both(still: World, body: bytes) -> None:
    assert still.http("POST", "/v2/email/tenant/suppression", body) == (200, b"{}")
    assert "SuppressionAttributes" not in still.ses.get_tenant(TenantName="acme")["Tenant"]
    put(still)
    assert mail(still, KIM) == [("Send", None), ("Bounce", "OnAccountSuppressionList")]


def test_an_empty_list_of_reasons_is_kept_as_such(still: World) -> None:
    for _ in range(2):  # can be repeated
        still.ses.put_tenant_suppression_attributes(
            TenantName="acme", SuppressionScope="TENANT", SuppressedReasons=[]
        )
    shown = still.ses.get_tenant(TenantName="acme")["Tenant"]["SuppressionAttributes"]
    assert shown == {"SuppressedReasons": [], "SuppressionScope": "TENANT"}


def test_options_of_a_set_are_read_back_replaced_and_checked(still: World) -> None:
    put_options = still.ses.put_configuration_set_suppression_options
    for options in (
        {"SuppressedReasons": ["BOUNCE"]},
        {"SuppressionScope": "ACCOUNT"},
        {"SuppressionScope": "TENANT", "SuppressedReasons": []},
    ):
        put_options(ConfigurationSetName="acme-reset", **options)
        found = still.ses.get_configuration_set(ConfigurationSetName="acme-reset")
        assert found["SuppressionOptions"] == options
    put_options(ConfigurationSetName="acme-reset")
    assert "SuppressionOptions" not in still.ses.get_configuration_set(ConfigurationSetName="acme-reset")
    assert still.refused(put_options, ConfigurationSetName="none") == (
        404,
        "NotFoundException",
        "Configuration set <none> does not exist.",
    )
    twice = still.refused(
        put_options, ConfigurationSetName="acme-reset", SuppressedReasons=["BOUNCE", "BOUNCE"]
    )
    assert twice == (
        400,
        "BadRequestException",
        "Each suppressed reason can only be specified at most once",
    )


@pytest.mark.parametrize(
    ("operation", "params", "at", "choices"),
    [
        (
            "put_suppressed_destination",
            {"EmailAddress": KIM, "Reason": "SPITE"},
            "reason",
            "BOUNCE, COMPLAINT",
        ),
        (
            "put_tenant_suppression_attributes",
            {"TenantName": "acme", "SuppressionScope": "SPITE", "SuppressedReasons": []},
            "suppressionScope",
            "TENANT, ACCOUNT",
        ),
    ],
)
def test_an_invalid_reason_or_scope_is_a_validation_error(
    world: World, operation: str, params: dict[str, Any], at: str, choices: str
) -> None:
    status, code, message = world.refused(getattr(world.ses, operation), **params)
    assert (status, code) == (400, "BadRequestException")
    start = f"1 validation error detected: Value 'SPITE' at '{at}' failed to satisfy constraint: "
    start += "Member must satisfy enum value set: ["
    assert message.startswith(start)
    assert set(message[len(start) : -1].split(", ")) == set(choices.split(", "))


# entries


def test_an_entry_put_by_the_customer_has_no_attributes_and_in_the_accounts_list_no_tenant(
    still: World,
) -> None:
    put(still)
    found = still.ses.get_suppressed_destination(EmailAddress=KIM)["SuppressedDestination"]
    assert found == {
        "EmailAddress": KIM,
        "Reason": "BOUNCE",
        "LastUpdateTime": datetime(2026, 3, 2, 12, tzinfo=UTC),
    }


def test_an_entry_made_by_ses_has_attributes_in_get_and_not_in_list(still: World) -> None:
    still.mailbox(KIM, "bounces")
    mail(still, KIM)
    found = still.ses.get_suppressed_destination(EmailAddress=KIM, TenantName="acme")["SuppressedDestination"]
    assert set(found) == {"EmailAddress", "Reason", "LastUpdateTime", "Attributes", "TenantName"}
    assert set(found["Attributes"]) == {"MessageId", "FeedbackId"}
    [entry] = still.ses.list_suppressed_destinations(TenantName="acme")["SuppressedDestinationSummaries"]
    assert set(entry) == {"EmailAddress", "Reason", "LastUpdateTime"}


def test_a_put_overwrites_reason_and_time(still: World) -> None:
    put(still, TenantName="acme")
    still.admin("PUT", "/clock", {"advance": DAY})
    put(still, reason="COMPLAINT", TenantName="acme")
    [entry] = still.ses.list_suppressed_destinations(TenantName="acme")["SuppressedDestinationSummaries"]
    assert (entry["Reason"], entry["LastUpdateTime"].day) == ("COMPLAINT", 3)


@pytest.mark.parametrize("attributes", [{}, {"SuppressionScope": "ACCOUNT", "SuppressedReasons": BOTH}])
def test_a_put_works_whatever_the_tenants_scope(world: World, attributes: dict[str, Any]) -> None:
    world.tenant("acme")
    world.ses.put_tenant_suppression_attributes(TenantName="acme", **attributes)
    put(world, TenantName="acme")
    assert listed(world, TenantName="acme") == {KIM: "BOUNCE"}


def test_entries_are_found_by_reason_and_time(still: World) -> None:
    for number, reason in enumerate(("BOUNCE", "COMPLAINT", "BOUNCE")):
        put(still, f"a{number}@example.com", reason)
        still.admin("PUT", "/clock", {"advance": DAY})
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert [*listed(still, Reasons=["BOUNCE"])] == ["a0@example.com", "a2@example.com"]
    assert len(listed(still, Reasons=BOTH)) == 3
    assert [*listed(still, StartDate=noon + timedelta(hours=1))] == ["a1@example.com", "a2@example.com"]
    assert [*listed(still, EndDate=noon + timedelta(hours=1))] == ["a0@example.com"]
    between = {"StartDate": noon + timedelta(hours=1), "EndDate": noon + timedelta(hours=25)}
    assert [*listed(still, **between)] == ["a1@example.com"]


@pytest.mark.parametrize("where", [{}, {"TenantName": "acme"}])
def test_a_missing_entry_is_404_for_get_and_delete(still: World, where: dict[str, str]) -> None:
    which = "tenant suppression list" if where else "suppression list"
    for call in (still.ses.get_suppressed_destination, still.ses.delete_suppressed_destination):
        assert still.refused(call, EmailAddress=KIM, **where) == (
            404,
            "NotFoundException",
            f"Email address {KIM} does not exist on your {which}.",
        )


def test_a_token_of_another_list_is_invalid(world: World) -> None:
    for name in ("acme", "zen"):
        world.tenant(name)
    others = world.ses.list_tenants(PageSize=1)["NextToken"]
    for token in ("foreign", others):
        refusal = world.refused(world.ses.list_suppressed_destinations, NextToken=token)
        assert refusal[:2] == (400, "InvalidNextTokenException")


def test_the_list_of_an_account_paused_for_ninety_days_is_deleted(still: World) -> None:
    put(still)
    put(still, TenantName="acme")
    still.ses.put_account_sending_attributes(SendingEnabled=False)
    still.admin("PUT", "/clock", {"advance": 89 * DAY})
    assert listed(still) == {KIM: "BOUNCE"}
    still.admin("PUT", "/clock", {"advance": DAY})
    assert (listed(still), listed(still, TenantName="acme")) == ({}, {KIM: "BOUNCE"})


def test_the_ninety_days_start_again_with_each_pause(still: World) -> None:
    put(still)
    for enabled, days in ((False, 60), (True, 200), (False, 60)):
        still.ses.put_account_sending_attributes(SendingEnabled=enabled)
        still.admin("PUT", "/clock", {"advance": days * DAY})
    assert listed(still) == {KIM: "BOUNCE"}
    still.admin("PUT", "/clock", {"advance": 30 * DAY})
    assert listed(still) == {}


# events of a suppressed mail


def prepare(world: World, cause: str) -> None:
    """Makes mail to kim@example.com suppressed for this cause."""
    match cause:
        case "OnTenantSuppressionList":
            put(world, TenantName="acme")
        case "OnAccountSuppressionList":
            put(world)
            world.ses.put_tenant_suppression_attributes(TenantName="acme")
        case "Suppressed":
            world.ses.put_tenant_suppression_attributes(
                TenantName="acme", SuppressionScope="TENANT", SuppressedReasons=[]
            )
            world.admin("PUT", "/global-list/" + KIM)
        case _:
            world.admin("PUT", f"/verdicts/{KIM}", {"verdict": "LOW"})
            world.ses.put_configuration_set_suppression_options(
                ConfigurationSetName="acme-reset",
                ValidationOptions={"ConditionThreshold": {"ConditionThresholdEnabled": "ENABLED"}},
            )


CAUSES = [
    "OnTenantSuppressionList",
    "OnAccountSuppressionList",
    "Suppressed",
    "EmailValidationSuppressed",
]


@pytest.mark.parametrize("cause", CAUSES)
def test_a_suppressed_mail_has_a_send_and_a_permanent_bounce_reported_by_ses(
    world: World, cause: str
) -> None:
    world.ready()
    prepare(world, cause)
    message_id = world.send(KIM)
    send, bounce = world.events(2)
    assert (send["eventType"], bounce["eventType"]) == ("Send", "Bounce")
    assert send["mail"]["messageId"] == bounce["mail"]["messageId"] == message_id
    details = bounce["bounce"]
    assert (details["bounceType"], details["bounceSubType"]) == ("Permanent", cause)
    assert details["reportingMTA"] == "dns; amazonses.com"
    [recipient] = details["bouncedRecipients"]
    assert (recipient["emailAddress"], recipient["action"], recipient["status"]) == (KIM, "failed", "5.1.1")
    assert world.silent()


@pytest.mark.parametrize("cause", CAUSES)
def test_a_suppressed_mail_counts_against_the_quota(still: World, cause: str) -> None:
    prepare(still, cause)
    mail(still, KIM)
    assert still.ses.get_account()["SendQuota"]["SentLast24Hours"] == 1


@pytest.mark.parametrize("cause", CAUSES)
def test_only_the_global_lists_bounces_count_in_the_rate(still: World, cause: str) -> None:
    still.admin("PUT", "/account", {"thresholds": {"minimum": 1}})
    prepare(still, cause)
    mail(still, KIM)
    found = still.ses.list_recommendations()["Recommendations"]
    assert [one["Type"] for one in found] == (["BOUNCE"] if cause == "Suppressed" else [])


@pytest.mark.parametrize("cause", CAUSES)
def test_a_suppressed_mail_is_added_to_no_list(still: World, cause: str) -> None:
    prepare(still, cause)
    before = listed(still), listed(still, TenantName="acme"), global_addresses(still)
    mail(still, KIM)
    assert (listed(still), listed(still, TenantName="acme"), global_addresses(still)) == before


@pytest.mark.parametrize(("scope", "which"), [("TENANT", "Tenant"), ("ACCOUNT", "Account")])
def test_an_entry_for_a_complaint_gives_a_complaint_without_feedback_type(
    world: World, scope: str, which: str
) -> None:
    world.ready(scope=scope)
    put(world, reason="COMPLAINT", **({"TenantName": "acme"} if scope == "TENANT" else {}))
    world.send(KIM)
    send, event = world.events(2)
    assert (send["eventType"], event["eventType"]) == ("Send", "Complaint")
    assert event["complaint"]["complaintSubType"] == f"On{which}SuppressionList"
    assert "complaintFeedbackType" not in event["complaint"]
    assert [one["emailAddress"] for one in event["complaint"]["complainedRecipients"]] == [KIM]
    assert world.silent()


@pytest.mark.parametrize(("scope", "ending"), [("TENANT", "your tenant."), ("ACCOUNT", "your account. ")])
def test_the_diagnostic_code_names_the_list(world: World, scope: str, ending: str) -> None:
    world.ready(scope=scope)
    put(world, **({"TenantName": "acme"} if scope == "TENANT" else {}))
    world.send(KIM)
    text = world.events(2)[1]["bounce"]["bouncedRecipients"][0]["diagnosticCode"]
    start = "Amazon SES did not send the message to this address because it is on the suppression list for "
    assert text.startswith(start + ending)
    assert (text == start + ending) == (scope == "TENANT")  # the account's text continues with a link


# Auto Validation


def test_insights_have_sess_members_and_verdicts(world: World) -> None:
    found = world.ses.get_email_address_insights(EmailAddress=KIM)["MailboxValidation"]
    assert set(found) == {"IsValid", "Evaluations"}
    assert [*found["Evaluations"]] == [
        "HasValidSyntax",
        "HasValidDnsRecords",
        "MailboxExists",
        "IsRoleAddress",
        "IsDisposable",
        "IsRandomInput",
    ]
    verdicts = [found["IsValid"], *found["Evaluations"].values()]
    assert {one["ConfidenceVerdict"] for one in verdicts} <= {"LOW", "MEDIUM", "HIGH"}


@pytest.mark.parametrize("path", ["/v2/email/email-address-insights/", "/v2/email/email-address-insights"])
def test_the_insights_path_ends_in_a_slash(world: World, path: str) -> None:
    assert world.http("POST", path, b'{"EmailAddress":"kim@example.com"}')[0] == 200


def test_a_set_can_be_created_with_a_validation_threshold(still: World) -> None:
    condition = {"ConditionThreshold": {"ConditionThresholdEnabled": "ENABLED"}}
    still.ses.create_configuration_set(
        ConfigurationSetName="picky", SuppressionOptions={"ValidationOptions": condition}
    )
    found = still.ses.get_configuration_set(ConfigurationSetName="picky")
    assert found["SuppressionOptions"] == {"ValidationOptions": condition}
    still.admin("PUT", f"/verdicts/{KIM}", {"verdict": "LOW"})
    message_id = still.send(KIM, tenant=None, configuration_set="picky")
    fate = still.admin("GET", f"/sent/{message_id}")["fates"][KIM]
    assert fate == {"fate": "bounces", "subtype": "EmailValidationSuppressed"}


def test_the_mailbox_simulator_is_not_validated(still: World) -> None:
    still.ses.put_account_suppression_attributes(
        SuppressedReasons=BOTH,
        ValidationAttributes={"ConditionThreshold": {"ConditionThresholdEnabled": "ENABLED"}},
    )
    assert mail(still, "bounce@simulator.amazonses.com") == [("Send", None), ("Bounce", "General")]
