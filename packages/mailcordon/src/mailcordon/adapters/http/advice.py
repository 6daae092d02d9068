"""Advice over HTTP: the three decisions about a tenant, plans that follow them, and all tenants by cost and risk."""

from typing import Literal

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from mailcordon.adapters.http import plans, shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.adapters.http.plans import PlanDetails
from mailcordon.adapters.http.shapes import After, Limit, Time
from mailcordon.control import steps
from mailcordon.control.advice import Advice
from mailcordon.control.advice.advisor import Advisor
from mailcordon.control.isolation import Decision
from mailcordon.control.plans import Plans
from mailcordon.core.errors import NotFound
from mailcordon.core.principal import ADMIN, READ
from mailcordon.messages import api

#: In addresses and on the command line.
WORDS: dict[str, Decision] = {"identity": "identity", "set": "configuration set", "ip": "IP"}


class CostItem(msgspec.Struct):
    monthly: float | None  #: more than now; null: a price is not known
    currency: str
    unknown: list[str]  #: prices that the file does not have
    unchecked: list[str]  #: prices in it that nobody looked up
    calls: int  #: to SES
    days: int  #: until it has its effect


class AdviceItem(msgspec.Struct):
    decision: Literal["identity", "set", "ip"]
    change: bool
    says: str
    buys: str
    cost: CostItem
    evidence: list[str]
    mistake: str  #: the common one
    rung: str  #: the one after it
    steps: list[str]  #: of the plan that follows it, in words
    command: str | None  #: what a person does first, where no plan can


class AdviceList(msgspec.Struct):
    tenant: str
    prices_of: str  #: the day on which the prices were looked up
    currency: str
    items: list[AdviceItem]


class PlanBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    because: str


class FleetItem(msgspec.Struct):
    tenant: str
    mails: int  #: of the last 28 days
    monthly: float
    per_thousand: float | None
    bad_share: float  #: hard bounces, complaints and blocks
    risk: float  #: its share of all that is bad over its share of the mail; 1: as all others


class FleetList(msgspec.Struct):
    counted_at: Time | None  #: all of it is as of then; null: it was not counted yet
    prices_of: str
    currency: str
    unknown: list[str]  #: prices that the file does not have: left out of all lines
    unchecked: list[str]  #: prices in some line that nobody looked up
    tenants: int  #: in all
    items: list[FleetItem]  #: the riskiest first
    next: str | None


def routes(advisor: Advisor, planned: Plans) -> list[HTTPRouteHandler]:
    @get(
        "/v1/tenants/{slug:str}/advice",
        summary="Advise on a tenant's domains, configuration sets and IP addresses",
        tags=["control"],
    )
    async def advise(request: AnyRequest, slug: FromPath[str]) -> AdviceList:
        platform_principal(request, READ)
        found = await advisor.of(slug)
        return AdviceList(
            tenant=slug,
            prices_of=found.prices.dated.isoformat(),
            currency=found.prices.currency,
            items=[_item(each, found.prices.currency) for each in found.advice],
        )

    @post(
        "/v1/tenants/{slug:str}/advice/{decision:str}/plan",
        summary="Plan what an advice says. Changes nothing",
        tags=["control"],
    )
    async def plan(
        request: AnyRequest, slug: FromPath[str], decision: FromPath[str], data: JSONBody[PlanBody]
    ) -> PlanDetails:
        actor = platform_principal(request, ADMIN).actor
        if decision not in WORDS:
            raise NotFound(api.not_one_of(list(WORDS)), code="no-such-decision")
        because = shapes.reason(data.because)
        made = await advisor.plan(slug, WORDS[decision], actor=actor, because=because)
        return plans.details(planned, made)

    @get("/v1/advice", summary="List all tenants by what they cost and the risk they carry", tags=["control"])
    async def fleet(request: AnyRequest, after: After = None, limit: Limit = 100) -> FleetList:
        platform_principal(request, READ)
        start = shapes.id32(after)
        listed = await advisor.fleet(start, limit)
        counted, found, prices = listed.counted, listed.fleet, listed.prices
        tenants, end = 0 if counted is None else counted.tenants, start + limit
        return FleetList(
            counted_at=None if counted is None else shapes.iso_ms(counted.at_ms),
            prices_of=prices.dated.isoformat(),
            currency=prices.currency,
            unknown=list(found.unknown),
            unchecked=list(found.unchecked),
            tenants=tenants,
            next=str(end) if end < tenants else None,
            items=[
                FleetItem(
                    tenant=line.slug,
                    mails=line.mails,
                    monthly=line.monthly,
                    per_thousand=line.per_thousand,
                    bad_share=round(line.bad_share, 6),
                    risk=round(line.risk, 2),
                )
                for line in found.lines
            ],
        )

    return [advise, plan, fleet]


def _item(one: Advice, currency: str) -> AdviceItem:
    words = {decision: word for word, decision in WORDS.items()}
    return AdviceItem(
        decision=words[one.decision],  # pyright: ignore[reportArgumentType]
        change=one.change,
        says=one.says,
        buys=one.buys,
        cost=CostItem(
            monthly=one.cost.monthly,
            currency=currency,
            unknown=list(one.cost.unknown),
            unchecked=list(one.cost.unchecked),
            calls=one.cost.calls,
            days=one.cost.days,
        ),
        evidence=list(one.evidence),
        mistake=one.mistake,
        rung=one.rung,
        steps=[steps.says(each) for each in one.steps],
        command=one.command,
    )
