"""django-anymail's Amazon SES backend: mail, templates in bulk, and its webhook, which confirms its own subscription."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from anymail.backends.amazon_ses import EmailBackend
from anymail.exceptions import AnymailAPIError
from anymail.message import AnymailMessage
from anymail.signals import tracking
from django.test import override_settings
from local import KEYS, REGION, SECRET, Local
from webhooks import SET, confirmed, site, subscribe


@pytest.fixture
def backend(local: Local) -> Iterator[EmailBackend]:
    client = {"endpoint_url": local.url, "region_name": REGION, **KEYS}
    anymail = {
        "WEBHOOK_SECRET": SECRET,
        "AMAZON_SES_CLIENT_PARAMS": client,
        "AMAZON_SES_MESSAGE_TAG_NAME": "kind",
    }
    with override_settings(ANYMAIL=anymail):
        yield EmailBackend()


def send(backend: EmailBackend, message: AnymailMessage) -> Any:
    assert backend.send_messages([message]) == 1
    return message.anymail_status


def test_a_mail_with_attachment_tag_and_metadata_arrives(local: Local, backend: EmailBackend):
    message = AnymailMessage(
        "Grüße", "Hallo", to=["Zoë <zoe@reader.example>"], cc=["c@reader.example"], bcc=["b@reader.example"]
    )
    message.attach_alternative("<p>Hallo</p>", "text/html")
    message.attach("list.csv", "a,b\n", "text/csv")
    message.tags = ["welcome"]
    message.metadata = {"order": "42"}
    status = send(backend, message)
    assert status.status == {"queued"}
    mail = local.only()
    assert mail["message_id"] == status.message_id
    assert {"zoe@reader.example", "c@reader.example", "b@reader.example"} == set(mail["recipients"])
    assert mail["tags"]["kind"] == ["welcome"]


def test_a_mail_that_ses_refuses_raises_the_reason(local: Local, backend: EmailBackend):
    message = AnymailMessage("Hi", "Hi", from_email="who@unknown.example", to=["a@reader.example"])
    with pytest.raises(AnymailAPIError, match="Email address is not verified"):
        backend.send_messages([message])
    assert local.sent() == []


def test_a_stored_template_is_sent_to_each_recipient_with_their_data(local: Local, backend: EmailBackend):
    local.client("sesv2").create_email_template(
        TemplateName="welcome", TemplateContent={"Subject": "Hi {{name}}", "Text": "From {{shop}}, {{name}}"}
    )
    message = AnymailMessage(to=["ada@reader.example", "Ben <ben@reader.example>"])
    message.template_id = "welcome"
    message.merge_data = {"ada@reader.example": {"name": "Ada"}, "ben@reader.example": {"name": "Ben"}}
    message.merge_global_data = {"shop": "Shop"}
    status = send(backend, message)
    assert {to: one.status for to, one in status.recipients.items()} == {
        "ada@reader.example": "queued",
        "ben@reader.example": "queued",
    }
    mails = [json.dumps(local.admin("GET", f"/sent/{mail['message_id']}")) for mail in local.sent()]
    assert [sum(text in mail for mail in mails) for text in ("From Shop, Ada", "From Shop, Ben")] == [1, 1]


def test_a_missing_template_fails_with_sess_error(local: Local, backend: EmailBackend):
    message = AnymailMessage(to=["ada@reader.example"])
    message.template_id = "nowhere"
    with pytest.raises(AnymailAPIError):
        backend.send_messages([message])
    assert local.sent() == []


def test_the_webhook_confirms_its_subscription_and_gets_every_outcome(local: Local, backend: EmailBackend):
    heard: list[Any] = []

    def listen(sender: Any, event: Any, esp_name: str, **_: Any) -> None:
        heard.append(event)

    tracking.connect(listen)
    try:
        with site() as place:
            topic = subscribe(local, f"http://{SECRET}@{place}/anymail/amazon_ses/tracking/")
            local.until(lambda: confirmed(local, topic))
            message = AnymailMessage("Hi", "Hi", to=["ada@reader.example", "bounce@simulator.amazonses.com"])
            message.tags = ["welcome"]
            message.metadata = {"order": "42"}
            message.esp_extra = {"ConfigurationSetName": SET}
            sent = send(backend, message).message_id
            local.until(lambda: len(heard) >= 4)
    finally:
        tracking.disconnect(listen)
    assert sorted((event.event_type, event.recipient) for event in heard) == [
        ("bounced", "bounce@simulator.amazonses.com"),
        ("delivered", "ada@reader.example"),
        ("sent", "ada@reader.example"),
        ("sent", "bounce@simulator.amazonses.com"),
    ]
    assert {event.message_id for event in heard} == {sent}
    assert {tuple(event.tags) for event in heard} == {("welcome",)}
    assert all(event.metadata == {"order": "42"} for event in heard)
