"""Reputation entities: what SES holds for and against a tenant. Two records say whether it may send, of which
the customer writes one; a policy says when SES would write it. Findings do not arise by themselves yet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from seslocal.errors import bad_request, not_found
from seslocal.events.publishing import to_bus
from seslocal.state import Account, Caller, Params, StatusRecord, Tenant
from seslocal.wire.paging import page

POLICIES: Final = ("standard", "strict", "none")


def get_entity(account: Account, params: Params, caller: Caller) -> Params:
    arn: str = params["ReputationEntityReference"]
    tenant = tenant_by_arn(account, arn)
    if tenant is None:
        raise not_found(f"The requested reputation entity {arn} does not exist.")
    return {"ReputationEntity": _entity(tenant)}


def list_entities(account: Account, params: Params, caller: Caller) -> Params:
    wanted: dict[str, str] = params.get("Filter", {})
    if wanted.get("ENTITY_TYPE", "RESOURCE") != "RESOURCE":
        raise bad_request(f"Invalid entity type {wanted['ENTITY_TYPE']}.")
    impact, status = wanted.get("REPUTATION_IMPACT"), wanted.get("SENDING_STATUS")
    prefix = wanted.get("ENTITY_REFERENCE_PREFIX", "")
    found = [
        tenant
        for tenant in account.tenants.values()
        if impact in (None, tenant.impact)
        and status in (None, tenant.status)
        and tenant.arn.startswith(prefix)
    ]
    chosen, more = page("entities", found, lambda t: t.arn, params)
    return {"ReputationEntities": [_entity(tenant) for tenant in chosen], **more}


def update_customer_managed_status(account: Account, params: Params, caller: Caller) -> Params:
    tenant = _entity_to_change(account, params)
    record = StatusRecord(params["SendingStatus"], "Status manually updated.", account.clock.now())
    set_status(account, tenant, record, by_customer=True)
    return {}


def update_policy(account: Account, params: Params, caller: Caller) -> Params:
    tenant = _entity_to_change(account, params)
    arn: str = params["ReputationEntityPolicy"]
    if arn not in {policy_arn(account, name) for name in POLICIES}:
        raise bad_request(f"The reputation policy {arn} does not exist.")
    tenant.policy = arn
    return {}


def set_status(account: Account, tenant: Tenant, record: StatusRecord, *, by_customer: bool) -> None:
    """Writes one of the two records and tells the bus, whichever changed."""
    if by_customer:
        tenant.customer_managed = record
    else:
        tenant.aws_managed = record
    to_bus(
        account,
        "Sending Status Disabled" if record.status == "DISABLED" else "Sending Status Enabled",
        tenant.arn,
        {
            "version": "1.0.0",
            "data": {
                "origin": "CUSTOMER_MANAGED" if by_customer else "AWS_MANAGED",
                "record": {
                    "status": record.status,
                    "cause": record.cause,
                    "lastUpdatedTimestamp": _parts(record.at),
                },
            },
        },
    )


def tenant_by_arn(account: Account, arn: str) -> Tenant | None:
    parts = arn.split("/")
    tenant = account.tenants.get(parts[1]) if len(parts) == 3 else None
    return tenant if tenant and tenant.arn == arn else None


def policy_arn(account: Account, name: str) -> str:
    """The ARN of one of the POLICIES; AWS owns them."""
    return f"arn:aws:ses:{account.region}:aws:reputation-policy/{name}"


def _entity_to_change(account: Account, params: Params) -> Tenant:
    arn: str = params["ReputationEntityReference"]
    tenant = tenant_by_arn(account, arn)
    if tenant is None:
        raise bad_request(f"The requested reputation entity {arn} does not exist.")
    return tenant


def _entity(tenant: Tenant) -> Params:
    shown: Params = {
        "ReputationEntityReference": tenant.arn,
        "ReputationEntityType": "RESOURCE",
        "ReputationManagementPolicy": tenant.policy,
        "CustomerManagedStatus": tenant.customer_managed.shown(),
        "AwsSesManagedStatus": tenant.aws_managed.shown(),
        "SendingStatusAggregate": tenant.status,
    }
    if tenant.impact:
        shown["ReputationImpact"] = tenant.impact
    return shown


def _parts(at: float) -> list[int]:
    """The array that AWS prints a status' time as: year to second, then nanoseconds."""
    moment = datetime.fromtimestamp(at, UTC)
    return [*moment.timetuple()[:6], moment.microsecond * 1000]


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "GetReputationEntity": get_entity,
    "ListReputationEntities": list_entities,
    "UpdateReputationEntityCustomerManagedStatus": update_customer_managed_status,
    "UpdateReputationEntityPolicy": update_policy,
}
