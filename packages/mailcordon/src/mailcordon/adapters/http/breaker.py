"""The breaker over HTTP: what it decided and why, what it may do to each lane, and what a person says (docs/breaker.md)."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.shapes import After, AnyTenant, Limit, Time
from mailcordon.control import lookup
from mailcordon.core.errors import NotFound
from mailcordon.core.principal import OPERATE, READ, Principal
from mailcordon.guard.arming import Wish
from mailcordon.messages import breaker as messages
from mailcordon.observe.breaker.view import BreakerChanges, BreakerReads, DecisionView, LaneView
from mailcordon.observe.view import ReadScope

LevelName = Literal["warn", "throttle", "cordon"]
ModeName = Literal["observe", "shadow", "enforce"]


class SharerItem(msgspec.Struct):
    """Somebody whose mail is not held, and who shares a domain or pool with the lane at fault."""

    tenant: str
    type: str
    shares: str  #: domain or pool


class DecisionItem(msgspec.Struct):
    """A tenant's key sees its own, without `evidence`, `sharers`, `incident` and who did what."""

    id: int
    tenant: str
    type: str
    part: str  #: what it acts on, such as `list:bought`; empty: the whole lane
    signal: str  #: bounces, complaints, blocks, delays, volume or account
    half: Literal["absolute", "relative"]  #: against the ceiling, or against the lane's own past
    level: LevelName
    mode: ModeName  #: shadow: it says what it would have held
    open: bool
    detail: str  #: the decision as sentences
    seen: str  #: what was seen, since when, how rare it is, and who caused it
    done: str  #: what was done, what still flows, and what comes next
    touched: str | None  #: who else is concerned
    command: str | None  #: undoes it
    at: Time
    since: Time  #: when the trouble began, as far as can be told
    waiting: int  #: mails that it held, or would have held, when it was made
    rate: float | None  #: mails a second, if it slows
    hold: int | None
    incident: int | None
    accepted_at: Time | None
    accepted_by: str | None
    ended_at: Time | None
    ended_by: str | None
    ended_because: str | None
    sharers: list[SharerItem]
    evidence: dict[str, Any]  #: the numbers: evidence in nats, threshold, expected events, suspects


class DecisionPage(msgspec.Struct):
    items: list[DecisionItem]
    next: str | None


class CheckItem(msgspec.Struct):
    name: str  #: proof, feedback, attribution, days, ends or shadow
    ok: bool
    detail: str


class BreakerLaneItem(msgspec.Struct):
    tenant: str
    type: str
    policy: ModeName
    absolute: ModeName  #: what it may do about rates above the ceiling
    relative: ModeName  #: what it may do about rates that are unusual for the lane
    detail: str
    proposed: bool  #: it may be armed, and nobody has
    armed: bool | None  #: what a person said; null: nothing
    armed_at: Time | None
    armed_by: str | None
    armed_because: str | None
    lost_since: Time | None  #: it is to enforce and may not
    judged_at: Time | None
    open: int  #: decisions
    checks: list[CheckItem]


class BreakerLanePage(msgspec.Struct):
    items: list[BreakerLaneItem]
    next: str | None


class AcceptBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    because: str


class ProbeItem(msgspec.Struct):
    possible: bool
    mails: int  #: that may leave
    detail: str  #: what it would do, or why nothing can be tried


class ProbeBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    because: str


class ArmBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    armed: bool
    because: str


def routes(reads: BreakerReads, changes: BreakerChanges) -> list[HTTPRouteHandler]:
    @get("/v1/breaker/decisions", summary="List what the breaker decided, newest first", tags=["observe"])
    async def list_decisions(
        request: AnyRequest,
        tenant: AnyTenant = None,
        type_: Annotated[
            str | None, QueryParameter(name="type", description="Only lanes of this message type.")
        ] = None,
        is_open: Annotated[
            bool | None,
            QueryParameter(
                name="open", description="Only those that last, or only those that are over. Default: both."
            ),
        ] = None,
        incident: Annotated[
            int | None,
            QueryParameter(
                ge=1,
                le=2**63 - 1,
                description="Only those that this incident is about. A tenant's key is shown none of them.",
            ),
        ] = None,
        after: After = None,
        limit: Limit = 100,
    ) -> DecisionPage:
        scope = await _scope(reads, principal_of(request), tenant)
        found = await reads.decisions(
            scope, type=type_, incident=incident, is_open=is_open, before=after, limit=limit
        )
        return DecisionPage(
            [_decision(one) for one in found], shapes.next_of([one.id for one in found], limit)
        )

    @get(
        "/v1/breaker/decisions/{decision_id:int}", summary="Show a decision of the breaker", tags=["observe"]
    )
    async def get_decision(request: AnyRequest, decision_id: FromPath[int]) -> DecisionItem:
        scope = await _scope(reads, principal_of(request), None)
        return _decision(await _one(reads, scope, decision_id))

    @post(
        "/v1/breaker/decisions/{decision_id:int}/accept",
        summary="Accept as normal what the breaker saw; its mail goes on",
        tags=["control"],
        status_code=200,
    )
    async def accept(
        request: AnyRequest, decision_id: FromPath[int], data: JSONBody[AcceptBody]
    ) -> DecisionItem:
        actor = platform_principal(request, OPERATE).actor
        await changes.accept(decision_id, actor=actor, because=shapes.reason(data.because))
        return _decision(await _one(reads, None, decision_id))

    @get(
        "/v1/breaker/decisions/{decision_id:int}/probe",
        summary="Say what trying held mail at once would do",
        tags=["observe"],
    )
    async def preview_probe(request: AnyRequest, decision_id: FromPath[int]) -> ProbeItem:
        platform_principal(request, READ)
        found = await reads.probe(await _one(reads, None, decision_id))
        return ProbeItem(found.possible, found.mails, found.sentence)

    @post(
        "/v1/breaker/decisions/{decision_id:int}/probe",
        summary="Try held mail at once: some of it leaves, and the breaker judges it",
        tags=["control"],
        status_code=200,
    )
    async def try_now(
        request: AnyRequest, decision_id: FromPath[int], data: JSONBody[ProbeBody]
    ) -> DecisionItem:
        actor = platform_principal(request, OPERATE).actor
        await changes.try_now(decision_id, actor=actor, because=shapes.reason(data.because))
        return _decision(await _one(reads, None, decision_id))

    @get("/v1/breaker/lanes", summary="List what the breaker may do to each lane", tags=["observe"])
    async def list_lanes(
        request: AnyRequest,
        tenant: AnyTenant = None,
        type_: Annotated[
            str | None, QueryParameter(name="type", description="Only lanes of this message type.")
        ] = None,
        after: After = None,
        limit: Limit = 100,
    ) -> BreakerLanePage:
        scope = await _scope(reads, principal_of(request), tenant)
        found = await reads.lanes(scope, type=type_, after=shapes.id32(after), limit=limit)
        return BreakerLanePage(
            [_lane(one) for one in found], shapes.next_of([one.lane for one in found], limit)
        )

    @put(
        "/v1/tenants/{slug:str}/lanes/{type_name:str}/breaker",
        summary="Arm or disarm the breaker for a lane",
        tags=["control"],
    )
    async def arm(
        request: AnyRequest, slug: FromPath[str], type_name: FromPath[str], data: JSONBody[ArmBody]
    ) -> BreakerLaneItem:
        actor = platform_principal(request, OPERATE).actor
        because = shapes.reason(data.because)
        tenant = await lookup.tenant_id(reads, slug)
        wish = Wish.ARMED if data.armed else Wish.DISARMED
        await changes.wish(tenant, slug, type_name, wish, actor=actor, because=because)
        found = await reads.lanes(ReadScope(tenant=tenant, as_tenant=False), type=type_name, after=0, limit=1)
        if not found:
            raise lookup.no_lane(slug, type_name)
        return _lane(found[0])

    return [list_decisions, get_decision, accept, preview_probe, try_now, list_lanes, arm]


async def _scope(reads: BreakerReads, principal: Principal, slug: str | None) -> ReadScope | None:
    viewer = await lookup.viewer(reads, principal, slug)
    return None if viewer.tenant is None else ReadScope(tenant=viewer.tenant, as_tenant=viewer.as_tenant)


async def _one(reads: BreakerReads, scope: ReadScope | None, id: int) -> DecisionView:
    found = await reads.decisions(scope, id=id, is_open=None, before=None, limit=1)
    if not found:
        raise NotFound(messages.no_decision(id=id), code="no-such-decision")
    return found[0]


def _decision(found: DecisionView) -> DecisionItem:
    return DecisionItem(
        id=found.id,
        tenant=found.tenant,
        type=found.type,
        part=found.part,
        signal=found.signal,
        half="absolute" if found.half == "absolute" else "relative",
        level=_LEVELS[int(found.level)],
        mode=_mode(found.mode),
        open=found.ended_at is None,
        detail=found.sentence,
        seen=found.seen,
        done=found.done,
        touched=found.blast if found.document else None,
        command=found.command if found.document else None,
        at=shapes.iso_ms(found.at),
        since=shapes.iso_ms(found.since),
        waiting=found.waiting,
        rate=found.rate,
        hold=found.hold,
        incident=found.incident,
        accepted_at=shapes.iso_ms_or_none(found.accepted_at),
        accepted_by=found.accepted_by,
        ended_at=shapes.iso_ms_or_none(found.ended_at),
        ended_by=found.ended_by,
        ended_because=found.ended_because,
        sharers=[SharerItem(one.tenant, one.type, one.shares) for one in found.sharers],
        evidence=dict(found.document),
    )


_LEVELS: dict[int, LevelName] = {1: "warn", 2: "throttle", 3: "cordon"}


def _mode(mode: object) -> ModeName:
    found: ModeName = "enforce" if mode == "enforce" else "observe" if mode == "observe" else "shadow"
    return found


def _lane(found: LaneView) -> BreakerLaneItem:
    return BreakerLaneItem(
        tenant=found.tenant,
        type=found.type,
        policy=_mode(found.policy),
        absolute=_mode(found.absolute),
        relative=_mode(found.relative),
        detail=found.sentence,
        proposed=found.proposed,
        armed=None if found.wish is None else found.wish is Wish.ARMED,
        armed_at=shapes.iso_ms_or_none(found.wish_at),
        armed_by=found.wish_by,
        armed_because=found.wish_because,
        lost_since=shapes.iso_ms_or_none(found.lost_since),
        judged_at=shapes.iso_ms_or_none(found.judged_at),
        open=found.open,
        checks=[CheckItem(str(one.name), one.ok, one.says) for one in found.checks],
    )
