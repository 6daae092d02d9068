"""What is known of a tenant, and the tier that it suggests. A person gives the tier, in the policy's document."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, get_args

from mailcordon.control import lookup
from mailcordon.core import names
from mailcordon.core.errors import Fault, Invalid, parse_into
from mailcordon.guard.policy import tiers
from mailcordon.guard.policy.tiers import Facts, ListSource, Payment, Suggestion
from mailcordon.messages import api
from mailcordon.messages import policies as words

MOST_PLANNED: Final = 1_000_000_000
LIST_SOURCES: Final[tuple[ListSource, ...]] = get_args(ListSource)
PAYMENTS: Final[tuple[Payment, ...]] = get_args(Payment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What somebody told of a tenant. None: nobody said it."""

    sign_up_source: str | None = None
    signed_up_at: int | None = None  #: milliseconds since 1970; None: when Mailcordon got to know the tenant
    list_source: ListSource | None = None
    planned_per_day: int | None = None
    payment: Payment | None = None
    owner_group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantFacts:
    tenant: int
    slug: str
    told: Told
    told_at: int | None
    told_by: str | None
    facts: Facts
    tier: str  #: that it has

    @property
    def suggested(self) -> Suggestion:
        return tiers.suggest(self.facts)


class FactStore(Protocol):
    async def facts(self, slugs: Sequence[str] | None, *, after: int, limit: int) -> list[TenantFacts]: ...

    async def put(self, tenant: int, slug: str, told: Told, *, actor: str, because: str | None) -> None: ...


class FactKeeper:
    def __init__(self, store: FactStore) -> None:
        self._store = store

    async def all(self, *, after: int, limit: int) -> list[TenantFacts]:
        return await self._store.facts(None, after=after, limit=limit)

    async def of(self, slug: str) -> TenantFacts:
        """Raises NotFound."""
        found = await self._store.facts([slug], after=0, limit=1)
        if not found:
            raise lookup.no_tenant(slug)
        return found[0]

    async def tell(
        self, slug: str, changed: dict[str, Any], *, actor: str, because: str | None = None
    ) -> TenantFacts:
        """Changes the members that are named; None forgets one. Raises NotFound or Invalid."""
        found = await self.of(slug)
        told = replace(found.told, **changed)
        _check(told)
        if told != found.told:
            await self._store.put(found.tenant, slug, told, actor=actor, because=because)
        return await self.of(slug)


def _check(told: Told) -> None:
    """Raises Invalid."""
    faults: list[Fault] = []
    for field, label in (("sign_up_source", told.sign_up_source), ("owner_group", told.owner_group)):
        if label is not None:
            parse_into(faults, field, names.slug, label)
    if told.list_source is not None and told.list_source not in LIST_SOURCES:
        faults.append(Fault("list_source", api.not_one_of(list(LIST_SOURCES))))
    if told.payment is not None and told.payment not in PAYMENTS:
        faults.append(Fault("payment", api.not_one_of(list(PAYMENTS))))
    if told.planned_per_day is not None and not 0 <= told.planned_per_day <= MOST_PLANNED:
        faults.append(Fault("planned_per_day", words.bad_whole(0, MOST_PLANNED)))
    if faults:
        raise Invalid(*faults)
