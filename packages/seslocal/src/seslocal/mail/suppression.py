"""Which suppression list applies to a mail, and what SES adds to it. Scope and reasons are resolved
separately: configuration set, else tenant, else account."""

from __future__ import annotations

import msgspec

from seslocal.errors import ApiError
from seslocal.state.account import Account
from seslocal.state.configuration_sets import ConfigurationSet
from seslocal.state.suppression import SuppressedDestination, SuppressionList
from seslocal.state.tenants import Tenant


class InForce(msgspec.Struct, frozen=True):
    """The suppression settings that apply to one mail."""

    scope: str  #: TENANT or ACCOUNT
    reasons: tuple[str, ...]
    list: SuppressionList

    def hit(self, recipient: str) -> str | None:
        return self.list.reason_for(recipient, self.reasons) if self.reasons else None


def in_force(account: Account, tenant: Tenant | None, configuration_set: ConfigurationSet | None) -> InForce:
    scope = (configuration_set and configuration_set.scope) or (tenant and tenant.scope) or "ACCOUNT"
    reasons = configuration_set.reasons if configuration_set else None
    if reasons is None and tenant:
        reasons = tenant.reasons
    if reasons is None:
        reasons = account.suppression.reasons
    if scope == "TENANT" and tenant is not None:
        return InForce("TENANT", reasons, tenant.suppression)
    # Scope TENANT without a tenant is not documented: the account's list is the safe choice.
    return InForce("ACCOUNT", reasons, account.suppression.list)


def record(force: InForce, entry: SuppressedDestination) -> None:
    """Adds an entry for a hard bounce or complaint."""
    if entry.reason in force.reasons:
        force.list.put(entry)


def stored_address(address: str) -> str:
    """Returns the address with its domain in lower case, as SES stores it (seen in live tests)."""
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain or any(c.isspace() for c in address):
        raise ApiError("BadRequestException", f"Email address {address} is not valid.")
    return f"{local}@{domain.lower()}"
