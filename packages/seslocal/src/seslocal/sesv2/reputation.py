"""Reputation entities. Two records say whether a tenant may send: one that AWS writes, and one that the customer or the
tenant's reputation policy writes. Findings are the reasons."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from seslocal.errors import bad_request, not_found
from seslocal.events.publishing import publish_to_bus
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.findings import Finding
from seslocal.state.tenants import StatusRecord, Tenant
from seslocal.wire.paging import page
from seslocal.wire.params import Params

POLICIES: Final = ("standard", "strict", "none")
TYPES: Final = ("DKIM", "DMARC", "SPF", "BIMI", "COMPLAINT", "BOUNCE", "FEEDBACK_3P", "IP_LISTING")
_RECOMMENDATION_VALUES: Final = {"TYPE": TYPES, "IMPACT": ("LOW", "HIGH"), "STATUS": ("OPEN", "FIXED")}


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
        if impact in (None, impact_of(tenant))
        and status in (None, tenant.status)
        and tenant.arn.startswith(prefix)
    ]
    chosen, more = page("entities", found, lambda t: t.arn, params)
    return {"ReputationEntities": [_entity(tenant) for tenant in chosen], **more}


def update_customer_managed_status(account: Account, params: Params, caller: Caller) -> Params:
    """Enabling a tenant with open findings makes it REINSTATED until they close (ses.md 1.6)."""
    tenant = _entity_to_change(account, params)
    status: str = params["SendingStatus"]
    if status == "ENABLED" and tenant.open_findings:
        status = "REINSTATED"
    record = StatusRecord(status, "Status manually updated.", account.clock.now())
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
    """Writes one of the two records and publishes the change on the event bus."""
    if by_customer:
        tenant.customer_managed = record
    else:
        tenant.aws_managed = record
    publish_to_bus(
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
                    "lastUpdatedTimestamp": _time_array(record.at),
                },
            },
        },
    )


def list_recommendations(account: Account, params: Params, caller: Caller) -> Params:
    wanted: dict[str, str] = params.get("Filter", {})
    if len(wanted) > 1 and set(wanted) not in ({"STATUS", "IMPACT"}, {"STATUS", "TYPE"}):
        raise bad_request("Filter by one attribute, or by STATUS with IMPACT or TYPE.")
    for name, choices in _RECOMMENDATION_VALUES.items():
        if name in wanted and wanted[name] not in choices:
            raise bad_request(f"Invalid filter value {wanted[name]}: {name} is one of {', '.join(choices)}.")
    found = [
        shown
        for tenant in account.tenants.values()
        for finding in tenant.findings.values()
        if _fits(shown := _recommendation(tenant, finding), wanted)
    ]
    chosen, more = page("recommendations", found, lambda r: f"{r['ResourceArn']} {r['Type']}", params)
    return {"Recommendations": chosen, **more}


def impact_of(tenant: Tenant) -> str | None:
    """Returns the highest impact of the open findings, or what the admin API set."""
    impacts = {finding.impact for finding in tenant.open_findings}
    return tenant.impact or ("HIGH" if "HIGH" in impacts else "LOW" if impacts else None)


def tenant_by_arn(account: Account, arn: str) -> Tenant | None:
    parts = arn.split("/")
    tenant = account.tenants.get(parts[1]) if len(parts) == 3 else None
    return tenant if tenant and tenant.arn == arn else None


def policy_arn(account: Account, name: str) -> str:
    """Returns the ARN of one of POLICIES, which belong to AWS."""
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
    if impact := impact_of(tenant):
        shown["ReputationImpact"] = impact
    return shown


def _recommendation(tenant: Tenant, finding: Finding) -> Params:
    return {
        "ResourceArn": tenant.arn,
        "Type": finding.type,
        "Description": finding.description,
        "Status": "OPEN" if finding.is_open else "FIXED",
        "CreatedTimestamp": finding.created,
        "LastUpdatedTimestamp": finding.updated,
        "Impact": finding.impact,
    }


def _fits(shown: Params, wanted: dict[str, str]) -> bool:
    names = {"TYPE": "Type", "IMPACT": "Impact", "STATUS": "Status", "RESOURCE_ARN": "ResourceArn"}
    return all(shown[names[name]] == value for name, value in wanted.items())


def _time_array(at: float) -> list[int]:
    """Returns the array that AWS writes a status's time as: year to second, then nanoseconds."""
    moment = datetime.fromtimestamp(at, UTC)
    return [*moment.timetuple()[:6], moment.microsecond * 1000]


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "GetReputationEntity": get_entity,
    "ListReputationEntities": list_entities,
    "UpdateReputationEntityCustomerManagedStatus": update_customer_managed_status,
    "UpdateReputationEntityPolicy": update_policy,
    "ListRecommendations": list_recommendations,
}
