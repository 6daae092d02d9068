"""Hosts that put off senders whom they do not know (RFC 6647). Whether a host does is a property of its domain; what it knows of
a sender is passed in."""

from __future__ import annotations

from functools import cache
from math import inf
from typing import Final

import msgspec

from seslocal.world import parameters
from seslocal.world.draws import Draws
from seslocal.world.providers import System

_MOST_HOSTS: Final = 50_000


class Greylist(msgspec.Struct, frozen=True):
    """A host that greylists."""

    window: float  #: seconds that have to pass between the first attempt and one that is let through
    known_after: float  #: mails accepted from a domain and pool, by all hosts of the provider, after which this one knows the two
    knows_shared: bool  #: it has its exceptions for the shared pools of large senders


class Greylists:
    def __init__(self, draws: Draws) -> None:
        self._draws = draws
        self._found: dict[str, Greylist | None] = {}

    def find(self, system: System, recipient: str) -> Greylist | None:
        """Returns how the host of this address greylists; None: it does not."""
        share = _share(system.name)
        if not share:
            return None
        domain = recipient.rpartition("@")[2].lower()
        if domain in self._found:
            return self._found[domain]
        of = parameters.read("greylisting").number
        drawn = self._draws.four("greylist", domain)
        found = None
        if drawn[0] < share:
            found = Greylist(
                of(f"window.{system.name}"),
                inf if drawn[3] < of("never_knows") else of("known_after") * drawn[1],
                drawn[2] < of("knows_shared"),
            )
        if len(self._found) >= _MOST_HOSTS:
            self._found.clear()
        self._found[domain] = found
        return found


def puts_off(
    greylist: Greylist, number: int, waited: float, accepted: float, shared: bool, chance: float
) -> bool:
    """Whether attempt `number`, from 1, is put off. It is made `waited` seconds after the first one. `accepted` is the number of
    mails that the provider has accepted from this domain and pool, `shared` whether the pool is a shared one, and `chance` is
    uniform in [0, 1).

    A later attempt passes when the window has passed since the first one, unless it comes from another network than that: then it
    is as good as a first one. Only pools of many addresses do that, and only for some attempts."""
    if (shared and greylist.knows_shared) or accepted >= greylist.known_after:
        return False
    if number > _most():
        return False
    return waited < greylist.window or (shared and chance < _elsewhere())


@cache
def _share(system: str) -> float:
    of, name = parameters.read("greylisting"), f"share.{system}"
    return of.number(name) if name in of.by_name else 0.0


@cache
def _most() -> float:
    return parameters.read("greylisting").number("most_attempts")


@cache
def _elsewhere() -> float:
    return parameters.read("greylisting").number("elsewhere")
