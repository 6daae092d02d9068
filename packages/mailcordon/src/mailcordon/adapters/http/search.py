"""Searching messages over HTTP. To a tenant's key no other tenant exists."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from mailcordon.adapters.http import message_shapes, shapes
from mailcordon.adapters.http.auth import AnyRequest, principal_of
from mailcordon.adapters.http.shapes import After, AnyTenant, Limit, Time
from mailcordon.control import lookup
from mailcordon.core import address, ids, misspellings, names, ses_door_ids, ses_ids
from mailcordon.core import text as texts
from mailcordon.core.delivery import State
from mailcordon.core.errors import Fault, Invalid, parse_field
from mailcordon.messages import raw_mail, times
from mailcordon.messages import search as messages
from mailcordon.send import own_tags, search, view
from mailcordon.send.search import Query

T = TypeVar("T")
_MOST_SUGGESTED = 5
_LONGEST_REASON = 128  #: characters


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchServices:
    """What the routes need."""

    search: search.MessageSearch
    hash_key: bytes  #: of the installation, for the keyed hash of addresses
    region: str  #: of SES


class FoundDelivery(msgspec.Struct):
    """One delivery, as GET of its message shows it, without its timeline."""

    id: str
    message: str
    tenant: str
    type: str
    from_: str = msgspec.field(name="from")
    to: str
    campaign: str | None
    list_: str | None = msgspec.field(name="list")
    tags: dict[str, str]  #: the app's own
    accepted_at: Time
    send_at: Time | None  #: what time it is scheduled for
    state: str
    since: Time
    reason: str | None
    detail: str | None
    provider: str
    attempts: int
    ses_id: str | None
    message_id: str | None  #: the Message-ID header that the recipient sees; SES sets it


class StoppedEarly(msgspec.Struct):
    """The page is not full, and there may be more: what is asked for is rare among what had to be looked at."""

    looked_at: int  #: deliveries
    back_to: Time  #: the next page goes on from here
    detail: str  #: the same as a sentence


class NeverMailed(msgspec.Struct):
    """The address that was asked for got no mail, in any state, since the records begin."""

    detail: str  #: as a sentence
    since: Time
    similar: list[str]  #: addresses with a similar spelling that were mailed, the likeliest first


class FoundPage(msgspec.Struct):
    items: list[FoundDelivery]  #: newest first
    next: str | None
    stopped_early: StoppedEarly | None
    never_mailed: NeverMailed | None


def routes(services: SearchServices) -> list[HTTPRouteHandler]:
    @get("/v1/messages", summary="Search deliveries, newest first", tags=["messages"])
    async def search_messages(
        request: AnyRequest,
        tenant: AnyTenant = None,
        to: Annotated[str | None, QueryParameter(description="The recipient's address.")] = None,
        id: Annotated[str | None, QueryParameter(description="Of a message, or of a delivery.")] = None,
        message_id: Annotated[
            str | None, QueryParameter(description="The Message-ID header that the recipient sees.")
        ] = None,
        ses_id: Annotated[str | None, QueryParameter(description="SES's id of the mail.")] = None,
        campaign: Annotated[str | None, QueryParameter(description="The campaign.")] = None,
        list_: Annotated[str | None, QueryParameter(name="list", description="The list.")] = None,
        tag: Annotated[str | None, QueryParameter(description="A tag of the app's own: `key=value`.")] = None,
        type: Annotated[str | None, QueryParameter(description="The message type.")] = None,
        state_: Annotated[
            str | None, QueryParameter(name="state", description="The state that is shown now.")
        ] = None,
        reason: Annotated[
            str | None,
            QueryParameter(description="The code of the state's reason, SES's, or that of a bounce."),
        ] = None,
        since: Annotated[str | None, QueryParameter(description="Accepted at this time or later.")] = None,
        until: Annotated[str | None, QueryParameter(description="Accepted before this time.")] = None,
        after: After = None,
        limit: Limit = 50,
    ) -> FoundPage:
        principal = principal_of(request)
        viewer = await lookup.viewer(services.search, principal, tenant)
        named = {"id": id, "message_id": message_id, "ses_id": ses_id}
        given = [field for field, value in named.items() if value is not None]
        if len(given) > 1:
            raise Invalid(Fault(given[1], messages.one_key(given)))
        parsed = None if to is None else parse_field("to", address.parse, to, code="bad-address")
        query = Query(
            tenant=viewer.tenant,
            hash=None if parsed is None else address.hash_of(services.hash_key, parsed),
            id=_parsed("id", _id, id),
            ses_id=_parsed("message_id", ses_ids.parse_header, message_id)
            or _parsed("ses_id", ses_ids.parse, ses_id),
            campaign=_parsed("campaign", names.campaign, campaign),
            list=_parsed("list", names.list_, list_),
            tags=None if tag is None else _tag(tag),
            type=_parsed("type", names.message_type, type),
            state=_parsed("state", _state, state_),
            reason=_parsed("reason", _reason, reason),
            since=_parsed("since", _time, since),
            until=_parsed("until", _time, until),
            before=after,
            limit=limit,
        )
        page = await services.search.find(query, as_tenant=viewer.as_tenant)
        never = None
        if parsed is not None and not page.deliveries and page.next is None and after is None:
            slug = tenant or principal.tenant_slug
            never = await never_mailed(services, parsed, query, slug, as_tenant=viewer.as_tenant)
        return FoundPage(
            items=[
                _found(view.delivery(records, id), records, services.region)
                for id, records in page.deliveries
            ],
            next=None if page.next is None else str(page.next),
            stopped_early=_stopped(page) if page.stopped_early else None,
            never_mailed=never,
        )

    return [search_messages]


def _tag(given: str) -> str | None:
    key, separator, value = given.partition("=")
    if not separator:
        raise Invalid(Fault("tag", raw_mail.not_a_tag()))
    faults: list[Fault] = []
    found = own_tags.check({key: value}, faults)
    if faults:
        raise Invalid(*(Fault("tag", one.problem) for one in faults))
    return own_tags.encode(found)


async def never_mailed(
    services: SearchServices, asked: address.Address, query: Query, slug: str | None, *, as_tenant: bool
) -> NeverMailed | None:
    """None if the address was mailed, and only the other filters fit none of it."""
    near = [asked, *misspellings.near(asked)]
    hashes = [address.hash_of(services.hash_key, one) for one in near]
    since, mailed = await services.search.mailed(
        hashes, query.tenant, _MOST_SUGGESTED + 1, as_tenant=as_tenant
    )
    similar = [str(near[one.n]) for one in mailed]
    if str(asked).lower() in (one.lower() for one in similar):
        return None
    similar = similar[:_MOST_SUGGESTED]
    words = [messages.never_mailed(slug, str(asked), times.day(since))]
    if similar:
        words.append(messages.mailed_instead(slug, similar))
    return NeverMailed(detail=". ".join(words), since=shapes.iso_ms(since), similar=similar)


def _found(one: view.DeliveryView, records: view.MessageRecords, region: str) -> FoundDelivery:
    message = records.message
    return FoundDelivery(
        id=ids.delivery_id(one.id),
        message=ids.message_id(message.id),
        tenant=message.tenant_slug,
        type=message.type,
        from_=message.from_address,
        to=one.to,
        campaign=message.campaign,
        list_=message.list,
        tags=dict(message.tags),
        accepted_at=shapes.iso_ms(message.accepted_at),
        send_at=shapes.iso_ms_or_none(message.send_at),
        state=message_shapes.word(one.state),
        since=shapes.iso_ms(one.since),
        reason=one.reason,
        detail=one.detail,
        provider=one.provider,
        attempts=one.attempts,
        ses_id=one.ses_id,
        message_id=message_shapes.message_id_header(one.ses_id, region),
    )


def _stopped(page: search.Page) -> StoppedEarly:
    assert page.next is not None
    back_to = ids.ms_of(page.next)
    return StoppedEarly(
        page.looked_at,
        shapes.iso_ms(back_to),
        messages.stopped_early(page.looked_at, times.minute(back_to)),
    )


def _parsed(field: str, parse: Callable[[str], T], text: str | None) -> T | None:
    """Raises Invalid."""
    return None if text is None else parse_field(field, parse, text)


def _id(text: str) -> int:
    prefix, _, rest = text.partition("_")
    message = ses_door_ids.parse_message_id(text)
    return ids.decode(rest) if prefix == "dlv" else message


def _state(text: str) -> State:
    if text not in message_shapes.STATES:
        raise ValueError(messages.not_a_state(", ".join(message_shapes.STATES)))
    return message_shapes.STATES[text]


def _reason(text: str) -> str:
    if not text or len(text) > _LONGEST_REASON or texts.has_control(text):
        raise ValueError(messages.not_a_reason(texts.harmless(text, 64)))
    return text


def _time(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        ms = int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ValueError(messages.not_a_time()) from None
    if not ids.EPOCH_MS <= ms < ids.EPOCH_MS + (1 << 41):
        # Before the first id, or after the last one.
        return ids.EPOCH_MS if ms < ids.EPOCH_MS else ids.EPOCH_MS + (1 << 41) - 1
    return ms
