"""The rates and times of `data/reactions.toml`, as `reactions` needs them."""

from __future__ import annotations

from functools import cache
from itertools import accumulate
from typing import Final

import msgspec

from seslocal.world.curve import Curve, read_curve
from seslocal.world.daytime import Daytime
from seslocal.world.parameters import Parameters, WrongParameter, read
from seslocal.world.people import Who
from seslocal.world.programs import OUTLOOK_WITHOUT_PICTURES, PROGRAMS, Program
from seslocal.world.settings import Quality

#: who reads mail, on a list of each quality; all others do nothing
READERS: Final[dict[Quality, tuple[Who, ...]]] = {
    "opted-in": ("active", "dormant", "role"),
    "stale": ("active", "dormant", "role"),
    "bought": ("active", "bought", "role"),
    "transactional": ("active", "dormant", "role"),
}


class Habit(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of person does with one mail of one quality. Probabilities, but for the curves."""

    opens: float  #: in the inbox
    opens_in_spam: float
    keenness: float  #: by which opens differ between people
    clicks: float  #: of opens
    annoyed: float  #: wants no more, in the inbox
    complains: tuple[
        float, float, float
    ]  #: of the annoyed: with one-click, with List-Unsubscribe only, with neither
    deletes: float  #: of what is not opened
    not_spam: float  #: in the spam folder
    waits: bool  #: for this mail: opens do not depend on the hour
    times: Curve  #: of opens in the inbox
    times_in_spam: Curve


class Programs(msgspec.Struct, frozen=True):
    """The programs that the people of one provider read with."""

    bounds: tuple[float, ...]  #: upper bounds of a person's `program` for each
    programs: tuple[Program, ...]
    prefetches: tuple[float, ...]  #: the share of mail in the inbox that each prefetches


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    people: dict[Quality, dict[Who, Habit]]
    annoyance: float  #: by which being annoyed differs between people
    clicks: Curve  #: since the open
    prefetches: Curve
    scans: Curve
    daytime: Daytime
    spread: float  #: seconds by which a day is at most earlier or later
    programs: dict[str, Programs]  #: by provider
    scanners: dict[str, float]  #: the share of domains that scan, by provider; no others do
    scanner_opens: float
    scanner_clicks: float
    scanner_links: int


@cache
def habits() -> Habits:
    """Raises WrongParameter."""
    found = read("reactions")
    reads, waits, searches = (
        read_curve(found, name) for name in ("times.reads", "times.waits", "times.searches")
    )
    people: dict[Quality, dict[Who, Habit]] = {}
    for quality, readers in READERS.items():
        waiting = quality == "transactional"
        people[quality] = {
            who: Habit(
                opens=found.number(f"{quality}.{who}.opens"),
                opens_in_spam=found.number(f"{quality}.{who}.opens") * found.number(f"{quality}.looks"),
                keenness=found.number(f"{quality}.keenness"),
                clicks=found.number(f"{quality}.clicks"),
                annoyed=found.number(f"{quality}.{who}.annoyed"),
                complains=_three(found, f"{quality}.complains"),
                deletes=found.number(f"{quality}.{who}.deletes"),
                not_spam=found.number(f"{quality}.not_spam"),
                waits=waiting,
                times=waits if waiting else reads,
                times_in_spam=searches if waiting else reads,
            )
            for who in readers
        }
    prefetches = {
        name: found.number(f"machines.prefetches.{name}") for name, one in PROGRAMS.items() if one.prefetches
    }
    return Habits(
        people=people,
        annoyance=found.number("annoyance.keenness"),
        clicks=read_curve(found, "times.clicks"),
        prefetches=read_curve(found, "times.prefetches"),
        scans=read_curve(found, "times.scans"),
        daytime=Daytime(found.numbers("times.hours.activity")),
        spread=found.number("times.hours.spread") * 3600,
        programs=_programs(found, prefetches),
        scanners={name: found.number(f"machines.scanners.{name}") for name in ("gateways", "small")},
        scanner_opens=found.number("machines.scanners.opens"),
        scanner_clicks=found.number("machines.scanners.clicks"),
        scanner_links=int(found.number("machines.scanners.links")),
    )


def _three(parameters: Parameters, name: str) -> tuple[float, float, float]:
    values = parameters.numbers(name)
    if len(values) != 3:
        raise WrongParameter(f"reactions: {name} needs three numbers and has {len(values)}.")
    return values[0], values[1], values[2]


def _programs(parameters: Parameters, prefetches: dict[str, float]) -> dict[str, Programs]:
    shares: dict[str, list[tuple[float, Program, float]]] = {}
    off = parameters.number("pictures.off")
    for name in parameters.by_name:
        section, _, rest = name.partition(".")
        if section != "programs":
            continue
        provider, _, program = rest.partition(".")
        if program not in PROGRAMS:
            raise WrongParameter(f"reactions: {name} is of an unknown program; known: {', '.join(PROGRAMS)}.")
        share, found = parameters.number(name), shares.setdefault(provider, [])
        if PROGRAMS[program].blocks:
            found.append((share * off, OUTLOOK_WITHOUT_PICTURES, 0.0))
            share *= 1 - off
        found.append((share, PROGRAMS[program], prefetches.get(program, 0.0)))
    for provider, found in shares.items():
        if abs(sum(share for share, _, _ in found) - 1) > 1e-9:
            raise WrongParameter(f"reactions: the shares of programs.{provider} do not add up to 1.")
    return {
        provider: Programs(
            # the last bound is above every draw, whatever the sum is in floats
            bounds=(*list(accumulate(share for share, _, _ in found))[:-1], 2.0),
            programs=tuple(program for _, program, _ in found),
            prefetches=tuple(prefetched for _, _, prefetched in found),
        )
        for provider, found in shares.items()
    }
