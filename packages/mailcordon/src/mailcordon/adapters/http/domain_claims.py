"""Whose a domain is, over HTTP: claims, transfers, and the platform's domains that tenants share."""

from typing import Annotated

import msgspec
from litestar import delete, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from mailcordon.adapters.http import plans, shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.lifecycle import PlannedChange
from mailcordon.adapters.http.shapes import After, AnyTenant, Limit, Time
from mailcordon.control import lifecycle, lookup
from mailcordon.control.claims import Claim, Claims, SharedParent
from mailcordon.control.plans import Plans
from mailcordon.control.views import Reads, Viewer
from mailcordon.core.principal import ADMIN, READ
from mailcordon.messages import identities as words
from mailcordon.messages import lifecycle as lifecycle_words

Ended = Annotated[bool, QueryParameter(description="Those that ended too.")]


class NewClaim(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    domain: str
    because: str | None = None


class ClaimRecord(msgspec.Struct):
    type: str
    name: str
    value: str


class ClaimItem(msgspec.Struct):
    domain: str
    tenant: str
    holds: bool  #: false: another tenant has the domain and has not proved it
    contended: bool  #: another tenant contends, so that the record has to be published
    proof: str | None  #: ses, txt, parent or operator; null: not proved yet
    proved_at: Time | None
    record: ClaimRecord | None  #: to publish, if anything is
    looked: str | None  #: what the DNS said of it
    looked_at: Time | None
    claimed_at: Time
    lapses_at: Time | None  #: unless it is proved before
    ended_at: Time | None
    ended_because: str | None


class ClaimPage(msgspec.Struct):
    items: list[ClaimItem]
    next: str | None


class TransferBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    to: str  #: slug
    because: str


class ShareBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    because: str


class SharedDomain(msgspec.Struct):
    domain: str
    tenants: int  #: that have a domain below it
    since: Time
    by: str
    because: str


class SharedDomains(msgspec.Struct):
    items: list[SharedDomain]


def routes(reads: Reads, claims: Claims, planned: Plans) -> list[HTTPRouteHandler]:
    @post(
        "/v1/tenants/{slug:str}/claims",
        summary="Claim a domain for a tenant; asked again, look for the record that proves it",
        tags=["control"],
        status_code=200,
    )
    async def claim(request: AnyRequest, slug: FromPath[str], data: JSONBody[NewClaim]) -> ClaimItem:
        actor = platform_principal(request, ADMIN).actor
        because = None if data.because is None else shapes.reason(data.because)
        return item(await claims.claim(slug, data.domain, actor=actor, because=because), claims.lapse_days)

    @get("/v1/claims", summary="List claims to domains, and how each was proved", tags=["control"])
    async def list_claims(
        request: AnyRequest,
        tenant: AnyTenant = None,
        ended: Ended = False,
        after: After = None,
        limit: Limit = 100,
    ) -> ClaimPage:
        viewer = await lookup.viewer(reads, principal_of(request), tenant)
        found = await claims.list(
            viewer.tenant, as_tenant=viewer.as_tenant, after=after or 0, limit=limit, ended=ended
        )
        return ClaimPage(
            [item(each, claims.lapse_days) for each in found],
            shapes.next_of([each.id for each in found], limit),
        )

    @post(
        "/v1/identities/{domain:str}/transfer",
        summary="Plan to move a domain to another tenant. Changes nothing",
        tags=["control"],
    )
    async def transfer(
        request: AnyRequest, domain: FromPath[str], data: JSONBody[TransferBody]
    ) -> PlannedChange:
        actor = platform_principal(request, ADMIN).actor
        because = shapes.reason(data.because)
        view = await lookup.identity(reads, Viewer(None), domain)
        await lookup.tenant_id(reads, data.to)
        plan = await claims.transfer(
            view.domain,
            of=view.tenant,
            to=data.to,
            mail_from=view.mail_from,
            actor=actor,
            because=because,
        )
        return PlannedChange(
            does=[
                words.transfers(view.domain, view.tenant, data.to),
                words.transfer_cancels(view.domain, view.tenant),
                *lifecycle.at_ses([call.change for call in plan.calls]),
            ],
            touches=[],
            stays=[lifecycle_words.keeps_records()],
            lanes=[],
            plan=plans.details(planned, plan),
        )

    @get("/v1/shared-domains", summary="List domains that tenants share", tags=["control"])
    async def list_shared(request: AnyRequest) -> SharedDomains:
        platform_principal(request, READ)
        return SharedDomains([_shared(each) for each in await claims.shared_parents()])

    @put(
        "/v1/shared-domains/{domain:str}",
        summary="Let tenants send from names below a domain of the platform",
        tags=["control"],
    )
    async def share(request: AnyRequest, domain: FromPath[str], data: JSONBody[ShareBody]) -> SharedDomains:
        actor = platform_principal(request, ADMIN).actor
        await claims.share(domain, actor=actor, because=shapes.reason(data.because))
        return SharedDomains([_shared(each) for each in await claims.shared_parents()])

    @delete(
        "/v1/shared-domains/{domain:str}",
        summary="Make a shared domain an ordinary one",
        tags=["control"],
        status_code=200,
    )
    async def unshare(request: AnyRequest, domain: FromPath[str], because: FromQuery[str]) -> SharedDomains:
        actor = platform_principal(request, ADMIN).actor
        await claims.unshare(domain, actor=actor, because=shapes.reason(because))
        return SharedDomains([_shared(each) for each in await claims.shared_parents()])

    return [claim, list_claims, transfer, list_shared, share, unshare]


def item(claim: Claim, days: int) -> ClaimItem:
    record = claim.record
    return ClaimItem(
        domain=claim.domain,
        tenant=claim.tenant,
        holds=claim.holds,
        contended=claim.contended,
        proof=claim.proof,
        proved_at=shapes.iso_or_none(claim.proved_at),
        record=None if record is None else ClaimRecord(record.type, record.name, record.value),
        looked=claim.looked,
        looked_at=shapes.iso_or_none(claim.looked_at),
        claimed_at=shapes.iso(claim.claimed_at),
        lapses_at=shapes.iso_or_none(claim.lapses_at(days)),
        ended_at=shapes.iso_or_none(claim.ended_at),
        ended_because=claim.ended_because,
    )


def _shared(parent: SharedParent) -> SharedDomain:
    return SharedDomain(
        domain=parent.domain,
        tenants=parent.tenants,
        since=shapes.iso(parent.since),
        by=parent.by,
        because=parent.because,
    )
