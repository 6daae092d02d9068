"""Domains over HTTP: what each tenant sends from, and whether it is verified."""

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, principal_of
from mailcordon.adapters.http.shapes import After, AnyTenant, Limit, Time
from mailcordon.control import lookup
from mailcordon.control.views import IdentityView, Reads
from mailcordon.messages import identities as words


class Record(msgspec.Struct):
    type: str
    name: str
    value: str


class IdentityItem(msgspec.Struct):
    domain: str
    tenant: str
    status: str
    records: list[Record]  #: to publish in DNS
    checked_at: Time | None
    created_at: Time
    retiring_at: Time | None  #: its lanes take no new mail since then
    retired_at: Time | None  #: their mail has left
    lapsed_at: Time | None  #: since when it lacks DNS records that it had (docs/identities.md)
    mail_from: str | None  #: the custom MAIL FROM domain; null: SES's own
    proof: str | None  #: how the tenant's claim was proved: ses, txt, parent or operator; null: not yet
    contended: bool  #: another tenant contends for it: the record of the purpose `claim` has to be published
    shared: bool  #: below a domain of the platform that tenants share: not isolated
    shares: list[str]  #: what it shares with other tenants, in words


class IdentityPage(msgspec.Struct):
    items: list[IdentityItem]
    next: str | None


def routes(reads: Reads) -> list[HTTPRouteHandler]:
    @get("/v1/identities", summary="List domains and whether they are verified", tags=["control"])
    async def list_identities(
        request: AnyRequest, tenant: AnyTenant = None, after: After = None, limit: Limit = 100
    ) -> IdentityPage:
        viewer = await lookup.viewer(reads, principal_of(request), tenant)
        found = await reads.identities(viewer, domain=None, after=shapes.id32(after), limit=limit)
        return IdentityPage(
            [identity_item(view) for view in found], shapes.next_of([view.id for view in found], limit)
        )

    @get(
        "/v1/identities/{domain:str}", summary="Show a domain and the DNS records it needs", tags=["control"]
    )
    async def get_identity(request: AnyRequest, domain: FromPath[str]) -> IdentityItem:
        viewer = await lookup.viewer(reads, principal_of(request), None)
        return identity_item(await lookup.identity(reads, viewer, domain))

    return [list_identities, get_identity]


def identity_item(view: IdentityView) -> IdentityItem:
    return IdentityItem(
        domain=view.domain,
        tenant=view.tenant,
        status=view.status,
        records=[Record(**record) for record in view.records],
        checked_at=shapes.iso_or_none(view.checked_at),
        created_at=shapes.iso(view.created_at),
        retiring_at=shapes.iso_or_none(view.retiring_at),
        retired_at=shapes.iso_or_none(view.retired_at),
        lapsed_at=shapes.iso_ms_or_none(view.lapsed_at),
        mail_from=view.mail_from,
        proof=view.proof,
        contended=view.contended,
        shared=view.shared_parent is not None,
        shares=[] if view.shared_parent is None else [words.shared_not_isolated(view.shared_parent)],
    )
