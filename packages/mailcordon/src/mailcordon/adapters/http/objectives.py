"""Service level objectives of lanes over HTTP: what is asked, what was reached, and how much error budget is left."""

import asyncio
import math

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from mailcordon.adapters.http import read_scope, shapes
from mailcordon.adapters.http.auth import AnyRequest, principal_of
from mailcordon.adapters.http.shapes import After, AnyTenant, Limit
from mailcordon.control import lookup
from mailcordon.core import text as texts
from mailcordon.core.errors import NotFound
from mailcordon.core.principal import READ, Principal
from mailcordon.guard.objectives import Burn, Judged
from mailcordon.messages import api
from mailcordon.messages import objectives as messages
from mailcordon.observe import objectives as observe
from mailcordon.observe.objectives import LaneFacts, ObjectiveReads, ObjectiveScope

MOST_LANES = 100  #: of a page, also if more are asked for: each has hundreds of counts


class BurnItem(msgspec.Struct):
    """How fast the budget goes in two windows. Rates are times the allowed share."""

    minutes: int
    bad: int
    mails: float
    rate: float
    short_minutes: int
    short_rate: float
    budget_spent: float  #: share of the whole budget that the long window spent
    alarm: bool


class ObjectiveItem(msgspec.Struct):
    goal: str  #: delivered, delivery-time, bounces or complaints
    provider: str | None  #: of mail to one mailbox provider; null: all mail
    detail: str
    standing: str  #: met, burning, spent or unknown
    asks: str
    allowed_share: float  #: of the mail, that may be bad
    seconds: float | None  #: of the goal `delivery-time`
    days: int  #: of the error budget
    bad: int
    mails: float  #: that can be judged by now
    budget: float  #: bad mails that are allowed
    budget_spent: float  #: share of it; above 1: more than there is
    p95_seconds: float | None  #: null: not of this goal, no mail, or more than a day
    burns: dict[str, BurnItem]  #: by pace: fast, slow, steady


class LaneObjectives(msgspec.Struct):
    tenant: str
    type: str
    class_: str = msgspec.field(name="class")
    objectives: list[ObjectiveItem]


class LaneObjectivesPage(msgspec.Struct):
    items: list[LaneObjectives]
    next: str | None


def routes(reads: ObjectiveReads) -> list[HTTPRouteHandler]:
    @get("/v1/objectives", summary="List the objectives of lanes with their error budgets", tags=["observe"])
    async def list_objectives(
        request: AnyRequest,
        tenant: AnyTenant = None,
        type: FromQuery[str | None] = None,
        after: After = None,
        limit: Limit = 100,
    ) -> LaneObjectivesPage:
        scope = await _scope(reads, principal_of(request), tenant)
        if type is not None and "\x00" in type:
            raise NotFound(api.no_type(texts.harmless(type, 64)))
        most = min(limit, MOST_LANES)
        found = await reads.page(scope, type=type, after=shapes.id32(after), limit=most)
        now = await reads.now()
        items: list[LaneObjectives] = []
        for facts in found:
            await asyncio.sleep(0)  # each lane is milliseconds of work
            items.append(lane_objectives(facts, now))
        return LaneObjectivesPage(items, shapes.next_of([facts.lane for facts in found], most))

    @get(
        "/v1/tenants/{slug:str}/lanes/{type_:str}/objectives",
        summary="Show the objectives of a lane",
        tags=["observe"],
    )
    async def get_objectives(
        request: AnyRequest, slug: FromPath[str], type_: FromPath[str]
    ) -> LaneObjectives:
        principal = principal_of(request)
        named, found = await read_scope.of_one_tenant(reads, principal, slug)
        scope = ObjectiveScope(tenant=found.tenant, as_tenant=found.as_tenant)
        await lookup.lane_id(reads, found.tenant, named, type_, code=read_scope.UNKNOWN)
        return await of_lane(reads, scope, named, type_)

    return [list_objectives, get_objectives]


async def of_lane(reads: ObjectiveReads, scope: ObjectiveScope, slug: str, type: str) -> LaneObjectives:
    """Raises NotFound for a lane that is not there, or whose tenant has retired."""
    found = await reads.page(scope, type=type, after=0, limit=1)
    if not found:
        raise lookup.no_lane(slug, type, code=read_scope.UNKNOWN)
    return lane_objectives(found[0], await reads.now())


async def _scope(reads: ObjectiveReads, principal: Principal, slug: str | None) -> ObjectiveScope:
    principal.require(READ)
    if principal.is_platform and slug is None:
        return ObjectiveScope(tenant=None)
    _, found = await read_scope.of_one_tenant(reads, principal, slug)
    return ObjectiveScope(tenant=found.tenant, as_tenant=found.as_tenant)


def lane_objectives(facts: LaneFacts, now: int) -> LaneObjectives:
    return LaneObjectives(
        tenant=facts.slug,
        type=facts.type,
        class_=facts.class_.word,
        objectives=[_item(facts, judged) for judged in observe.judge(facts, now)],
    )


def _item(facts: LaneFacts, judged: Judged) -> ObjectiveItem:
    objective = judged.objective
    p95 = judged.p95_seconds
    return ObjectiveItem(
        goal=objective.goal.value,
        provider=objective.provider,
        detail=messages.detail(
            of=facts.name,
            provider=objective.provider,
            goal=objective.goal.value,
            may_be_bad=objective.may_be_bad,
            seconds=objective.seconds,
            bad=judged.whole.bad,
            mails=round(judged.whole.of),
            spent=judged.spent,
            days=objective.days,
            p95=p95,
            standing=judged.standing.value,
        ),
        standing=judged.standing.value,
        asks=messages.asked(objective.goal.value, objective.may_be_bad, objective.seconds),
        allowed_share=round(objective.may_be_bad, 9),
        seconds=objective.seconds,
        days=objective.days,
        bad=judged.whole.bad,
        mails=round(judged.whole.of, 3),
        budget=round(judged.allowed, 3),
        budget_spent=round(judged.spent, 6),
        p95_seconds=None if p95 is None or math.isinf(p95) else p95,
        burns={burn.pace.name: _burn(burn) for burn in judged.burns},
    )


def _burn(burn: Burn) -> BurnItem:
    return BurnItem(
        minutes=burn.pace.long,
        bad=burn.long.bad,
        mails=round(burn.long.of, 3),
        rate=round(burn.long_rate, 3),
        short_minutes=burn.pace.short,
        short_rate=round(burn.short_rate, 3),
        budget_spent=round(burn.spent, 6),
        alarm=burn.alarms,
    )
