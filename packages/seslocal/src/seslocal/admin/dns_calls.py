"""Admin calls on DNS: reading, putting and deleting records, the records that an identity needs, and what goes wrong by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final, cast

from seslocal.admin import fields, messages
from seslocal.admin.fields import Json, Query, Refused
from seslocal.dns.identity_records import required_records
from seslocal.state.account import Account
from seslocal.state.identities import Identity
from seslocal.state.name_faults import MOST, RCODES, NameFault
from seslocal.state.zone import TTL, Record, folded


def show(account: Account, query: Query, body: Json) -> Json:
    return {"records": [asdict(record) for record in account.zone]}


def put_many(account: Account, query: Query, body: Json) -> Json:
    """{"records": [{name, type, value, ttl}]}"""
    fields.allow_only(body, "records")
    given: object = body.get("records")
    if not isinstance(given, list) or not given:
        raise Refused(400, messages.must_be("records", "a list of objects with name, type and value"))
    records = [_record(each, None) for each in cast("list[object]", given)]
    return _put(account, records)


def put(account: Account, name: str, query: Query, body: Json) -> Json:
    """{"type": …, "value": …} or {"type": …, "values": […]}"""
    fields.allow_only(body, "type", "value", "values", "ttl")
    values: object = body.get("values", [body.get("value")])
    if not isinstance(values, list):
        raise Refused(400, messages.must_be("values", "a list of strings"))
    rest = {key: body[key] for key in ("type", "ttl") if key in body}
    return _put(account, [_record({**rest, "value": value}, name) for value in cast("list[object]", values)])


def delete(account: Account, name: str, query: Query, body: Json) -> Json:
    kind = query.get("type")
    if not account.zone.delete(name, kind and kind.upper()):
        raise Refused(404, messages.no_record(name, kind))
    return {}


def records_of(account: Account, name: str, query: Query, body: Json) -> Json:
    return {
        "records": [asdict(record) for record in required_records(_identity(account, name), account.region)]
    }


def publish(account: Account, name: str, query: Query, body: Json) -> Json:
    """Puts all records that the identity needs, as its owner would."""
    identity = _identity(account, name)
    shown = _put(account, required_records(identity, account.region))
    return {**shown, "status": identity.status}


def show_faults(account: Account, query: Query, body: Json) -> Json:
    return {"faults": [asdict(fault) for fault in account.faults.names]}


def put_fault(account: Account, name: str, query: Query, body: Json) -> Json:
    """{"rcode": "SERVFAIL", "delay": seconds, "truncate": true, "no_tcp": true, "lame": true}, any of them"""
    fields.allow_only(body, "rcode", "delay", "truncate", "no_tcp", "lame")
    fault = NameFault(
        name=folded(name),
        rcode=fields.choice(body, "rcode", RCODES),
        delay=fields.number(body, "delay", 0.0, 0.0, 60.0),
        truncate=fields.boolean(body, "truncate", False),
        no_tcp=fields.boolean(body, "no_tcp", False),
        lame=fields.boolean(body, "lame", False),
    )
    if fault == NameFault(name=fault.name):
        raise Refused(400, messages.dns_fault_missing())
    if not account.faults.names.put(fault):
        raise Refused(400, messages.too_many_dns_faults(MOST))
    return asdict(fault)


def delete_fault(account: Account, name: str, query: Query, body: Json) -> Json:
    if not account.faults.names.delete(name):
        raise Refused(404, messages.no_dns_fault(name))
    return {}


def _put(account: Account, records: list[Record]) -> Json:
    try:
        account.zone.put(records)
    except ValueError as error:
        raise Refused(400, str(error)) from None
    return {"records": [asdict(record) for record in records]}


def _record(given: object, name: str | None) -> Record:
    if not isinstance(given, dict):
        raise Refused(400, messages.must_be("A record", "an object with name, type and value"))
    body = cast(Json, given)
    fields.allow_only(body, *(() if name else ("name",)), "type", "value", "ttl")
    owner, kind, value = (
        name or fields.text(body, "name"),
        fields.text(body, "type"),
        fields.text(body, "value"),
    )
    if not owner or not kind or value is None:
        raise Refused(400, messages.record_incomplete())
    return Record(owner, kind, value, int(fields.number(body, "ttl", TTL, 0, 604_800)))


def _identity(account: Account, name: str) -> Identity:
    identity = account.identities.get(name.lower())
    if identity is None:
        raise Refused(404, messages.no_such("identity", name))
    return identity


ROUTES: Final[tuple[tuple[str, str, Callable[..., Any]], ...]] = (
    ("GET", r"/dns", show),
    ("PUT", r"/dns", put_many),
    ("GET", r"/dns/faults", show_faults),
    ("PUT", r"/dns/faults/([^/]+)", put_fault),
    ("DELETE", r"/dns/faults/([^/]+)", delete_fault),
    ("PUT", r"/dns/([^/]+)", put),
    ("DELETE", r"/dns/([^/]+)", delete),
    ("GET", r"/identities/([^/]+)/records", records_of),
    ("POST", r"/identities/([^/]+)/publish", publish),
)
