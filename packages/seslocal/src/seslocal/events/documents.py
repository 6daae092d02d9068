"""The documents that SES publishes about mail, and the envelopes of SNS and EventBridge. Pure; `publishing` decides where they
go."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from seslocal.clock import iso
from seslocal.state.accepted_mail import Mail
from seslocal.state.contacts import Preferences
from seslocal.state.outcomes import DELIVERY_SECONDS, Outcome

Document = dict[str, Any]
_encode = msgspec.json.Encoder().encode

_DETAIL_TYPES: Final = {
    "Send": "Email Sent",
    "Delivery": "Email Delivered",
    "Bounce": "Email Bounced",
    "Complaint": "Email Complaint Received",
    "Reject": "Email Rejected",
    "Open": "Email Opened",
    "Click": "Email Clicked",
    "Rendering Failure": "Email Rendering Failed",
    "DeliveryDelay": "Email Delivery Delayed",
    "Subscription": "Email Subscribed",
}
_BODIES: Final = {
    "DeliveryDelay": "deliveryDelay",
    "Rendering Failure": "failure",
}  # else the event type in lower case
_WITHOUT_HEADERS: Final = ("DeliveryDelay", "Rendering Failure")
CERTIFICATE_PATH: Final = "/SimpleNotificationService-5e510ca15e510ca15e510ca15e510ca1.pem"
TOPIC_IS_VALID: Final = "Successfully validated SNS topic for Amazon SES event publishing."


def outcome_document(
    mail: Mail,
    event: str,
    outcome: Outcome | None,
    recipients: list[str],
    at: float,
    feedback_id: str,
    *,
    tenant_tag: bool = False,
) -> Document:
    """Returns the document of an outcome, or of a Send or Reject."""
    if outcome is None:
        return event_document(
            mail, event, {"reason": "Bad content"} if event == "Reject" else {}, tenant_tag=tenant_tag
        )
    match outcome.kind:
        case "Delivery":
            body = _delivery(mail, outcome, recipients, at)
        case "Bounce":
            body = _bounce(outcome, recipients, at, feedback_id)
        case "Complaint":
            body = _complaint(outcome, recipients, at, feedback_id)
        case "DeliveryDelay":
            body = _delay(mail, outcome, recipients, at)
        case "Open" | "Click":
            raise ValueError(f"{outcome.kind} has no outcome document")
    tried = event in ("Delivery", "Bounce", "Complaint") and not outcome.suppressed
    return event_document(mail, event, body, tenant_tag=tenant_tag, left=tried)


def event_document(
    mail: Mail, event: str, body: Document, *, tenant_tag: bool = False, left: bool = False
) -> Document:
    """Returns the document of an event with its own object `body`. `left`: the mail left from an outgoing IP."""
    extra: dict[str, list[str]] = {}
    if mail.tenant and (tenant_tag or event in ("Bounce", "Complaint")):
        extra["ses:tenant-name"] = [mail.tenant]
    if left:
        extra["ses:outgoing-ip"] = [mail.outgoing_ip]
        extra["ses:outgoing-tls-version"] = ["TLSv1.3"]
    shown = mail.shown(extra, with_headers=event not in _WITHOUT_HEADERS)
    return {"eventType": event, "mail": shown, _BODIES.get(event) or event.lower(): body}


def opened(ip: str, user_agent: str, at: float, bot: str) -> Document:
    return {"ipAddress": ip, "timestamp": iso(at), "userAgent": user_agent, "isBotEvent": bot}


def clicked(
    ip: str, user_agent: str, at: float, bot: str, link: str, tags: dict[str, list[str]] | None
) -> Document:
    return {**opened(ip, user_agent, at, bot), "link": link, "linkTags": tags or None}


def rendering_failure(template: str, sentence: str) -> Document:
    return {"errorMessage": sentence, "templateName": template}


def subscription(contact_list: str, source: str, at: float, old: Preferences, new: Preferences) -> Document:
    """`source` is what the contact used: UnsubscribeHeader, SubscriptionManagementPage or the API."""
    return {
        "contactList": contact_list,
        "timestamp": iso(at),
        "source": source,
        "newTopicPreferences": new.shown(),
        "oldTopicPreferences": old.shown(),
    }


def _delivery(mail: Mail, outcome: Outcome, recipients: list[str], at: float) -> Document:
    return {
        "timestamp": iso(at),
        "processingTimeMillis": int((at - mail.accepted_at) * 1000),
        "recipients": recipients,
        "smtpResponse": outcome.response or "250 2.6.0 Message received",
        "reportingMTA": outcome.reporter.removeprefix("dns; ") if outcome.response else "mta.example.com",
        "remoteMtaIp": outcome.remote or "192.0.2.80",
    }


def _bounce(outcome: Outcome, recipients: list[str], at: float, feedback_id: str) -> Document:
    body: Document = {
        "bounceType": outcome.type,
        "bounceSubType": outcome.subtype,
        "bouncedRecipients": [
            {
                "emailAddress": recipient,
                "action": "failed",
                "status": outcome.status,
                "diagnosticCode": outcome.diagnostic,
            }
            if outcome.status
            else {"emailAddress": recipient}
            for recipient in recipients
        ],
        "timestamp": iso(at),
        "feedbackId": feedback_id,
    }
    if outcome.reporter:
        body["reportingMTA"] = outcome.reporter
    if outcome.remote:
        body["remoteMtaIp"] = outcome.remote
    return body


def _complaint(outcome: Outcome, recipients: list[str], at: float, feedback_id: str) -> Document:
    body: Document = {
        "complainedRecipients": [{"emailAddress": recipient} for recipient in recipients],
        "timestamp": iso(at),
        "feedbackId": feedback_id,
        "complaintSubType": outcome.subtype or None,
    }
    if outcome.feedback:
        agent = "" if outcome.arrived else "Amazon SES Mailbox Simulator"
        body |= {
            "userAgent": outcome.agent or agent,
            "complaintFeedbackType": outcome.feedback,
            "arrivalDate": iso(outcome.arrived or at),
        }
        if not body["userAgent"]:
            del body["userAgent"]
    return body


def _delay(mail: Mail, outcome: Outcome, recipients: list[str], at: float) -> Document:
    return {
        "timestamp": iso(at),
        "delayType": outcome.subtype,
        "expirationTime": iso(mail.accepted_at + (mail.max_delivery_seconds or DELIVERY_SECONDS)),
        "delayedRecipients": [
            {"emailAddress": recipient, "status": outcome.status, "diagnosticCode": outcome.diagnostic}
            for recipient in recipients
        ],
        "reportingMTA": outcome.reporter,
    }


def recommendation(sentence: str, impact: str | None = None, kind: str | None = None) -> Document:
    """Returns the detail of an advisor event; only those about tenants have impact and type."""
    detail: Document = {"version": "1.0.0", "data": sentence}
    if impact and kind:
        detail["metadata"] = {"impact": impact, "type": kind}
    return detail


def sns_envelope(
    message: str,
    topic: str,
    base: str,
    at: float,
    message_id: str,
    subject: str | None,
    *,
    subscription: str | None = None,
    version: str = "1",
) -> Document:
    """Returns an SNS Notification, not yet signed. `base` is SNS's URL, `subscription` the subscriber's ARN."""
    envelope: Document = {"Type": "Notification", "MessageId": message_id, "TopicArn": topic}
    if subject is not None:
        envelope["Subject"] = subject
    arn = subscription or f"{topic}:00000000-0000-4000-8000-000000000000"
    envelope |= {
        "Message": message,
        "Timestamp": iso(at),
        "SignatureVersion": version,
        "Signature": "EXAMPLE",
        "SigningCertURL": base + CERTIFICATE_PATH,
        "UnsubscribeURL": f"{base}/?Action=Unsubscribe&SubscriptionArn={arn}",
    }
    return envelope


def sns_confirmation(
    topic: str, token: str, base: str, at: float, message_id: str, version: str, *, unsubscribed: bool = False
) -> Document:
    """Returns an SNS SubscriptionConfirmation or UnsubscribeConfirmation, not yet signed."""
    sentence = (
        f"You have chosen to deactivate subscription to the topic {topic}.\nTo cancel this operation and restore "
        "the subscription, visit the SubscribeURL included in this message."
        if unsubscribed
        else f"You have chosen to subscribe to the topic {topic}.\nTo confirm the subscription, visit the SubscribeURL "
        "included in this message."
    )
    return {
        "Type": "UnsubscribeConfirmation" if unsubscribed else "SubscriptionConfirmation",
        "MessageId": message_id,
        "Token": token,
        "TopicArn": topic,
        "Message": sentence,
        "SubscribeURL": f"{base}/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}",
        "Timestamp": iso(at),
        "SignatureVersion": version,
        "Signature": "EXAMPLE",
        "SigningCertURL": base + CERTIFICATE_PATH,
    }


def bus_envelope(
    detail: Document,
    kind: str,
    resources: list[str],
    region: str,
    account_id: str,
    at: float,
    event_id: str,
) -> Document:
    return {
        "version": "0",
        "id": event_id,
        "detail-type": _DETAIL_TYPES.get(kind, kind),
        "source": "aws.ses",
        "account": account_id,
        "time": iso(at)[:-5] + "Z",
        "region": region,
        "resources": resources,
        "detail": detail,
    }
