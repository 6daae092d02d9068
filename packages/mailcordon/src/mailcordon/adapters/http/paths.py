"""The paths of lanes over HTTP: the one that tenants share, and each lane's own. Platform keys only: a shared path is the
platform's."""

from typing import Annotated, Literal

import msgspec
from litestar import delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.adapters.http.shapes import After, AnyTenant, Limit, Time
from mailcordon.control import paths
from mailcordon.control.paths import LanePaths, PathStore, SharedPath
from mailcordon.core.principal import ADMIN, OPERATE, READ
from mailcordon.messages import paths as messages

PathWord = Literal["shared", "isolated"]


class SharedPathItem(msgspec.Struct):
    name: str
    domain: str  #: the From domain that all on it share
    ses_tenant: str
    ip_pool: str | None  #: null: SES's shared addresses
    since: Time
    lanes: int
    tenants: int


class SharedPathPage(msgspec.Struct):
    items: list[SharedPathItem]


class RemovedSharedPath(msgspec.Struct):
    path: SharedPathItem  #: as it was
    done: bool  #: false: a dry run
    detail: str  #: what that means


class NewSharedPath(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A domain and a SES tenant that exist. We take them over as they are."""

    name: str
    domain: str
    ses_tenant: str
    ip_pool: str | None = None
    because: str


class PathItem(msgspec.Struct):
    path: PathWord
    share: int  #: percent of the lane's recipients
    domain: str
    ses_tenant: str
    configuration_set: str
    ip_pool: str | None
    shared_path: str | None  #: its name
    waiting: int  #: deliveries of the lane that still wait for it


class LanePathsItem(msgspec.Struct):
    tenant: str
    type: str
    paths: list[PathItem]


class LanePathsPage(msgspec.Struct):
    items: list[LanePathsItem]
    next: str | None


class ShareBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    tenant: str
    type: str
    isolated: Annotated[int, msgspec.Meta(ge=0, le=100)]  #: percent of the recipients on the lane's own path
    because: str


class MoveBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    tenant: str
    type: str
    to: PathWord
    because: str


class MovedItem(msgspec.Struct):
    moved: int  #: deliveries that waited for the other path and were never called
    kept: int  #: deliveries whose From cannot be changed


def routes(store: PathStore) -> list[HTTPRouteHandler]:
    @get("/v1/shared-paths", summary="List the paths that tenants share", tags=["control"])
    async def list_shared_paths(request: AnyRequest) -> SharedPathPage:
        platform_principal(request, READ)
        return SharedPathPage([_shared(one) for one in await store.shared_paths()])

    @post("/v1/shared-paths", summary="Name a path that tenants share", tags=["control"])
    async def add_shared_path(request: AnyRequest, data: JSONBody[NewSharedPath]) -> SharedPathItem:
        actor = platform_principal(request, ADMIN).actor
        asked = paths.parse_shared(data.name, data.domain, data.ses_tenant, data.ip_pool)
        return _shared(await store.add_shared(asked, actor=actor, because=shapes.reason(data.because)))

    @delete(
        "/v1/shared-paths/{name:str}",
        status_code=200,
        summary="Remove a path that tenants shared",
        tags=["control"],
    )
    async def remove_shared_path(
        request: AnyRequest,
        name: FromPath[str],
        because: Annotated[str, QueryParameter(description="The reason. It is audited.")],
        dry_run: Annotated[
            bool, QueryParameter(description="Only say what it would do, or why it is refused.")
        ] = False,
    ) -> RemovedSharedPath:
        actor = platform_principal(request, ADMIN).actor
        reason = shapes.reason(because)
        gone = await store.remove_shared(name, actor=actor, because=reason, dry_run=dry_run)
        detail = messages.removes_shared(gone.name, gone.domain, gone.ses_tenant)
        return RemovedSharedPath(_shared(gone), not dry_run, detail)

    @get("/v1/paths", summary="List lanes with their paths and shares", tags=["control"])
    async def list_paths(
        request: AnyRequest, tenant: AnyTenant = None, after: After = None, limit: Limit = 100
    ) -> LanePathsPage:
        platform_principal(request, READ)
        found = await store.lanes(tenant, waiting=tenant is not None, after=shapes.id32(after), limit=limit)
        return LanePathsPage(
            [_lane(one) for one in found], shapes.next_of([one.lane for one in found], limit)
        )

    @post("/v1/paths/share", summary="Set the share of a lane's own path", tags=["control"], status_code=200)
    async def set_share(request: AnyRequest, data: JSONBody[ShareBody]) -> LanePathsItem:
        actor = platform_principal(request, OPERATE).actor
        lane = await paths.lane(store, data.tenant, data.type)
        because = shapes.reason(data.because)
        await store.set_shares({lane.lane: data.isolated}, actor=actor, because=because)
        return _lane(await paths.lane(store, data.tenant, data.type))

    @post(
        "/v1/paths/move", summary="Move a lane's waiting mail to one path", tags=["control"], status_code=200
    )
    async def move_waiting(request: AnyRequest, data: JSONBody[MoveBody]) -> MovedItem:
        actor = platform_principal(request, OPERATE).actor
        lane = await paths.lane(store, data.tenant, data.type)
        because = shapes.reason(data.because)
        moved, kept = await paths.move(store, lane, data.to, actor=actor, because=because)
        return MovedItem(moved, kept)

    return [list_shared_paths, add_shared_path, remove_shared_path, list_paths, set_share, move_waiting]


def _shared(one: SharedPath) -> SharedPathItem:
    return SharedPathItem(
        name=one.name,
        domain=one.domain,
        ses_tenant=one.ses_tenant,
        ip_pool=one.ip_pool,
        since=shapes.iso_ms(one.since),
        lanes=one.lanes,
        tenants=one.tenants,
    )


def _lane(one: LanePaths) -> LanePathsItem:
    return LanePathsItem(
        tenant=one.tenant,
        type=one.type,
        paths=[
            PathItem(
                path=each.path,  # pyright: ignore[reportArgumentType]
                share=each.share,
                domain=each.domain,
                ses_tenant=each.ses_tenant,
                configuration_set=each.configuration_set,
                ip_pool=each.ip_pool,
                shared_path=each.shared_path,
                waiting=each.waiting,
            )
            for each in one.paths
        ],
    )
