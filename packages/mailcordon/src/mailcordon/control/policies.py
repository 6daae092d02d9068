"""Policies: documents that are planned before they are applied, what applies to each lane, and suggestions (docs/policy.md).

Every document begins as a plan, which shows what it would change for which lanes and changes nothing. Applying it is one
transaction for up to `AT_ONCE` tenants that it changes: from its commit on their lanes' policies and limits are those of the new
version. More tenants follow in transactions of as many each, so that nobody waits long for one of them; whoever dies on the way,
the control role goes on where it stopped. A plan that was made on an older version is refused. Lanes that are made later get
theirs in the transaction that makes them.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, cast

from mailcordon.control import lookup
from mailcordon.core import text
from mailcordon.core.errors import Conflict, Fault, Invalid, NotFound, Unavailable
from mailcordon.core.priority import Class
from mailcordon.guard.policy import check, difference, layers, suggest
from mailcordon.guard.policy import document as documents
from mailcordon.guard.policy.check import Known
from mailcordon.guard.policy.difference import Change
from mailcordon.guard.policy.document import PolicyDocument
from mailcordon.guard.policy.effective import Explained
from mailcordon.guard.policy.suggest import Suggestion, Throughput
from mailcordon.messages import policies as words

State = Literal["proposed", "applied", "rejected", "outdated"]
AT_ONCE = 100  #: tenants or lanes whose limits are written in one transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLane:
    lane: int
    tenant: int
    slug: str
    type: str
    class_: Class
    criticality: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPlan:
    """A document as it is stored: a plan, and once it was applied a version."""

    id: int | None  #: None: nothing would change, and nothing was stored
    version: int | None
    base: int  #: the version that it was made on
    state: State
    document: Mapping[str, Any]  #: plain values; empty in lists
    changes: Sequence[Change] = ()
    made_at: int | None = None
    made_by: str = ""
    because: str | None = None
    decided_at: int | None = None
    decided_by: str | None = None
    decided_because: str | None = None
    tenants_left: int = 0  #: of an applied one: tenants that do not have it yet


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    version: int  #: 0: what is built in
    document: Mapping[str, Any] = field(default_factory=lambda: {"version": documents.VERSION})
    read: PolicyDocument = documents.EMPTY


class PolicyTransaction(Protocol):
    """One transaction on the policy. Only one that changes it, or adds lanes, runs at a time."""

    async def in_force(self) -> InForce: ...

    async def stored(self, id: int) -> PolicyPlan | None:
        """Locks the plan, so that it is decided once."""
        ...

    async def lanes(self, tenant: int | None = None) -> list[PolicyLane]:
        """Those that take mail: of a tenant, or of all."""
        ...

    async def known(self) -> Known: ...

    async def apply(
        self, id: int, version: int, tenants: Sequence[int], lanes: int, *, actor: str, because: str | None
    ) -> None:
        """The plan is a version from now on, and in force. `tenants` get it by `write_next`, with those that do not have the
        version before it yet. `lanes`: how many it changes."""
        ...

    async def write_next(self, most: int) -> bool:
        """Writes the policies and limits of the next tenants that do not have the version in force. Returns whether more are
        left."""
        ...

    async def reject(self, id: int, *, actor: str, because: str) -> None: ...


class PolicyStore(Protocol):
    def changing(self) -> AbstractAsyncContextManager[PolicyTransaction]: ...

    def reading(self) -> AbstractAsyncContextManager[PolicyTransaction]: ...

    async def insert(
        self,
        base: int,
        given: Mapping[str, Any],
        changes: Sequence[Change],
        *,
        actor: str,
        because: str | None,
    ) -> int: ...

    async def get(self, id: int) -> PolicyPlan | None: ...

    async def version(self, version: int) -> PolicyPlan | None: ...

    async def newest(self, *, state: State | None, before: int | None, limit: int) -> list[PolicyPlan]: ...

    async def throughput(self, lanes: Sequence[PolicyLane]) -> list[Throughput]:
        """What these lanes sent in the last `suggest.DAYS` days before today."""
        ...

    async def keep(self, most: int) -> None:
        """Gives tenants the version in force that do not have it yet, lanes without a policy theirs, new API keys their limits,
        and once a day new lanes their cap of the day. `most`: tenants or lanes of one transaction."""
        ...


class Policies:
    def __init__(self, store: PolicyStore) -> None:
        self._store = store

    async def in_force(self) -> tuple[InForce, PolicyPlan | None]:
        """The policy that applies, and the plan that it was; None while nobody has written one."""
        async with self._store.reading() as transaction:
            found = await transaction.in_force()
        return found, None if found.version == 0 else await self._store.version(found.version)

    async def make(self, given: Mapping[str, Any], *, actor: str, because: str | None = None) -> PolicyPlan:
        """Stores what the document would change, and changes nothing. Raises Invalid, whose faults name members."""
        before, changes = await self._compare(given)
        if not changes and before.document == given:
            return PolicyPlan(
                id=None, version=None, base=before.version, state="applied", document=given, made_by=actor
            )
        id = await self._store.insert(before.version, given, changes, actor=actor, because=because)
        return await self.get(id)

    async def make_tier(self, tenant: str, tier: str, *, actor: str, because: str) -> PolicyPlan:
        """As `make`, of the document in force with another tier of this tenant and nothing else changed. Raises NotFound for an
        unknown tenant, and Invalid, naming the tier."""
        async with self._store.reading() as transaction:
            found, known = await transaction.in_force(), await transaction.known()
        if tenant not in known.tenants:
            raise lookup.no_tenant(tenant)
        if tier not in found.read.tier_names:
            raise Invalid(
                Fault("tier", words.no_such_tier(text.harmless(tier, 64), found.read.tier_names), "unknown")
            )
        tenants: dict[str, Any] = dict(found.document.get("tenants") or {})
        given: Any = tenants.get(tenant)  # the tier alone can stand for it
        own = cast("dict[str, Any]", given) if isinstance(given, dict) else {"tier": given}
        if own.get("tier") != tier:
            tenants[tenant] = {**own, "tier": tier, "because": because}
        return await self.make({**found.document, "tenants": tenants}, actor=actor, because=because)

    async def differences(self, given: Mapping[str, Any]) -> list[Change]:
        """What the document would change. Stores nothing. Raises Invalid."""
        _, changes = await self._compare(given)
        return changes

    async def between(self, version: int, other: int) -> list[Change]:
        """What another version changed, for the lanes that exist now. 0: what is built in. Raises NotFound."""
        first, second = await self._version(version), await self._version(other)
        async with self._store.reading() as transaction:
            lanes = await transaction.lanes()
        return await asyncio.to_thread(lambda: difference.changes(_pairs(lanes, first, second)))

    async def apply(self, id: int, *, actor: str, because: str | None = None) -> PolicyPlan:
        """Raises NotFound, or Conflict if it was decided already or made before another one was applied."""
        async with self._store.changing() as transaction:
            plan = await self._decidable(transaction, id)
            before = await transaction.in_force()
            read = await asyncio.to_thread(_checked, plan.document, await transaction.known())
            lanes = await transaction.lanes()
            after = InForce(version=before.version + 1, document=plan.document, read=read)
            tenants, number = await asyncio.to_thread(_touched, lanes, before, after)
            await transaction.apply(id, after.version, tenants, number, actor=actor, because=because)
            more = await transaction.write_next(AT_ONCE)
        while more:
            try:
                async with self._store.changing() as transaction:
                    more = await transaction.write_next(AT_ONCE)
            except Unavailable:
                break  # the plan is applied; the control role goes on
        return await self.get(id)

    async def reject(self, id: int, *, actor: str, because: str) -> PolicyPlan:
        """Raises NotFound or Conflict."""
        async with self._store.changing() as transaction:
            await self._decidable(transaction, id)
            await transaction.reject(id, actor=actor, because=because)
        return await self.get(id)

    async def get(self, id: int) -> PolicyPlan:
        """Raises NotFound."""
        found = await self._store.get(id)
        if found is None:
            raise NotFound(words.no_plan(id), code="no-such-plan")
        return found

    async def newest(
        self, *, state: State | None = None, before: int | None = None, limit: int = 100
    ) -> list[PolicyPlan]:
        """Plans and versions, the newest first, without their documents."""
        return await self._store.newest(state=state, before=before, limit=limit)

    async def explain(self, tenant: int) -> list[Explained]:
        """What applies to each lane of a tenant, with where each value comes from."""
        async with self._store.reading() as transaction:
            found = await transaction.in_force()
            lanes = await transaction.lanes(tenant)
        explaining = _explaining(found)
        return [_of(one, explaining) for one in lanes]

    async def suggest(self, tenant: int | None) -> list[Suggestion]:
        """Caps from what the lanes of a tenant, or of all, have sent. Raises Invalid if these are too many for one answer."""
        async with self._store.reading() as transaction:
            lanes = await transaction.lanes(tenant)
        if len(lanes) > suggest.MOST_LANES:
            sentence = words.too_many_lanes(len(lanes), suggest.MOST_LANES)
            raise Invalid(Fault("tenant", sentence, "too-many-lanes"))
        found = await self._store.throughput(lanes)
        return [suggest.suggest(one) for one in found]

    async def keep(self) -> None:
        await self._store.keep(AT_ONCE)

    async def _compare(self, given: Mapping[str, Any]) -> tuple[InForce, list[Change]]:
        async with self._store.reading() as transaction:
            before = await transaction.in_force()
            known = await transaction.known()
            lanes = await transaction.lanes()
        read = await asyncio.to_thread(_checked, given, known)
        after = InForce(version=before.version + 1, document=given, read=read)
        return before, await asyncio.to_thread(lambda: difference.changes(_pairs(lanes, before, after)))

    async def _version(self, version: int) -> InForce:
        if version == 0:
            return InForce(version=0)
        found = await self._store.version(version)
        if found is None:
            raise NotFound(words.no_version(version), code="no-such-version")
        read = await asyncio.to_thread(documents.parse, found.document)
        return InForce(version=version, document=found.document, read=read)

    async def _decidable(self, transaction: PolicyTransaction, id: int) -> PolicyPlan:
        found = await transaction.stored(id)
        if found is None:
            raise NotFound(words.no_plan(id), code="no-such-plan")
        if found.state == "outdated" or (
            found.state == "proposed" and found.base != (await transaction.in_force()).version
        ):
            last = await self._store.version((await transaction.in_force()).version)
            assert last is not None
            assert last.version is not None
            at = datetime.fromtimestamp((last.decided_at or 0) / 1000, UTC)
            raise Conflict(words.plan_outdated(last.decided_by or "", last.version, at), code="plan-outdated")
        if found.state != "proposed":
            raise Conflict(words.plan_decided(id, found.state, found.decided_by or ""), code="plan-decided")
        return found


def _checked(given: object, known: Known) -> PolicyDocument:
    read = documents.parse(given)
    check.check(read, known)
    return read


def _explaining(found: InForce) -> layers.Explaining:
    return layers.Explaining(found.read, found.version)


def _of(lane: PolicyLane, explaining: layers.Explaining) -> Explained:
    return explaining.of(lane.slug, lane.type, lane.class_)


def _pairs(
    lanes: Sequence[PolicyLane], before: InForce, after: InForce
) -> Iterator[tuple[Explained, Explained]]:
    was, now = _explaining(before), _explaining(after)
    return ((_of(one, was), _of(one, now)) for one in lanes)


def _touched(lanes: Sequence[PolicyLane], before: InForce, after: InForce) -> tuple[list[int], int]:
    """The tenants for which anything changes, and the number of lanes."""
    changed = {one.lane for one in difference.changed(_pairs(lanes, before, after))}
    return sorted({one.tenant for one in lanes if f"{one.slug}/{one.type}" in changed}), len(changed)
