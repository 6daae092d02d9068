"""Messages in the form of Amazon SNS, signed as SNS signs them (ses.md 4.7), with a key and a certificate of our own.

Validators of SNS's messages fetch the certificate from `SigningCertURL` and want a host of amazonaws.com: they take ours once
that is set to our host. Signature version 1 is what SNS does by default, and the only one that all validators know.
"""

import base64
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from mailcordon.adapters.web import json_text

SUBJECT = "Amazon SES Email Event Notification"
VALID_FOR = timedelta(days=3_650)
_SPACE = uuid.UUID(
    "6f1c0b0e-5d0d-4f2a-9a55-0d6c1f6f0b45"
)  #: a message's id as SNS has them, a UUID, is made of ours


@dataclass(frozen=True, slots=True)
class Signer:
    """`certificate_url`: where its certificate is served."""

    key: rsa.RSAPrivateKey
    certificate_url: str


def new_pair(now: datetime) -> tuple[bytes, str]:
    """A private key and its certificate, as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Mailcordon webhooks")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now.astimezone(UTC) - timedelta(hours=1))
        .not_valid_after(now.astimezone(UTC) + VALID_FOR)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, certificate.public_bytes(serialization.Encoding.PEM).decode()


def signer(private: bytes, certificate_url: str) -> Signer:
    key = serialization.load_pem_private_key(private, None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(type(key).__name__)
    return Signer(key, certificate_url)


def topic_arn(region: str, account: str, endpoint: str) -> str:
    return f"arn:aws:sns:{region}:{account}:mailcordon-{endpoint}"


def notification(by: Signer, *, topic: str, message: str, id: str, now: int) -> tuple[bytes, dict[str, str]]:
    """Body and headers. `id`: the same at each try, and so is SNS's id of it."""
    number, at = str(uuid.uuid5(_SPACE, id)), json_text.iso(now)
    signed = (
        f"Message\n{message}\nMessageId\n{number}\nSubject\n{SUBJECT}\nTimestamp\n{at}\nTopicArn\n{topic}\n"
        "Type\nNotification\n"
    )
    signature = by.key.sign(signed.encode(errors="replace"), padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
    body = {
        "Type": "Notification",
        "MessageId": number,
        "TopicArn": topic,
        "Subject": SUBJECT,
        "Message": message,
        "Timestamp": at,
        "SignatureVersion": "1",
        "Signature": base64.b64encode(signature).decode(),
        "SigningCertURL": by.certificate_url,
        "UnsubscribeURL": by.certificate_url,
    }
    headers = {
        "Content-Type": "text/plain; charset=UTF-8",
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": number,
        "x-amz-sns-topic-arn": topic,
        "x-amz-sns-subscription-arn": f"{topic}:{uuid.uuid5(_SPACE, topic)}",
    }
    return json_text.encoded(body), headers
