"""Tenants and the resources associated with them. A tenant is a name with associations, suppression settings and a
reputation, which is in `reputation`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from seslocal.errors import already_exists, bad_request, limit_exceeded, not_found
from seslocal.sesv2.reputation import policy_arn
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.tenants import StatusRecord, Tenant
from seslocal.tagging import tags_in, tags_out
from seslocal.wire.paging import page
from seslocal.wire.params import Params

MOST_TENANTS: Final = 10_000
_TYPES: Final = {
    "identity": "EMAIL_IDENTITY",
    "configuration-set": "CONFIGURATION_SET",
    "template": "EMAIL_TEMPLATE",
}


def create_tenant(account: Account, params: Params, caller: Caller) -> Params:
    name: str = params["TenantName"]
    scope, reasons = checked_suppression(params.get("SuppressionAttributes", {}))
    if name in account.tenants:
        raise already_exists(f"Tenant {name} already exists.")
    if len(account.tenants) >= MOST_TENANTS:
        raise limit_exceeded(f"The account has {MOST_TENANTS} tenants, which is its limit.")
    now, identity = account.clock.now(), account.ids.tenant()
    tenant = Tenant(
        name=name,
        id=identity,
        arn=account.arn(f"tenant/{name}/{identity}"),
        created=now,
        tags=tags_in(params.get("Tags", [])),
        scope=scope,
        reasons=reasons,
        policy=policy_arn(account, account.behaviour.default_policy),
        customer_managed=StatusRecord("ENABLED", None, now),
        aws_managed=StatusRecord("ENABLED", None, now),
    )
    account.tenants[name] = tenant
    return _shown(tenant)


def get_tenant(account: Account, params: Params, caller: Caller) -> Params:
    return {"Tenant": _shown(tenant_of(account, params["TenantName"]))}


def list_tenants(account: Account, params: Params, caller: Caller) -> Params:
    wanted: dict[str, str] = params.get("Filter", {})
    part, status = wanted.get("TENANT_NAME_CONTAINS", ""), wanted.get("SENDING_STATUS")
    found = [t for t in account.tenants.values() if part in t.name and status in (None, t.status)]
    chosen, more = page("tenants", found, lambda t: t.name, params)
    return {"Tenants": [_summary(tenant) for tenant in chosen], **more}


def delete_tenant(account: Account, params: Params, caller: Caller) -> Params:
    tenant = tenant_of(account, params["TenantName"])
    for arn in list(tenant.associations):
        account.tenants.dissociate(tenant, arn)
    del account.tenants[tenant.name]
    return {}


def associate(account: Account, params: Params, caller: Caller) -> Params:
    tenant = tenant_of(account, params["TenantName"])
    arn: str = params["ResourceArn"]
    require_resource(account, arn)
    if arn in tenant.associations:
        if account.behaviour.association_twice_is_error:
            raise already_exists(f"Resource {arn} is already associated with tenant {tenant.name}.")
        return {}
    account.tenants.associate(tenant, arn, account.clock.now())
    return {}


def dissociate(account: Account, params: Params, caller: Caller) -> Params:
    tenant = tenant_of(account, params["TenantName"])
    arn: str = params["ResourceArn"]
    _resource(account, arn)
    account.tenants.dissociate(tenant, arn)
    return {}


def list_tenant_resources(account: Account, params: Params, caller: Caller) -> Params:
    tenant = tenant_of(account, params["TenantName"])
    wanted: str | None = params.get("Filter", {}).get("RESOURCE_TYPE")
    if wanted is not None and wanted not in _TYPES.values():
        if wanted not in _TYPES:
            raise bad_request(f"Invalid resource type {wanted}.")
        wanted = _TYPES[wanted]
    found = [arn for arn in tenant.associations if wanted in (None, _type(arn))]
    chosen, more = page("tenant-resources", found, lambda arn: arn, params)
    return {"TenantResources": [{"ResourceType": _type(a), "ResourceArn": a} for a in chosen], **more}


def list_resource_tenants(account: Account, params: Params, caller: Caller) -> Params:
    arn: str = params["ResourceArn"]
    require_resource(account, arn)
    found = list(account.tenants.of_resource.get(arn, {}).items())
    chosen, more = page("resource-tenants", found, lambda link: f"{link[1]:020.6f} {link[0]}", params)
    shown = [
        {
            "TenantName": name,
            "TenantId": account.tenants[name].id,
            "ResourceArn": arn,
            "AssociatedTimestamp": at,
        }
        for name, at in chosen
    ]
    return {"ResourceTenants": shown, **more}


def put_suppression_attributes(account: Account, params: Params, caller: Caller) -> Params:
    tenant = tenant_of(account, params["TenantName"])
    tenant.scope, tenant.reasons = checked_suppression(params)
    return {}


# shared with other operations


def tenant_of(account: Account, name: str) -> Tenant:
    tenant = account.tenants.get(name)
    if tenant is None:
        raise not_found(f"The requested tenant {name} does not exist.")
    return tenant


def refuse_while_associated(account: Account, arn: str) -> None:
    if account.tenants.of_resource.get(arn):
        raise bad_request(
            f"Cannot delete {arn} because it has tenant associations. Remove all tenant associations and try again."
        )


def require_resource(account: Account, arn: str) -> None:
    kind, name = _resource(account, arn)
    match kind:
        case "identity":
            if name not in account.identities:
                raise not_found(f"Identity <{name}> does not exist.")
        case "configuration-set":
            if name not in account.configuration_sets:
                raise not_found(f"Configuration set <{name}> does not exist.")
        case _:
            if name not in account.templates:
                raise not_found(f"Template <{name}> does not exist.")


def checked_suppression(attributes: Params) -> tuple[str | None, tuple[str, ...] | None]:
    scope: str | None = attributes.get("SuppressionScope")
    reasons: list[str] | None = attributes.get("SuppressedReasons")
    if reasons is not None and scope is None:
        raise bad_request("SuppressedReasons cannot be specified without SuppressionScope.")
    if scope is not None and reasons is None:
        raise bad_request("SuppressionScope cannot be specified without SuppressedReasons.")
    refuse_repeated(reasons)
    return scope, None if reasons is None else tuple(reasons)


def refuse_repeated(reasons: list[str] | None) -> None:
    if reasons and len(set(reasons)) < len(reasons):
        raise bad_request("Each suppressed reason can only be specified at most once")


def _resource(account: Account, arn: str) -> tuple[str, str]:
    match = re.fullmatch(r"arn:aws[a-z-]*:ses:([^:]*):([^:]*):([a-z-]+)/(.+)", arn)
    if match is None or match[3] not in _TYPES:
        raise bad_request(f"Invalid resource ARN {arn}.")
    if not account.is_here(match[1]) or match[2] != account.id:
        raise bad_request(
            f"Resource {arn} must be in the account {account.id} and the region {account.region}."
        )
    return match[3], match[4]


def _type(arn: str) -> str:
    return _TYPES[arn.split(":", 5)[5].partition("/")[0]]


def _summary(tenant: Tenant) -> Params:
    return {
        "TenantName": tenant.name,
        "TenantId": tenant.id,
        "TenantArn": tenant.arn,
        "CreatedTimestamp": tenant.created,
        "SendingStatus": tenant.status,
    }


def _shown(tenant: Tenant) -> Params:
    shown = {**_summary(tenant), "Tags": tags_out(tenant.tags)}
    if tenant.reasons is not None:
        shown["SuppressionAttributes"] = {
            "SuppressedReasons": list(tenant.reasons),
            "SuppressionScope": tenant.scope,
        }
    return shown


OPERATIONS: Final[dict[str, Callable[[Account, Params, Caller], Params]]] = {
    "CreateTenant": create_tenant,
    "GetTenant": get_tenant,
    "ListTenants": list_tenants,
    "DeleteTenant": delete_tenant,
    "CreateTenantResourceAssociation": associate,
    "DeleteTenantResourceAssociation": dissociate,
    "ListTenantResources": list_tenant_resources,
    "ListResourceTenants": list_resource_tenants,
    "PutTenantSuppressionAttributes": put_suppression_attributes,
}
