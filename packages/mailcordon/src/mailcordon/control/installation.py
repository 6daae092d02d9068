"""Creates an installation: a name and two keys, which never change, since all tags and hashes depend on them."""

import secrets

from mailcordon.core.installation import Installation

_KEY_BYTES = 32


def create(name: str) -> Installation:
    """Raises ValueError if the name cannot be an SES tag."""
    return Installation(
        name=name, mac_key=secrets.token_bytes(_KEY_BYTES), hash_key=secrets.token_bytes(_KEY_BYTES)
    )
