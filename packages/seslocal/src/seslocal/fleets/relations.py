"""How each tenant of a run is related to the culprits: it is one, it shares their domain, their IP pool or SES's pool with them,
or nothing."""

from __future__ import annotations

from typing import Final, Literal

from seslocal.fleets.result import Run, Tenant
from seslocal.fleets.tenants import SHARED_POOL

Relation = Literal["culprit", "shares domain", "shares pool", "shares SES's pool", "stranger"]
#: from the nearest to the farthest; who is several of them is the first one
RELATIONS: Final[tuple[Relation, ...]] = (
    "culprit",
    "shares domain",
    "shares pool",
    "shares SES's pool",
    "stranger",
)
_WORDS: Final[dict[Relation, tuple[str, str]]] = {
    "culprit": ("culprit", "culprits"),
    "shares domain": ("shares their domain", "share their domain"),
    "shares pool": ("shares their IP pool", "share their IP pool"),
    "shares SES's pool": ("shares SES's pool", "share SES's pool"),
    "stranger": ("shares nothing", "share nothing"),
}


def relations(run: Run) -> dict[str, Relation]:
    """Returns tenant -> relation."""
    guilty = [tenant for tenant in run.tenants if tenant.culprit]
    domains = {tenant.domain for tenant in guilty}
    pools = {tenant.pool for tenant in guilty}
    return {tenant.name: _relation(tenant, domains, pools) for tenant in run.tenants}


def words(relation: Relation, count: int) -> str:
    """Returns how tables and pictures call tenants of a relation."""
    return _WORDS[relation][count != 1]


def _relation(tenant: Tenant, domains: set[str], pools: set[str]) -> Relation:
    if tenant.culprit:
        return "culprit"
    if tenant.domain in domains:
        return "shares domain"
    if tenant.pool not in pools:
        return "stranger"
    return "shares SES's pool" if tenant.pool == SHARED_POOL else "shares pool"


def members(run: Run, who: str) -> set[str]:
    """Returns the tenants that an expectation's `of` names: all, others, culprits, sharers, strangers, a group or a tenant."""
    found = relations(run)
    match who:
        case "all":
            return set(found)
        case "others":
            return {name for name, relation in found.items() if relation != "culprit"}
        case "culprits":
            return {name for name, relation in found.items() if relation == "culprit"}
        case "sharers":
            return {name for name, relation in found.items() if relation.startswith("shares")}
        case "strangers":
            return {name for name, relation in found.items() if relation == "stranger"}
        case _:
            return {tenant.name for tenant in run.tenants if who in (tenant.name, tenant.group)}
