"""SNS's signature, with its own key and certificate, generated once per process on first use because that is slow. Signature
versions 1 and 2 differ in the hash; what is signed, and in which order, is fixed."""

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
    """Returns the certificate in PEM."""
    return _pair().pem


def sign(message: dict[str, Any]) -> None:
    """Adds the signature to an SNS message, by its SignatureVersion."""
    # Version 1 is SHA-1, as at SNS; code that verifies has to be tested with it.
    algorithm = hashes.SHA256() if message["SignatureVersion"] == "2" else hashes.SHA1()  # noqa: S303
    signature = _pair().key.sign(canonical(message).encode(), padding.PKCS1v15(), algorithm)
    message["Signature"] = base64.b64encode(signature).decode()


def canonical(message: dict[str, Any]) -> str:
    """Returns what is signed: names and values, one per line, with a final line break."""
    names = _NOTIFICATION if message["Type"] == "Notification" else _CONFIRMATION
    return "".join(f"{name}\n{message[name]}\n" for name in names if name in message)


@cache
def _pair() -> _Pair:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    # Valid whatever the account's clock is set to.
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
