"""Reads a fault from an admin call or a scenario, starts it and ends it. Most faults only wait for a call or an event; those
that are a state of the account change the account here, and change it back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, cast

from seslocal.admin import fields, messages
from seslocal.admin.fields import Json, Refused
from seslocal.sesv2.reputation import set_status
from seslocal.state.account import Account
from seslocal.state.configuration_sets import MATCHING
from seslocal.state.faults import KINDS, ON_MANAGEMENT_EVENTS, Fault
from seslocal.state.tenants import StatusRecord, Tenant
from seslocal.wire.model import ses_routes
from seslocal.wire.query import ses_v1

_MEMBERS: Final = (
    "fault",
    "count",
    "seconds",
    "lasts",
    "share",
    "events",
    "tenant",
    "configuration_set",
    "operation",
    "accepted",
    "status",
    "code",
    "message",
)
_STORM_LASTS: Final = 60.0  # seconds, without `lasts`
_ALL_OPERATIONS: Final = ("throttle_storm", *ON_MANAGEMENT_EVENTS)  #: unless `operation` names one
_REFUSED: Final = "The call is refused (injected fault)."
_PAUSED: Final = "Sending paused by AWS (fault tenant_paused)."


def read(account: Account, body: Json) -> Fault:
    """Returns the fault that these members describe. Raises Refused."""
    fields.allow_only(body, *_MEMBERS)
    kind = fields.choice(body, "fault", KINDS)
    if kind is None:
        raise Refused(400, messages.missing("fault", KINDS))
    count = body.get("count")
    if count is not None and (type(count) is not int or count < 1):
        raise Refused(400, messages.must_be("count", "a whole number from 1, or null (until removed)"))
    low = -1e9 if kind == "clock_skew" else 0.0
    lasts = fields.number(body, "lasts", _STORM_LASTS if kind == "throttle_storm" else 0.0, 0.0, 1e9)
    fault = Fault(
        id=account.ids.uuid()[:8],
        kind=kind,
        left=count,
        seconds=fields.number(body, "seconds", 0.0, low, 1e9),
        share=fields.number(body, "share", 1.0, 0.0, 1.0),
        events=_events(body),
        tenant=fields.text(body, "tenant"),
        configuration_set=fields.text(body, "configuration_set"),
        operation=_operation(body, "*" if kind in _ALL_OPERATIONS else "SendEmail"),
        accepted=body.get("accepted") is True,
        until=account.clock.now() + lasts if lasts else None,
        status=int(fields.number(body, "status", 400, 300, 599)),
        code=fields.text(body, "code") or "BadRequestException",
        message=fields.text(body, "message") or _REFUSED,
    )
    if kind == "tenant_paused" and not fault.tenant:
        raise Refused(400, messages.paused_tenant_missing())
    if kind == "clock_skew" and not fault.seconds:
        raise Refused(400, messages.skew_missing())
    return fault


def start(account: Account, fault: Fault, close_idle: Callable[[int | None], int]) -> None:
    if fault.kind == "tenant_paused":
        _pause(account, fault)
    account.faults.add(fault)
    if fault.until is not None:
        account.clock.call_at(fault.until, partial(_end_at_deadline, account, fault.id))
    match fault.kind:
        case "close_idle":
            fault.used = close_idle(fault.left)
            if fault.left is not None:
                fault.left -= fault.used
                if fault.left <= 0:
                    end(account, fault.id)
        case "queue_outage":
            account.queues.wake_all()  # long polls fail now
        case "quota_gone":
            account.sending.limits.exhausted = True
        case "account_under_review":
            account.sending.enforcement = "PROBATION"
        case "dns_outage":
            account.zone.changed()
        case _:
            pass


def resume(account: Account) -> None:
    """Continues the faults of an earlier run, whose effects on tenants and the account were kept."""
    for fault in list(account.faults.active.values()):
        if fault.kind == "quota_gone":
            account.sending.limits.exhausted = True
        if fault.until is not None:
            account.clock.call_at(fault.until, partial(_end_at_deadline, account, fault.id))


def end(account: Account, fault_id: str) -> bool:
    """Ends a fault. Returns whether it was active."""
    fault = account.faults.active.pop(fault_id, None)
    if fault is None:
        return False
    if not account.faults.is_active(fault.kind):
        if fault.kind == "quota_gone":
            account.sending.limits.exhausted = False
        elif fault.kind == "account_under_review" and account.sending.enforcement == "PROBATION":
            account.sending.enforcement = "HEALTHY"
    if fault.kind == "dns_outage":
        account.zone.changed()
    if fault.kind == "tenant_paused":
        _reinstate(account, fault)
    return True


def end_all(account: Account) -> None:
    for fault_id in list(account.faults.active):
        end(account, fault_id)


def shown(fault: Fault) -> Json:
    return {
        "id": fault.id,
        "fault": fault.kind,
        "count": fault.left,
        "seconds": fault.seconds,
        "until": fault.until,
        "share": fault.share,
        "events": sorted(fault.events),
        "tenant": fault.tenant,
        "configuration_set": fault.configuration_set,
        "operation": fault.operation,
        "accepted": fault.accepted,
        **(
            {"status": fault.status, "code": fault.code, "message": fault.message}
            if fault.kind == "refuse"
            else {}
        ),
        "struck": fault.used,
    }


def _pause(account: Account, fault: Fault) -> None:
    tenant: Tenant | None = account.tenants.get(fault.tenant or "")
    if tenant is None:
        raise Refused(404, messages.no_such("tenant", str(fault.tenant)))
    record = StatusRecord("DISABLED", _PAUSED, account.clock.now())
    set_status(account, tenant, record, by_customer=False)


def _reinstate(account: Account, fault: Fault) -> None:
    """Reinstates the tenant only if its record is still the fault's."""
    tenant = account.tenants.get(fault.tenant or "")
    if tenant and tenant.aws_managed.status == "DISABLED" and tenant.aws_managed.cause == _PAUSED:
        record = StatusRecord("REINSTATED", "Sending reinstated by AWS.", account.clock.now())
        set_status(account, tenant, record, by_customer=False)


def _end_at_deadline(account: Account, fault_id: str) -> None:
    end(account, fault_id)


def _events(body: Json) -> frozenset[str]:
    events = body.get("events", [])
    if not isinstance(events, list) or not all(
        isinstance(event, str) for event in cast("list[object]", events)
    ):
        raise Refused(400, messages.must_be("events", 'a list of event types such as ["Bounce"]'))
    names = cast("list[str]", events)
    if wrong := [event for event in names if event not in MATCHING]:
        raise Refused(400, messages.unknown_event(wrong[0], MATCHING))
    return frozenset(names)


def _operation(body: Json, default: str) -> str:
    operation = fields.text(body, "operation") or default
    known = operation in ses_routes().operations or operation in ses_v1().operations
    if operation != "*" and not known:
        raise Refused(400, messages.unknown_operation(operation))
    return operation
