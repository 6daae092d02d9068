"""Who is behind an address: an active reader, an abandoned mailbox, a spam trap, nobody. It follows from the seed, the address
and the quality of the list that the address is on."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import Final, Literal, get_args

import msgspec

from seslocal.world.draws import Draws
from seslocal.world.parameters import WrongParameter, read
from seslocal.world.settings import Quality, WorldSettings

Who = Literal[
    "active",  # reads this sender's mail
    "dormant",  # uses the mailbox and hardly ever reads this sender's mail
    "abandoned",  # nobody looks into the mailbox; the provider still accepts its mail
    "full",  # over quota
    "moved",  # the mailbox was closed and the provider says so
    "pristine_trap",  # never had an owner; only scrapers and list sellers know it
    "recycled_trap",  # was somebody's, refused all mail for a year and is a trap now
    "role",  # several people read it: info@, sales@
    "bought",  # uses the mailbox and never asked for this mail
    "nobody",  # there is no such mailbox
]

QUALITIES: Final[tuple[Quality, ...]] = get_args(Quality)
KINDS: Final[tuple[Who, ...]] = get_args(Who)

#: local parts of addresses that several people read (RFC 2142 and what offices use)
_OFFICES: Final = frozenset(
    {
        "abuse",
        "accounting",
        "accounts",
        "admin",
        "billing",
        "careers",
        "contact",
        "enquiries",
        "finance",
        "hello",
        "help",
    }
    | {
        "hostmaster",
        "hr",
        "info",
        "jobs",
        "marketing",
        "office",
        "orders",
        "postmaster",
        "press",
        "sales",
        "service",
    }
    | {"support", "team", "webmaster"}
)
_READ: Final = ("active", "dormant", "bought")


class Person(msgspec.Struct, frozen=True):
    who: Who
    quality: Quality
    list: str  #: name of the list, "" if it is on no named one
    # what does not change from mail to mail; each is uniform in [0, 1)
    keen: float = 0.5  #: how much it reads: 0 is who reads least
    program: float = 0.5  #: chooses the program that it reads with
    day: float = 0.5  #: how early its day begins; 0.5: by the world's clock

    @property
    def trap(self) -> bool:
        return self.who in ("pristine_trap", "recycled_trap")


def mix(quality: Quality) -> dict[Who, float]:
    """Returns the share of each kind of person on a list of this quality. Raises WrongParameter if they do not add up to 1."""
    parameters = read("people")
    shares: dict[Who, float] = {who: parameters.number(f"{quality}.{who}") for who in KINDS}
    if abs(sum(shares.values()) - 1) > 1e-9:
        raise WrongParameter(
            f"people: the shares of {quality} add up to {sum(shares.values())} instead of 1."
        )
    return shares


class People:
    def __init__(self, settings: WorldSettings, draws: Draws) -> None:
        self._draws = draws
        self._quality: Quality = settings.quality
        self._lists: dict[str, Quality] = {rule.name.lower(): rule.quality for rule in settings.lists}
        self._bounds: dict[Quality, tuple[list[float], list[Who]]] = {}
        for quality in QUALITIES:
            shares: dict[Who, float] = {who: share for who, share in mix(quality).items() if share}
            # the last bound is above every draw, whatever the sum is in floats
            self._bounds[quality] = ([*list(accumulate(shares.values()))[:-1], 2.0], list(shares))
        self._last: tuple[str, Person] | None = None

    def find(self, recipient: str) -> Person:
        """Returns the person behind an address; upper and lower case are the same. An address that names an office is read by
        several people if anybody reads it."""
        # the same mail asks several times in a row
        last = self._last
        if last is not None and last[0] == recipient:
            return last[1]
        address = recipient.lower()
        local = address.rpartition("@")[0]
        name = local.partition(".")[0]
        quality = self._lists.get(name)
        if quality is None:
            name, quality = "", self._quality
        chance, keen, program, day = self._draws.four("person", address)
        bounds, kinds = self._bounds[quality]
        who = kinds[bisect_right(bounds, chance)]
        if local in _OFFICES and who in _READ:
            who = "role"
        person = Person(who, quality, name, keen, program, day)
        self._last = (recipient, person)
        return person
