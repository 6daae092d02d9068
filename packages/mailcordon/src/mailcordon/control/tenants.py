"""Onboarding: everything a tenant needs, from its name, message types and domains, as one draft stored in one transaction.

Onboarding again with the same values changes nothing; more types add lanes. SES is updated afterwards (control/reconcile.py).
Until SES has verified a domain, the lanes on it are held by policy. A new key is shown once.
"""

import secrets
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from mailcordon.control import desired, keys
from mailcordon.control.catalogue import MessageType
from mailcordon.control.desired import ConfigurationSet, Resource, Settings
from mailcordon.control.governor import Governor
from mailcordon.control.platform import Domain, Lane, Tenant
from mailcordon.core import domain as domains
from mailcordon.core import names, reserved_domains, text
from mailcordon.core.errors import Conflict, Fault, Invalid, parse_into
from mailcordon.core.principal import TENANT_SCOPES, Principal
from mailcordon.core.priority import Class
from mailcordon.messages import api

_KEY_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_KEY_LETTERS = 12
MOST_TYPES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantFacts:
    """A tenant that exists already."""

    id: int
    key: str
    dedicated: bool
    lanes: Mapping[str, str]  #: type -> domain
    classes: frozenset[Class]
    retired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What onboarding needs to know."""

    tenant: TenantFacts | None
    types: Mapping[str, MessageType]
    taken: frozenset[str]  #: the requested domains that are equal to, above or below one of another tenant
    sets: int  #: configuration sets that exist


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLane:
    type: MessageType
    domain: str
    configuration_set: str
    expiry_ms: int
    grace_ms: int
    resend: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What to store. An empty draft changes nothing."""

    slug: str
    key: str
    dedicated: bool
    is_new: bool
    domains: tuple[str, ...]  #: all domains that the tenant sends from, old and new
    lanes: tuple[NewLane, ...]  #: new ones only
    sets: tuple[ConfigurationSet, ...]  #: all sets that the tenant uses, and the ungoverned one
    resources: tuple[Resource, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Onboarded:
    tenant: int
    slug: str
    is_new: bool
    added: tuple[str, ...]  #: types with a new lane
    key_prefix: str | None  #: of the tenant's oldest valid key
    key_text: str | None = field(repr=False)  #: only if it was created now


class Onboarding(Protocol):
    """One transaction that onboards a tenant. Only one runs at a time."""

    async def facts(self, slug: str, domains: Sequence[str]) -> Facts: ...

    async def store(self, draft: Draft, *, actor: str) -> int:
        """Returns the tenant's number. Writes desired state and audit, and bumps the epoch."""
        ...

    async def key_prefix(self, tenant: int) -> str | None: ...

    async def add_key(self, tenant: int, slug: str, minted: keys.Minted, *, actor: str) -> None: ...


class TenantStore(Protocol):
    def onboarding(self) -> AbstractAsyncContextManager[Onboarding]: ...


class Tenants:
    def __init__(self, store: TenantStore, governor: Governor, settings: Settings) -> None:
        self._store = store
        self._governor = governor
        self._settings = settings

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
        wanted = check(slug, types, local=self._settings.local)
        minted: keys.Minted | None = None
        async with self._store.onboarding() as transaction:
            facts = await transaction.facts(slug, sorted(set(wanted.values())))
            result = draft(slug, wanted, facts, self._settings, dedicated=dedicated)
            if not result.is_new and not result.lanes and facts.tenant is not None:
                tenant = facts.tenant.id
            else:
                tenant = await transaction.store(result, actor=actor)
            if result.is_new:
                if minter is not None:
                    keys.check_given(minter, first_key(slug))
                minted = keys.mint()
                await transaction.add_key(tenant, slug, minted, actor=actor)
            prefix = await transaction.key_prefix(tenant)
        # New lanes start closed; the governor opens those without a hold and places the policy's holds on the others.
        await self._governor.align(tenant)
        return Onboarded(
            tenant=tenant,
            slug=slug,
            is_new=result.is_new,
            added=tuple(lane.type.name for lane in result.lanes),
            key_prefix=prefix,
            key_text=minted.text if minted else None,
        )


def first_key(slug: str) -> keys.Terms:
    """What a tenant's own first key is for."""
    return keys.Terms(tenant=slug, name=f"{slug}, first key", scopes=TENANT_SCOPES)


def check(slug: str, types: Mapping[str, str], *, local: bool) -> dict[str, str]:
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
        if found is not None and (undeliverable := reserved_domains.find(found, local)):
            faults.append(Fault(field, undeliverable.as_sender, "reserved-domain"))
        elif found is not None:
            parsed[type] = found
    if faults:
        raise Invalid(*faults)
    return parsed


def draft(
    slug: str, wanted: Mapping[str, str], facts: Facts, settings: Settings, *, dedicated: bool | None
) -> Draft:
    """What to store so that the tenant has these lanes. Raises Invalid or Conflict, and never reveals another tenant."""
    _refuse_unknown(wanted, facts)
    tenant = facts.tenant
    _refuse_changes(slug, wanted, tenant, dedicated)
    own_sets = tenant.dedicated if tenant is not None else bool(dedicated)
    key = tenant.key if tenant is not None else new_key()
    have: Mapping[str, str] = tenant.lanes if tenant is not None else {}
    lanes = tuple(
        _lane(facts.types[type], domain, key, dedicated=own_sets)
        for type, domain in sorted(wanted.items())
        if type not in have
    )
    before = tenant.classes if tenant is not None else frozenset[Class]()
    classes = sorted(before | {lane.type.class_ for lane in lanes})
    used = [desired.set_for(class_, key, dedicated=own_sets) for class_ in classes]
    if own_sets:
        desired.check_sets(facts.sets, len(set(classes) - before))
    every_domain = tuple(sorted({*have.values(), *(lane.domain for lane in lanes)}))
    sets = (ConfigurationSet(name=desired.UNGOVERNED, class_=None), *used)
    every_lane = {
        type: Lane(type=type, class_=facts.types[type].class_, domain=domain) for type, domain in have.items()
    }
    for lane in lanes:
        every_lane[lane.type.name] = Lane(type=lane.type.name, class_=lane.type.class_, domain=lane.domain)
    after = Tenant(
        slug=slug,
        key=key,
        dedicated=own_sets,
        domains={domain: Domain(name=domain) for domain in every_domain},
        lanes=every_lane,
    )
    resources = [r for one in sets if not one.dedicated for r in desired.of_set(one, settings)]
    resources += desired.of_tenant(after, settings)
    return Draft(
        slug=slug,
        key=key,
        dedicated=own_sets,
        is_new=tenant is None,
        domains=every_domain,
        lanes=lanes,
        sets=sets,
        resources=tuple(resources),
    )


def new_key() -> str:
    """A new opaque name for SES, tags and IAM. It never changes, unlike the slug."""
    return "mc-" + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(_KEY_LETTERS))


def _refuse_unknown(wanted: Mapping[str, str], facts: Facts) -> None:
    faults: list[Fault] = []
    for type, domain in wanted.items():
        if type not in facts.types:
            faults.append(Fault(f"types.{type}", api.unknown_type(sorted(facts.types)), "unknown-type"))
        if domain in facts.taken:
            faults.append(Fault(f"types.{type}", api.domain_taken(domain), "domain-taken"))
    if faults:
        raise Invalid(*faults)


def _refuse_changes(
    slug: str, wanted: Mapping[str, str], tenant: TenantFacts | None, dedicated: bool | None
) -> None:
    """Onboarding only adds: it never moves a lane, which may be sending right now."""
    if tenant is None:
        return
    if tenant.retired:
        raise Conflict(api.tenant_retired(slug), code="tenant-retired")
    for type, domain in wanted.items():
        if (has := tenant.lanes.get(type, domain)) != domain:
            raise Conflict(api.lane_on_another_domain(slug, type, has, domain), code="lane-exists")
    if dedicated is not None and dedicated != tenant.dedicated:
        problem = api.other_configuration_sets(slug, dedicated=tenant.dedicated)
        raise Conflict(problem, code="other-sets")


def _lane(type: MessageType, domain: str, key: str, *, dedicated: bool) -> NewLane:
    expiry_ms, grace_ms, resend = type.effective()
    return NewLane(
        type=type,
        domain=domain,
        configuration_set=desired.set_for(type.class_, key, dedicated=dedicated).name,
        expiry_ms=expiry_ms,
        grace_ms=grace_ms,
        resend=resend,
    )
