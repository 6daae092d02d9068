"""DKIM keys that customers bring (BYODKIM): which ones SES accepts, and the public key to publish in DNS (ses.md 5.3)."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

_BITS: Final = (1024, 2048)


def public_key_of(private_key: str) -> str:
    """Returns the public key in base64, as `p=` has it. Raises ValueError with a sentence unless it is a key that SES accepts:
    base64 of PKCS#1 or PKCS#8 without PEM header and footer, RSA, 1024 to 2048 bits."""
    try:
        key = load_der_private_key(b64decode("".join(private_key.split()), validate=True), None)
    except (binascii.Error, ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("it is not an RSA private key in base64 without PEM header and footer") from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("it is not an RSA key")
    if not _BITS[0] <= key.key_size <= _BITS[1]:
        raise ValueError(f"it has {key.key_size} bits, not {_BITS[0]} to {_BITS[1]}")
    return b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
