"""How each tenant of a run is related to the culprits: it is one, it shares their domain or their IP pool, or neither."""

from __future__ import annotations

from typing import Final, Literal

from seslocal.fleets.result import Run, Tenant

Relation = Literal["culprit", "shares domain", "shares pool", "stranger"]
RELATIONS: Final[tuple[Relation, ...]] = ("culprit", "shares domain", "shares pool", "stranger")


def relations(run: Run) -> dict[str, Relation]:
    """Returns tenant -> relation."""
    guilty = [tenant for tenant in run.tenants if tenant.culprit]
    domains = {tenant.domain for tenant in guilty}
    pools = {tenant.pool for tenant in guilty}
    return {tenant.name: _relation(tenant, domains, pools) for tenant in run.tenants}


def _relation(tenant: Tenant, domains: set[str], pools: set[str]) -> Relation:
    if tenant.culprit:
        return "culprit"
    if tenant.domain in domains:
        return "shares domain"
    return "shares pool" if tenant.pool in pools else "stranger"


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
