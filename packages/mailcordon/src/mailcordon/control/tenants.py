"""Onboarding: everything a tenant needs, from its name, message types and domains, as a plan that is made and applied at once.

Onboarding again with the same values changes nothing; more types add lanes. SES is updated afterwards (control/reconcile.py).
Until SES has verified a domain, the lanes on it are held by policy. A new key is shown once.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from mailcordon.control import claimable, keys, steps
from mailcordon.control.authentication.alignment import Suffixes
from mailcordon.control.plans import Plans, Transaction
from mailcordon.control.platform import Platform, Tenant
from mailcordon.control.steps import Step, StepKind
from mailcordon.core import domain as domains
from mailcordon.core import names, text
from mailcordon.core.errors import Conflict, Fault, Invalid, parse_into
from mailcordon.core.principal import TENANT_SCOPES, Principal
from mailcordon.messages import api

MOST_TYPES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Onboarded:
    tenant: int
    slug: str
    is_new: bool
    added: tuple[str, ...]  #: types with a new lane
    key_prefix: str | None  #: of the tenant's oldest valid key
    key_text: str | None = field(repr=False)  #: only if it was created now


class Onboarding(Transaction, Protocol):
    """One transaction that onboards a tenant."""

    async def tenant_id(self, slug: str) -> int: ...

    async def key_prefix(self, tenant: int) -> str | None: ...

    async def add_key(self, tenant: int, slug: str, minted: keys.Minted, *, actor: str) -> None: ...


class TenantStore(Protocol):
    def onboarding(self) -> AbstractAsyncContextManager[Onboarding]: ...


class Tenants:
    def __init__(self, store: TenantStore, plans: Plans, *, local: bool) -> None:
        """`local`: whether the local SES is used, which verifies domains that are reserved for tests."""
        self._store = store
        self._plans = plans
        self._local = local

    async def onboard(
        self,
        slug: str,
        types: Mapping[str, str],
        *,
        actor: str,
        dedicated: bool | None = None,
        minter: Principal | None = None,
    ) -> Onboarded:
        """Raises Invalid with each wrong field, or Conflict. `dedicated` None: as the tenant is, else shared sets.

        A new tenant gets its first key. Raises Forbidden if `minter`, the key of the request, holds less than that.
        """
        wanted = check(slug, types, local=self._local, suffixes=self._plans.suffixes)
        minted: keys.Minted | None = None
        async with self._store.onboarding() as transaction:
            platform = await transaction.platform([slug], sorted(set(wanted.values())))
            asked = additions(slug, wanted, platform, dedicated=dedicated)
            is_new = slug not in platform.tenants
            aligned = await self._plans.carry_out(transaction, asked, actor=actor) if asked else []
            tenant = await transaction.tenant_id(slug)
            if is_new:
                if minter is not None:
                    keys.check_given(minter, first_key(slug))
                minted = keys.mint()
                await transaction.add_key(tenant, slug, minted, actor=actor)
            prefix = await transaction.key_prefix(tenant)
        await self._plans.align(aligned or [tenant])
        return Onboarded(
            tenant=tenant,
            slug=slug,
            is_new=is_new,
            added=tuple(step.type or "" for step in asked if step.kind is StepKind.ADD_LANE),
            key_prefix=prefix,
            key_text=minted.text if minted else None,
        )


def first_key(slug: str) -> keys.Terms:
    """What a tenant's own first key is for."""
    return keys.Terms(tenant=slug, name=f"{slug}, first key", scopes=TENANT_SCOPES)


def check(
    slug: str, types: Mapping[str, str], *, local: bool, suffixes: Suffixes | None = None
) -> dict[str, str]:
    """Returns the domains in DNS form, by type. `local` says whether the local SES is used. Raises Invalid with every problem."""
    faults: list[Fault] = []
    parse_into(faults, "slug", names.slug, slug)
    if not types:
        faults.append(Fault("types", api.types_missing(), "missing"))
    if len(types) > MOST_TYPES:
        faults.append(Fault("types", api.too_many_types(MOST_TYPES)))
    parsed: dict[str, str] = {}
    for type, domain in types.items():
        field = f"types.{text.harmless(type, 64)}"
        parse_into(faults, field, names.message_type, type)
        found = parse_into(faults, field, domains.parse, domain)
        refused = None if found is None else claimable.refusal(found, local=local, suffixes=suffixes)
        if refused is not None:
            faults.append(Fault(field, refused.sentence, refused.code))
        elif found is not None:
            parsed[type] = found
    if faults:
        raise Invalid(*faults)
    return parsed


def additions(
    slug: str, wanted: Mapping[str, str], platform: Platform, *, dedicated: bool | None
) -> list[Step]:
    """The steps that give the tenant these lanes; none if it has them. Raises Invalid or Conflict, and never reveals another
    tenant."""
    _refuse_unknown(wanted, platform)
    tenant = platform.tenants.get(slug)
    asked = [] if tenant is not None else [steps.add_tenant(slug, dedicated=bool(dedicated))]
    if tenant is not None:
        _refuse_changes(tenant, wanted, dedicated)
    have = (
        {type for type, lane in tenant.lanes.items() if not lane.retired}
        if tenant is not None
        else set[str]()
    )
    return asked + [
        Step(kind=StepKind.ADD_LANE, tenant=slug, type=type, to=domain)
        for type, domain in sorted(wanted.items())
        if type not in have
    ]


def _refuse_unknown(wanted: Mapping[str, str], platform: Platform) -> None:
    faults: list[Fault] = []
    for type, domain in wanted.items():
        if type not in platform.types:
            faults.append(Fault(f"types.{type}", api.unknown_type(sorted(platform.types)), "unknown-type"))
        if any(
            domains.covers(domain, other) or domains.covers(other, domain) for other in platform.elsewhere
        ):
            faults.append(Fault(f"types.{type}", api.domain_taken(domain), "domain-taken"))
    if faults:
        raise Invalid(*faults)


def _refuse_changes(tenant: Tenant, wanted: Mapping[str, str], dedicated: bool | None) -> None:
    """Onboarding only adds: it never moves a lane, which may be sending right now."""
    if tenant.retired:
        raise Conflict(api.tenant_retired(tenant.slug), code="tenant-retired")
    for type, domain in wanted.items():
        if (lane := tenant.lanes.get(type)) is not None and lane.domain != domain:
            problem = api.lane_on_another_domain(tenant.slug, type, lane.domain, domain)
            raise Conflict(problem, code="lane-exists")
    if dedicated is not None and dedicated != tenant.dedicated:
        problem = api.other_configuration_sets(tenant.slug, dedicated=tenant.dedicated)
        raise Conflict(problem, code="other-sets")
