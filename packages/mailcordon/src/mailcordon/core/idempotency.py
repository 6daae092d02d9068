"""The key that makes a request happen once: the header Idempotency-Key of POST /v1/messages."""

from mailcordon.messages import api

LONGEST = 255  #: characters


def parse(key: str) -> str:
    """Returns the key. Raises ValueError with a message for the user."""
    if not 0 < len(key) <= LONGEST or not key.isprintable():
        raise ValueError(api.bad_idempotency_key(LONGEST))
    return key
