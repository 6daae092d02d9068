"""Admin calls for what only AWS decides about a tenant: its status record, its impact, and findings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seslocal.admin import fields, messages
from seslocal.admin.fields import Json, Query, Refused
from seslocal.sesv2 import reputation, reputation_monitor
from seslocal.state.account import Account
from seslocal.state.findings import Finding
from seslocal.state.tenants import StatusRecord, Tenant

_STATUSES: Final = ("ENABLED", "DISABLED", "REINSTATED")
_IMPACTS: Final = ("LOW", "HIGH")


def put(account: Account, name: str, query: Query, body: Json) -> Json:
    fields.allow_only(body, "aws_status", "cause", "impact")
    tenant = _tenant(account, name)
    status = fields.choice(body, "aws_status", _STATUSES)
    if "impact" in body:
        tenant.impact = fields.choice(body, "impact", _IMPACTS)
    if status is not None:
        cause = fields.text(body, "cause") or "Status set through the admin API of seslocal."
        record = StatusRecord(status, cause, account.clock.now())
        reputation.set_status(account, tenant, record, by_customer=False)
    return {"tenant": name, "status": tenant.status, "aws_status": tenant.aws_managed.status}


def find(account: Account, name: str, query: Query, body: Json) -> Json:
    """Opens a finding, as a mailbox provider or a blocklist would cause. The tenant's policy acts on it."""
    fields.allow_only(body, "type", "impact", "description")
    tenant = _tenant(account, name)
    kind = fields.choice(body, "type", reputation.TYPES)
    if kind is None:
        raise Refused(400, messages.missing("type", reputation.TYPES))
    impact = fields.choice(body, "impact", _IMPACTS) or "LOW"
    description = (
        fields.text(body, "description") or f"A finding of type {kind} was set through the admin API."
    )
    now = account.clock.now()
    reputation_monitor.open_finding(
        account, tenant, Finding(kind, impact, description, now, now, by_hand=True)
    )
    return {"tenant": name, "status": tenant.status, "type": kind, "impact": impact}


def close(account: Account, name: str, kind: str, query: Query, body: Json) -> Json:
    tenant = _tenant(account, name)
    finding = tenant.findings.get(kind)
    if finding is None or not finding.is_open:
        raise Refused(404, messages.no_open_finding(name, kind))
    reputation_monitor.close_finding(account, tenant, finding)
    return {"tenant": name, "status": tenant.status}


def _tenant(account: Account, name: str) -> Tenant:
    tenant = account.tenants.get(name)
    if tenant is None:
        raise Refused(404, messages.no_such("tenant", name))
    return tenant


ROUTES: Final[tuple[tuple[str, str, Callable[..., Json]], ...]] = (
    ("PUT", r"/tenants/([^/]+)", put),
    ("POST", r"/tenants/([^/]+)/findings", find),
    ("DELETE", r"/tenants/([^/]+)/findings/([^/]+)", close),
)
