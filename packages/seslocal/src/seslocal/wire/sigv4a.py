"""SigV4a, which clients use for SES's global endpoints: one signature for many regions, by ECDSA on P-256 with a key pair
derived from the secret. To check it we derive the same pair and keep the public key. AWS publishes the derivation only in its
SDKs: NIST SP 800-108's counter mode with HMAC-SHA256, repeated with the next counter until the number is in range."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

ALGORITHM: Final = "AWS4-ECDSA-P256-SHA256"
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256


def private_key(key_id: str, secret: str) -> ec.EllipticCurvePrivateKey:
    for counter in range(1, 255):
        context = key_id.encode() + bytes([counter])
        block = b"\x00\x00\x00\x01" + ALGORITHM.encode() + b"\x00" + context + b"\x00\x00\x01\x00"
        number = int.from_bytes(hmac.digest(f"AWS4A{secret}".encode(), block, "sha256"))
        if number <= _ORDER - 2:
            return ec.derive_private_key(number + 1, ec.SECP256R1())
    raise AssertionError("unreachable: the chance is 1 in 2 to the 8,000")


def verifier(key_id: str, secret: str) -> Callable[[bytes, str], bool]:
    """Returns a function: (string to sign, signature in hexadecimal) -> whether the signature is valid."""
    public = private_key(key_id, secret).public_key()
    by_ecdsa = ec.ECDSA(hashes.SHA256())

    def is_valid(text: bytes, signature: str) -> bool:
        try:
            public.verify(bytes.fromhex(signature), text, by_ecdsa)
        except (InvalidSignature, ValueError):
            return False
        return True

    return is_valid


def covers(region_set: str, region: str) -> bool:
    """Whether a list of regions includes this one. `*` matches any; `us-*` matches a prefix."""
    for wanted in region_set.split(","):
        start, star, _ = wanted.strip().partition("*")
        if region == start or (star and region.startswith(start)):
            return True
    return False
