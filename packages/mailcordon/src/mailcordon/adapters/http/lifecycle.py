"""Moving, retiring, bringing back and erasing over HTTP: a change is planned here, and applied as any plan is."""

from typing import Any, Literal

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from mailcordon.adapters.http import plans, shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.adapters.http.plans import PlanDetails
from mailcordon.adapters.http.shapes import Time
from mailcordon.control.erasure import Erasure, ErasureRequests
from mailcordon.control.lifecycle import Change, Lifecycle, Preview, Verb
from mailcordon.control.plans import Plans
from mailcordon.control.platform import SesTenants
from mailcordon.control.steps import Mail
from mailcordon.core.principal import ADMIN, READ


class WantedChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is to change: such as {"action": "retire-lane", "type": "newsletter", "mail": "drain"}."""

    action: Verb
    type: str | None = None  #: of a lane
    domain: str | None = None  #: to retire or bring back; of a move: the new one
    mail: Mail = "drain"  #: what becomes of the mail in the queue of what is retired
    dedicated: bool | None = None  #: configuration sets of its own; without it: as they are
    ses_tenants: SesTenants | None = None
    path: str | None = None  #: name of the shared path that a lane gets

    def of(self, tenant: str) -> Change:
        return Change(
            verb=self.action,
            tenant=tenant,
            type=self.type,
            domain=self.domain,
            mail=self.mail,
            dedicated=self.dedicated,
            ses_tenants=self.ses_tenants,
            path=self.path,
        )


class ChangeBody(WantedChange, kw_only=True, forbid_unknown_fields=True):
    because: str


class LaneMail(msgspec.Struct):
    type: str
    queued: int
    sending: int  #: on the wire or outcome unknown


class ChangePreview(msgspec.Struct, kw_only=True):
    does: list[str]
    touches: list[str]
    stays: list[str]
    lanes: list[LaneMail]


class PlannedChange(ChangePreview, kw_only=True):
    """Nothing has changed yet: POST /v1/plans/{id}/apply does it."""

    plan: PlanDetails


class ErasureBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    because: str


class ErasurePreview(msgspec.Struct):
    does: list[str]
    stays: list[str]


class ErasureItem(msgspec.Struct):
    state: Literal["running", "done"]
    deliveries: int  #: erased so far
    requested_at: Time
    requested_by: str
    because: str
    done_at: Time | None


def routes(lifecycle: Lifecycle, planned: Plans, erasures: ErasureRequests) -> list[HTTPRouteHandler]:
    @post(
        "/v1/tenants/{slug:str}/changes",
        summary="Plan to move, retire or bring back a lane, a domain or a tenant, or to change its topology. Changes nothing",
        tags=["control"],
    )
    async def plan_change(
        request: AnyRequest, slug: FromPath[str], data: JSONBody[ChangeBody]
    ) -> PlannedChange:
        actor = platform_principal(request, ADMIN).actor
        because = shapes.reason(data.because)
        prepared = await lifecycle.prepare(data.of(slug), actor=actor, because=because)
        return PlannedChange(**_means(prepared.preview), plan=plans.details(planned, prepared.plan))

    @post(
        "/v1/tenants/{slug:str}/changes/preview",
        summary="Preview what such a change would do. Stores nothing",
        tags=["control"],
        status_code=200,
    )
    async def preview_change(
        request: AnyRequest, slug: FromPath[str], data: JSONBody[WantedChange]
    ) -> ChangePreview:
        platform_principal(request, ADMIN)
        return ChangePreview(**_means(await lifecycle.preview(data.of(slug))))

    @post(
        "/v1/tenants/{slug:str}/erasure/preview",
        summary="Preview what an erasure of personal data would do; changes nothing",
        tags=["control"],
        status_code=200,
    )
    async def preview_erasure(request: AnyRequest, slug: FromPath[str]) -> ErasurePreview:
        platform_principal(request, ADMIN)
        does, stays = await erasures.preview(slug)
        return ErasurePreview(does=does, stays=stays)

    @post(
        "/v1/tenants/{slug:str}/erasure",
        summary="Erase the personal data of a retired tenant, for good",
        tags=["control"],
        status_code=202,
    )
    async def erase(request: AnyRequest, slug: FromPath[str], data: JSONBody[ErasureBody]) -> ErasureItem:
        actor = platform_principal(request, ADMIN).actor
        return _erasure(await erasures.request(slug, actor=actor, because=shapes.reason(data.because)))

    @get("/v1/tenants/{slug:str}/erasure", summary="Show how far an erasure is", tags=["control"])
    async def get_erasure(request: AnyRequest, slug: FromPath[str]) -> ErasureItem:
        platform_principal(request, READ)
        return _erasure(await erasures.get(slug))

    return [plan_change, preview_change, preview_erasure, erase, get_erasure]


def _means(said: Preview) -> dict[str, Any]:
    return {
        "does": list(said.does),
        "touches": list(said.touches),
        "stays": list(said.stays),
        "lanes": [LaneMail(lane.type, lane.queued, lane.sending) for lane in said.lanes],
    }


def _erasure(found: Erasure) -> ErasureItem:
    return ErasureItem(
        state="running" if found.done_at is None else "done",
        deliveries=found.deliveries,
        requested_at=shapes.iso(found.requested_at),
        requested_by=found.requested_by,
        because=found.because,
        done_at=shapes.iso_or_none(found.done_at),
    )
