"""The account's own face: its quotas and switches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seslocal.state import Account, Caller, Params


def get_account(account: Account, params: Params, caller: Caller) -> Params:
    suppression: Params = {"SuppressedReasons": list(account.suppressed_reasons)}
    if account.validation:
        suppression["ValidationAttributes"] = account.validation
    return {
        "DedicatedIpAutoWarmupEnabled": False,
        "EnforcementStatus": account.enforcement,
        "ProductionAccessEnabled": account.production,
        "SendQuota": {
            "Max24HourSend": account.allowance.quota,
            "MaxSendRate": account.allowance.rate,
            "SentLast24Hours": account.allowance.sent(account.clock.now()),
        },
        "SendingEnabled": account.sending_enabled,
        "SuppressionAttributes": suppression,
        "VdmAttributes": {"VdmEnabled": "DISABLED"},
        "PricingAttributes": {"CurrentPlan": "NONE"},
    }


def put_sending(account: Account, params: Params, caller: Caller) -> Params:
    account.sending_enabled = params.get("SendingEnabled", False)
    return {}


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "GetAccount": get_account,
    "PutAccountSendingAttributes": put_sending,
}
