"""How one provider judges: the numbers of `data/reputation.toml`, and where its own file says otherwise, those."""

from __future__ import annotations

from functools import cache
from typing import Final

import msgspec

from seslocal.world import parameters

DAY: Final = 1440  #: minutes
#: kinds of what a provider has an opinion of: signing domain, IP pool, the two together, the content, and the domain of the
#: header From, if another domain signed
DOMAIN, POOL, PAIR, CONTENT, FROM = "domain", "pool", "pair", "content", "from"

#: what is counted; all are whole numbers
COUNTED: Final = (
    "wanted",  # first attempts: what the sender wants to send
    "accepted",
    "inbox",
    "unknown",  # refused, because there is no such mailbox
    "trapped",  # trap points
    "opens",
    "complaints",
    "not_spam",
    "deletes",
    "deferred",
    "refused",
)
WANTED, ACCEPTED, INBOX, UNKNOWN, TRAPPED, OPENS, COMPLAINTS, NOT_SPAM, DELETES, DEFERRED, REFUSED = range(11)


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """Times in minutes, shares in [0, 1]. What each number means is said in `data/reputation.toml`."""

    weights: tuple[float, float, float]  #: of domain, pool and pair; their sum is 1
    shared_weights: tuple[float, float, float]  #: in a shared pool
    forgets: float  #: half-life of harm
    remembers: float  #: half-life of the volume that harm is divided by
    prior: float  #: mails
    background: float  #: mails in memory that others send through a shared pool
    harm: tuple[tuple[int, float], ...]  #: index in COUNTED, and the harm of one
    pristine: int  #: trap points of a pristine trap; a recycled one has 1
    base: float
    spam: tuple[float, float]  #: half and exponent of the curve
    defer: tuple[float, float, float]  #: half, exponent and most
    refuse: tuple[float, float, float]
    at_connection: bool
    floors: tuple[float, float]  #: mails a day from a new domain, from a new pool
    growth: float
    used_to: float  #: half-life in days of the largest day
    soft: float
    rate_most: float
    flood: float
    flood_refuses: float
    strike: float
    suspicion: float
    suspicion_mails: float
    engaged: tuple[float, float]  #: weight, and the share of opens from which on nothing is added
    engaged_mails: float
    engaged_wait: float  #: before the end of a day, in which mail comes too late for that day
    content_half_life: float
    content_prior: float
    content_weight: float
    content_domains: float
    content_spread: float
    unsigned: float
    reject: float
    quarantine: float
    unaligned: float
    bulk: float
    bulk_refuses: float
    bulk_defers: float
    one_click: float
    asks: float
    listed: float  #: trap points, fading by harm's half-life, from which on a block list lists a sender
    listed_shared: float  #: and a shared pool
    listed_most: float  #: trap points that are remembered, as a multiple of those; 0: all
    largest: float
    full_refuses: float


@cache
def measures_of(provider: str) -> Measures:
    """Raises WrongParameter."""
    common = parameters.read("reputation")
    own = parameters.read(provider) if provider in parameters.files() else common

    def number(name: str) -> float:
        return own.number(name) if name in own.by_name else common.number(name)

    remembers = number("harm.volume_half_life") * DAY
    pool, shared = number("weight.pool"), number("weight.shared_pool")
    rest = (1 - shared) / (1 - pool)
    return Measures(
        weights=(number("weight.domain"), pool, number("weight.pair")),
        shared_weights=(number("weight.domain") * rest, shared, number("weight.pair") * rest),
        forgets=number("harm.half_life") * DAY,
        remembers=remembers,
        prior=number("harm.prior"),
        background=number("shared.background")
        * remembers
        / DAY
        * 1.4427,  # a steady flow's decayed sum: 1 / ln 2
        harm=(
            (COMPLAINTS, 1 / number("harm.complaints")),
            (UNKNOWN, 1 / number("harm.dead")),
            (TRAPPED, 1 / number("harm.traps")),
            (NOT_SPAM, -1 / number("harm.rescues")),
            (DELETES, 1 / number("harm.deletions")),
        ),
        pristine=int(number("harm.pristine")),
        base=number("placement.base"),
        spam=(number("placement.half"), number("placement.exponent")),
        defer=(number("defer.half"), number("defer.exponent"), number("defer.most")),
        refuse=(number("refuse.half"), number("refuse.exponent"), number("refuse.most")),
        at_connection=bool(number("refuse.at_connection")),
        floors=(number("warmup.domain"), number("warmup.pool")),
        growth=number("warmup.growth"),
        used_to=number("warmup.half_life"),
        soft=number("warmup.soft"),
        rate_most=number("warmup.most"),
        flood=number("flood.times"),
        flood_refuses=number("flood.refuses"),
        strike=number("flood.strike"),
        suspicion=number("cold.suspicion"),
        suspicion_mails=number("cold.mails"),
        engaged=(number("engagement.weight"), number("engagement.opens")),
        engaged_mails=number("engagement.mails"),
        engaged_wait=number("engagement.wait") * 60,
        content_half_life=number("content.half_life") * DAY,
        content_prior=number("content.prior"),
        content_weight=number("content.weight"),
        content_domains=number("content.domains"),
        content_spread=number("content.spread"),
        unsigned=number("authentication.unsigned"),
        reject=number("authentication.reject"),
        quarantine=number("authentication.quarantine"),
        unaligned=number("authentication.unaligned"),
        bulk=number("bulk.mails"),
        bulk_refuses=number("bulk.refuses"),
        bulk_defers=number("bulk.defers"),
        one_click=number("bulk.one_click"),
        asks=number("lists.asks"),
        listed=number("lists.points"),
        listed_shared=number("lists.shared_points"),
        listed_most=number("lists.most"),
        largest=number("size.largest"),
        full_refuses=number("full.refuses"),
    )
