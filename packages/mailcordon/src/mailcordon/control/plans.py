"""Plan, then apply: what would change on the platform and at SES, as a value that is shown, stored, approved, then carried out.

A plan has the steps that change the platform, and the calls to SES that follow from them, in order. Making one changes nothing.
Applying it writes the desired state in one transaction, which also approves its calls; the control process then makes them
(control/reconcile.py), whatever dies in between. One plan is applied at a time: a plan was made on one revision of the desired
state, and is refused once that has changed. Onboarding, files and REST all change the platform through here.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

from mailcordon.control import desired, draft, lookup, plan, steps
from mailcordon.control import document as documents
from mailcordon.control.authentication.alignment import Suffixes
from mailcordon.control.desired import Kind, Settings
from mailcordon.control.draft import Call, Draft, Facts, Have, Key, Wanted
from mailcordon.control.governor import Governor
from mailcordon.control.platform import Platform
from mailcordon.control.steps import Step
from mailcordon.control.work import Work
from mailcordon.core.errors import Conflict, Invalid, NotFound, Refused, Unavailable
from mailcordon.messages import observing
from mailcordon.messages import plans as words

State = Literal["proposed", "applying", "applied", "rejected", "outdated"]
Source = Literal["person", "control", "settings"]
_T = TypeVar("_T")

CONTROL = "control"  #: the actor of plans that nobody asked for
#: Tenants whose lanes are aligned before the answer. Those of larger plans are aligned by the sweep of the control role.
ALIGNED_AT_ONCE = 20
#: New tenants whose rows are written in one transaction: a few tenths of a second. Others change the platform in between.
PART = 100
_NOT_ANY_MORE = (Invalid, Conflict, Refused)  #: a step that could be made when it was planned


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A plan as it is stored. `calls` has the first ones, and is empty in lists, as `actions` and `tenants` are."""

    id: int | None  #: None: it is not stored, since nothing would change
    revision: int
    source: Source
    state: State
    steps: tuple[Step, ...]
    made_at: datetime | None
    made_by: str
    because: str | None
    decided_at: datetime | None = None
    decided_by: str | None = None
    decided_because: str | None = None
    ended_at: datetime | None = None
    counts: Mapping[str, int] = field(default_factory=dict[str, int])  #: calls by state
    actions: Mapping[str, int] = field(
        default_factory=dict[str, int]
    )  #: calls by action and kind of resource
    tenants: tuple[str, ...] = ()  #: whom it touches, by slug
    later: int = 0  #: new tenants of a plan that is being applied whose rows are still to be written
    calls: tuple[Call, ...] = ()
    notes: tuple[str, ...] = ()


class Transaction(Protocol):
    """One transaction on the desired state. Only one that changes it runs at a time."""

    async def platform(self, slugs: Sequence[str], domains: Sequence[str]) -> Platform:
        """These tenants, and what others have of these domains."""
        ...

    async def whole(self) -> Platform: ...

    async def have(self, slugs: Sequence[str] | None) -> dict[Key, Have]:
        """The resources of these tenants, and those that all share; None: all."""
        ...

    async def revision(self) -> int: ...

    async def sets(self) -> int:
        """How many configuration sets exist or should."""
        ...

    async def insert(
        self, draft: Draft, *, source: Source, actor: str, because: str | None, settings: Settings | None
    ) -> int: ...

    async def stored(self, id: int) -> Plan | None:
        """Locks the plan, so that it is decided once."""
        ...

    async def settings_of(self, id: int) -> Settings | None:
        """The settings that a plan of the source `settings` was made for."""
        ...

    async def waiting_settings(self) -> list[int]:
        """Plans of changed settings that wait for a person."""
        ...

    async def last_applied(self) -> Plan | None:
        """The last plan that changed the desired state."""
        ...

    async def outdate(self, ids: Sequence[int]) -> None: ...

    async def carry_out(
        self,
        id: int,
        draft: Draft,
        *,
        actor: str,
        because: str | None,
        work: Work,
        later: Sequence[str] = (),
    ) -> list[int]:
        """Writes the steps' rows and what SES should have, approves the plan's calls and raises the revision. Returns the numbers
        of the tenants whose lanes have to be aligned. `later`: new tenants whose rows follow in parts."""
        ...

    async def later(self, id: int) -> list[str]:
        """The new tenants of a plan whose rows are still to be written. Locks the plan."""
        ...

    async def carry_on(self, id: int, draft: Draft, *, actor: str, because: str | None, work: Work) -> None:
        """Writes the rows of some of these tenants."""
        ...

    async def leave_out(self, id: int, slug: str, done: Sequence[Step], *, actor: str, why: str) -> None:
        """One of these tenants cannot be added any more: its calls are not needed, and the plan says why."""
        ...

    async def want(self, wishes: Mapping[Key, Wanted], *, work: Work) -> None:
        """Writes what SES should have, without a plan."""
        ...

    async def reject(self, id: int, *, actor: str, because: str) -> None: ...


class PlanStore(Protocol):
    def changing(self) -> AbstractAsyncContextManager[Transaction]: ...

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """A snapshot that may be added to, but does not hold others up."""
        ...

    async def get(self, id: int) -> Plan | None: ...

    async def newest(self, *, state: State | None, before: int | None, limit: int) -> list[Plan]: ...

    async def steps(self, id: int, *, after: int, limit: int) -> list[Step] | None:
        """The steps of a plan behind its first `after`, in order. None if there is no such plan."""
        ...

    async def calls(self, id: int, *, after: int, limit: int) -> list[Call] | None:
        """As `steps`, its calls."""
        ...

    async def in_parts(self) -> list[int]:
        """Plans that are being applied in parts, and are not written whole."""
        ...

    async def follow(self) -> list[int]:
        """Moves the routes whose new sets and SES tenants exist by now, and releases calls that no mail keeps waiting any more.
        Returns the tenants whose routes moved."""
        ...


class Plans:
    def __init__(
        self,
        store: PlanStore,
        governor: Governor,
        settings: Settings,
        *,
        calls_per_second: float | None = None,
        suffixes: Suffixes | None = None,
        observe_only: bool = False,
    ) -> None:
        """`calls_per_second`: the rate of management calls; None: unlimited. `suffixes`: names that no tenant can have; None:
        there are none. `observe_only`: nothing is applied."""
        self._store = store
        self._governor = governor
        self.settings = settings
        self.suffixes = suffixes
        self._rate = calls_per_second
        self._observe_only = observe_only

    async def make(self, asked: Sequence[Step] | None, *, actor: str, because: str | None = None) -> Plan:
        """Stores what the steps would change, and changes nothing. None: what differs at SES. Raises Invalid or Conflict."""
        # The database waits for no computation: a plan of many tenants takes seconds.
        async with self._store.reading() as transaction:
            facts = await self._facts(transaction, asked)
        if asked is None:
            made = await asyncio.to_thread(draft.pending, facts.platform, facts.have)
        else:
            made = await asyncio.to_thread(self._checked, facts, asked)
        return await self._stored(made, actor, because)

    async def make_from(
        self, given: object, *, prune: bool = False, actor: str, because: str | None = None
    ) -> Plan:
        """Stores what would make the tenants as a document says; with `prune`, what it does not name is retired. Raises Invalid,
        whose faults name members of the document."""
        read = await asyncio.to_thread(
            documents.parse, given, local=self.settings.local, suffixes=self.suffixes
        )
        async with self._store.reading() as transaction:
            platform = await transaction.whole()
        asked = await asyncio.to_thread(documents.complete, read, platform, prune=prune)
        return await self.make(asked, actor=actor, because=because)

    async def _stored(self, made: Draft, actor: str, because: str | None) -> Plan:
        if made.changes_nothing:
            return _nothing(made, actor)
        async with self._store.reading() as transaction:
            id = await transaction.insert(made, source="person", actor=actor, because=because, settings=None)
        return await self.get(id)

    async def document(self, slugs: Sequence[str] | None = None) -> dict[str, Any]:
        """The document of all tenants, or of these. Raises NotFound."""
        async with self._store.reading() as transaction:
            platform = await (transaction.whole() if slugs is None else transaction.platform(slugs, ()))
        for slug in slugs or ():
            if slug not in platform.tenants:
                raise lookup.no_tenant(slug)
        return await asyncio.to_thread(documents.of_platform, platform, slugs)

    async def pending(self) -> Draft:
        """What differs at SES from what is desired, as it was last seen. Stores nothing."""
        async with self._store.reading() as transaction:
            facts = await self._facts(transaction, None)
        return await asyncio.to_thread(draft.pending, facts.platform, facts.have)

    async def drafted(self, asked: Sequence[Step]) -> Draft:
        """What the steps would change. Stores nothing. Raises Invalid or Conflict."""
        async with self._store.reading() as transaction:
            facts = await self._facts(transaction, asked)
        return await asyncio.to_thread(self._checked, facts, asked)

    async def apply(self, id: int, *, actor: str, because: str | None = None) -> Plan:
        """Raises Conflict if the plan was decided already, or made before another one was applied.

        A plan with many new tenants is applied in parts, each in a transaction of its own. If the process is killed in between,
        the control process goes on (`follow`)."""
        self._refuse_if_observing()
        found = await self.get(id)
        first, later = steps.in_parts(found.steps, PART)
        made = await self._made_again(found, first) if found.steps else None
        async with self._store.changing() as transaction:
            await self._decidable(transaction, id)
            work = Work.REPAIR
            if (settings := await transaction.settings_of(id)) is not None:
                facts = await self._facts(transaction, None)
                made = await asyncio.to_thread(draft.derived, facts.platform, facts.have, settings)
                work = Work.BULK
            elif found.steps:
                if made is None or await transaction.revision() != found.revision:
                    raise await self._outdated(transaction)
                work = Work.BULK if later else draft.share(made)
            else:  # it approves calls, and changes nothing of what is desired
                platform = await transaction.platform((), ())
                made = Draft(revision=found.revision, steps=(), calls=(), after=platform, wishes={})
            aligned = await transaction.carry_out(
                id, made, actor=actor, because=because, work=work, later=later
            )
        if later:
            with suppress(Unavailable):  # the control process goes on
                while await self._part(found, actor=actor, because=because):
                    pass
        await self.align(aligned)
        return await self.get(id)

    async def _made_again(self, found: Plan, first: Sequence[Step]) -> Draft | None:
        """What a plan's first steps change, computed while nobody waits for the lock. None if the platform has changed since."""
        async with self._store.reading() as transaction:
            facts = await self._facts(transaction, first)
        if facts.platform.revision != found.revision:
            return None
        return await asyncio.to_thread(self._checked, facts, first)

    async def _part(self, found: Plan, *, actor: str, because: str | None) -> bool:
        """Writes the rows of the next new tenants of a plan. False if there are none left."""
        assert found.id is not None
        async with self._store.changing() as transaction:
            later = await transaction.later(found.id)
            slugs = later[:PART]
            by_slug: dict[str, list[Step]] = {slug: [] for slug in slugs}
            for step in found.steps:
                if step.tenant in by_slug:
                    by_slug[step.tenant].append(step)
            asked = [step for own in by_slug.values() for step in own]
            try:
                await self._carry_on(transaction, found.id, asked, actor=actor, because=because)
            except _NOT_ANY_MORE:  # somebody else took a name, a domain or the last sets: the others go on
                for slug, own in by_slug.items():
                    try:
                        await self._carry_on(transaction, found.id, own, actor=actor, because=because)
                    except _NOT_ANY_MORE as problem:
                        await transaction.leave_out(found.id, slug, own, actor=actor, why=str(problem))
        return len(later) > PART

    async def _carry_on(
        self, transaction: Transaction, id: int, asked: Sequence[Step], *, actor: str, because: str | None
    ) -> None:
        """Raises Invalid, Conflict or Refused, before anything is written."""
        if asked:
            made = await asyncio.to_thread(self._checked, await self._facts(transaction, asked), asked)
            await transaction.carry_on(id, made, actor=actor, because=because, work=Work.BULK)

    async def reject(self, id: int, *, actor: str, because: str) -> Plan:
        """Raises Conflict if the plan was decided already."""
        async with self._store.changing() as transaction:
            await self._decidable(transaction, id)
            await transaction.reject(id, actor=actor, because=because)
        return await self.get(id)

    async def carry_out(
        self, transaction: Transaction, asked: Sequence[Step], *, actor: str, because: str | None = None
    ) -> list[int]:
        """Makes and applies a plan inside a transaction of `PlanStore.changing`. Returns the tenants to align after its commit.
        Raises Invalid or Conflict."""
        made = self._checked(await self._facts(transaction, asked), asked)
        if made.changes_nothing:
            return []
        self._refuse_if_observing()
        id = await transaction.insert(made, source="person", actor=actor, because=because, settings=None)
        return await transaction.carry_out(id, made, actor=actor, because=because, work=draft.share(made))

    def _refuse_if_observing(self) -> None:
        if self._observe_only:
            raise Conflict(observing.nothing_is_applied(), code="observe-only")

    async def align(self, tenants: Sequence[int]) -> None:
        """New lanes start closed; the governor opens those without a hold and places the policy's holds on the others. It does so
        for many tenants in its own time."""
        for tenant in tenants[:ALIGNED_AT_ONCE]:
            await self._governor.align(tenant)

    async def get(self, id: int) -> Plan:
        """With its calls. Raises NotFound."""
        return _known(id, await self._store.get(id))

    async def steps(self, id: int, *, after: int, limit: int) -> list[Step]:
        """The steps of a plan behind its first `after`, in order. Raises NotFound."""
        return _known(id, await self._store.steps(id, after=after, limit=limit))

    async def calls(self, id: int, *, after: int, limit: int) -> list[Call]:
        """The calls of a plan behind its first `after`, in order. Raises NotFound."""
        return _known(id, await self._store.calls(id, after=after, limit=limit))

    async def newest(
        self, *, state: State | None = None, before: int | None = None, limit: int = 100
    ) -> list[Plan]:
        """The newest first, without their steps, calls and notes."""
        return await self._store.newest(state=state, before=before, limit=limit)

    async def want_everything(self, settings: Settings) -> None:
        """Derives again what SES should have, so that changed settings or a newer version reach what exists. If that would rewire
        too much, what exists stays as it is and a plan waits for a person instead."""
        async with self._store.changing() as transaction:
            have = await transaction.have(None)
            made = await asyncio.to_thread(draft.derived, await transaction.whole(), have, settings)
            held = draft.rewired(have, made.wishes)
            free = {key: wish for key, wish in made.wishes.items() if key not in held}
            await transaction.want(free, work=Work.BULK)
            waiting = await transaction.waiting_settings()
            same = [id for id in waiting if held and await transaction.settings_of(id) == settings]
            await transaction.outdate([id for id in waiting if id not in same])
            if held and not same:
                calls = tuple(call for call in made.calls if call.key in held)
                await transaction.insert(
                    replace(made, calls=calls, wishes={}),
                    source="settings",
                    actor=CONTROL,
                    because=words.settings_changed(),
                    settings=settings,
                )

    async def follow(self) -> None:
        """What applied plans leave to be done once SES has what is new, and once mail has left what is old. Goes on with those
        that are applied in parts, whose process may have died."""
        for id in await self._store.in_parts():
            found = await self.get(id)
            await self._part(found, actor=found.decided_by or CONTROL, because=found.decided_because)
        for tenant in await self._store.follow():
            await self._governor.align(tenant)

    def seconds(self, calls: int) -> float:
        """How long this many calls take if nothing else waits."""
        return calls / self._rate if self._rate else 0.0

    async def _facts(self, transaction: Transaction, asked: Sequence[Step] | None) -> Facts:
        """What the steps' outcome depends on; None: everything."""
        if asked is None:
            platform, have = await transaction.whole(), await transaction.have(None)
        else:
            slugs = steps.tenants_of(asked)
            platform = await transaction.platform(slugs, steps.domains_of(asked))
            have = await transaction.have(slugs)
        return Facts(platform=platform, have=have, sets=await transaction.sets())

    def _checked(self, facts: Facts, asked: Sequence[Step]) -> Draft:
        made = draft.of_steps(facts.platform, asked, facts.have, self.settings, self.suffixes)
        new = [
            call
            for call in made.calls
            if call.key[0] == Kind.CONFIGURATION_SET and call.change.action == plan.CREATE
        ]
        desired.check_sets(facts.sets, len(new))
        return made

    async def _decidable(self, transaction: Transaction, id: int) -> Plan:
        found = _known(id, await transaction.stored(id))
        if found.state == "outdated":
            raise await self._outdated(transaction)
        if found.state != "proposed":
            raise Conflict(words.plan_decided(id, found.state, found.decided_by or ""), code="plan-decided")
        return found

    async def _outdated(self, transaction: Transaction) -> Conflict:
        last = await transaction.last_applied()
        if last is None or last.id is None or last.decided_at is None:
            return Conflict(words.plan_outdated_by_settings(), code="plan-outdated")
        return Conflict(
            words.plan_outdated(last.decided_by or "", last.id, last.decided_at), code="plan-outdated"
        )


# Pure ----------------------------------------------------------------------------------------------------------------------


def _known(id: int, found: _T | None) -> _T:
    """What was found of a plan. Raises NotFound."""
    if found is None:
        raise NotFound(words.no_plan(id), code="no-such-plan")
    return found


def _nothing(made: Draft, actor: str) -> Plan:
    return Plan(
        id=None,
        revision=made.revision,
        source="person",
        state="applied",
        steps=(),
        made_at=None,
        made_by=actor,
        because=None,
        notes=(words.plan_is_empty(),),
    )
