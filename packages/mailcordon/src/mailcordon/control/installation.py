"""How an installation begins: a name and two keys that are never changed, since every tag and every hash depends on them."""

import secrets

from mailcordon.core.installation import Installation

_KEY_BYTES = 32


def begin(name: str) -> Installation:
    """Raises ValueError for a name that cannot travel as a tag."""
    return Installation(
        name=name, mac_key=secrets.token_bytes(_KEY_BYTES), hash_key=secrets.token_bytes(_KEY_BYTES)
    )
