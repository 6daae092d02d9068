"""DKIM keys of ours over HTTP. No route returns a private key."""

from typing import Literal

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.shapes import Time
from mailcordon.control import dns_records, lookup
from mailcordon.control.dkim_keys import DkimKeys, StoredKey
from mailcordon.control.views import Reads, Viewer
from mailcordon.core.principal import ADMIN


class DkimBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    action: Literal["own", "rotate", "ses"]
    selector: str | None = None
    because: str


class DkimRecord(msgspec.Struct):
    type: str
    name: str
    value: str


class DkimKeyItem(msgspec.Struct):
    selector: str | None  #: null: back to SES's own keys
    state: str  #: waiting for its record, signing or replaced
    record: DkimRecord | None
    made_at: Time
    signing_at: Time | None
    keep_until: str | None  #: the record of a replaced key stays published until this day
    looked: str | None  #: what the DNS or SES said
    looked_at: Time | None


class DkimKeyList(msgspec.Struct):
    domain: str
    tenant: str
    keys: list[DkimKeyItem]  #: the newest first; none: SES's own keys


def routes(reads: Reads, keys: DkimKeys) -> list[HTTPRouteHandler]:
    @get(
        "/v1/identities/{domain:str}/dkim",
        summary="Show the DKIM keys of a domain that are not SES's own",
        tags=["control"],
    )
    async def get_keys(request: AnyRequest, domain: FromPath[str]) -> DkimKeyList:
        viewer = await lookup.viewer(reads, principal_of(request), None)
        view = await lookup.identity(reads, viewer, domain)
        found = await keys.of(viewer.tenant if viewer.as_tenant else None, view.domain)
        return DkimKeyList(view.domain, view.tenant, [_item(each) for each in found])

    @post(
        "/v1/identities/{domain:str}/dkim",
        summary="Sign a domain's mail with a key of yours, another one, or SES's own again",
        tags=["control"],
        status_code=200,
    )
    async def change_key(request: AnyRequest, domain: FromPath[str], data: JSONBody[DkimBody]) -> DkimKeyList:
        actor = platform_principal(request, ADMIN).actor
        because = shapes.reason(data.because)
        view = await lookup.identity(reads, Viewer(None), domain)
        found = await keys.change(
            view.domain, data.action, selector=data.selector, actor=actor, because=because
        )
        return DkimKeyList(view.domain, view.tenant, [_item(each) for each in found])

    return [get_keys, change_key]


def _item(key: StoredKey) -> DkimKeyItem:
    record = None
    if key.selector is not None:
        made = dns_records.DkimKey(selector=key.selector, public_key=key.public_key or "")
        shown = dns_records.dkim_key(key.domain, made)
        record = DkimRecord(shown.type, shown.name, shown.value)
    return DkimKeyItem(
        selector=key.selector,
        state=key.state,
        record=record,
        made_at=shapes.iso(key.made_at),
        signing_at=shapes.iso_or_none(key.signing_at),
        keep_until=None if key.keep_until is None else key.keep_until.isoformat(),
        looked=key.looked,
        looked_at=shapes.iso_or_none(key.looked_at),
    )
