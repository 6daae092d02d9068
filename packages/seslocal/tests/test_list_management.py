"""Mail to a contact list has a working unsubscribe link, and recipients who used it get no more mail."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlsplit

import pytest

from seslocal_fixtures.contacts import KIM, TOPICS, prefers
from seslocal_fixtures.world import World

NEWS = {"ContactListName": "people", "TopicName": "news"}
ONE_CLICK = b"List-Unsubscribe=One-Click"


@pytest.fixture
def ready(world: World) -> World:
    world.ready(events=["SEND", "DELIVERY", "BOUNCE", "SUBSCRIPTION"])
    world.ses.create_contact_list(ContactListName="people", Topics=TOPICS)
    return world


def send(world: World, options: dict[str, str] | None = None, **more: Any) -> str:
    return world.send("kim@example.com", ListManagementOptions=options or NEWS, **more)


def headers(world: World) -> dict[str, str]:
    return {header["name"]: header["value"] for header in world.sent()[-1]["headers"]}


def unsubscribe_path(world: World) -> str:
    """Returns the path of the unsubscribe link in the newest mail."""
    return urlsplit(headers(world)["List-Unsubscribe"].partition(">")[0][1:]).path


def test_ses_replaces_the_callers_unsubscribe_headers(ready: World) -> None:
    content = {
        "Simple": {
            "Subject": {"Data": "s"},
            "Body": {"Text": {"Data": "Leave: {{amazonSESUnsubscribeUrl}}"}},
            "Headers": [{"Name": "List-Unsubscribe", "Value": "<https://acme.example/out>"}],
        }
    }
    message_id = send(ready, Content=content)
    found = headers(ready)
    assert found["List-Unsubscribe"].startswith(f"<{ready.local.url}/U0/")
    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    body = ready.admin("GET", f"/sent/{message_id}")["content"]["Simple"]["Body"]["Text"]["Data"]
    assert body == f"Leave: {ready.local.url}{unsubscribe_path(ready)}"


def test_a_recipient_becomes_a_contact(ready: World) -> None:
    send(ready)
    assert ready.ses.get_contact(**KIM)["TopicPreferences"] == []


def test_one_click_leaves_the_topic_and_publishes_an_event(ready: World) -> None:
    message_id = send(ready)
    assert ready.http("POST", unsubscribe_path(ready), ONE_CLICK)[0] == 200
    [event] = [event for event in ready.events(3) if event["eventType"] == "Subscription"]
    assert event["mail"]["messageId"] == message_id
    details = event["subscription"]
    assert (details["contactList"], details["source"]) == ("people", "UnsubscribeHeader")
    assert details["oldTopicPreferences"]["topicSubscriptionStatus"] == []
    assert details["newTopicPreferences"]["topicSubscriptionStatus"] == [
        {"topicName": "news", "subscriptionStatus": "OptOut"}
    ]
    assert ready.ses.get_contact(**KIM)["TopicPreferences"] == prefers("news", "OPT_OUT")


def test_one_click_can_be_multipart(ready: World) -> None:
    send(ready)
    body = b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
    ready.http("POST", unsubscribe_path(ready), body, {"Content-Type": "multipart/form-data; boundary=b"})
    assert ready.ses.get_contact(**KIM)["TopicPreferences"] == prefers("news", "OPT_OUT")


@pytest.mark.parametrize("body", [b"", b"List-Unsubscribe=Perhaps", b"topic-news=on", b"\xff"])
def test_an_invalid_post_changes_nothing(ready: World, body: bytes) -> None:
    send(ready)
    assert ready.http("POST", unsubscribe_path(ready), body)[0] == 400
    assert ready.ses.get_contact(**KIM)["TopicPreferences"] == []


def test_a_deleted_topic_cannot_be_left(ready: World) -> None:
    send(ready)
    ready.ses.update_contact_list(ContactListName="people", Topics=TOPICS[1:])
    assert ready.http("POST", unsubscribe_path(ready), ONE_CLICK)[0] == 200
    assert ready.ses.get_contact(**KIM)["TopicPreferences"] == []


def test_the_link_is_put_into_raw_text_in_base64(ready: World) -> None:
    text = base64.encodebytes(b"Leave: {{amazonSESUnsubscribeUrl}}")
    raw = (
        b"From: no-reply@mail.acme.example\r\nTo: kim@example.com\r\nSubject: s\r\nContent-Type: text/plain\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n"
    )
    message_id = send(ready, Content={"Raw": {"Data": raw + text}})
    kept = base64.b64decode(ready.admin("GET", f"/sent/{message_id}")["content"]["Raw"]["Data"])
    assert kept.startswith(raw)
    assert base64.b64decode(kept[len(raw) :]) == f"Leave: {ready.local.url}{unsubscribe_path(ready)}".encode()


def test_one_click_without_a_topic_leaves_everything(ready: World) -> None:
    send(ready, {"ContactListName": "people"})
    ready.http("POST", unsubscribe_path(ready), ONE_CLICK)
    assert ready.ses.get_contact(**KIM)["UnsubscribeAll"] is True


def test_a_get_of_the_link_changes_nothing(ready: World) -> None:
    send(ready)
    status, page = ready.http("GET", unsubscribe_path(ready))
    assert status == 200
    assert b"What may people send to kim@example.com?" in page
    assert ready.ses.get_contact(**KIM)["TopicPreferences"] == []


def test_the_unsubscribe_page_saves_the_chosen_topics(ready: World) -> None:
    send(ready)
    ready.http("POST", unsubscribe_path(ready), b"choices=1&topic-offers=on")
    found = ready.ses.get_contact(**KIM)
    assert found["TopicPreferences"] == prefers("news", "OPT_OUT") + prefers("offers", "OPT_IN")
    events = [event for event in ready.events(3) if event["eventType"] == "Subscription"]
    assert events[0]["subscription"]["source"] == "SubscriptionManagementPage"


def test_repeating_a_choice_publishes_no_event(ready: World) -> None:
    send(ready)
    for _ in range(2):
        ready.http("POST", unsubscribe_path(ready), ONE_CLICK)
    assert sorted(ready.kinds(3)) == ["Delivery", "Send", "Subscription"]
    assert ready.silent()


@pytest.mark.parametrize(
    ("contact", "options"),
    [
        ({"UnsubscribeAll": True}, NEWS),
        ({"UnsubscribeAll": True}, {"ContactListName": "people"}),
        ({"TopicPreferences": prefers("news", "OPT_OUT")}, NEWS),
        ({}, {"ContactListName": "people", "TopicName": "offers"}),
    ],
)
def test_an_opted_out_contact_is_not_mailed(
    ready: World, contact: dict[str, Any], options: dict[str, str]
) -> None:
    ready.ses.create_contact(**KIM, **contact)
    send(ready, options)
    [event] = [event for event in ready.events(2) if event["eventType"] == "Bounce"]
    assert (event["bounce"]["bounceType"], event["bounce"]["bounceSubType"]) == (
        "Permanent",
        "UnsubscribedRecipient",
    )
    assert ready.ses.list_suppressed_destinations(TenantName="acme")["SuppressedDestinationSummaries"] == []
    assert ready.silent()


def test_raw_mail_names_its_list_in_a_header(ready: World) -> None:
    raw = (
        b"From: no-reply@mail.acme.example\r\nTo: kim@example.com\r\nSubject: s\r\n"
        b"X-SES-LIST-MANAGEMENT-OPTIONS: people; topic=news\r\n\r\n{{amazonSESUnsubscribeUrl}}\r\n"
    )
    ready.send(Destination={"ToAddresses": ["kim@example.com"]}, Content={"Raw": {"Data": raw}})
    assert ready.http("POST", unsubscribe_path(ready), ONE_CLICK)[0] == 200
    assert ready.ses.get_contact(**KIM)["TopicPreferences"] == prefers("news", "OPT_OUT")


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ({"ContactListName": "no"}, (404, "NotFoundException", "List with name: no doesn't exist.")),
        (
            {**NEWS, "TopicName": "no"},
            (404, "NotFoundException", "Topic with name: no doesn't exist in List people."),
        ),
    ],
)
def test_list_and_topic_must_exist(ready: World, options: dict[str, str], refusal: Any) -> None:
    assert ready.refused(lambda: send(ready, options)) == refusal


def test_list_management_allows_one_recipient(ready: World) -> None:
    refused = ready.refused(lambda: ready.send("a@x.example", "b@x.example", ListManagementOptions=NEWS))
    assert refused == (
        400,
        "BadRequestException",
        "Only one recipient is allowed when ListManagementOptions are used.",
    )


def test_the_first_two_placeholders_become_the_link(ready: World) -> None:
    place = "{{amazonSESUnsubscribeUrl}} "
    body = {"Text": {"Data": place}, "Html": {"Data": place * 2}}
    message_id = send(ready, Content={"Simple": {"Subject": {"Data": "s"}, "Body": body}})
    body = ready.admin("GET", f"/sent/{message_id}")["content"]["Simple"]["Body"]
    link = f"{ready.local.url}{unsubscribe_path(ready)} "
    assert (body["Text"]["Data"], body["Html"]["Data"]) == (link, link + place)


def test_an_unknown_link_and_a_deleted_list_are_not_found(ready: World) -> None:
    assert ready.http("GET", "/U0/00000000")[0] == 404
    send(ready)
    path = unsubscribe_path(ready)
    ready.ses.delete_contact_list(ContactListName="people")
    assert ready.http("POST", path, ONE_CLICK)[0] == 404


def test_names_are_escaped_on_the_page(ready: World) -> None:
    topics = [
        {"TopicName": "t", "DisplayName": "<script>alert(1)</script>", "DefaultSubscriptionStatus": "OPT_IN"}
    ]
    ready.ses.update_contact_list(ContactListName="people", Topics=topics)
    send(ready, {"ContactListName": "people"})
    assert b"<script" not in ready.http("GET", unsubscribe_path(ready))[1]
