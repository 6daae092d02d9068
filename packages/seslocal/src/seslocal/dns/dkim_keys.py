"""Keys that customers bring for DKIM: what SES takes as one, and the public half that belongs into the DNS (ses.md 5.3)."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

_BITS: Final = (1024, 2048)


def public_half(private_key: str) -> str:
    """Base64 of the public key, as `p=` has it. Raises ValueError with a sentence where it is no key that SES takes: base64
    of PKCS#1 or PKCS#8 without armour, RSA, 1024 to 2048 bits."""
    try:
        key = load_der_private_key(b64decode("".join(private_key.split()), validate=True), None)
    except (binascii.Error, ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("it is not an RSA private key in base64 without armour") from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("it is not an RSA key")
    if not _BITS[0] <= key.key_size <= _BITS[1]:
        raise ValueError(f"it has {key.key_size} bits, not {_BITS[0]} to {_BITS[1]}")
    return b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
