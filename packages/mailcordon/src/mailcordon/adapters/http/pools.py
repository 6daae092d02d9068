"""IP pools over HTTP: who owns each, whose mail leaves from it, what is wrong with it, and plans that change whose mail does."""

from typing import Annotated, Literal

import msgspec
from litestar import delete, get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from mailcordon.adapters.http import plans, shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.adapters.http.plans import PlanDetails
from mailcordon.adapters.http.shapes import Time
from mailcordon.control.ip_pools import Care, IpPools, NewPool, PoolView
from mailcordon.control.plans import Plans
from mailcordon.core.principal import ADMIN, READ
from mailcordon.core.priority import Class
from mailcordon.guard import dedicated

ClassWord = Literal["urgent", "transactional", "marketing"]
Mail = Literal["transactional", "marketing"]


class PoolBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Such as {"name": "bulk", "managed": true, "mail": "marketing", "owner": "ops", "because": "blocks by others"}."""

    name: str
    mail: Mail  #: transactional: urgent mail too. Marketing and other mail never share a pool
    managed: bool
    owner: str
    minimum: int = dedicated.MINIMUM  #: mails a day to a provider that keep the reputation of one address
    escalation: str = ""  #: whom to call, and what to do, when the owner does not answer
    because: str


class CareBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    owner: str | None = None
    minimum: int | None = None
    escalation: str | None = None
    because: str


class MemberBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    tenant: str
    class_: Annotated[
        ClassWord | None, msgspec.Meta(description="Without it: all mail that fits the pool.")
    ] = msgspec.field(name="class", default=None)
    because: str


class AddressItem(msgspec.Struct):
    ip: str
    warm: int | None  #: percent of its warm-up; null: SES does not say, in a managed pool


class MemberItem(msgspec.Struct):
    tenant: str
    class_: str = msgspec.field(name="class")
    because: str
    since: Time
    added_by: str
    at_ses: bool  #: whether SES has the pool on the configuration set by now


class WeekItem(msgspec.Struct):
    """What the pool sent to one mailbox provider in the last seven days, without today."""

    provider: str
    days: int  #: of the seven, those that count
    sent: int
    per_day: float
    blocks: int
    complaints: int


class TroubleItem(msgspec.Struct):
    code: str
    provider: str | None
    sentence: str
    next: str


class PoolItem(msgspec.Struct):
    name: str
    mail: Mail
    managed: bool
    owner: str
    because: str
    minimum: int
    escalation: str
    created_at: Time
    created_by: str
    state: str  #: at SES: pending, applied or failing
    error: str | None
    mode_at_ses: str | None  #: STANDARD or MANAGED; null: SES was not asked yet
    overflow: str  #: where mail goes that its addresses do not take yet
    addresses: list[AddressItem] | None  #: null: SES was not asked yet
    members: list[MemberItem]
    weeks: list[WeekItem]
    troubles: list[TroubleItem]


class PoolList(msgspec.Struct):
    items: list[PoolItem]


def routes(pools: IpPools, planned: Plans) -> list[HTTPRouteHandler]:
    @get("/v1/pools", summary="List IP pools", tags=["control"])
    async def list_pools(request: AnyRequest) -> PoolList:
        platform_principal(request, READ)
        return PoolList([_item(each) for each in await pools.all()])

    @get("/v1/pools/{name:str}", summary="Show an IP pool", tags=["control"])
    async def show_pool(request: AnyRequest, name: FromPath[str]) -> PoolItem:
        platform_principal(request, READ)
        return _item(await pools.get(name))

    @post("/v1/pools", summary="Create an IP pool. No mail leaves from it yet", tags=["control"])
    async def create_pool(request: AnyRequest, data: JSONBody[PoolBody]) -> PoolItem:
        actor = platform_principal(request, ADMIN).actor
        new = NewPool(
            name=data.name,
            managed=data.managed,
            marketing=data.mail == "marketing",
            owner=data.owner,
            minimum=data.minimum,
            escalation=data.escalation,
        )
        return _item(await pools.create(new, actor=actor, because=shapes.reason(data.because)))

    @patch("/v1/pools/{name:str}", summary="Change who owns an IP pool, or what it needs", tags=["control"])
    async def change_pool(request: AnyRequest, name: FromPath[str], data: JSONBody[CareBody]) -> PoolItem:
        actor = platform_principal(request, ADMIN).actor
        care = Care(owner=data.owner, minimum=data.minimum, escalation=data.escalation)
        return _item(await pools.change(name, care, actor=actor, because=shapes.reason(data.because)))

    @delete(
        "/v1/pools/{name:str}",
        status_code=200,
        summary="Delete an IP pool that nothing uses, here and at SES",
        tags=["control"],
    )
    async def delete_pool(
        request: AnyRequest,
        name: FromPath[str],
        because: Annotated[str, QueryParameter(description="The reason. It is audited.")],
    ) -> PoolItem:
        actor = platform_principal(request, ADMIN).actor
        return _item(await pools.delete(name, actor=actor, because=shapes.reason(because)))

    @post(
        "/v1/pools/{name:str}/members",
        summary="Plan to let a tenant's mail leave from an IP pool. Changes nothing",
        tags=["control"],
    )
    async def add_member(request: AnyRequest, name: FromPath[str], data: JSONBody[MemberBody]) -> PlanDetails:
        actor = platform_principal(request, ADMIN).actor
        await pools.get(name)
        because = shapes.reason(data.because)
        made = await pools.choose(data.tenant, name, _class(data.class_), actor=actor, because=because)
        return plans.details(planned, made)

    @post(
        "/v1/pools/{name:str}/members/remove",
        summary="Plan to let a tenant's mail leave from SES's shared addresses again. Changes nothing",
        tags=["control"],
    )
    async def remove_member(
        request: AnyRequest, name: FromPath[str], data: JSONBody[MemberBody]
    ) -> PlanDetails:
        actor = platform_principal(request, ADMIN).actor
        because = shapes.reason(data.because)
        made = await pools.remove(name, data.tenant, _class(data.class_), actor=actor, because=because)
        return plans.details(planned, made)

    return [list_pools, show_pool, create_pool, change_pool, delete_pool, add_member, remove_member]


def _class(word: str | None) -> Class | None:
    return next((each for each in Class if each.word == word), None)


def _item(view: PoolView) -> PoolItem:
    return PoolItem(
        name=view.name,
        mail="marketing" if view.marketing else "transactional",
        managed=view.managed,
        owner=view.owner,
        because=view.because,
        minimum=view.minimum,
        escalation=view.escalation,
        created_at=shapes.iso_ms(view.created_at),
        created_by=view.created_by,
        state=view.state,
        error=view.error,
        mode_at_ses=view.mode_at_ses,
        overflow=view.overflow,
        addresses=None
        if view.addresses is None
        else [
            AddressItem(each.ip, each.percentage if each.percentage >= 0 else None) for each in view.addresses
        ],
        members=[
            MemberItem(
                tenant=each.tenant,
                class_=each.class_.word,
                because=each.because,
                since=shapes.iso_ms(each.since),
                added_by=each.added_by,
                at_ses=each.at_ses,
            )
            for each in view.members
        ],
        weeks=[
            WeekItem(
                provider=each.provider.word,
                days=each.days,
                sent=each.sent,
                per_day=round(each.per_day, 1),
                blocks=each.blocks,
                complaints=each.complaints,
            )
            for each in view.weeks
            if each.sent
        ],
        troubles=[
            TroubleItem(
                code=each.code,
                provider=None if each.provider is None else each.provider.word,
                sentence=each.sentence,
                next=each.next,
            )
            for each in view.troubles
        ],
    )
