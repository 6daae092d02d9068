"""Account operations: quotas, switches, VDM, details."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seslocal.errors import ApiError
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.account_review import SHUTDOWN
from seslocal.wire.params import Params


def get_account(account: Account, params: Params, caller: Caller) -> Params:
    suppression: Params = {"SuppressedReasons": list(account.suppression.reasons)}
    if account.suppression.validation:
        suppression["ValidationAttributes"] = account.suppression.validation
    return {
        "DedicatedIpAutoWarmupEnabled": account.dedicated_ips.auto_warm_up,
        "EnforcementStatus": (enforcement := account.sending.enforcement),
        "ProductionAccessEnabled": account.sending.production,
        "SendQuota": {
            "Max24HourSend": account.sending.limits.quota,
            "MaxSendRate": account.sending.limits.rate,
            "SentLast24Hours": account.sending.limits.sent(account.clock.now()),
        },
        "SendingEnabled": account.sending.enabled and enforcement != SHUTDOWN,
        "SuppressionAttributes": suppression,
        "PricingAttributes": {"CurrentPlan": account.attributes.plan},
        **({"VdmAttributes": account.attributes.vdm} if account.attributes.has_vdm else {}),
        **({"Details": account.attributes.details} if account.attributes.details else {}),
    }


def put_sending(account: Account, params: Params, caller: Caller) -> Params:
    account.sending.set_enabled(params.get("SendingEnabled", False))
    return {}


def put_details(account: Account, params: Params, caller: Caller) -> Params:
    """A request for production access opens a review. The admin API decides it: `PUT /_seslocal/account {"review": ...}`."""
    attributes = account.attributes
    review: Params = (attributes.details or {}).get("ReviewDetails", {})
    if review.get("Status") == "PENDING":
        raise ApiError(
            "ConflictException", "Your account is under review; its details cannot be changed now.", 409
        )
    details = {name: value for name, value in params.items() if name != "ProductionAccessEnabled"}
    if params.get("ProductionAccessEnabled") and not account.sending.production:
        attributes.cases += 1
        review = {"Status": "PENDING", "CaseId": f"case-{account.id}-{attributes.cases}"}
    if review:
        details["ReviewDetails"] = review
    attributes.details = details
    return {}


def put_vdm(account: Account, params: Params, caller: Caller) -> Params:
    """Members that are left out are turned off. While VDM is off, GetAccount shows nothing else of it."""
    given: Params = params["VdmAttributes"]
    vdm: Params = {"VdmEnabled": given["VdmEnabled"]}
    if vdm["VdmEnabled"] == "ENABLED":
        vdm["DashboardAttributes"] = {"EngagementMetrics": "DISABLED", **given.get("DashboardAttributes", {})}
        vdm["GuardianAttributes"] = {
            "OptimizedSharedDelivery": "DISABLED",
            **given.get("GuardianAttributes", {}),
        }
    account.attributes.vdm, account.attributes.has_vdm = vdm, True
    return {}


def put_pricing(account: Account, params: Params, caller: Caller) -> Params:
    """Takes effect immediately; SES changes plans at the end of the billing period."""
    account.attributes.plan = params["Plan"]
    return {}


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "GetAccount": get_account,
    "PutAccountSendingAttributes": put_sending,
    "PutAccountDetails": put_details,
    "PutAccountVdmAttributes": put_vdm,
    "PutAccountPricingAttributes": put_pricing,
}
