"""Who sends to our address as SNS: only what SNS signed, for our topics, now. Nothing is asked of any host but SNS's."""

import base64
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from mailcordon.adapters.ses.certificates import AwsSource, Certificates, SigningKey
from mailcordon.adapters.ses.sns_push import SnsConfirmer, SnsPush
from mailcordon.adapters.ses.sns_signature import Proof
from mailcordon.core.queue import Unreachable
from mailcordon.observe.door import Asked, Cancelled, NotBelieved, Pushed, Told
from mailcordon.observe.ports import NoCertificate, Undecided
from seslocal.events import certificate as local_certificate
from seslocal.events import documents

from .test_certificates import ISSUER_URL, KEY, NOW, authority, leaf

REGION = "eu-west-1"
TOPIC = f"arn:aws:sns:{REGION}:123456789012:outcome"
HOST = f"sns.{REGION}.amazonaws.com"
URL = f"https://{HOST}/SimpleNotificationService-{'a' * 32}.pem"
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ROOT = authority("root")
ISSUER = authority("issuer", ROOT)
EVENT = json.dumps(
    {"eventType": "Send", "mail": {"messageId": "0100", "timestamp": "2026-11-28T15:00:00.000Z"}}
)
AT = NOW.timestamp()
Kind = Literal["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"]


def message(
    kind: Kind = "Notification", version: str = "2", *, key: Any = KEY, **over: Any
) -> dict[str, Any]:
    """As SNS sends it, signed after `over` was applied."""
    base = f"https://{HOST}"
    if kind == "Notification":
        made = documents.sns_envelope(EVENT, TOPIC, base, AT, "m-1", "Amazon SES", version=version)
    else:
        ended = kind == "UnsubscribeConfirmation"
        made = documents.sns_confirmation(TOPIC, "token", base, AT, "m-1", version, unsubscribed=ended)
    made |= {"SigningCertURL": URL} | over
    hash = hashes.SHA256() if version == "2" else hashes.SHA1()
    signed = key.sign(local_certificate.canonical(made).encode(), padding.PKCS1v15(), hash)
    return made | {"Signature": base64.b64encode(signed).decode()}


@dataclass
class Web:
    """Serves SNS's certificate, and counts who is asked for what."""

    pem: bytes = field(default_factory=lambda: leaf(ISSUER))
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict[str, tuple[int, bytes]])
    asked: list[str] = field(default_factory=list[str])

    def __call__(self, url: str) -> tuple[int, bytes]:
        self.asked.append(url)
        if url in self.answers:
            return self.answers[url]
        if url == ISSUER_URL:
            return 200, ISSUER.der
        return (200, self.pem) if url == URL else (404, b"")

    @property
    def hosts(self) -> set[str]:
        return {urlsplit(url).netloc for url in self.asked} - {urlsplit(ISSUER_URL).netloc}


class Receiver:
    def __init__(self, web: Web, now: datetime = NOW) -> None:
        source = AwsSource(download=web, roots=[ROOT.certificate], now=lambda: now)
        self.push = SnsPush(Proof({TOPIC}, Certificates(source)), {TOPIC})
        self.now = int(now.timestamp() * 1000)

    async def told(self, made: Any) -> Told:
        body = made if isinstance(made, bytes) else json.dumps(made).encode()
        told = self.push.read(body, self.now)
        if isinstance(told, Undecided):
            try:
                await self.push.fetch({told.certificate})
            except NoCertificate:
                return told
            told = self.push.read(body, self.now)
        return told


@pytest.mark.parametrize("version", ["1", "2"])
async def test_what_sns_signed_is_believed_with_both_versions(version: str) -> None:
    web = Web()
    receiver = Receiver(web)
    assert isinstance(await receiver.told(message(version=version)), Pushed)
    assert isinstance(await receiver.told(message("UnsubscribeConfirmation", version)), Cancelled)
    asked = await receiver.told(message("SubscriptionConfirmation", version))
    assert asked == Asked(TOPIC, "token", int(AT * 1000))
    assert web.hosts == {HOST}
    assert web.asked.count(URL) == 1


FORGERIES: dict[str, Callable[[], Any]] = {
    "signed by another key": lambda: message(key=OTHER_KEY),
    "another topic, signed by SNS": lambda: message(TopicArn=TOPIC.replace("123456789012", "999999999999")),
    "another topic in the ARN's place": lambda: message() | {"TopicArn": TOPIC + "x"},
    "version 1's signature as version 2": lambda: message(version="1") | {"SignatureVersion": "2"},
    "version 2's signature as version 1": lambda: message(version="2") | {"SignatureVersion": "1"},
    "no version that there is": lambda: message() | {"SignatureVersion": "3"},
    "no signature": lambda: message() | {"Signature": None},
    "a signature that is no base64": lambda: message() | {"Signature": "###"},
    "a certificate elsewhere": lambda: message(
        key=OTHER_KEY, SigningCertURL="https://evil.example/SimpleNotificationService-a.pem"
    ),
    "a certificate of another region": lambda: message(SigningCertURL=URL.replace(REGION, "us-east-1")),
    "a certificate over plain http": lambda: message(SigningCertURL=URL.replace("https:", "http:")),
    "a certificate at another port": lambda: message(SigningCertURL=URL.replace(".com/", ".com:8443/")),
    "a certificate with a user name": lambda: message(
        SigningCertURL=URL.replace("https://", "https://sns.eu-west-1.amazonaws.com@evil.example/")
    ),
    "a certificate in a bucket": lambda: message(
        SigningCertURL="https://evil.s3.amazonaws.com/SimpleNotificationService-a.pem"
    ),
    "a host that only begins like SNS's": lambda: message(
        SigningCertURL=URL.replace(HOST, HOST + ".evil.example")
    ),
    "a path up and down": lambda: message(
        SigningCertURL=f"https://{HOST}/x/../SimpleNotificationService-a.pem"
    ),
    "a query behind the certificate": lambda: message(SigningCertURL=URL + "?x=1"),
    "the certificate of SNS's site, but no .pem": lambda: message(
        SigningCertURL=f"https://{HOST}/?Action=Publish"
    ),
    "an hour and a half old": lambda: message(Timestamp="2026-11-28T13:30:00.000Z"),
    "from tomorrow": lambda: message(Timestamp="2026-11-29T15:00:00.000Z"),
    "without a time": lambda: message(Timestamp="x"),
    "raw, without an envelope": lambda: json.loads(EVENT),
    "EventBridge's envelope": lambda: {
        "detail-type": "Email Sent",
        "source": "aws.ses",
        "detail": json.loads(EVENT),
    },
    "an envelope in an envelope": lambda: {
        "Type": "Notification",
        "TopicArn": TOPIC,
        "Timestamp": "2026-11-28T15:00:00.000Z",
        "Message": json.dumps(message()),
    },
    "an event with an envelope's members": lambda: message() | json.loads(EVENT),
    "another type": lambda: message() | {"Type": "SubscriptionConfirmation"},
    "a type that there is not": lambda: message() | {"Type": "Order"},
    "no JSON": lambda: b"hello",
    "nothing": lambda: b"",
    "an array": lambda: [message()],
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forgery_is_not_believed_and_asks_nobody_but_sns(name: str) -> None:
    web = Web()
    receiver = Receiver(web)
    told = await receiver.told(FORGERIES[name]())
    assert isinstance(told, NotBelieved), told
    assert web.hosts <= {HOST}
    unsafe = {
        "a certificate",
        "a host",
        "a path",
        "a query",
        "the certificate",
        "another topic",
        "an hour",
        "from",
    }
    if any(name.startswith(word) for word in unsafe):
        assert web.asked == []


_CONFIRMED = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
SIGNED: dict[Kind, tuple[str, ...]] = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": _CONFIRMED,
    "UnsubscribeConfirmation": _CONFIRMED,
}


@pytest.mark.parametrize("kind", ["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"])
async def test_no_member_can_be_altered_added_or_left_out(kind: Kind) -> None:
    web = Web()
    receiver = Receiver(web)
    made = message(kind)
    for name in SIGNED[kind]:
        for altered in (
            made | {name: "2026-11-28T15:00:01.000Z"},
            {k: v for k, v in made.items() if k != name},
        ):
            assert isinstance(await receiver.told(altered), NotBelieved), name
    # What is not signed does not matter, and is not used.
    assert not isinstance(
        await receiver.told(made | {"UnsubscribeURL": "https://evil.example/"}), NotBelieved
    )
    assert web.hosts == {HOST}


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        (NOW - timedelta(days=90), NOW - timedelta(days=20)),
        (
            NOW - timedelta(days=90),
            NOW - timedelta(hours=1),
        ),  # valid for what it signed until then, and this is later
        (NOW + timedelta(days=1), NOW + timedelta(days=30)),
    ],
)
async def test_an_expired_or_future_certificate_signs_nothing(begins: datetime, ends: datetime) -> None:
    web = Web(pem=leaf(ISSUER, begins=begins, ends=ends))
    assert not isinstance(await Receiver(web).told(message()), Pushed)
    assert web.hosts == {HOST}


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_certificate_that_redirects_is_not_followed(status: int) -> None:
    web = Web(answers={URL: (status, leaf(ISSUER))})
    assert not isinstance(await Receiver(web).told(message()), Pushed)
    assert web.hosts == {HOST}


async def test_a_certificate_of_somebody_else_on_sns_host_is_not_believed() -> None:
    stranger = authority("stranger")
    for pem in (leaf(stranger), leaf(ISSUER, "evil.example"), leaf(ISSUER, key=OTHER_KEY.public_key())):
        assert not isinstance(await Receiver(Web(pem=pem)).told(message()), Pushed)


@dataclass
class Given:
    """A certificate of other projects, which was made for their tests and was not valid when its messages were signed."""

    pem: bytes
    renews: bool = False

    def get(self, url: str) -> SigningKey:
        key = x509.load_pem_x509_certificate(self.pem).public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        return SigningKey(key, "2000", "2100")


SHARED = Path(os.environ.get("MAILCORDON_SHARED", "nowhere")) / "data" / "ses_events"


@pytest.mark.skipif(not SHARED.is_dir(), reason="MAILCORDON_SHARED names no folder with SES documents")
async def test_messages_of_other_projects_are_believed_as_they_say() -> None:
    pem = (SHARED / "sns-test-cert.pem").read_bytes()
    for case in map(json.loads, (SHARED / "sns_signatures.jsonl").read_text().splitlines()):
        body = case["body"]
        topic = body["TopicArn"]
        proof = Proof({topic}, Certificates(Given(pem)))
        push = SnsPush(proof, {topic})
        now = int(datetime(2020, 5, 7, 7, 30, tzinfo=UTC).timestamp() * 1000)
        raw = json.dumps(body).encode()
        told = push.read(raw, now)
        assert isinstance(told, Undecided)
        await push.fetch({told.certificate})
        told = push.read(raw, now)
        if not case["valid"]:
            assert isinstance(told, NotBelieved | Undecided), case["id"]
            continue
        assert told == Asked(topic, body["Token"], 1_588_836_325_364)
        # It is old by now, and of another topic for anybody else.
        assert isinstance(push.read(raw, now + 90 * 60_000), NotBelieved)
        assert isinstance(SnsPush(proof, {TOPIC}).read(raw, now), NotBelieved)


# Confirming -------------------------------------------------------------------------------------------------------------------


@dataclass
class Sns:
    answer: tuple[int, bytes] = (200, b"<ConfirmSubscriptionResponse><SubscriptionArn>x</SubscriptionArn>")
    asked: list[tuple[str, int | None, bool, str]] = field(
        default_factory=list[tuple[str, int | None, bool, str]]
    )

    def __call__(self, host: str, port: int | None, secure: bool, path: str) -> tuple[int, bytes]:
        self.asked.append((host, port, secure, path))
        return self.answer


@pytest.mark.parametrize(
    ("topic", "host"),
    [
        (TOPIC, HOST),
        ("arn:aws-cn:sns:cn-north-1:123456789012:o", "sns.cn-north-1.amazonaws.com.cn"),
        ("arn:aws-us-gov:sns:us-gov-west-1:123456789012:o", "sns.us-gov-west-1.amazonaws.com"),
    ],
)
async def test_a_subscription_is_confirmed_at_sns_in_the_topics_region_over_tls(
    topic: str, host: str
) -> None:
    sns = Sns()
    await SnsConfirmer(request=sns).confirm(topic, "to ken&Action=DeleteTopic")
    [(asked, port, secure, path)] = sns.asked
    assert (asked, port, secure) == (host, None, True)
    assert parse_qs(urlsplit(path).query) == {
        "Action": ["ConfirmSubscription"],
        "TopicArn": [topic],
        "Token": ["to ken&Action=DeleteTopic"],
        "Version": ["2010-03-31"],
    }


@pytest.mark.parametrize(
    "answer", [(302, b""), (403, b"<Error/>"), (200, b"<html>"), (500, b"<SubscriptionArn>")]
)
async def test_a_subscription_that_sns_did_not_take_is_not_confirmed(answer: tuple[int, bytes]) -> None:
    with pytest.raises(Unreachable):
        await SnsConfirmer(request=Sns(answer)).confirm(TOPIC, "token")


async def test_the_local_ses_confirms_at_its_own_address() -> None:
    sns = Sns()
    await SnsConfirmer("http://127.0.0.1:8005", request=sns).confirm(TOPIC, "token")
    assert sns.asked[0][:3] == ("127.0.0.1", 8005, False)
