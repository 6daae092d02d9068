"""What a tenant's mail consists of: streams, each with its recipients and its content. A stream says which of its mails are due
in an hour. Its chance depends on its own name and the hour only, so no stream changes another one's mails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from seslocal.fleets import rhythm
from seslocal.fleets.scenario import (
    BoughtList,
    HijackedForm,
    RunawayLoop,
    Scenario,
    StaleImport,
    moment_of,
    seconds_of,
)
from seslocal.fleets.tenants import Sender, name_of
from seslocal.world.draws import Draws

HOUR: Final = 3600.0
WEEK: Final = 7 * 24 * HOUR


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """Mails of one tenant that are alike."""

    name: str  #: unique in the run; the keys of its mails begin with it
    sender: Sender
    campaign: str
    bulk: bool
    content: str  #: fingerprint
    incident: bool = False
    lists: tuple[tuple[str, float], ...]  #: name and share of each list of addresses; the shares add up to 1
    people: int  #: addresses in all lists together
    start: float  #: seconds since the start of the scenario
    end: float
    mails: int = 0  #: evenly spread over start to end, to each address in turn; 0: see `an_hour`
    an_hour: float = 0.0  #: mean, to people drawn from the lists
    rhythmic: bool = False  #: `an_hour` follows the week
    weekday: int = 0  #: of the scenario's first day; 0: Monday


class Due(msgspec.Struct, frozen=True, order=True):
    """One mail that is due."""

    at: float  #: seconds since the start of the scenario
    key: str
    person: int  #: number of the address in the stream's lists


def streams(sender: Sender, scenario: Scenario, draws: Draws) -> Iterator[Stream]:
    """Returns all streams of a tenant, in no particular order."""
    length = scenario.days * 24 * HOUR
    if sender.transactional > 0:
        yield Stream(
            name=f"{sender.name}/users",
            sender=sender,
            campaign="transactional",
            bulk=False,
            content=f"{sender.name} users",
            lists=((f"{sender.name}-users", 1.0),),
            people=sender.customers,
            start=0.0,
            end=length,
            an_hour=sender.transactional / 24,
            rhythmic=True,
            weekday=scenario.start.weekday(),
        )
    if sender.marketing > 0:
        yield from _campaigns(sender, scenario, length, draws)
    for incident in scenario.incidents:
        if getattr(incident, "tenant", None) == sender.name:
            yield from _of_incident(sender, incident, length)


def due(stream: Stream, hour: int, draws: Draws) -> list[Due]:
    """Returns the mails of a stream that are due in an hour since the start, by time."""
    low, high = hour * HOUR, (hour + 1) * HOUR
    if stream.start >= high or stream.end <= low:
        return []
    if stream.mails:
        pause = (stream.end - stream.start) / stream.mails
        first = max(0, int((low - stream.start) / pause) - 1)
        found: list[Due] = []
        for number in range(first, stream.mails):
            at = stream.start + number * pause
            if at >= high:
                break
            if at >= low:
                found.append(Due(at, f"{stream.name}/{number}", number % stream.people))
        return found
    mean = stream.an_hour * (min(high, stream.end) - max(low, stream.start)) / HOUR
    if stream.rhythmic:
        mean *= rhythm.share_of_hour((hour + 24 * stream.weekday) % 168)
    number = rhythm.poisson(mean, *draws.four("mails of an hour", f"{stream.name} {hour}")[:2])
    begin, length = max(low, stream.start), min(high, stream.end) - max(low, stream.start)
    found = []
    for index in range(number):
        key = f"{stream.name}/{hour}/{index}"
        chance, who, *_ = draws.four("due", key)
        found.append(Due(begin + chance * length, key, int(who * stream.people)))
    found.sort()
    return found


def address_number(stream: Stream, person: int) -> tuple[str, int]:
    """Returns the list that a person of a stream is on, and the number there. The lists are interleaved by their shares."""
    if len(stream.lists) == 1:
        return stream.lists[0][0], person
    left = 1.0
    for name, share in stream.lists[:-1]:
        among = share / left if left > share else 1.0
        before = int(person * among)
        if int((person + 1) * among) > before:
            return name, before
        person -= before
        left -= share
    return stream.lists[-1][0], person


def _campaigns(sender: Sender, scenario: Scenario, length: float, draws: Draws) -> Iterator[Stream]:
    lists = (
        (f"{sender.name}-bought", sender.bought),
        (f"{sender.name}-stale", sender.stale),
        (sender.name, 1.0 - sender.bought - sender.stale),
    )
    people = max(1, sender.audience)
    lasts = seconds_of(sender.campaign_lasts)
    monday = -scenario.start.weekday() * 24 * HOUR
    for week in range(int((length - monday) // WEEK) + 1):
        for number in range(sender.campaigns_a_week):
            chance, *_ = draws.four("campaign", f"{sender.name} {week} {number}")
            # Each campaign has its part of the week, so that two never fall together.
            start = monday + week * WEEK + rhythm.campaign_start((number + chance) / sender.campaigns_a_week)
            end = start + lasts
            incident = sender.snowshoe
            if incident is not None:
                begin = moment_of(incident.start)
                if not begin <= start < begin + seconds_of(incident.lasts):
                    continue
            if start < 0 or start >= length:
                continue
            yield Stream(
                name=f"{sender.name}/c{week}-{number}",
                sender=sender,
                campaign=f"week-{week}-{number}",
                bulk=True,
                content=f"{name_of(incident) if incident else sender.name} {week} {number if not incident else ''}",
                incident=incident is not None,
                lists=tuple(one for one in lists if one[1] > 1e-9),
                people=people,
                start=start,
                end=end,
                mails=people,
            )


def _of_incident(sender: Sender, incident: object, length: float) -> Iterator[Stream]:
    match incident:
        case BoughtList() | StaleImport():
            bought = isinstance(incident, BoughtList)
            lists = ((f"{sender.name}-{'bought' if bought else 'stale'}", 1.0),)
            for number in range(incident.mailings):
                start = moment_of(incident.start) + number * seconds_of(incident.every)
                yield Stream(
                    name=f"{sender.name}/{name_of(incident)}-{number}",
                    sender=sender,
                    campaign=name_of(incident),
                    bulk=True,
                    content=f"{sender.name} {name_of(incident)} {number}",
                    incident=True,
                    lists=lists,
                    people=incident.addresses,
                    start=start,
                    end=start + seconds_of(incident.lasts),
                    mails=incident.addresses,
                )
        case RunawayLoop() | HijackedForm():
            loop = isinstance(incident, RunawayLoop)
            start = moment_of(incident.start)
            end = min(start + seconds_of(incident.lasts), length)
            yield Stream(
                name=f"{sender.name}/{name_of(incident)}",
                sender=sender,
                campaign=name_of(incident),
                bulk=False,
                content=f"{sender.name} {name_of(incident)}",
                incident=True,
                lists=((f"{sender.name}-{'users' if loop else 'bought'}", 1.0),),
                people=incident.recipients if loop else 10_000_000,
                start=start,
                end=end,
                an_hour=incident.mails_a_minute * 60,
            )
        case _:
            pass
