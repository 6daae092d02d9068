"""SNS's signature: a key and a certificate of our own, made once for a process when they are first needed, since
making a key takes a while. Versions 1 and 2 differ in the hash; what is signed, and in which order, is fixed."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

_NOTIFICATION: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION: Final = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


@dataclass(frozen=True)
class _Pair:
    key: rsa.RSAPrivateKey
    pem: bytes  #: the certificate


def certificate() -> bytes:
    """In PEM."""
    return _pair().pem


def sign(message: dict[str, Any]) -> None:
    """Puts the signature into an SNS message, by its own SignatureVersion."""
    # Version 1 is SHA-1: what SNS does, and what those who verify have to be tested with.
    algorithm = hashes.SHA256() if message["SignatureVersion"] == "2" else hashes.SHA1()  # noqa: S303
    signature = _pair().key.sign(canonical(message).encode(), padding.PKCS1v15(), algorithm)
    message["Signature"] = base64.b64encode(signature).decode()


def canonical(message: dict[str, Any]) -> str:
    """What is signed: names and values, a line each, the last one's end included."""
    names = _NOTIFICATION if message["Type"] == "Notification" else _CONFIRMATION
    return "".join(f"{name}\n{message[name]}\n" for name in names if name in message)


@cache
def _pair() -> _Pair:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    # A clock that is set anywhere still finds it valid.
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(1970, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(9000, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    return _Pair(key, made.public_bytes(serialization.Encoding.PEM))
