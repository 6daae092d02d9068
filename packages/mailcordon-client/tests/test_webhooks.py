"""Signatures: what is good, and everything that is not."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from mailcordon_client import BadSignature, Webhook

# The example of the specification's own libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
SENT = 1614265330
HEADERS = {
    "Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "Webhook-Timestamp": str(SENT),
    "Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
NOW = datetime.fromtimestamp(SENT, UTC)
OTHER = "whsec_" + base64.b64encode(bytes(32)).decode()


def signed(secret: str, body: bytes = BODY) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    text = f"{HEADERS['Webhook-Id']}.{SENT}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode()


def test_the_specifications_example_is_good():
    event = Webhook(SECRET).verify(BODY, HEADERS, now=NOW)
    assert (event.id, event.sent_at, event.json) == (HEADERS["Webhook-Id"], NOW, {"test": 2432232314})
    assert (event.type, event.at, event.data) == ("", None, {})


def test_an_event_says_what_happened_to_whom_and_when():
    body = b'{"type": "delivery.bounced", "timestamp": "2026-11-29T15:23:00.412Z", "data": {"to": "kim@example.com"}}'
    event = Webhook(SECRET).verify(body, {**HEADERS, "Webhook-Signature": signed(SECRET, body)}, now=NOW)
    assert (event.type, event.data["to"]) == ("delivery.bounced", "kim@example.com")
    assert event.at == datetime(2026, 11, 29, 15, 23, 0, 412_000, UTC)


def test_one_good_signature_and_one_good_secret_are_enough_while_a_secret_is_rotated():
    both = {**HEADERS, "Webhook-Signature": f"v1a,AAAA {signed(OTHER)} {signed(SECRET)}"}
    for secrets in ([SECRET], [OTHER], [SECRET, OTHER]):
        assert Webhook(*secrets).verify(BODY, both, now=NOW)


def test_what_is_not_exactly_what_was_signed_is_refused():
    bad = [
        (BODY + b" ", HEADERS),
        (BODY, {**HEADERS, "Webhook-Id": "msg_other"}),
        (BODY, {**HEADERS, "Webhook-Timestamp": str(SENT + 1)}),
        (BODY, {**HEADERS, "Webhook-Signature": signed(OTHER)}),
        (BODY, {**HEADERS, "Webhook-Signature": HEADERS["Webhook-Signature"].replace("v1,", "v2,")}),
        (BODY, {**HEADERS, "Webhook-Signature": "v1,"}),
        (BODY, {**HEADERS, "Webhook-Signature": "v1,é"}),
        (BODY, {**HEADERS, "Webhook-Signature": " "}),
        (BODY, {**HEADERS, "Webhook-Timestamp": "1e9"}),
        (BODY, {**HEADERS, "Webhook-Timestamp": "٣"}),
        (BODY, {**HEADERS, "Webhook-Timestamp": "9" * 400}),
        (BODY, {**HEADERS, "Webhook-Id": "\udcff"}),
        *((BODY, {k: v for k, v in HEADERS.items() if k != missing}) for missing in HEADERS),
    ]
    for body, headers in bad:
        with pytest.raises(BadSignature):
            Webhook(SECRET).verify(body, headers, now=NOW)


def test_an_old_request_that_is_sent_again_is_refused():
    for seconds in (-299, 299):
        Webhook(SECRET).verify(BODY, HEADERS, now=NOW + timedelta(seconds=seconds))
    for seconds in (-301, 301):
        with pytest.raises(BadSignature):
            Webhook(SECRET).verify(BODY, HEADERS, now=NOW + timedelta(seconds=seconds))


def test_a_signed_body_that_is_no_object_is_refused():
    for body in (b"[]", b"\xff", b""):
        with pytest.raises(BadSignature):
            Webhook(SECRET).verify(body, {**HEADERS, "Webhook-Signature": signed(SECRET, body)}, now=NOW)


def test_a_secret_of_another_form_is_refused_and_not_shown():
    for secret in ("", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_not base64!"):
        with pytest.raises(ValueError) as caught:
            Webhook(secret)
        assert len(secret) < 8 or secret not in str(caught.value)
    with pytest.raises(ValueError):
        Webhook()
