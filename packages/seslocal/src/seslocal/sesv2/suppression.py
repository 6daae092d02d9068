"""Suppression lists of account and tenants: their operations. Which list applies to a mail is decided in
`mail/suppression.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seslocal.errors import ApiError, not_found
from seslocal.mail.suppression import stored_address
from seslocal.sesv2.tenants import refuse_repeated, tenant_of
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.suppression import SuppressedDestination, SuppressionList
from seslocal.wire.paging import page
from seslocal.wire.params import Params


def put(account: Account, params: Params, caller: Caller) -> Params:
    entries = _list(account, params)
    if not account.sending.production:
        raise ApiError(
            "BadRequestException",
            "Suppressed destinations cannot be put while the account is in the sandbox.",
        )
    address = stored_address(params["EmailAddress"])
    entries.put(SuppressedDestination(address, params["Reason"], account.clock.now()))
    return {}


def get(account: Account, params: Params, caller: Caller) -> Params:
    entry = _list(account, params).entries.get(stored_address(params["EmailAddress"]))
    if entry is None:
        raise _absent(params)
    shown: Params = _summary(entry)
    if entry.message_id:
        shown["Attributes"] = {"MessageId": entry.message_id, "FeedbackId": entry.feedback_id}
    if "TenantName" in params:
        shown["TenantName"] = params["TenantName"]
    return {"SuppressedDestination": shown}


def delete(account: Account, params: Params, caller: Caller) -> Params:
    if not _list(account, params).delete(stored_address(params["EmailAddress"])):
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
    account.suppression.reasons = tuple(params.get("SuppressedReasons", ()))
    if "ValidationAttributes" in params:
        account.suppression.validation = params["ValidationAttributes"]
    return {}


def _list(account: Account, params: Params) -> SuppressionList:
    name: str | None = params.get("TenantName")
    return tenant_of(account, name).suppression if name is not None else account.suppression.list


def _absent(params: Params) -> ApiError:
    which = "tenant suppression list" if "TenantName" in params else "suppression list"
    return not_found(f"Email address {params['EmailAddress']} does not exist on your {which}.")


def _summary(entry: SuppressedDestination) -> Params:
    return {"EmailAddress": entry.address, "Reason": entry.reason, "LastUpdateTime": entry.at}


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "PutSuppressedDestination": put,
    "GetSuppressedDestination": get,
    "DeleteSuppressedDestination": delete,
    "ListSuppressedDestinations": list_all,
    "PutAccountSuppressionAttributes": put_account_attributes,
}
