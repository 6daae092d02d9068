"""Who is behind an address: an active reader, an abandoned mailbox, a spam trap, nobody. It follows from the seed, the address
and the quality of the list that the address is on."""

from __future__ import annotations

from typing import Literal

import msgspec

from seslocal.world.draws import Draws
from seslocal.world.settings import WorldSettings

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


class Person(msgspec.Struct, frozen=True):
    who: Who
    quality: str
    list: str  #: name of the list, "" if it is on no named one

    @property
    def trap(self) -> bool:
        return self.who in ("pristine_trap", "recycled_trap")


class People:
    def __init__(self, settings: WorldSettings, draws: Draws) -> None:
        self._settings = settings
        self._draws = draws
        self._lists = {rule.name: rule.quality for rule in settings.lists}

    def find(self, recipient: str) -> Person:
        name = recipient.partition(".")[0] if recipient.partition("@")[0] else ""
        quality = self._lists.get(name)
        if quality is None:
            name, quality = "", self._settings.quality
        drawn = self._draws.four("person", recipient.lower())[0]
        who: Who = "nobody" if drawn < (0.2 if quality == "bought" else 0.01) else "active"
        return Person(who, quality, name)
