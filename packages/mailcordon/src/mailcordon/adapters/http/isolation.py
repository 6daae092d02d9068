"""What each lane shares, over HTTP: by dimension, with whom, and what would end it."""

from typing import Literal

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from mailcordon.adapters.http.auth import AnyRequest, principal_of
from mailcordon.control import lookup
from mailcordon.control.isolation import Dimension, Isolation, LaneIsolation
from mailcordon.control.proofs import Freshness, Proofs
from mailcordon.control.views import Reads
from mailcordon.messages import isolation as messages


class DimensionItem(msgspec.Struct):
    name: str  #: domain, organisation, ses-tenant, set, topic, pool, account, keys or links
    title: str
    state: Literal["isolated", "shared"]
    value: str  #: what the lane uses
    says: str  #: with whom it is shared
    types: list[str]  #: the tenant's own lanes that share it
    tenants: int  #: other tenants that share it
    names: list[str] | None  #: some of them; null with a tenant's key
    mistake: str | None  #: the common mistake here
    decision: Literal["identity", "configuration set", "IP"] | None  #: which of the three ends the sharing
    command: str | None
    ends: str | None  #: what ends it instead


class IsolationItem(msgspec.Struct):
    type: str
    proof: str  #: fresh, stale, failed or never: whether attribution is proved
    proof_says: str
    dimensions: list[DimensionItem]


class IsolationList(msgspec.Struct):
    tenant: str
    items: list[IsolationItem]


def routes(reads: Reads, isolation: Isolation, proofs: Proofs) -> list[HTTPRouteHandler]:
    @get("/v1/tenants/{slug:str}/isolation", summary="Show what each lane shares", tags=["control"])
    async def show(request: AnyRequest, slug: FromPath[str]) -> IsolationList:
        viewer = await lookup.viewer(reads, principal_of(request), slug)
        found = await isolation.of(viewer, slug)
        proved = {
            lane.lane: freshness
            for lane, freshness in await proofs.lanes(viewer, type=None, after=0, limit=10_000)
        }
        items = [_lane(lane, proved.get(lane.lane), as_tenant=viewer.as_tenant) for lane in found]
        return IsolationList(slug, items)

    return [show]


def _lane(lane: LaneIsolation, freshness: Freshness | None, *, as_tenant: bool) -> IsolationItem:
    return IsolationItem(
        type=lane.type,
        proof="never" if freshness is None else freshness.state,
        proof_says="" if freshness is None else freshness.because,
        dimensions=[_dimension(each, as_tenant=as_tenant) for each in lane.dimensions],
    )


def _dimension(each: Dimension, *, as_tenant: bool) -> DimensionItem:
    return DimensionItem(
        name=each.name,
        title=messages.dimension(each.name),
        state="shared" if each.shared else "isolated",
        value=each.value,
        says=each.says,
        types=list(each.types),
        tenants=each.tenants,
        names=None if as_tenant else list(each.named),
        mistake=each.mistake,
        decision=each.decision,
        command=each.command,
        ends=each.ends,
    )
