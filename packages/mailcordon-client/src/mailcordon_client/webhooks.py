"""Checks that a webhook comes from Mailcordon, by the Standard Webhooks specification (https://www.standardwebhooks.com, 1.0.0).

The signature is HMAC-SHA256 over `id.timestamp.body`. Webhooks arrive at least once and in any order. One that is sent again has
the same `WebhookEvent.id`.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, cast

TOLERANCE: Final = 300  #: seconds that the time of sending may be off, either way
_PREFIX: Final = "whsec_"
_MOST_SIGNATURES: Final = 20  #: in one header; the sender has two while a secret is rotated


class BadSignature(Exception):
    """The request is not from the holder of the secret, or it is an old one that somebody sends again. Answer it with 400."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    id: str  #: of the webhook, the same at each try
    type: str  #: for example `delivery.bounced`; docs/webhooks.md lists them
    at: datetime | None  #: when it happened
    sent_at: datetime  #: of this try
    data: Mapping[str, Any]  #: what happened: tenant, message, delivery, to, reason, ...
    json: Mapping[str, Any] = field(repr=False)  #: the whole payload


class Webhook:
    """An endpoint's secrets. More than one while a secret is rotated: any of them is good."""

    def __init__(self, *secrets: str) -> None:
        """Raises ValueError if there is none, or if one is not a secret as `mailcordon webhook` shows it (`whsec_...`)."""
        if not secrets:
            raise ValueError("There is no webhook secret.")
        self._keys = tuple(_key(one) for one in secrets)

    def verify(self, body: bytes, headers: Mapping[str, str], *, now: datetime | None = None) -> WebhookEvent:
        """The event of a request whose signature is good. Raises BadSignature otherwise.

        `body` is the request's, byte for byte: JSON that was decoded and encoded again has another signature.
        """
        given = {name.lower(): value for name, value in headers.items()}
        id, sent, signatures = (given.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
        if not (id and sent and signatures):
            raise BadSignature("A header is missing: webhook-id, webhook-timestamp or webhook-signature.")
        if not (sent.isascii() and sent.isdecimal() and len(sent) <= 12):
            raise BadSignature("webhook-timestamp is not a number of seconds.")
        age = (now or datetime.now(UTC)).timestamp() - int(sent)
        if abs(age) > TOLERANCE:
            raise BadSignature(f"It was sent {age:.0f} s ago by its timestamp; {TOLERANCE} s are allowed.")
        signed = f"{id}.{sent}.".encode(errors="surrogateescape") + body
        expected = [hmac.digest(key, signed, hashlib.sha256) for key in self._keys]
        good = False
        for one in signatures.split(" ", _MOST_SIGNATURES)[:_MOST_SIGNATURES]:
            version, _, text = one.partition(",")
            found = _decoded(text) if version == "v1" else b""
            # All are compared, so that the time does not say which secret was near.
            for digest in expected:
                good = hmac.compare_digest(digest, found) or good
        if not good:
            raise BadSignature("No signature fits the body and the secret.")
        return _event(id, int(sent), body)


def _event(id: str, sent: int, body: bytes) -> WebhookEvent:
    try:
        decoded: Any = json.loads(body)
    except ValueError:
        decoded = None
    if not isinstance(decoded, dict):
        raise BadSignature("The body is signed, but it is no JSON object.")
    payload = cast("dict[str, Any]", decoded)
    data = payload.get("data")
    return WebhookEvent(
        id=id,
        type=str(payload.get("type", "")),
        at=_time(payload.get("timestamp")),
        sent_at=datetime.fromtimestamp(sent, UTC),
        data=cast("dict[str, Any]", data) if isinstance(data, dict) else {},
        json=payload,
    )


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def _key(secret: str) -> bytes:
    try:
        if secret.startswith(_PREFIX) and (key := base64.b64decode(secret[len(_PREFIX) :], validate=True)):
            return key
    except (binascii.Error, ValueError):
        pass
    raise ValueError("A webhook secret begins with whsec_ and goes on in base64.")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
