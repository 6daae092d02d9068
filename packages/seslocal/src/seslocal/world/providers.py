"""Mailbox providers, the mail systems that speak for them, and which of them receives the mail of a domain.

A provider is who has an opinion about a sender. A system is what answers: each has its own words (`data/replies`). Gmail has one
system; `gateways` and `small` have one of several for each domain, as organisations have."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec

from seslocal.world import parameters


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    complaints: bool  #: it reports complaints to senders


#: Gmail never reports a complaint (ses.md 8.1). Microsoft (JMRP) and Yahoo (CFL) do, and regional providers that use Validity's
#: Universal Feedback Loop. Apple has no feedback loop; GMX's is for certified senders only.
PROVIDERS: Final = {
    name: Provider(name=name, complaints=name in ("microsoft", "yahoo", "telco"))
    for name in ("gmail", "microsoft", "yahoo", "apple", "gmx", "telco", "gateways", "small")
}

#: systems and the provider that each speaks for
SYSTEMS: Final = {
    "gmail": "gmail",
    "outlook": "microsoft",
    "yahoo": "yahoo",
    "apple": "apple",
    "gmx": "gmx",
    "comcast": "telco",
    "orange": "telco",
    "telekom": "telco",
    "exchange_online": "gateways",
    "proofpoint": "gateways",
    "mimecast": "gateways",
    "barracuda": "gateways",
    "cisco": "gateways",
    "postfix": "small",
    "exim": "small",
    "exchange": "small",
}

#: families of the table of mailbox domains
_FAMILIES: Final = {
    "gmail": "gmail",
    "microsoft": "outlook",
    "yahoo": "yahoo",
    "aol": "yahoo",
    "att": "yahoo",  # its domains have Yahoo's receiving hosts
    "apple": "apple",
    "gmx": "gmx",
    "web.de": "gmx",
    "mail.com": "gmx",
    "ionos": "gmx",
    "comcast": "comcast",
    "charter": "comcast",
    "orange": "orange",
    "free": "orange",
    "telekom": "telekom",
    "bluewin": "telekom",
    "bt": "telekom",
    "kpn": "telekom",
    "libero": "telekom",
    "virgilio": "telekom",
    "onet": "telekom",
    "proximus": "telekom",
    "bigpond": "telekom",
}
#: what made-up domains begin with (`corp07.example`), beside the names of systems and providers
_MADE_UP: Final = {"corp": "gateways", "host": "small"}


class System(msgspec.Struct, frozen=True):
    """The mail system that receives the mail of a domain."""

    name: str
    provider: str
    public: bool  #: the domain is one on which the provider gives addresses to the public


def _read() -> dict[str, str]:
    table = Path(__file__).parents[1] / "state" / "mailbox_domains.txt"
    found: dict[str, str] = {}
    for line in table.read_text(encoding="utf-8").splitlines():
        family, *domains = line.split() or [""]
        if not family.startswith("#"):
            # The families that are not named above run Postfix or something like it.
            found.update(dict.fromkeys(domains, _FAMILIES.get(family.removesuffix("*"), "postfix")))
    return found


_BY_DOMAIN: Final = _read()


def _ends(names: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """These systems, each with the end of its part of [0, 1)."""
    of = parameters.read("providers").number
    total = sum([of(f"own_domains.{name}") for name in names])
    ends: list[tuple[str, float]] = []
    end = 0.0
    for name in names:
        end += of(f"own_domains.{name}") / total
        ends.append((name, end))
    return (*ends[:-1], (names[-1], 1.0))


_SYSTEMS_OF: Final = {
    provider: _ends(tuple([name for name in SYSTEMS if SYSTEMS[name] == provider])) for provider in PROVIDERS
}
_OWN: Final = _ends(("gmail", *[name for name in SYSTEMS if SYSTEMS[name] in ("gateways", "small")]))


@lru_cache(maxsize=50_000)
def system_of_domain(domain: str) -> System:
    """`domain` in lower case. A domain in the table of public mailbox domains has its provider's system. A made-up domain has the
    system or provider with which the label before `.example` begins, up to its digits: `acme.mimecast.example`, `corp07.example`,
    `telco.example`. Any other is an organisation's own. Where there are several systems, the name of the domain decides."""
    known = _BY_DOMAIN.get(domain)
    if known is not None:
        return System(known, SYSTEMS[known], True)
    labels = domain.split(".")
    ends = _OWN
    if labels[-1] == "example" and len(labels) > 1:
        name = labels[-2].rstrip("0123456789").replace("-", "_")
        if name in SYSTEMS:
            return System(name, SYSTEMS[name], False)
        ends = _SYSTEMS_OF.get(_MADE_UP.get(name, name), _OWN)
    # Not chance but a property of the name, the same for every seed.
    at = crc32(domain.encode()) / 2**32
    name = next(name for name, end in ends if at < end)
    return System(name, SYSTEMS[name], False)


def system_of(recipient: str) -> System:
    """Returns the system that receives this address's mail."""
    return system_of_domain(recipient.rpartition("@")[2].lower())


def provider_of(recipient: str) -> str:
    """Returns the name of the provider that receives this address's mail."""
    return system_of_domain(recipient.rpartition("@")[2].lower()).provider
