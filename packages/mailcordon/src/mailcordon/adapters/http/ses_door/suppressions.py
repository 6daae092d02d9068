"""SES's suppression list of a tenant: here, the addresses that none of the tenant's mail may go to.

Suppressions of one message type or class, such as an unsubscription, are none of it: SES has no word for them, and other mail to
the address still goes. An address that is put on the list has the cause `manual`.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from mailcordon.adapters.http import read_scope
from mailcordon.adapters.http.ses_door.errors import SesError, bad_request
from mailcordon.adapters.http.ses_door.services import Services, tenant_of
from mailcordon.core import address as addresses
from mailcordon.core.errors import Invalid, parse_field
from mailcordon.core.principal import OPERATE, SEND, Principal
from mailcordon.core.suppression import Scope, Suppression
from mailcordon.messages import ses_door as messages
from mailcordon.observe.suppression_view import SuppressionKey

REASONS = ("BOUNCE", "COMPLAINT")
_COMPLAINTS = frozenset({"complaint", "ses-tenant-complaint", "ses-account-complaint", "unsubscribe"})
_MOST = 1000  #: entries of a page
_PAGES = 20  #: of ours that are read for one of SES's


class Put(msgspec.Struct, rename="pascal"):
    email_address: str
    reason: str
    tenant_name: str | None = None


async def put(services: Services, principal: Principal, call: Put) -> dict[str, Any]:
    """A key that may send may also stop its own mail to an address."""
    principal.require(SEND)
    if call.reason not in REASONS:
        raise bad_request(messages.bad_reason(list(REASONS)))
    slug, tenant = await tenant_of(services, principal, call.tenant_name)
    key = _key(services, tenant, call.email_address)
    because = messages.put_on_list(slug, call.reason)
    await services.suppressions.add(key, because=because, until_seconds=None, actor=principal.actor)
    return {}


async def delete(
    services: Services, principal: Principal, address: str, query: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """As for `DELETE /v1/suppressions`, it takes the scope `operate`."""
    principal.require(OPERATE)
    _, tenant = await tenant_of(services, principal, _one(query, "TenantName"))
    key = _key(services, tenant, address)
    if await services.suppressions.remove(key, because=None, actor=principal.actor) is None:
        raise SesError("NotFoundException", messages.not_on_list(str(key.address)), 404)
    return {}


async def get(
    services: Services, principal: Principal, address: str, query: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    named = _one(query, "TenantName")
    slug, scope = await read_scope.of_one_tenant(services.suppression_reader, principal, named)
    key = _key(services, scope.tenant, address)
    found = await services.suppression_reader.suppressions(scope, hash=key.hash, after=None, limit=_MOST)
    ours = [one for one in found if one.scope is Scope.TENANT]
    if not ours:
        raise SesError("NotFoundException", messages.not_on_list(str(key.address)), 404)
    shown = _summary(ours[0])
    return {"SuppressedDestination": {**shown, "TenantName": slug}}


async def list_all(
    services: Services, principal: Principal, query: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    _, scope = await read_scope.of_one_tenant(
        services.suppression_reader, principal, _one(query, "TenantName")
    )
    reasons = [*query.get("Reason", ()), *query.get("Reasons", ())] or list(REASONS)
    since, until = _time(_one(query, "StartDate")), _time(_one(query, "EndDate"))
    size = _size(_one(query, "PageSize"))
    after = _decoded(_one(query, "NextToken"))
    shown: list[dict[str, Any]] = []
    for _ in range(_PAGES):
        limit = size - len(shown)
        try:
            found = await services.suppression_reader.suppressions(scope, hash=None, after=after, limit=limit)
        except Invalid:
            raise _bad_token() from None
        shown += [
            _summary(one)
            for one in found
            if one.scope is Scope.TENANT
            and _reason(one) in reasons
            and (since is None or one.since >= since)
            and (until is None or one.since <= until)
        ]
        if len(found) < limit:
            return {"SuppressedDestinationSummaries": shown}
        last = found[-1]
        after = f"{last.hash.hex()}.{int(last.scope)}.{last.target}"
        if len(shown) >= size:
            break
    token = base64.urlsafe_b64encode((after or "").encode()).decode()
    return {"SuppressedDestinationSummaries": shown, "NextToken": token}


def _summary(found: Suppression) -> dict[str, Any]:
    return {
        "EmailAddress": found.address,
        "Reason": _reason(found),
        "LastUpdateTime": found.since / 1000,
    }


def _reason(found: Suppression) -> str:
    because = str(found.evidence.get("because", ""))
    if found.cause == "manual" and because.endswith(" COMPLAINT"):
        return "COMPLAINT"
    return "COMPLAINT" if found.cause in _COMPLAINTS else "BOUNCE"


def _key(services: Services, tenant: int, text: str) -> SuppressionKey:
    parsed = parse_field("EmailAddress", addresses.parse, text, code="bad-address")
    return SuppressionKey(
        tenant=tenant,
        hash=addresses.hash_of(services.hash_key, parsed),
        address=str(parsed),
        scope=Scope.TENANT,
        target=0,
    )


def _one(query: Mapping[str, Sequence[str]], name: str) -> str | None:
    return query[name][0] if query.get(name) else None


def _time(text: str | None) -> int | None:
    """Milliseconds since 1970. Raises SesError."""
    if text is None:
        return None
    try:
        at = float(text) if text.replace(".", "", 1).isdigit() else datetime.fromisoformat(text).timestamp()
        return int(at * 1000)
    except (ValueError, OverflowError):
        raise bad_request(messages.bad_time(text[:40])) from None


def _size(text: str | None) -> int:
    if text is None:
        return 100
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:6]) <= _MOST:
        raise bad_request(messages.bad_page_size(_MOST))
    return int(text)


def _decoded(token: str | None) -> str | None:
    if not token:
        return None
    try:
        return base64.urlsafe_b64decode(token).decode("ascii")
    except ValueError:
        raise _bad_token() from None


def _bad_token() -> SesError:
    return SesError("InvalidNextTokenException", messages.bad_token())
