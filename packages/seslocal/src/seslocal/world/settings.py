"""What a world is made of, as given in a scenario file or an admin call. All of it has a default: `WorldSettings()` is a world in
which every list is opted in and the weather is fine. The bounds are kept by whoever decodes them."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(ge=-1e12, le=1e12)]
Share = Annotated[float, Meta(ge=0, le=1)]
Quality = Literal["opted-in", "stale", "bought", "transactional"]
Name = Annotated[str, Meta(min_length=1, max_length=253)]  # of a domain or a pool


class ListRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The addresses of one list. An address belongs to the list that its local part starts with, up to the first dot:
    `spring.000123@gmail.com` belongs to `spring`."""

    name: Annotated[str, Meta(pattern=r"^[^.@]+$", max_length=64)]
    quality: Quality = "opted-in"


class Weather(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A bad time of one provider, for every sender alike."""

    provider: str
    start: Seconds  #: since the world's start
    seconds: Annotated[float, Meta(ge=0, le=1e12)]
    defers: Share = 0.0  #: of attempts
    slower: Annotated[float, Meta(ge=1, le=1_000)] = 1.0  #: factor of its processing times


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule that a provider begins to enforce."""

    provider: str
    start: Seconds  #: since the world's start
    kind: Literal["needs_dmarc", "needs_one_click", "needs_dkim"]
    refuses: Share = 1.0  #: of the mail that breaks the rule and is refused; the rest is deferred


class WorldSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] = 1
    lists: Annotated[tuple[ListRule, ...], Meta(max_length=100_000)] = ()
    quality: Quality = "opted-in"  #: of addresses on no named list
    weather: Annotated[tuple[Weather, ...], Meta(max_length=1_000)] = ()
    background_weather: bool = False  #: providers also have bad times by chance
    rules: Annotated[tuple[Rule, ...], Meta(max_length=1_000)] = ()
    #: mails a day that every provider is used to from every domain and pool, before it has seen any, but for those in `cold`
    known: Annotated[int, Meta(ge=0, le=10**12)] = 50_000
    #: names of domains and pools that no provider has ever seen: new ones, which must be warmed up
    cold: Annotated[tuple[Name, ...], Meta(max_length=100_000)] = ()
    #: pools that many other senders use too
    shared: Annotated[tuple[Name, ...], Meta(max_length=1_000)] = ("shared", "ses-shared-pool")

    def __post_init__(self) -> None:
        names = sorted(rule.name.lower() for rule in self.lists)
        for name, next_ in pairwise(names):
            if name == next_:
                raise ValueError(f"The list {name} is given twice; upper and lower case are the same")
