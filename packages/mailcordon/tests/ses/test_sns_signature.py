"""Whether a message comes from SES: the local SES signs as SNS does, with both versions (ses.md 4.7)."""

import json
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from mailcordon.adapters.ses.certificates import Certificates, LocalSource
from mailcordon.adapters.ses.event_document import SnsMessage
from mailcordon.adapters.ses.feedback import Reader
from mailcordon.adapters.ses.sns_signature import Proof, signed_text
from mailcordon.core.event import Kind
from mailcordon.observe.ports import DecodedEvent, Malformed, Notice, Undecided, Unverified
from seslocal.events import certificate, documents

TOPIC = "arn:aws:sns:eu-west-1:123456789012:outcome"
BASE = "https://sns.eu-west-1.amazonaws.com"
URL = BASE + documents.CERTIFICATE_PATH
AT = 1_772_359_205.25
EVENT = json.dumps(
    {
        "eventType": "Bounce",
        "mail": {
            "timestamp": "2026-03-01T10:00:00.000Z",
            "messageId": "0100-ä\U0001f4e8\n",
            "destination": ["kim@example.com"],
            "tags": {"a": ["b"]},
        },
        "bounce": {"bounceType": "Permanent", "bounceSubType": "General"},
    },
    ensure_ascii=False,
)


def message(
    text: str = EVENT, version: str = "2", subject: str | None = "Amazon SES", **over: Any
) -> dict[str, Any]:
    """As the local SES publishes it, signed."""
    made = documents.sns_envelope(text, TOPIC, BASE, AT, "m-1", subject, version=version) | over
    certificate.sign(made)
    return made


@dataclass
class Pem:
    """Serves the local SES's certificate at every address but those with another answer."""

    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict[str, tuple[int, bytes]])

    def __call__(self, url: str) -> tuple[int, bytes]:
        return self.answers.get(url) or (200, certificate.certificate())


@pytest.fixture
async def reader() -> Reader:
    certificates = Certificates(LocalSource("http://local", download=Pem()))
    await certificates.fetch({URL})
    return Reader(Proof({TOPIC}, certificates))


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", ["Amazon SES", "", None])
def test_what_sns_signed_is_believed(reader: Reader, version: str, subject: str | None) -> None:
    found = reader.decode(json.dumps(message(version=version, subject=subject)))
    assert isinstance(found, DecodedEvent)
    assert (found.event.kind, found.topic) == (Kind.HARD_BOUNCE, TOPIC)
    assert reader.proof.version_1_topics == ({TOPIC} if version == "1" else set())


CHANGES: list[tuple[str, Any]] = [
    ("Message", EVENT.replace("Permanent", "Transient")),
    ("MessageId", "m-2"),
    ("Subject", "another"),
    ("Subject", None),
    ("Timestamp", "2026-03-01T10:00:05.251Z"),
    ("Type", "UnsubscribeConfirmation"),
    ("SignatureVersion", "1"),
    ("SignatureVersion", "3"),
    ("SignatureVersion", None),
    ("Signature", "EXAMPLE"),
    ("Signature", ""),
    ("Signature", "\u00e4"),
    ("Signature", None),
    ("SigningCertURL", None),
    ("SigningCertURL", "https://evil.example/SimpleNotificationService-0.pem"),
    ("SigningCertURL", URL.replace("https", "http")),
    ("TopicArn", "arn:aws:sns:eu-west-1:999999999999:outcome"),
    ("TopicArn", None),
]


@pytest.mark.parametrize(("name", "value"), CHANGES)
def test_whoever_changes_one_member_is_not_believed(reader: Reader, name: str, value: Any) -> None:
    body = json.dumps(message() | {name: value})
    found = reader.decode(body)
    assert isinstance(found, Unverified), found
    assert found.document == body  # as it came, for a replay
    assert reader.decode(json.dumps(message())) != found


@pytest.mark.parametrize("name", [*documents.sns_envelope("", "", "", 0, "", "")][:-1])
def test_whoever_leaves_one_member_out_is_not_believed(reader: Reader, name: str) -> None:
    left = {key: value for key, value in message().items() if key != name}
    assert isinstance(reader.decode(json.dumps(left)), Unverified)


@pytest.mark.parametrize("name", [*documents.sns_envelope("", "", "", 0, "", "")][:-1])
@pytest.mark.parametrize("odd", [7, ["x"], {"a": 1}, True])
def test_an_odd_member_of_the_envelope_is_not_read_leniently(reader: Reader, name: str, odd: Any) -> None:
    assert isinstance(reader.decode(json.dumps(message() | {name: odd})), Unverified)


def test_the_proof_cannot_be_skipped_by_leaving_the_envelope_out(reader: Reader) -> None:
    bridge = {"detail-type": "Email Bounced", "source": "aws.ses", "detail": json.loads(EVENT)}
    paused = {"detail-type": "Sending Status Disabled", "source": "aws.ses", "detail": {}}
    for body in (
        EVENT,
        json.dumps(bridge),
        json.dumps(paused),
        "{",
        "nonsense",
        json.dumps({"Message": EVENT}),
    ):
        assert isinstance(reader.decode(body), Unverified), body


def test_an_envelope_in_the_envelope_proves_nothing(reader: Reader) -> None:
    """The outermost is the one that counts: whoever wraps a signed message is not SNS."""
    inner = json.dumps(message())
    forged = {"Type": "Notification", "TopicArn": TOPIC, "MessageId": "x", "Message": inner}
    assert isinstance(reader.decode(json.dumps(forged)), Unverified)
    assert isinstance(reader.decode(json.dumps(message(inner))), DecodedEvent)
    mixed = message() | {"mail": json.loads(EVENT)["mail"], "eventType": "Send"}
    assert isinstance(reader.decode(json.dumps(mixed)), Unverified)


def test_what_is_signed_but_no_event_is_malformed(reader: Reader) -> None:
    assert isinstance(reader.decode(json.dumps(message("{}"))), Malformed)


def test_the_test_message_of_a_topic_needs_no_proof(reader: Reader) -> None:
    for body in (
        documents.TOPIC_IS_VALID,
        json.dumps(message(documents.TOPIC_IS_VALID) | {"Signature": "x"}),
    ):
        found = reader.decode(body)
        assert isinstance(found, Notice)
        assert not found.keep


def test_a_confirmation_is_signed_too(reader: Reader) -> None:
    made = documents.sns_confirmation(TOPIC, "token", BASE, AT, "m-1", "2")
    certificate.sign(made)
    assert isinstance(reader.decode(json.dumps(made)), Notice)
    for name in ("Token", "SubscribeURL", "Message"):
        assert isinstance(reader.decode(json.dumps(made | {name: "other"})), Unverified)


@pytest.mark.parametrize("subject", ["Amazon SES", None])
def test_the_signed_text_is_what_the_local_ses_signs(subject: str | None) -> None:
    for made in (
        message(subject=subject),
        documents.sns_confirmation(TOPIC, "token", BASE, AT, "m-1", "2", unsubscribed=True),
    ):
        read = msgspec.json.decode(msgspec.json.encode(made), type=SnsMessage)
        assert signed_text(read) == certificate.canonical(made).encode()


def test_with_the_queues_policy_as_proof_only_the_topic_is_checked() -> None:
    reader = Reader(Proof({TOPIC}))
    unsigned = {"Type": "Notification", "TopicArn": TOPIC, "Message": EVENT}
    for body in (EVENT, json.dumps(unsigned), json.dumps(message() | {"Signature": "EXAMPLE"})):
        assert isinstance(reader.decode(body), DecodedEvent)
    for topic in ("arn:aws:sns:eu-west-1:123456789012:other", "", None):
        assert isinstance(reader.decode(json.dumps(unsigned | {"TopicArn": topic})), Unverified)


async def test_a_message_waits_for_its_certificate() -> None:
    reader = Reader(Proof({TOPIC}, Certificates(LocalSource("http://local", download=Pem()))))
    body = json.dumps(message())
    found = reader.decode(body)
    assert found == Undecided(URL)
    assert isinstance(found, Undecided)
    await reader.fetch({found.certificate})
    assert isinstance(reader.decode(body), DecodedEvent)


async def test_no_certificate_is_fetched_for_a_foreign_topic_or_from_another_host() -> None:
    reader = Reader(Proof({TOPIC}, Certificates(LocalSource("http://local", download=Pem()))))
    for over in (
        {"TopicArn": "arn:aws:sns:eu-west-1:9:o"},
        {"SigningCertURL": URL.replace("eu-west-1", "us-east-1")},
        {"Signature": None},
        {"SignatureVersion": "9"},
    ):
        assert isinstance(reader.decode(json.dumps(message() | over)), Unverified)


async def test_a_certificate_that_does_not_exist_makes_its_own_messages_unverified_and_no_others() -> None:
    now = 0.0
    pem = Pem()
    certificates = Certificates(LocalSource("http://local", download=pem), clock=lambda: now)
    reader = Reader(Proof({TOPIC}, certificates))
    await reader.fetch({URL})
    url = f"{BASE}/SimpleNotificationService-forged.pem"
    forged, good = json.dumps(message() | {"SigningCertURL": url}), json.dumps(message())
    pem.answers[url.replace(BASE, "http://local")] = (404, b"")
    for _ in range(4):
        found = reader.decode(forged)
        if isinstance(found, Undecided):
            await reader.fetch({found.certificate})
        assert isinstance(reader.decode(good), DecodedEvent)
        now += 30
    assert isinstance(reader.decode(forged), Unverified)


async def test_a_message_of_a_certificate_that_is_denied_at_first_waits_and_says_why() -> None:
    pem = Pem({"http://local" + documents.CERTIFICATE_PATH: (403, b"")})
    reader = Reader(Proof({TOPIC}, Certificates(LocalSource("http://local", download=pem))))
    await reader.fetch({URL})
    found = reader.decode(json.dumps(message()))
    assert isinstance(found, Undecided)
    assert found.why is not None
    assert "HTTP 403" in found.why


def test_a_message_signed_outside_the_time_of_its_certificate_is_not_believed(reader: Reader) -> None:
    assert isinstance(reader.decode(json.dumps(message(Timestamp="1969-12-31T23:59:59.000Z"))), Unverified)


def test_a_document_that_was_proved_before_is_not_proved_again(reader: Reader) -> None:
    assert isinstance(reader.decode(EVENT, proved=True), DecodedEvent)
