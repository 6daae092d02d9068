"""Identity notifications, the older format: an identity's topics receive each bounce, complaint and delivery of its mail, in
addition to the events of configuration sets (ses.md 4.5). Without tags, and with the mail's headers only if enabled."""

from __future__ import annotations

from typing import Final

import msgspec

from seslocal.events.documents import Document
from seslocal.events.publishing import publish_to_topic
from seslocal.state.accepted_mail import Mail
from seslocal.state.account import Account

TYPES: Final = ("Bounce", "Complaint", "Delivery")
_encode = msgspec.json.Encoder().encode


def confirm_topic(account: Account, identity: str, topic: str, event: str) -> None:
    """Publishes the first message to a topic that an identity was given."""
    sentence = (
        f"You have successfully subscribed your Amazon SNS topic '{topic}' to receive '{event}' notifications from "
        f"Amazon SES for identity '{identity}'."
    )
    body = {"notificationType": "AmazonSnsSubscriptionSucceeded", "message": sentence}
    source = account.arn(f"identity/{identity}")
    publish_to_topic(account, topic, _encode(body).decode(), None, source=source)


def notify(account: Account, mail: Mail, event: str, document: Document) -> None:
    """Publishes to the identity's topic for this event, if it has one. `document` is the event's."""
    identity = account.identities.get(mail.source_arn.partition("identity/")[2])
    topic = identity.topics.get(event) if identity is not None else None
    if identity is None or topic is None:
        return
    with_headers = event in identity.with_headers
    shown = mail.shown({}, with_headers=with_headers)
    del shown["tags"]
    if not with_headers:
        del shown["headersTruncated"]
    shown["sourceIp"] = mail.tags["ses:source-ip"][0]
    shown["callerIdentity"] = mail.tags["ses:caller-identity"][0]
    body = {"notificationType": event, event.lower(): document[event.lower()], "mail": shown}
    publish_to_topic(account, topic, _encode(body).decode(), None, source=mail.source_arn)
