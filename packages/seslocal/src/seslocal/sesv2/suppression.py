"""Suppression lists of account and tenants: their operations, and the rule that decides which list applies to a mail.
Scope and reasons are resolved separately: configuration set, else tenant, else account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from seslocal.errors import ApiError, not_found
from seslocal.sesv2.tenants import refuse_repeated, tenant_of
from seslocal.state.account import (
    Account,
    Caller,
    ConfigurationSet,
    Params,
    Suppressed,
    SuppressionList,
    Tenant,
)
from seslocal.wire.paging import page


@dataclass(frozen=True, slots=True)
class InForce:
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
        reasons = account.suppressed_reasons
    if scope == "TENANT" and tenant is not None:
        return InForce("TENANT", reasons, tenant.suppression)
    # Scope TENANT without a tenant is not documented: the account's list is the safe choice.
    return InForce("ACCOUNT", reasons, account.suppression)


def record(force: InForce, entry: Suppressed) -> None:
    """Adds an entry for a hard bounce or complaint."""
    if entry.reason in force.reasons:
        force.list.put(entry)


def put(account: Account, params: Params, caller: Caller) -> Params:
    entries = _list(account, params)
    if not account.production:
        raise ApiError(
            "BadRequestException",
            "Suppressed destinations cannot be put while the account is in the sandbox.",
        )
    address = stored(params["EmailAddress"])
    entries.put(Suppressed(address, params["Reason"], account.clock.now()))
    return {}


def get(account: Account, params: Params, caller: Caller) -> Params:
    entry = _list(account, params).entries.get(stored(params["EmailAddress"]))
    if entry is None:
        raise _absent(params)
    shown: Params = _summary(entry)
    if entry.message_id:
        shown["Attributes"] = {"MessageId": entry.message_id, "FeedbackId": entry.feedback_id}
    if "TenantName" in params:
        shown["TenantName"] = params["TenantName"]
    return {"SuppressedDestination": shown}


def delete(account: Account, params: Params, caller: Caller) -> Params:
    if not _list(account, params).delete(stored(params["EmailAddress"])):
        raise _absent(params)
    return {}


def list_all(account: Account, params: Params, caller: Caller) -> Params:
    start, end = params.get("StartDate", 0.0), params.get("EndDate", float("inf"))
    reasons: list[str] = params.get("Reasons") or ["BOUNCE", "COMPLAINT"]
    found = [
        entry
        for entry in _list(account, params).entries.values()
        if entry.reason in reasons and start <= entry.at <= end
    ]
    chosen, more = page(
        "suppressed", found, lambda e: e.address, params, most=1000, refusal="InvalidNextTokenException"
    )
    return {"SuppressedDestinationSummaries": [_summary(entry) for entry in chosen], **more}


def put_account_attributes(account: Account, params: Params, caller: Caller) -> Params:
    refuse_repeated(params.get("SuppressedReasons"))
    account.suppressed_reasons = tuple(params.get("SuppressedReasons", ()))
    if "ValidationAttributes" in params:
        account.validation = params["ValidationAttributes"]
    return {}


def _list(account: Account, params: Params) -> SuppressionList:
    name: str | None = params.get("TenantName")
    return tenant_of(account, name).suppression if name is not None else account.suppression


def stored(address: str) -> str:
    """Returns the address with its domain in lower case, as SES stores it (seen in live tests)."""
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain or any(c.isspace() for c in address):
        raise ApiError("BadRequestException", f"Email address {address} is not valid.")
    return f"{local}@{domain.lower()}"


def _absent(params: Params) -> ApiError:
    which = "tenant suppression list" if "TenantName" in params else "suppression list"
    return not_found(f"Email address {params['EmailAddress']} does not exist on your {which}.")


def _summary(entry: Suppressed) -> Params:
    return {"EmailAddress": entry.address, "Reason": entry.reason, "LastUpdateTime": entry.at}


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "PutSuppressedDestination": put,
    "GetSuppressedDestination": get,
    "DeleteSuppressedDestination": delete,
    "ListSuppressedDestinations": list_all,
    "PutAccountSuppressionAttributes": put_account_attributes,
}
