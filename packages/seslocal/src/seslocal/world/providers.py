"""Mailbox providers, and which of them receives the mail of a domain."""

from __future__ import annotations

from typing import Final

import msgspec


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    complaints: bool  #: it reports complaints to senders


PROVIDERS: Final = {
    name: Provider(name=name, complaints=name in ("microsoft", "yahoo", "telco"))
    for name in ("gmail", "microsoft", "yahoo", "apple", "gmx", "telco", "gateways", "small")
}


def provider_of(recipient: str) -> str:
    """Returns the name of the provider that receives this address's mail."""
    domain = recipient.rpartition("@")[2].lower()
    return {
        "gmail.com": "gmail",
        "outlook.com": "microsoft",
        "yahoo.com": "yahoo",
        "icloud.com": "apple",
    }.get(domain, "small")
