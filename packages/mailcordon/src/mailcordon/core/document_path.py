"""How faults name a member of a document, so that a reader of files finds its line."""

import re

from mailcordon.core import text

_PLAIN = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def path(parent: str, key: str | int) -> str:
    """`tenants.acme.domains["mail.acme.example"].mail_from`."""
    if isinstance(key, int):
        return f"{parent}[{key}]"
    if _PLAIN.fullmatch(key):
        return f"{parent}.{key}" if parent else key
    return f'{parent}["{text.harmless(key, 253)}"]'
