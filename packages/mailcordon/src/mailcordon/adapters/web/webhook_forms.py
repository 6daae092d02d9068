"""An event as the body of a webhook: in our own form, and in SES's (docs/webhooks.md).

SES's documents name things of the platform: its AWS account, its configuration sets, SES tenants and callers, and our signed
tags. A tenant's program gets those that it knows: the id that it was given, its own tags, and its message type as the
configuration set.
"""

import json
from collections.abc import Callable
from typing import Any, cast

from mailcordon.adapters.web import json_text
from mailcordon.core import ids
from mailcordon.observe.webhooks.nouns import Mail, Message

ACCOUNT = "000000000000"  #: stands for the platform's AWS account
_OWN_PREFIXES = ("x-ses-", "x-mailcordon-", "x-sg-", "feedback-id")
_MAIL = (
    *("timestamp", "source", "sourceArn", "sendingAccountId", "messageId", "destination", "headersTruncated"),
    *("headers", "commonHeaders", "tags"),
)
_SES_TAGS = ("ses:from-domain", "ses:outgoing-ip")


def standard(message: Message) -> bytes:
    data: dict[str, object] = {"tenant": message.slug}
    if (mail := message.mail) is not None:
        data |= {
            "type": mail.type,
            "message": ids.message_id(ids.message_of(mail.delivery)),
            "delivery": ids.delivery_id(mail.delivery),
            "to": mail.to,
            "from": mail.sender,
            "campaign": mail.campaign,
            "list": mail.list,
            "tags": dict(mail.tags),
        }
    return json_text.encoded(
        {"type": message.event, "timestamp": json_text.iso(message.at), "data": {**data, **message.facts}}
    )


def ses(message: Message, message_id: Callable[[int], str]) -> str:
    """SES's own JSON of an event of a delivery. `message_id`: what the program knows a message as, by the delivery."""
    mail = message.mail
    if mail is None:
        raise ValueError(message.event)
    document = _of_ses(message.document) if message.document is not None else _ours(message, mail)
    said = _object(document["mail"])
    id = message_id(mail.delivery)
    former, said["messageId"] = said.get("messageId"), id
    common = _object(said.get("commonHeaders"))
    if common.get("messageId") == former:
        common["messageId"] = id
    kept = {name: values for name, values in _object(said.get("tags")).items() if name in _SES_TAGS}
    own = {name: [value] for name, value in mail.tags.items()}
    said["tags"] = {"ses:configuration-set": [mail.type or ""], **kept, **own}
    return json.dumps(document, ensure_ascii=False)


def _of_ses(text: str) -> dict[str, Any]:
    document = _object(json.loads(text))
    mail = {name: value for name, value in _object(document.get("mail")).items() if name in _MAIL}
    if isinstance(arn := mail.get("sourceArn"), str):
        mail["sourceArn"] = _without_account(arn)
    mail["sendingAccountId"] = ACCOUNT
    if isinstance(headers := mail.get("headers"), list):
        mail["headers"] = [one for one in cast("list[Any]", headers) if not _is_own(_object(one))]
    return {**document, "mail": mail}


def _is_own(header: dict[str, Any]) -> bool:
    return str(header.get("name")).lower().startswith(_OWN_PREFIXES)


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _without_account(arn: str) -> str:
    parts = arn.split(":")
    if len(parts) > 4:
        parts[4] = ACCOUNT
    return ":".join(parts)


def _ours(message: Message, mail: Mail) -> dict[str, Any]:
    """Of a delivery that did not reach SES: the nearest that SES has. An address on a list bounces there; all else is a reject,
    with our sentence."""
    at, to = json_text.iso(message.at), mail.to or ""
    said: dict[str, Any] = {
        "timestamp": json_text.iso(ids.ms_of(mail.delivery)),
        "source": mail.sender or "",
        "sourceArn": f"arn:aws:ses:us-east-1:{ACCOUNT}:identity/{(mail.sender or '').rpartition('@')[2]}",
        "sendingAccountId": ACCOUNT,
        "destination": [to],
        "headersTruncated": False,
        "headers": [],
        "commonHeaders": {"from": [mail.sender or ""], "to": [to]},
    }
    detail = str(message.facts.get("detail") or "")
    if message.facts.get("reason") == "suppressed":
        bounce = {
            "bounceType": "Permanent",
            "bounceSubType": "OnAccountSuppressionList",
            "bouncedRecipients": [
                {"emailAddress": to, "action": "failed", "status": "5.1.1", "diagnosticCode": detail}
            ],
            "timestamp": at,
            "feedbackId": message.id,
        }
        return {"eventType": "Bounce", "bounce": bounce, "mail": said}
    return {"eventType": "Reject", "mail": said, "reject": {"reason": detail}}
