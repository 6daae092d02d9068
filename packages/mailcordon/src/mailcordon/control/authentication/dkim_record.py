"""A DKIM key record (RFC 6376 3.6.1): whether it has the key that mail is signed with."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass

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
            why = why or f"`{part.strip()[:40]}` is no tag"
            continue
        name, value = found[1], found[2].strip(" \t\r\n")
        if name in tags:
            why = why or f"the tag {name} is there twice"
        if name == "v" and (number or value != "DKIM1"):
            why = why or "v=DKIM1 must be first"
        tags.setdefault(name, value)
    key = _SPACE.sub("", tags.get("p", ""))
    return DkimKey(tags=tags, key=key, why=why or _why_unusable(tags, key))


def _why_unusable(tags: Mapping[str, str], key: str) -> str | None:
    if "p" not in tags:
        return "it has no key (p=)"
    if not key:
        return "the key was revoked (p= is empty)"
    try:
        base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        return "the key is no base64"
    if tags.get("k", "rsa") != "rsa":
        return f"the key is for {tags['k'][:20]}, and SES signs with RSA"
    hashes = [each.strip() for each in tags.get("h", "sha256").split(":")]
    if "sha256" not in hashes:
        return "it does not allow sha256"
    services = [each.strip() for each in tags.get("s", "*").split(":")]
    if "*" not in services and "email" not in services:
        return "it is not for e-mail (s=)"
    return None


def subdomains_refused(tags: Mapping[str, str]) -> bool:
    """Whether the key signs for its exact domain only (t=s)."""
    return "s" in [flag.strip() for flag in tags.get("t", "").split(":")]


def same_key(first: str, second: str) -> bool:
    return _SPACE.sub("", first) == _SPACE.sub("", second)
