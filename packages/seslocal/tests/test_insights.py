"""Message insights: what Virtual Deliverability Manager shows of a mail, and which mails it does not include."""

from __future__ import annotations

from typing import Any

import pytest

from seslocal_fixtures.world import ACCOUNT, World

VDM: Any = {"VdmEnabled": "ENABLED", "DashboardAttributes": {"EngagementMetrics": "ENABLED"}}
HTML: Any = {
    "Simple": {"Subject": {"Data": "Hi"}, "Body": {"Html": {"Data": '<a href="https://a.example/">x</a>'}}}
}


@pytest.fixture
def watched(world: World) -> World:
    """Tenant acme, ready to send, with VDM on. Events arrive when the clock is moved."""
    world.ready(events=["SEND"])
    world.ses.put_account_vdm_attributes(VdmAttributes=VDM)
    world.admin("PUT", "/clock", {"frozen": True})
    return world


def insights(world: World, message_id: str) -> Any:
    world.admin("PUT", "/clock", {"advance": 10})
    return world.ses.get_message_insights(MessageId=message_id)


def kinds(answer: Any) -> list[str]:
    return [event["Type"] for event in answer["Insights"][0]["Events"]]


def test_insights_of_a_mail_have_tags_mailbox_provider_and_events(watched: World) -> None:
    tags = [{"Name": "stream", "Value": "news"}]
    answer = insights(watched, watched.send("Kim@Gmail.com", EmailTags=tags))
    assert (answer["FromEmailAddress"], answer["Subject"]) == ("Acme <no-reply@mail.acme.example>", "Hi")
    shown = {tag["Name"]: tag["Value"] for tag in answer["EmailTags"]}
    assert (shown["stream"], shown["ses:recipient-isp"], shown["ses:sender-identity"]) == (
        "news",
        "Gmail",
        "mail.acme.example",
    )
    [one] = answer["Insights"]
    assert (one["Destination"], one["Isp"]) == ("Kim@Gmail.com", "Gmail")
    assert kinds(answer) == ["SEND", "DELIVERY"]
    assert one["Events"][0]["Timestamp"] <= one["Events"][1]["Timestamp"]


def test_insights_of_bounces_and_complaints_have_details(watched: World) -> None:
    watched.mailbox("full@example.com", "bounces", subtype="MailboxFull")
    watched.mailbox("angry@example.com", "complains")
    bounced = insights(watched, watched.send("full@example.com"))
    assert bounced["Insights"][0]["Isp"] == "UNKNOWN_ISP"
    assert bounced["Insights"][0]["Events"][1]["Details"] == {
        "Bounce": {
            "BounceType": "TRANSIENT",
            "BounceSubType": "MailboxFull",
            "DiagnosticCode": "smtp; 452 4.2.2 mailbox full",
        }
    }
    complained = insights(watched, watched.send("angry@example.com"))
    assert kinds(complained) == ["SEND", "DELIVERY", "COMPLAINT"]
    assert complained["Insights"][0]["Events"][2]["Details"] == {
        "Complaint": {"ComplaintFeedbackType": "abuse"}
    }


def test_a_suppressed_bounce_is_in_insights_and_a_suppressed_complaint_is_not(watched: World) -> None:
    put = watched.ses.put_suppressed_destination
    put(EmailAddress="gone@example.com", Reason="BOUNCE", TenantName="acme")
    put(EmailAddress="angry@example.com", Reason="COMPLAINT", TenantName="acme")
    [_, event] = insights(watched, watched.send("gone@example.com"))["Insights"][0]["Events"]
    assert event["Details"]["Bounce"]["BounceSubType"] == "ON_TENANT_SUPPRESSION_LIST"
    assert kinds(insights(watched, watched.send("angry@example.com"))) == ["SEND"]


def test_opens_and_clicks_are_in_insights(watched: World) -> None:
    message_id = watched.send("kim@example.com", Content=HTML)
    watched.admin("PUT", "/clock", {"advance": 10})
    html = watched.http("GET", f"/_seslocal/sent/{message_id}/html")[1].decode()
    pixel = html.partition('src="')[2].partition('"')[0].partition(watched.host)[2]
    for _ in range(2):
        watched.http("GET", pixel)
    assert kinds(insights(watched, message_id)) == ["SEND", "DELIVERY", "OPEN", "OPEN"]


@pytest.mark.parametrize("to", [("kim@example.com", "lee@example.com"), ("success@simulator.amazonses.com",)])
def test_mail_to_several_recipients_or_the_simulator_has_no_insights(
    watched: World, to: tuple[str, ...]
) -> None:
    message_id = watched.send(*to)
    assert watched.refused(watched.ses.get_message_insights, MessageId=message_id) == (
        404,
        "NotFoundException",
        f"Message <{message_id}> not found for account <{ACCOUNT}>",
    )


def test_there_are_no_insights_while_vdm_is_off(watched: World) -> None:
    watched.ses.put_account_vdm_attributes(VdmAttributes={"VdmEnabled": "DISABLED"})
    message_id = watched.send("kim@example.com")
    refusal = watched.refused(watched.ses.get_message_insights, MessageId=message_id)
    assert refusal == (
        404,
        "NotFoundException",
        "To use this feature you must enable Virtual Deliverability Manager",
    )
    watched.ses.put_account_vdm_attributes(VdmAttributes=VDM)
    assert "not found" in watched.refused(watched.ses.get_message_insights, MessageId=message_id)[2]
