"""SES's event documents as they come: both dialects (`eventType`, and the older `notificationType`), bare or in an envelope.

Every member is optional, because SES leaves members out and sends nulls. Headers are skipped, not parsed.
"""

import msgspec


class Lenient(msgspec.Struct, gc=False):
    """Ignores unknown members. `gc=False`: no document refers to itself."""


class SnsMessage(Lenient):
    """SNS's envelope, with all that its signature needs (ses.md 4.7). Every member is absent from a document without one."""

    Type: str | None = None
    Message: str | None = None
    MessageId: str | None = None
    TopicArn: str | None = None
    Subject: str | None = None
    Timestamp: str | None = None
    SignatureVersion: str | None = None
    Signature: str | None = None
    SigningCertURL: str | None = None
    # Of a subscription's confirmation.
    SubscribeURL: str | None = None
    Token: str | None = None


class Recipient(Lenient):
    emailAddress: str | None = None
    status: str | None = None
    diagnosticCode: str | None = None


class Mail(Lenient):
    timestamp: str | None = None
    messageId: str | None = None
    source: str | None = None
    destination: list[str] | None = None
    tags: dict[str, list[str] | None] | None = None


class Bounce(Lenient):
    bounceType: str | None = None
    bounceSubType: str | None = None
    bouncedRecipients: list[Recipient] | None = None
    timestamp: str | None = None
    feedbackId: str | None = None
    reportingMTA: str | None = None


class Complaint(Lenient):
    complainedRecipients: list[Recipient] | None = None
    timestamp: str | None = None
    feedbackId: str | None = None
    complaintSubType: str | None = None
    complaintFeedbackType: str | None = None
    userAgent: str | None = None
    arrivalDate: str | None = None


class Delivery(Lenient):
    timestamp: str | None = None
    recipients: list[str] | None = None
    smtpResponse: str | None = None
    reportingMTA: str | None = None
    remoteMtaIp: str | None = None


class Delay(Lenient):
    timestamp: str | None = None
    delayType: str | None = None
    delayedRecipients: list[Recipient] | None = None
    expirationTime: str | None = None
    reportingMTA: str | None = None


class Reject(Lenient):
    reason: str | None = None


class RenderingFailure(Lenient):
    templateName: str | None = None
    errorMessage: str | None = None


class Engagement(Lenient):
    timestamp: str | None = None
    ipAddress: str | None = None
    userAgent: str | None = None
    link: str | None = None
    isBotEvent: str | None = None


class Stamped(Lenient):
    timestamp: str | None = None


class Document(SnsMessage):
    """SES's event, or an envelope around one: both are decoded in one pass and told apart by their members."""

    eventType: str | None = None
    notificationType: str | None = None
    mail: Mail | None = None
    bounce: Bounce | None = None
    complaint: Complaint | None = None
    delivery: Delivery | None = None
    deliveryDelay: Delay | None = None
    reject: Reject | None = None
    failure: RenderingFailure | None = None
    open: Engagement | None = None
    click: Engagement | None = None
    subscription: Stamped | None = None
    # EventBridge
    detail_type: str | None = msgspec.field(default=None, name="detail-type")
    detail: msgspec.Raw = msgspec.Raw()
    resources: list[str] | None = None
