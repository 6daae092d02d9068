"""What a world is made of, as given in a scenario file or an admin call. All of it has a default: `WorldSettings()` is a world in
which every list is opted in and the weather is fine."""

from __future__ import annotations

from typing import Literal

import msgspec

Quality = Literal["opted-in", "stale", "bought", "transactional"]


class ListRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The addresses of one list. An address belongs to the list that its local part starts with, up to the first dot:
    `spring.000123@gmail.com` belongs to `spring`."""

    name: str
    quality: Quality = "opted-in"


class Weather(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A bad time of one provider, for every sender alike."""

    provider: str
    start: float  #: seconds since the world's start
    seconds: float
    defers: float = 0.0  #: share of attempts that it defers
    slower: float = 1.0  #: factor of its processing times


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule that a provider begins to enforce."""

    provider: str
    start: float  #: seconds since the world's start
    kind: Literal["needs_dmarc", "needs_one_click", "needs_dkim"]
    refuses: float = 1.0  #: share of the mail that breaks the rule and is refused; the rest is deferred


class WorldSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    seed: int = 1
    lists: tuple[ListRule, ...] = ()
    quality: Quality = "opted-in"  #: of addresses on no named list
    weather: tuple[Weather, ...] = ()
    background_weather: bool = False  #: providers also have bad times by chance
    rules: tuple[Rule, ...] = ()
    #: mails a day that every provider is used to from every domain and pool, before it has seen any, but for those in `cold`
    known: int = 50_000
    cold: tuple[
        str, ...
    ] = ()  #: names of domains and pools that no provider has ever seen: new ones, which must be warmed up
    shared: tuple[str, ...] = ("shared", "ses-shared-pool")  #: pools that many other senders use too
