"""The code that a person types to confirm an action. It is made when the question is shown, and stands nowhere else."""

import hmac
import secrets

_LETTERS = "ABCDEFGHJKLMNPQRTUVWXY"  #: without those that look like others
_LENGTH = 6


def make() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))


def matches(typed: object, code: str) -> bool:
    return isinstance(typed, str) and hmac.compare_digest(typed.strip().upper().encode(), code.encode())
