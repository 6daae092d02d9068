"""Creates an installation: a name and two keys. The MAC key can be rotated; the hash key never changes (core/installation.py)."""

import secrets

from mailcordon.core.installation import Installation

_KEY_BYTES = 32


def create(name: str) -> Installation:
    """Raises ValueError if the name cannot be an SES tag."""
    return Installation(name=name, mac_key=mac_key(), hash_key=secrets.token_bytes(_KEY_BYTES))


def mac_key() -> bytes:
    """A new key that signs attempt tags."""
    return secrets.token_bytes(_KEY_BYTES)
