"""Alert channels and what they were told, over HTTP. No secret of a channel is ever read back."""

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from litestar import delete, get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, UnsetType

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.adapters.http.shapes import After, Limit, Time
from mailcordon.core.errors import NotFound
from mailcordon.core.principal import ADMIN, OPERATE, READ
from mailcordon.messages import alerts as messages
from mailcordon.observe.alerts.channels import ChannelChanges, Channels, NewChannel
from mailcordon.observe.alerts.nouns import AlertView, Channel
from mailcordon.observe.alerts.ports import AlertReads

Severity = Literal["critical", "high", "medium", "low"]


class ChannelItem(msgspec.Struct):
    name: str
    form: str  #: webhook, slack, pagerduty or email
    target: str  #: where it leads: a host or an address
    least: Severity  #: incidents of this severity, and worse ones
    kinds: list[str]  #: empty: every kind
    tenants: list[str]  #: empty: incidents of every tenant, and of the platform
    lane: str | None  #: of e-mail: the lane that carries it, such as platform/notification
    from_: str | None = msgspec.field(name="from")
    made_at: Time
    made_by: str
    failing_since: Time | None  #: null: the last message arrived
    problem: str | None


class ChannelList(msgspec.Struct):
    items: list[ChannelItem]


class ChannelBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A channel to be made. Which fields it takes depends on its form."""

    name: str
    form: Literal["webhook", "slack", "pagerduty", "email"]
    url: str | None = None  #: of webhook and slack; of pagerduty if it is not the usual one
    key: str | None = (
        None  #: pagerduty: the integration key; webhook: the signing secret, else one is made up
    )
    to: str | None = None  #: of email
    tenant: str | None = None  #: of email: whose lane carries it
    type: str | None = None  #: of email: the lane's message type
    from_: str | None = msgspec.field(default=None, name="from")
    least: Severity = "low"
    kinds: list[str] = []
    tenants: list[str] = []
    because: str | None = None


class ChannelChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A field that is left out keeps its value. Which fields a channel takes depends on its form."""

    url: str | UnsetType | None = UNSET  #: null: pagerduty's usual one
    key: str | UnsetType = UNSET  #: pagerduty: the integration key; webhook: the signing secret
    to: str | UnsetType = UNSET
    tenant: str | UnsetType = UNSET  #: of email: whose lane carries it
    type: str | UnsetType = UNSET  #: of email: the lane's message type
    from_: str | UnsetType = msgspec.field(default=UNSET, name="from")
    least: Severity | UnsetType = UNSET
    kinds: list[str] | UnsetType = UNSET
    tenants: list[str] | UnsetType = UNSET
    because: str | None = None


class ChannelMade(msgspec.Struct):
    channel: ChannelItem
    secret: str | None  #: the signing secret that was made up for a webhook; shown once


class BecauseBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    because: str


class Tried(msgspec.Struct):
    delivered: bool
    problem: str | None


class AlertItem(msgspec.Struct):
    id: int
    incident: int
    channel: str
    form: str
    kind: str
    severity: str
    tenant: str | None  #: whose incident it is; null: the platform's
    sentence: str
    told_at: Time | None  #: when the last message arrived; null: none did
    sent: int  #: messages that arrived
    remind_at: Time | None  #: when it is sent again unless somebody acknowledges it
    sending: str | None  #: the message on its way
    due_at: Time | None
    tries: int  #: of that message, that failed
    problem: str | None
    acknowledged_at: Time | None
    acknowledged_by: str | None
    closed_at: Time | None


class AlertPage(msgspec.Struct):
    items: list[AlertItem]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertServices:
    channels: Channels
    reads: AlertReads


def routes(services: AlertServices) -> list[HTTPRouteHandler]:
    channels, reads = services.channels, services.reads

    async def items(found: list[Channel]) -> list[ChannelItem]:
        slugs = await reads.slugs(sorted({tenant for one in found for tenant in one.tenants}))
        return [_channel(one, slugs) for one in found]

    @get("/v1/alert-channels", summary="List alert channels", tags=["observe"])
    async def list_channels(request: AnyRequest) -> ChannelList:
        platform_principal(request, READ)
        return ChannelList(await items(await channels.all()))

    @get("/v1/alert-channels/{name:str}", summary="Show an alert channel", tags=["observe"])
    async def get_channel(request: AnyRequest, name: FromPath[str]) -> ChannelItem:
        platform_principal(request, READ)
        return (await items([await channels.get(name)]))[0]

    @post("/v1/alert-channels", summary="Add an alert channel", tags=["observe"])
    async def add_channel(request: AnyRequest, data: JSONBody[ChannelBody]) -> ChannelMade:
        principal = platform_principal(request, ADMIN)
        because = None if data.because is None else shapes.reason(data.because)
        new = NewChannel(
            name=data.name,
            form=data.form,
            url=data.url,
            key=data.key,
            to=data.to,
            tenant=data.tenant,
            type=data.type,
            sender=data.from_,
            least=data.least,
            kinds=data.kinds,
            tenants=data.tenants,
        )
        secret = await channels.add(new, principal, because=because)
        return ChannelMade((await items([await channels.get(data.name)]))[0], secret)

    @patch("/v1/alert-channels/{name:str}", summary="Change an alert channel", tags=["observe"])
    async def change_channel(
        request: AnyRequest, name: FromPath[str], data: JSONBody[ChannelChange]
    ) -> ChannelItem:
        principal = platform_principal(request, ADMIN)
        because = None if data.because is None else shapes.reason(data.because)
        await channels.change(name, principal, because=because, **_changes(data))
        return (await items([await channels.get(name)]))[0]

    @delete(
        "/v1/alert-channels/{name:str}",
        status_code=200,
        summary="Remove an alert channel with its secrets",
        tags=["observe"],
    )
    async def remove_channel(
        request: AnyRequest,
        name: FromPath[str],
        because: Annotated[str, QueryParameter(description="The reason. It is audited.")],
    ) -> ChannelItem:
        actor = platform_principal(request, ADMIN).actor
        reason = shapes.reason(because)
        gone = (await items([await channels.get(name)]))[0]
        await channels.remove(name, actor=actor, because=reason)
        return gone

    @post(
        "/v1/alert-channels/{name:str}/test",
        status_code=200,
        summary="Send a test message to an alert channel",
        tags=["observe"],
    )
    async def try_channel(request: AnyRequest, name: FromPath[str]) -> Tried:
        platform_principal(request, OPERATE)
        problem = await channels.try_out(name)
        return Tried(problem is None, problem)

    @get("/v1/alerts", summary="List what channels were told of incidents, newest first", tags=["observe"])
    async def list_alerts(
        request: AnyRequest,
        incident: Annotated[
            int | None, QueryParameter(ge=0, le=shapes.HIGHEST_ID, description="Only of this incident.")
        ] = None,
        channel: Annotated[str | None, QueryParameter(description="Only of this channel.")] = None,
        is_open: Annotated[
            bool | None,
            QueryParameter(name="open", description="Only of open incidents, or only of closed ones."),
        ] = None,
        after: After = None,
        limit: Limit = 100,
    ) -> AlertPage:
        platform_principal(request, READ)
        found = await reads.alerts(
            incident=incident, channel=channel, is_open=is_open, before=after, limit=limit
        )
        return AlertPage([_alert(one) for one in found], shapes.next_of([one.id for one in found], limit))

    @get("/v1/alerts/{alert_id:int}", summary="Show what a channel was told of an incident", tags=["observe"])
    async def get_alert(request: AnyRequest, alert_id: FromPath[int]) -> AlertItem:
        platform_principal(request, READ)
        known = 0 <= alert_id <= shapes.HIGHEST_ID
        found = await reads.alerts(id=alert_id, limit=1) if known else []
        if not found:
            raise NotFound(messages.no_alert(alert_id), code="no-such-alert")
        return _alert(found[0])

    return [
        list_channels,
        get_channel,
        add_channel,
        change_channel,
        remove_channel,
        try_channel,
        list_alerts,
        get_alert,
    ]


def _changes(data: ChannelChange) -> ChannelChanges:
    changes: ChannelChanges = {}
    if data.url is not UNSET:
        changes["url"] = data.url
    if data.key is not UNSET:
        changes["key"] = data.key
    if data.to is not UNSET:
        changes["to"] = data.to
    if data.tenant is not UNSET:
        changes["tenant"] = data.tenant
    if data.type is not UNSET:
        changes["type"] = data.type
    if data.from_ is not UNSET:
        changes["sender"] = data.from_
    if data.least is not UNSET:
        changes["least"] = data.least
    if data.kinds is not UNSET:
        changes["kinds"] = data.kinds
    if data.tenants is not UNSET:
        changes["tenants"] = data.tenants
    return changes


def _channel(found: Channel, slugs: dict[int, str]) -> ChannelItem:
    return ChannelItem(
        name=found.name,
        form=found.form,
        target=found.target,
        least=found.least,
        kinds=sorted(one.value for one in found.kinds),
        tenants=sorted(slugs[one] for one in found.tenants),
        lane=found.lane_name,
        from_=found.sender,
        made_at=shapes.iso_ms(found.made_at),
        made_by=found.made_by,
        failing_since=shapes.iso_ms_or_none(found.failing_since),
        problem=found.problem,
    )


def _alert(found: AlertView) -> AlertItem:
    return AlertItem(
        id=found.id,
        incident=found.incident,
        channel=found.channel,
        form=found.form,
        kind=found.kind,
        severity=found.severity,
        tenant=found.tenant,
        sentence=found.sentence,
        told_at=shapes.iso_ms_or_none(found.told_at),
        sent=found.sent,
        remind_at=None
        if found.acknowledged_at is not None or found.closed_at is not None
        else shapes.iso_ms_or_none(found.remind_at),
        sending=found.what,
        due_at=shapes.iso_ms_or_none(found.due_at),
        tries=found.tries,
        problem=found.problem,
        acknowledged_at=shapes.iso_ms_or_none(found.acknowledged_at),
        acknowledged_by=found.acknowledged_by,
        closed_at=shapes.iso_ms_or_none(found.closed_at),
    )
