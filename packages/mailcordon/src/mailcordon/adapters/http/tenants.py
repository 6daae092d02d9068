"""Tenants over HTTP: onboarding them, and the state of their resources at SES."""

from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.identities import IdentityItem, identity_item
from mailcordon.adapters.http.lanes import LaneItem, StateWord, lane_item
from mailcordon.adapters.http.shapes import After, Limit, Time
from mailcordon.control import lanes, lookup, sharing
from mailcordon.control.findings import Finding, Findings
from mailcordon.control.lanes import TenantOverview
from mailcordon.control.lifecycle import Lifecycle
from mailcordon.control.platform import SesTenants
from mailcordon.control.tenants import Tenants
from mailcordon.control.views import Reads, StepView, TenantFilter, TenantView, Viewer
from mailcordon.core.errors import Fault, Invalid
from mailcordon.core.principal import ADMIN
from mailcordon.messages import api
from mailcordon.messages import drift as words

_MOST_IDENTITIES = 1000
_MOST_FINDINGS = 50
_STATES = {"pending": "pending", "applied": "done", "failing": "failed"}


class NewTenant(msgspec.Struct, forbid_unknown_fields=True):
    slug: str
    types: dict[str, str]  #: message type -> the domain it is sent from
    dedicated: bool | None = (
        None  #: its own configuration sets; without it: as the tenant is, else shared ones
    )


class Step(msgspec.Struct):
    kind: str
    name: str
    state: str  #: pending, done or failed
    detail: str
    checked_at: Time | None


class Difference(msgspec.Struct):
    id: int | None  #: of the finding; null with a tenant's key
    severity: str
    says: str
    since: Time


class Provisioning(msgspec.Struct):
    done: bool
    steps: list[Step]
    findings: list[Difference]  #: what SES has that differs from what is desired


class ApiKey(msgspec.Struct, omit_defaults=True):
    prefix: str
    key: str | None = None  #: only in the response that created it


class TenantItem(msgspec.Struct):
    slug: str
    key: str
    dedicated: bool  #: whether it has configuration sets of its own
    ses_tenants: SesTenants
    created_at: Time
    retiring_at: Time | None  #: takes no new mail since then
    retired_at: Time | None  #: its mail has left
    observed: bool  #: known from its mail alone: nothing of it is at SES, and it cannot send


class ListedTenant(TenantItem):
    tier: str  #: of its policy
    state: StateWord | None  #: of its worst lane; null: it has none
    number_of_lanes: int
    waiting: int  #: deliveries; counting stops at 100,000 a lane
    reasons: list[str]  #: what keeps or slows its mail


class TenantPage(msgspec.Struct):
    items: list[ListedTenant]
    next: str | None


class TenantDetails(TenantItem):
    lanes: list[LaneItem]
    identities: list[IdentityItem]
    shares: list[str]  #: what its lanes share with each other and with other tenants
    api_key: ApiKey | None  #: the oldest valid one
    provisioning: Provisioning
    retirement: list[str]  #: what lanes that are being retired wait for


def routes(
    reads: Reads, tenants: Tenants, lifecycle: Lifecycle, findings: Findings
) -> list[HTTPRouteHandler]:
    @post("/v1/tenants", summary="Onboard a tenant, or add lanes to one", tags=["control"])
    async def onboard(request: AnyRequest, data: JSONBody[NewTenant]) -> Response[TenantDetails]:
        principal = platform_principal(request, ADMIN)
        made = await tenants.onboard(
            data.slug, data.types, actor=principal.actor, dedicated=data.dedicated, minter=principal
        )
        details = await _details(Viewer(made.tenant), made.slug)
        if made.key_text is not None and made.key_prefix is not None:
            details.api_key = ApiKey(made.key_prefix, made.key_text)
        return Response(details, status_code=201 if made.is_new else 200)

    @get("/v1/tenants", summary="List tenants, with their state and its reasons", tags=["control"])
    async def list_tenants(
        request: AnyRequest,
        prefix: Annotated[
            str | None, QueryParameter(description="Only tenants whose slug begins with this.")
        ] = None,
        in_state: Annotated[
            StateWord | None,
            QueryParameter(name="state", description="Only tenants whose worst lane is in this state."),
        ] = None,
        tier: Annotated[str | None, QueryParameter(description="Only tenants of this tier.")] = None,
        after: After = None,
        limit: Limit = 100,
    ) -> TenantPage:
        viewer = await lookup.viewer(reads, principal_of(request), None)
        for name, text in (("prefix", prefix), ("tier", tier)):
            if text is not None and "\x00" in text:
                raise Invalid(Fault(name, api.bad_slug()))
        wanted = TenantFilter(prefix=prefix, state=in_state, tier=tier)
        found = await lanes.tenants(reads, viewer, wanted, after=shapes.id32(after), limit=limit)
        return TenantPage(
            [_listed(one) for one in found], shapes.next_of([one.tenant.id for one in found], limit)
        )

    @get(
        "/v1/tenants/{slug:str}",
        summary="Show a tenant and the state of its resources at SES",
        tags=["control"],
    )
    async def get_tenant(request: AnyRequest, slug: FromPath[str]) -> TenantDetails:
        return await _details(await lookup.viewer(reads, principal_of(request), slug), slug)

    async def _details(viewer: Viewer, slug: str) -> TenantDetails:
        tenant = await reads.tenant(viewer, slug)
        if tenant is None:
            raise lookup.no_tenant(slug)
        items = [lane_item(one) for one in await lanes.overviews(reads, viewer)]
        facts = await reads.facts(viewer, [tenant.id])
        identities = await reads.identities(viewer, domain=None, after=0, limit=_MOST_IDENTITIES)
        steps = await reads.provisioning(viewer, tenant.id)
        prefix = await reads.key_prefix(tenant.id)
        retiring = any(one.retiring_at is not None for one in items)
        return TenantDetails(
            **_fields(tenant),
            lanes=items,
            identities=[identity_item(view) for view in identities],
            shares=sharing.summary(facts[tenant.id]),
            api_key=None if prefix is None else ApiKey(prefix),
            provisioning=Provisioning(
                done=all(step.state == "applied" for step in steps),
                steps=[_step(step) for step in steps],
                findings=[
                    _difference(each, as_tenant=viewer.as_tenant)
                    for each in await findings.newest(tenant=slug, limit=_MOST_FINDINGS)
                ],
            ),
            retirement=await lifecycle.waits(slug) if retiring else [],
        )

    return [onboard, list_tenants, get_tenant]


def _listed(found: TenantOverview) -> ListedTenant:
    row = found.tenant
    return ListedTenant(
        **_fields(row),
        tier=row.tier,
        state=row.state,  # pyright: ignore[reportArgumentType]
        number_of_lanes=row.lanes,
        waiting=row.waiting,
        reasons=list(found.reasons),
    )


def _fields(view: TenantView) -> dict[str, Any]:
    return {
        "slug": view.slug,
        "key": view.key,
        "dedicated": view.dedicated,
        "ses_tenants": view.ses_tenants,
        "created_at": shapes.iso(view.created_at),
        "retiring_at": shapes.iso_or_none(view.retiring_at),
        "retired_at": shapes.iso_or_none(view.retired_at),
        "observed": view.observed,
    }


def _difference(found: Finding, *, as_tenant: bool) -> Difference:
    """Its sentence can name another tenant, so a tenant's own key sees only that there is something."""
    return Difference(
        id=None if as_tenant else found.id,
        severity=found.severity,
        says=words.differs() if as_tenant else found.sentence,
        since=shapes.iso(found.since),
    )


def _step(view: StepView) -> Step:
    if view.error is not None:
        detail = api.step_failing(view.error, view.attempts)
    else:
        detail = api.step_pending() if view.state == "pending" else ""
    return Step(
        kind=view.kind,
        name=view.name,
        state=_STATES[view.state],
        detail=detail,
        checked_at=shapes.iso_or_none(view.observed_at),
    )
