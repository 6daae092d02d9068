"""Signatures of webhooks, as the Standard Webhooks specification has them (https://www.standardwebhooks.com, version 1.0.0).

Receivers check them with any of its libraries: HMAC-SHA256 over `id.timestamp.body`, with the secret's bytes behind `whsec_`.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64  #: of a secret, as the specification has it


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def is_secret(text: str) -> bool:
    try:
        return text.startswith(PREFIX) and LEAST_BYTES <= len(_bytes(text)) <= MOST_BYTES
    except (binascii.Error, ValueError):
        return False


def headers(with_secrets: Sequence[str], message: str, seconds: int, body: bytes) -> dict[str, str]:
    """`with_secrets`: more than one while one takes another's place; each signs. `message`: its id, the same at each try.
    `seconds`: since 1970."""
    signed = b"%s.%d.%s" % (message.encode(), seconds, body)
    digests = [hmac.digest(_bytes(secret), signed, hashlib.sha256) for secret in with_secrets]
    return {
        "webhook-id": message,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests),
    }


def _bytes(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
