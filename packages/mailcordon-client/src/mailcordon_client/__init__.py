"""Sends e-mail through Mailcordon's REST API, and verifies its webhooks.

`Client` and `AsyncClient` do the same, one of them with `await`. Every message has an idempotency key, so a request whose answer
was lost is repeated without sending the mail twice.
"""

from mailcordon_client.client import AsyncClient, Client
from mailcordon_client.errors import (
    BadAnswer,
    Conflict,
    Field,
    Forbidden,
    Invalid,
    Later,
    MailcordonError,
    NoAnswer,
    NotFound,
    Problem,
    Refused,
    TooLarge,
    TooMuch,
    Unauthorised,
    Unavailable,
)
from mailcordon_client.exchange import Retries
from mailcordon_client.message import Attachment, Message, Recipient
from mailcordon_client.results import Accepted, AcceptedDelivery, Cancelled, Delivery, MessageStatus, Moment
from mailcordon_client.webhooks import BadSignature, Webhook, WebhookEvent

__version__ = "0.1.0"

__all__ = [
    "Accepted",
    "AcceptedDelivery",
    "AsyncClient",
    "Attachment",
    "BadAnswer",
    "BadSignature",
    "Cancelled",
    "Client",
    "Conflict",
    "Delivery",
    "Field",
    "Forbidden",
    "Invalid",
    "Later",
    "MailcordonError",
    "Message",
    "MessageStatus",
    "Moment",
    "NoAnswer",
    "NotFound",
    "Problem",
    "Recipient",
    "Refused",
    "Retries",
    "TooLarge",
    "TooMuch",
    "Unauthorised",
    "Unavailable",
    "Webhook",
    "WebhookEvent",
]
