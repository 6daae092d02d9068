"""IP pools: who owns each, whose mail leaves from it and why, and what it needs (docs/ip-pools.md).

A pool is made at once: it costs nothing and moves no mail. Whose mail leaves from it is a plan (control/steps.py).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mailcordon.control import lookup, pool_health, steps
from mailcordon.control.plans import Plan, Plans
from mailcordon.control.platform import SHARED_IPS, SesTenants
from mailcordon.control.pool_health import Address, Trouble, Week
from mailcordon.core import names
from mailcordon.core.errors import Conflict, Fault, Invalid, NotFound
from mailcordon.core.priority import Class
from mailcordon.messages import pools as messages

MOST = 50  #: pools of an account and region, not adjustable (ses.md 6)
MOST_MINIMUM = 1_000_000
LONGEST_TEXT = 1_000
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPool:
    name: str
    managed: bool
    marketing: bool
    owner: str
    minimum: int
    escalation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Care:
    """What of a pool changes without moving mail. None: as it is."""

    owner: str | None = None
    minimum: int | None = None
    escalation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A tenant's mail of one class."""

    tenant: str
    class_: Class
    because: str
    since: int
    added_by: str
    at_ses: bool  #: whether SES has the pool on its configuration set by now


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    name: str
    managed: bool
    marketing: bool
    owner: str
    because: str
    minimum: int
    escalation: str
    created_at: int
    created_by: str
    state: str  #: of the pool at SES: pending, applied or failing
    error: str | None
    mode_at_ses: str | None  #: STANDARD or MANAGED
    addresses: Sequence[Address] | None  #: None: SES was not asked yet
    auto_warm_up: bool | None  #: whether SES warms addresses that are leased now; None: not known
    members: Sequence[Member]
    weeks: Sequence[Week]

    @property
    def troubles(self) -> list[Trouble]:
        return list(
            pool_health.troubles(
                pool_health.Pool(
                    name=self.name,
                    owner=self.owner,
                    managed=self.managed,
                    minimum=self.minimum,
                    members=len(self.members),
                    addresses=self.addresses,
                    weeks=self.weeks,
                )
            )
        )

    @property
    def overflow(self) -> str:
        """Where mail goes that the pool's addresses do not take yet."""
        return messages.overflow(managed=self.managed, auto_warm_up=self.auto_warm_up)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A tenant, as far as pools concern it."""

    classes: Sequence[Class]  #: of its lanes
    ses_tenants: SesTenants


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What keeps a pool from going."""

    tenants: Sequence[str] = ()  #: whose mail is in it
    lanes: Sequence[str] = ()  #: whose routes name it, such as acme/newsletter
    paths: Sequence[str] = ()  #: shared paths that name it
    sets: Sequence[str] = ()  #: configuration sets that have it at SES, or are to have it
    plans: Sequence[str] = ()  #: open plans that put mail into it


class PoolStore(Protocol):
    async def pools(self, name: str | None = None) -> list[PoolView]:
        """By name, or the one of this name."""
        ...

    async def create(self, new: NewPool, *, actor: str, because: str) -> None:
        """Raises Conflict if it exists or SES allows no more."""
        ...

    async def change(self, name: str, care: Care, *, actor: str, because: str) -> None:
        """Raises NotFound."""
        ...

    async def delete(self, name: str, *, actor: str, because: str) -> None:
        """Raises NotFound, or Conflict while something uses it."""
        ...

    async def sender(self, slug: str) -> Sender | None:
        """None: there is no such tenant."""
        ...

    async def keep_troubles(self, found: Sequence[tuple[str, Trouble]]) -> None:
        """Records what is wrong at present with pools, by their names: what is not there any more is over."""
        ...


class IpPools:
    def __init__(self, store: PoolStore, plans: Plans) -> None:
        self._store = store
        self._plans = plans

    async def all(self) -> list[PoolView]:
        return await self._store.pools()

    async def get(self, name: str) -> PoolView:
        """Raises NotFound."""
        found = await self._store.pools(name) if _NAME.fullmatch(name) else []
        if not found:
            raise no_pool(name)
        return found[0]

    async def create(self, new: NewPool, *, actor: str, because: str) -> PoolView:
        """Raises Invalid, or Conflict if it exists."""
        faults = [*_faults(Care(owner=new.owner, minimum=new.minimum, escalation=new.escalation))]
        if not _NAME.fullmatch(new.name) or new.name.startswith("ses-"):
            faults.append(Fault("name", messages.bad_name()))
        if faults:
            raise Invalid(*faults)
        await self._store.create(new, actor=actor, because=because)
        return await self.get(new.name)

    async def change(self, name: str, care: Care, *, actor: str, because: str) -> PoolView:
        """Raises NotFound, or Invalid."""
        await self.get(name)
        if care == Care():
            raise Invalid(Fault("owner", messages.nothing_to_change()))
        if faults := [*_faults(care)]:
            raise Invalid(*faults)
        await self._store.change(name, care, actor=actor, because=because)
        return await self.get(name)

    async def delete(self, name: str, *, actor: str, because: str) -> PoolView:
        """Here at once, and then at SES. Returns the pool as it was. Raises NotFound, or Conflict while something uses it or it
        has leased addresses."""
        found = await self.get(name)
        # SES would put them where each set without a pool sends from.
        if not found.managed and found.addresses:
            raise Conflict(
                messages.has_addresses(name, [each.ip for each in found.addresses]),
                code="pool-has-addresses",
            )
        await self._store.delete(name, actor=actor, because=because)
        return found

    async def choose(
        self, slug: str, pool: str | None, class_: Class | None, *, actor: str, because: str
    ) -> Plan:
        """A stored plan that lets a tenant's mail leave from a pool; None: from the shared addresses again. Without a class: all
        that fits the pool. A tenant that uses the shared configuration sets gets its own in the same plan. Raises NotFound,
        Invalid, or Conflict, also if nothing would change."""
        found = await self._store.sender(slug) if names.is_slug(slug) else None
        if found is None:
            raise lookup.no_tenant(slug)
        classes = [class_] if class_ is not None else found.classes
        if pool is not None and class_ is None:
            marketing = (await self.get(pool)).marketing
            classes = [each for each in found.classes if (each == Class.MARKETING) == marketing]
            if not classes:
                word = "marketing" if marketing else "transactional"
                raise Invalid(Fault("pool", messages.no_such_mail(slug, word), "no-such-lane"))
        asked = [steps.set_pool(slug, each, pool) for each in classes]
        if pool is not None:
            asked.insert(0, steps.set_topology(slug, dedicated=True, ses_tenants=found.ses_tenants))
        plan = await self._plans.make(asked, actor=actor, because=because)
        if plan.id is None:
            raise Conflict(messages.already_there(slug, pool or SHARED_IPS), code="nothing-to-do")
        return plan

    async def remove(self, name: str, slug: str, class_: Class | None, *, actor: str, because: str) -> Plan:
        """A stored plan that takes a tenant's mail out of a pool. Raises NotFound if it is not in it."""
        members = [one for one in (await self.get(name)).members if one.tenant == slug]
        classes = [one.class_ for one in members if class_ in (None, one.class_)]
        if not classes:
            raise NotFound(messages.not_in_pool(slug, name), code="not-in-pool")
        asked = [steps.set_pool(slug, each, None) for each in classes]
        return await self._plans.make(asked, actor=actor, because=because)

    async def watch(self) -> None:
        """One look at all pools: what is wrong with them becomes an alarm, or ceases to be one."""
        found = await self._store.pools()
        await self._store.keep_troubles([(pool.name, each) for pool in found for each in pool.troubles])


def no_pool(name: str) -> NotFound:
    return NotFound(messages.no_pool(name if _NAME.fullmatch(name) else "of this name"), code="no-such-pool")


def in_use(name: str, uses: Uses) -> Conflict | None:
    """None: nothing uses it."""
    if uses == Uses():
        return None
    return Conflict(
        messages.in_use(
            name,
            tenants=list(uses.tenants),
            lanes=list(uses.lanes),
            paths=list(uses.paths),
            sets=list(uses.sets),
            plans=list(uses.plans),
        ),
        code="pool-in-use",
    )


def _faults(care: Care) -> Sequence[Fault]:
    found: list[Fault] = []
    if care.owner is not None and not 0 < len(care.owner.strip()) <= 200:
        found.append(Fault("owner", messages.bad_owner()))
    if care.minimum is not None and not 0 <= care.minimum <= MOST_MINIMUM:
        found.append(Fault("minimum", messages.bad_minimum(MOST_MINIMUM)))
    if care.escalation is not None and len(care.escalation) > LONGEST_TEXT:
        found.append(Fault("escalation", messages.too_long(LONGEST_TEXT)))
    return found
