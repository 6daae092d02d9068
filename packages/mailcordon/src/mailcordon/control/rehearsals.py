"""Rehearsals: what a planned change would do to the coming week, played over the last one (docs/rehearse.md). Nothing is
stored."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mailcordon.control import own_process
from mailcordon.core.errors import Fault, Invalid, NotFound, Unavailable
from mailcordon.guard.rehearsal import change as changes
from mailcordon.guard.rehearsal import job
from mailcordon.guard.rehearsal.change import BoughtList, Change
from mailcordon.guard.rehearsal.job import Answer
from mailcordon.guard.rehearsal.week import Given, Way
from mailcordon.messages import rehearsals as messages

MINUTES = 7 * 1440  #: of mail that is played again
MOST_SECONDS = 600.0  #: in a process of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Who is told of what happens to a tenant's mail."""

    channels: Mapping[str, Sequence[str]] = field(
        default_factory=dict[str, Sequence[str]]
    )  #: names, by severity
    contacts: Sequence[str] = ()  #: of the tenant: hosts and addresses, told of holds
    owner_group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    given: Given
    own: Mapping[int, Way]  #: by lane, its path of its own, if it has one
    tenants: Mapping[int, int]  #: by lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    change: Change
    answer: Answer
    people: Mapping[int, People]  #: by tenant: of all whose mail would be stopped


class RehearsalStore(Protocol):
    async def read(self, *, minutes: int) -> Read:
        """Counters and the present policy of all lanes that had mail. Raises Invalid if it is too much."""
        ...

    async def people(self, tenants: Collection[int]) -> Mapping[int, People]: ...


@dataclass(frozen=True, slots=True)
class Task:
    given: Given
    change: Change
    new: Mapping[int, Way]


Runner = Callable[[Task], Awaitable[Answer]]


class Rehearsals:
    """`run`: in another process, since it is much work; tests run it where they are."""

    def __init__(self, store: RehearsalStore, run: Runner | None = None) -> None:
        self._store = store
        self._run = run or in_a_process
        self._one = asyncio.Lock()

    async def play(self, document: object) -> Rehearsed:
        """Raises Invalid for a document that is wrong or names lanes without mail, and Unavailable while another rehearsal
        runs."""
        change = changes.parse(document)
        if self._one.locked():
            raise Unavailable(messages.another_runs(), code="busy", retry_after=30)
        async with self._one:
            read = await self._store.read(minutes=MINUTES)
            lanes = await asyncio.to_thread(_lanes, change, read)
            new = {lane: read.own.get(lane) or _planned(change) for lane in lanes}
            answer = await self._run(Task(read.given, change, new))
            stopped = {*_stopped(answer), *lanes}
            tenants = {read.tenants[lane] for lane in stopped if lane in read.tenants}
            return Rehearsed(change=change, answer=answer, people=await self._store.people(tenants))


def work(task: Task) -> Answer:
    return job.run(task.given, task.change, task.new)


async def in_a_process(task: Task) -> Answer:
    """Raises Unavailable if it takes too long or dies. It ends with its caller, and when that is cancelled."""
    return await own_process.run(
        work,
        task,
        name="mailcordon rehearsal",
        most_seconds=MOST_SECONDS,
        too_slow=messages.took_too_long(),
        died=messages.died(),
    )


def _lanes(change: Change, read: Read) -> list[int]:
    """The lanes of the change. Raises NotFound for a tenant without mail, and Invalid for types without."""
    part = "bought_list" if isinstance(change, BoughtList) else "rollout"
    types = [change.type] if isinstance(change, BoughtList) else list(change.types)
    known = {one.facts.type: one.facts.lane for one in read.given.record.lanes if one.slug == change.tenant}
    if not known:
        raise NotFound(messages.no_mail_of(change.tenant), code="no-mail")
    name = f"{part}.type" if isinstance(change, BoughtList) else f"{part}.types"
    faults = [
        Fault(
            name if isinstance(change, BoughtList) else f"{name}[{place}]",
            messages.lane_without_mail(change.tenant, type, sorted(known)),
        )
        for place, type in enumerate(types)
        if type not in known
    ]
    if faults:
        raise Invalid(*faults)
    return [known[type] for type in types]


def _planned(change: Change) -> Way:
    """What a lane leaves from that has no path of its own yet: a domain that no provider knows, from SES's shared addresses."""
    return Way(domain=f"new domain of {change.tenant}", pool="")


def _stopped(answer: Answer) -> Sequence[int]:
    found = answer.found
    played = [found.guarded, found.quiet] if isinstance(found, job.OfList) else [found.quiet]
    return [
        result.lane.facts.lane
        for one in played
        for result in one.results
        if result.decisions or result.limits
    ]
