"""The account's own face: its quotas and switches, and the tags of whatever has an ARN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seslocal.errors import bad_request, not_found
from seslocal.sesv2.reputation import tenant_by_arn
from seslocal.state import Account, Caller, Params, tags_in, tags_out


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


def tag(account: Account, params: Params, caller: Caller) -> Params:
    _tags(account, params["ResourceArn"]).update(tags_in(params["Tags"]))
    return {}


def untag(account: Account, params: Params, caller: Caller) -> Params:
    tags = _tags(account, params["ResourceArn"])
    for key in params["TagKeys"]:
        tags.pop(key, None)
    return {}


def list_tags(account: Account, params: Params, caller: Caller) -> Params:
    return {"Tags": tags_out(_tags(account, params["ResourceArn"]))}


def _tags(account: Account, arn: str) -> dict[str, str]:
    if not arn.startswith("arn:") or arn.count(":") < 5:
        raise bad_request(f"Invalid resource ARN {arn}.")
    if tenant := tenant_by_arn(account, arn):
        return tenant.tags
    name = arn.split(":", 5)[5].partition("/")[2]
    for found in (account.identities.get(name), account.configuration_sets.get(name)):
        if found and found.arn == arn:
            return found.tags
    raise not_found(f"Resource {arn} does not exist.")


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "GetAccount": get_account,
    "PutAccountSendingAttributes": put_sending,
    "TagResource": tag,
    "UntagResource": untag,
    "ListTagsForResource": list_tags,
}
