"""The audit trail over HTTP: a platform key lists it, and who may read a tenant may take that tenant's rows with their proof."""

from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.shapes import After, AnyTenant, Limit, Time
from mailcordon.control import audit_export, lookup
from mailcordon.control.audit import AuditReads, AuditSearch, AuditView
from mailcordon.core.principal import READ

AfterPlace = Annotated[
    int, QueryParameter(ge=0, le=shapes.HIGHEST_ID, description="The last place of the part before this one.")
]
ProvenTenant = Annotated[
    str | None, QueryParameter(description="The tenant's slug. Required with a platform key.")
]


class AuditItem(msgspec.Struct):
    id: int
    seq: int | None  #: its place in the hash chain
    at: Time
    actor: str
    action: str
    tenant: str | None
    object: str
    before: Any  #: what changed, as it was
    after: Any
    because: str | None


class AuditPage(msgspec.Struct):
    items: list[AuditItem]
    next: str | None


def routes(reads: AuditReads) -> list[HTTPRouteHandler]:
    @get("/v1/audit", summary="List changes: who, what, when and why; newest first", tags=["control"])
    async def list_audit(
        request: AnyRequest,
        tenant: AnyTenant = None,
        actor: Annotated[str | None, QueryParameter(description="A part of who did it.")] = None,
        action: Annotated[
            str | None, QueryParameter(description="How the action begins, such as `hold` or `hold.lift`.")
        ] = None,
        text: Annotated[
            str | None, QueryParameter(description="A part of what it was done to, or of the reason.")
        ] = None,
        since: Annotated[str | None, QueryParameter(description="At this time or later.")] = None,
        until: Annotated[str | None, QueryParameter(description="Before this time.")] = None,
        after: After = None,
        limit: Limit = 100,
    ) -> AuditPage:
        platform_principal(request, READ)
        asked = AuditSearch(
            tenant=None if tenant is None else await lookup.tenant_id(reads, tenant),
            actor=_words("actor", actor),
            action=_words("action", action),
            text=_words("text", text),
            since=None if since is None else shapes.time("since", since),
            until=None if until is None else shapes.time("until", until),
        )
        found = await reads.page(asked, before=after, limit=limit)
        return AuditPage([_item(view) for view in found], shapes.next_of([view.id for view in found], limit))

    @get(
        "/v1/audit/proof",
        summary="Read a part of the hash chain with one tenant's rows, and of other rows the digests alone",
        tags=["control"],
    )
    async def read_proof(
        request: AnyRequest, tenant: ProvenTenant = None, after: AfterPlace = 0, limit: Limit = 500
    ) -> dict[str, Any]:
        principal = principal_of(request)
        if principal.is_platform:
            principal.tenant_for(tenant)  # a proof is of one tenant
        viewer = await lookup.viewer(reads, principal, tenant)
        proof = await reads.proof(viewer, after=after, limit=limit)
        return audit_export.document(tenant or principal.tenant_slug or "", proof)

    return [list_audit, read_proof]


def _words(field: str, given: str | None) -> str | None:
    """Raises Invalid for what no row can have."""
    return None if given is None else shapes.reason(given, field)


def _item(view: AuditView) -> AuditItem:
    return AuditItem(
        id=view.id,
        seq=view.seq,
        at=shapes.iso(view.at),
        actor=view.actor,
        action=view.action,
        tenant=view.tenant,
        object=view.object,
        before=shapes.recorded(view.before),
        after=shapes.recorded(view.after),
        because=view.because,
    )
