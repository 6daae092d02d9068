"""Judges proofs while they run (docs/proofs.md): reads the suppression scope from SES, and when the time of a proof is over,
finds out which part of the way of its events is dead.

The few calls that this takes use the budget as work that somebody waits for. Any control process may do a round; a proof ends
once.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from mailcordon.control import observed, proofs
from mailcordon.control.administration import Administration, SesError, Whole
from mailcordon.control.desired import OUTCOME, OUTCOME_EVENTS, Kind
from mailcordon.control.proofs import Fault, Lane, Proof, Scope, Verdict
from mailcordon.control.work import Work
from mailcordon.core.clock import boot_time
from mailcordon.messages import proofs as messages

T = TypeVar("T")
_LOG = logging.getLogger(__name__)

LOOK_SECONDS = 15.0  #: for finding the dead part of the way: what could not be looked at in time is said so
SCOPE_SECONDS = 20.0
SCOPE_AGAIN = 5.0  #: seconds until a reading that failed is tried again
_AT_ONCE = 10  #: proofs whose scope is read together
#: The events that a proof needs.
_NEEDED = ("SEND", "DELIVERY", "BOUNCE", "COMPLAINT", "REJECT")


class RoadLook(Protocol):
    """Topic and queue, as AWS shows them to this process."""

    async def faults(self, configuration_set: str) -> tuple[list[Fault], list[str]]:
        """What is wrong, in the order in which an event meets it; and sentences about what could not be read."""
        ...


class JudgeStore(Protocol):
    async def open(self, most: int) -> list[tuple[Proof, Lane]]: ...

    async def now_ms(self) -> int: ...

    async def set_scope(self, proof: int, scope: Scope) -> None: ...

    async def end(self, proof: Proof, verdict: Verdict, *, actor: str) -> None:
        """Records it with the parts of the route as they are now, unless it has ended."""
        ...

    async def observers(self) -> Sequence[Mapping[str, Any]]:
        """The last reports of the observers that are not silent."""
        ...

    async def purge(self, older_ms: int, kept_of_lane: int, most: int) -> int:
        """Deletes proofs that ended: old ones, and more than that of a lane. Returns how many."""
        ...


class Judge:
    """`topic`: the ARN of the topic that the sets publish to."""

    def __init__(
        self, store: JudgeStore, ses: Administration, road: RoadLook, *, topic: str, keep_days: int = 90
    ) -> None:
        self._store = store
        self._ses = ses
        self._road = road
        self._topic = topic
        self._keep_ms = keep_days * 86_400_000
        self._again: dict[int, float] = {}  #: proof -> when its scope may be read again

    async def advance(self) -> bool:
        """One round over the proofs that run. Returns whether any does."""
        running = await self._store.open(proofs.MOST_OPEN)
        if not running:
            return False
        now = await self._store.now_ms()
        late: list[tuple[Proof, Lane]] = []
        unread: list[Proof] = []
        for proof, lane in running:
            verdict = proofs.judge(proof, lane, now)
            if verdict is not None:
                await self._end(proof, verdict)
            elif proof.overdue(now):
                late.append((proof, lane))
            elif _sent(proof) and (proof.scope is None or proof.scope.problem is not None):
                unread.append(proof)
        ids = {proof.id for proof, _ in running}
        self._again = {id: at for id, at in self._again.items() if id in ids}
        clock = boot_time()
        unread = [proof for proof in unread if self._again.get(proof.id, 0.0) <= clock]
        await asyncio.gather(
            *(self._end_late(proof, lane) for proof, lane in late),
            *(self._read_scope(proof) for proof in unread[:_AT_ONCE]),
        )
        return True

    async def purge(self) -> None:
        while await self._store.purge(self._keep_ms, proofs.KEPT_OF_LANE, 1_000):
            pass

    async def _end(self, proof: Proof, verdict: Verdict) -> None:
        await self._store.end(proof, verdict, actor="control")

    async def _end_late(self, proof: Proof, lane: Lane) -> None:
        road = await self._dead_parts(proof) if proofs.needs_road(proof) else []
        await self._end(proof, proofs.dead(proof, lane, road))

    # Reading SES --------------------------------------------------------------------------------------------------------

    async def _read_scope(self, proof: Proof) -> None:
        sent = _sent(proof)
        assert sent is not None
        self._again[proof.id] = boot_time() + SCOPE_AGAIN
        ses = self._ses.doing(Work.ONBOARDING, proof.tenant)
        ses_tenant, configuration_set = sent

        async def read() -> Scope:
            tenant = await ses.get_tenant(ses_tenant)
            whole = await ses.get_configuration_set(configuration_set)
            destinations = None if whole is None else await ses.get_destinations(configuration_set)
            scope = _scope(ses_tenant, tenant, configuration_set, whole)
            road = set_faults(configuration_set, destinations, self._topic)
            return dataclasses.replace(
                scope,
                road=tuple(fault.says for fault in road),
                destination=_destination(configuration_set, destinations or ()),
            )

        scope, problem = await _in_time(read, SCOPE_SECONDS)
        await self._store.set_scope(proof.id, scope or Scope(problem=problem or messages.not_in_time()))

    async def _dead_parts(self, proof: Proof) -> list[Fault]:
        sent = _sent(proof)
        assert sent is not None
        name = sent[1]
        ses = self._ses.doing(Work.ONBOARDING, proof.tenant)

        async def look() -> tuple[list[Fault], list[str]]:
            of_set = set_faults(name, await ses.get_destinations(name), self._topic)
            if of_set or not proofs.lost_all(proof):
                return of_set, []  # the rest of the way brought other events
            return await self._road.faults(name)

        found, problem = await _in_time(look, LOOK_SECONDS)
        faults, unread = found if found is not None else ([], [problem or messages.not_in_time()])
        if proofs.lost_all(proof):
            faults = [*faults, *observer_faults(await self._store.observers())]
        if not faults and proof.scope is not None:
            faults = [Fault("destination", messages.road_was(says)) for says in proof.scope.road]
        if not faults and proofs.lost_all(proof):
            faults = [Fault("road", messages.road_unknown(name, unread))]
        return faults


def _sent(proof: Proof) -> tuple[str, str] | None:
    """The SES tenant and set of the mails that were sent."""
    for mail in proof.mails:
        if mail.ses_tenant is not None and mail.configuration_set is not None:
            return mail.ses_tenant, mail.configuration_set
    return None


async def _in_time(read: Callable[[], Awaitable[T]], seconds: float) -> tuple[T | None, str | None]:
    try:
        async with asyncio.timeout(seconds):
            return await read(), None
    except TimeoutError:
        return None, None
    except SesError as error:
        return None, str(error)


def _scope(ses_tenant: str, tenant: Whole | None, configuration_set: str, whole: Whole | None) -> Scope:
    own = {} if tenant is None else observed.members(Kind.TENANT, ses_tenant, tenant)
    of_set = {} if whole is None else observed.members(Kind.CONFIGURATION_SET, configuration_set, whole)
    return Scope(
        tenant_exists=tenant is not None,
        tenant_scope=own.get("suppression_scope"),  # pyright: ignore[reportArgumentType]
        tenant_reasons=_reasons(own.get("suppressed_reasons")),
        set_exists=whole is not None,
        set_scope=of_set.get("suppression_scope"),  # pyright: ignore[reportArgumentType]
        set_reasons=_reasons(of_set.get("suppressed_reasons")),
    )


def _destination(name: str, destinations: Sequence[Whole]) -> dict[str, Any] | None:
    for found in destinations:
        if found.get("Name") == OUTCOME:
            members = observed.members(Kind.EVENT_DESTINATION, f"{name}/{OUTCOME}", found)
            events = members["events"]
            assert isinstance(events, list)
            return {**members, "events": sorted(map(str, events))}
    return None


def _reasons(value: object) -> tuple[str, ...] | None:
    return tuple(sorted(map(str, value))) if isinstance(value, list | tuple) else None  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def set_faults(name: str, destinations: Sequence[Whole] | None, topic: str) -> list[Fault]:
    """What is wrong with the event destination of a set, as SES returned it. Pure."""
    if destinations is None:
        return [Fault("set", messages.no_set(name))]
    found = next((each for each in destinations if each.get("Name") == OUTCOME), None)
    if found is None:
        return [Fault("destination", messages.no_destination(name))]
    members = observed.members(Kind.EVENT_DESTINATION, f"{name}/{OUTCOME}", found)
    if not members["enabled"]:
        return [Fault("destination", messages.destination_disabled(name))]
    if members["topic"] != topic:
        has = members["topic"]
        return [
            Fault(
                "destination", messages.destination_elsewhere(name, None if has is None else str(has), topic)
            )
        ]
    events = members["events"]
    assert isinstance(events, list)
    if lacks := [event for event in OUTCOME_EVENTS if event in _NEEDED and event not in events]:
        return [Fault("destination", messages.destination_lacks(name, lacks))]
    return []


def observer_faults(reports: Sequence[Mapping[str, Any]]) -> list[Fault]:
    """What is wrong with those who read the queues, by their own reports. Pure."""
    if not reports:
        return [Fault("observer", messages.no_observer())]
    stuck = [
        [queue for queue in report.get("queues", ()) if not queue.get("live") and queue.get("problem")]
        for report in reports
    ]
    if not all(stuck):
        return []  # another one reads
    first = stuck[0][0]
    return [Fault("observer", messages.observer_stuck(str(first["name"]), str(first["problem"])))]
