"""The documents SES publishes: what happened to a mail, in SES's member names, and the envelopes SNS and
EventBridge put around them. Pure; where they go is decided in `publishing`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from seslocal.clock import iso
from seslocal.fates import Outcome

Document = dict[str, Any]

#: eventType -> its name in MatchingEventTypes
MATCHING: Final = {
    "Send": "SEND",
    "Delivery": "DELIVERY",
    "Bounce": "BOUNCE",
    "Complaint": "COMPLAINT",
    "Reject": "REJECT",
    "DeliveryDelay": "DELIVERY_DELAY",
}
_DETAIL_TYPES: Final = {
    "Send": "Email Sent",
    "Delivery": "Email Delivered",
    "Bounce": "Email Bounced",
    "Complaint": "Email Complaint Received",
    "Reject": "Email Rejected",
    "DeliveryDelay": "Email Delivery Delayed",
}
_DELIVERY_SECONDS: Final = 14 * 3600  # SES gives up on a mail after that
_MOST_HEADER_BYTES: Final = 10 * 1024
OUTGOING_IP: Final = "192.0.2.25"
TOPIC_IS_VALID: Final = "Successfully validated SNS topic for Amazon SES event publishing."


@dataclass(frozen=True, slots=True)
class Mail:
    """One accepted mail, as its events tell it."""

    message_id: str
    accepted_at: float
    source: str
    source_arn: str
    account_id: str
    destination: tuple[str, ...]
    headers: list[dict[str, str]]
    common: Document  #: commonHeaders
    tags: dict[str, list[str]]  #: SES's own and the caller's
    tenant: str | None
    max_delivery_seconds: float | None  #: of the configuration set

    def shown(self, extra_tags: dict[str, list[str]], *, with_headers: bool = True) -> Document:
        shown: Document = {
            "timestamp": iso(self.accepted_at),
            "source": self.source,
            "sourceArn": self.source_arn,
            "sendingAccountId": self.account_id,
            "messageId": self.message_id,
            "destination": self.destination,
            "headersTruncated": False,
        }
        if with_headers:
            kept, truncated = _within(self.headers)
            shown["headersTruncated"] = truncated
            shown["headers"] = kept
            shown["commonHeaders"] = self.common
        shown["tags"] = {**self.tags, **extra_tags} if extra_tags else self.tags
        return shown


def document(
    mail: Mail,
    event: str,
    outcome: Outcome | None,
    recipients: list[str],
    at: float,
    feedback_id: str,
    *,
    tenant_tag: bool = False,
) -> Document:
    extra: dict[str, list[str]] = {}
    if mail.tenant and (tenant_tag or event in ("Bounce", "Complaint")):
        extra["ses:tenant-name"] = [mail.tenant]
    if event == "Delivery":
        extra["ses:outgoing-ip"] = [OUTGOING_IP]
    shown = mail.shown(extra, with_headers=event != "DeliveryDelay")
    if outcome is None:
        body = {"reason": "Bad content"} if event == "Reject" else {}
        return {"eventType": event, "mail": shown, event.lower(): body}
    match outcome.kind:
        case "Delivery":
            body = _delivery(mail, recipients, at)
        case "Bounce":
            body = _bounce(outcome, recipients, at, feedback_id)
        case "Complaint":
            body = _complaint(outcome, recipients, at, feedback_id)
        case "DeliveryDelay":
            body = _delay(mail, outcome, recipients, at)
    return {"eventType": event, "mail": shown, event[0].lower() + event[1:]: body}


def _delivery(mail: Mail, recipients: list[str], at: float) -> Document:
    return {
        "timestamp": iso(at),
        "processingTimeMillis": int((at - mail.accepted_at) * 1000),
        "recipients": recipients,
        "smtpResponse": "250 2.6.0 Message received",
        "reportingMTA": "mta.example.com",
        "remoteMtaIp": "192.0.2.80",
    }


def _bounce(outcome: Outcome, recipients: list[str], at: float, feedback_id: str) -> Document:
    return {
        "bounceType": outcome.type,
        "bounceSubType": outcome.subtype,
        "bouncedRecipients": [
            {
                "emailAddress": recipient,
                "action": "failed",
                "status": outcome.status,
                "diagnosticCode": outcome.diagnostic,
            }
            for recipient in recipients
        ],
        "timestamp": iso(at),
        "feedbackId": feedback_id,
        "reportingMTA": outcome.reporter,
    }


def _complaint(outcome: Outcome, recipients: list[str], at: float, feedback_id: str) -> Document:
    body: Document = {
        "complainedRecipients": [{"emailAddress": recipient} for recipient in recipients],
        "timestamp": iso(at),
        "feedbackId": feedback_id,
        "complaintSubType": outcome.subtype or None,
    }
    if outcome.feedback:
        body |= {
            "userAgent": "Amazon SES Mailbox Simulator",
            "complaintFeedbackType": outcome.feedback,
            "arrivalDate": iso(at),
        }
    return body


def _delay(mail: Mail, outcome: Outcome, recipients: list[str], at: float) -> Document:
    return {
        "timestamp": iso(at),
        "delayType": outcome.subtype,
        "expirationTime": iso(mail.accepted_at + (mail.max_delivery_seconds or _DELIVERY_SECONDS)),
        "delayedRecipients": [
            {"emailAddress": recipient, "status": outcome.status, "diagnosticCode": outcome.diagnostic}
            for recipient in recipients
        ],
        "reportingMTA": outcome.reporter,
    }


def _within(headers: list[dict[str, str]]) -> tuple[list[dict[str, str]], bool]:
    size = 0
    for index, header in enumerate(headers):
        size += len(header["name"]) + len(header["value"]) + 4
        if size > _MOST_HEADER_BYTES:
            return headers[:index], True
    return headers, False


def sns_envelope(
    message: str, topic: str, region: str, at: float, message_id: str, subject: str | None
) -> Document:
    envelope: Document = {"Type": "Notification", "MessageId": message_id, "TopicArn": topic}
    if subject is not None:
        envelope["Subject"] = subject
    host = f"https://sns.{region}.amazonaws.com"
    envelope |= {
        "Message": message,
        "Timestamp": iso(at),
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
        "SigningCertURL": f"{host}/SimpleNotificationService-00000000000000000000000000000000.pem",
        "UnsubscribeURL": f"{host}/?Action=Unsubscribe&SubscriptionArn={topic}:00000000-0000-4000-8000-000000000000",
    }
    return envelope


def bus_envelope(
    detail: Document, kind: str, resource: str, region: str, account_id: str, at: float, event_id: str
) -> Document:
    return {
        "version": "0",
        "id": event_id,
        "detail-type": _DETAIL_TYPES.get(kind, kind),
        "source": "aws.ses",
        "account": account_id,
        "time": iso(at)[:-5] + "Z",
        "region": region,
        "resources": [resource],
        "detail": detail,
    }
