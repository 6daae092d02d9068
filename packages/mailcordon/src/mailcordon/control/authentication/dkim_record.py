"""A DKIM key record (RFC 6376 3.6.1): whether it has the key that mail is signed with."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass

from mailcordon.messages import identities as words

_TAG = re.compile(r"[ \t\r\n]*([A-Za-z][A-Za-z0-9_]*)[ \t\r\n]*=(.*)", re.DOTALL)
_SPACE = re.compile(r"[ \t\r\n]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class DkimKey:
    tags: Mapping[str, str]
    key: str  #: base64 without white space; empty: the key was revoked
    why: str | None = None  #: why no receiver uses it; None: it is usable

    @property
    def revoked(self) -> bool:
        return "p" in self.tags and not self.key


def parse(text: str) -> DkimKey:
    """Never raises: what is wrong is `why`."""
    tags: dict[str, str] = {}
    parts = text.split(";")
    if not parts[-1].strip():
        parts.pop()
    why: str | None = None
    for number, part in enumerate(parts):
        found = _TAG.fullmatch(part)
        if found is None:
            why = why or words.dkim_key_wrong("not-a-tag", part.strip()[:40])
            continue
        name, value = found[1], found[2].strip(" \t\r\n")
        if name in tags:
            why = why or words.dkim_key_wrong("twice", name)
        if name == "v" and (number or value != "DKIM1"):
            why = why or words.dkim_key_wrong("version")
        tags.setdefault(name, value)
    key = _SPACE.sub("", tags.get("p", ""))
    return DkimKey(tags=tags, key=key, why=why or _why_unusable(tags, key))


def _why_unusable(tags: Mapping[str, str], key: str) -> str | None:
    if "p" not in tags:
        return words.dkim_key_wrong("no-key")
    if not key:
        return words.dkim_key_wrong("revoked")
    try:
        base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        return words.dkim_key_wrong("base64")
    if tags.get("k", "rsa") != "rsa":
        return words.dkim_key_wrong("type", tags["k"][:20])
    hashes = [each.strip() for each in tags.get("h", "sha256").split(":")]
    if "sha256" not in hashes:
        return words.dkim_key_wrong("hash")
    services = [each.strip() for each in tags.get("s", "*").split(":")]
    if "*" not in services and "email" not in services:
        return words.dkim_key_wrong("service")
    return None


def same_key(first: str, second: str) -> bool:
    return _SPACE.sub("", first) == _SPACE.sub("", second)
