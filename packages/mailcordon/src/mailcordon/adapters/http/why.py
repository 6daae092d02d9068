"""GET /v1/why: why something is as it is, from records: one sentence, then the timeline.

Everything is read as the key reads it elsewhere, so what a tenant's key may not see is not there for it (404).
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from mailcordon.adapters.http import message_shapes, shapes
from mailcordon.adapters.http.auth import AnyRequest, principal_of
from mailcordon.adapters.http.message_endpoint import MessageEndpoint
from mailcordon.adapters.http.search import SearchServices, never_mailed
from mailcordon.adapters.http.shapes import Time
from mailcordon.control import lanes, lookup, why
from mailcordon.control.feedback import FeedbackReads
from mailcordon.control.views import Reads, Viewer
from mailcordon.control.why import Entry, Story
from mailcordon.core import address, ids, names
from mailcordon.core import text as texts
from mailcordon.core.errors import Fault, Invalid, NotFound
from mailcordon.core.principal import READ, Principal
from mailcordon.messages import paths, times
from mailcordon.messages import search as messages
from mailcordon.observe.incidents.view import IncidentReads
from mailcordon.send import view
from mailcordon.send.search import Query

_NUMBERED = re.compile(r"(hold|stop|incident|loss) (\d{1,18})", re.ASCII)
_LANE = re.compile(r"lane ([^/\s]{1,64})/([^/\s]{1,64})", re.ASCII)
_DOMAIN = re.compile(r"domain (\S{1,253})")
_MOST = 100  #: holds, stops and incidents that a timeline looks at: the newest
_ADDRESS_LIMIT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyServices:
    """What the route needs."""

    endpoint: MessageEndpoint
    search: SearchServices
    reads: Reads
    feedback: FeedbackReads
    incidents: IncidentReads


class WhyEntry(msgspec.Struct):
    at: Time
    what: str
    detail: str


class WhyAnswer(msgspec.Struct):
    about: str  #: message, delivery, address, lane, hold, stop, incident, loss or domain
    subject: str
    sentence: str
    timeline: list[WhyEntry]  #: oldest first


def routes(services: WhyServices) -> list[HTTPRouteHandler]:
    @get("/v1/why", summary="Say why something is as it is", tags=["messages"])
    async def get_why(
        request: AnyRequest,
        of: Annotated[
            str,
            QueryParameter(
                description="A message or delivery id, an address, `lane TENANT/TYPE`, `hold N`, `stop N`, `incident N`, "
                "`loss N` or `domain NAME`."
            ),
        ],
        tenant: Annotated[
            str | None, QueryParameter(description="Of an address; required with a platform key.")
        ] = None,
    ) -> WhyAnswer:
        principal = principal_of(request)
        principal.require(READ)
        story = await _story(services, principal, " ".join(of.split()), tenant)
        entries = [WhyEntry(shapes.iso_ms(one.at), one.what, one.detail) for one in story.timeline]
        return WhyAnswer(story.about, story.subject, story.sentence, entries)

    return [get_why]


async def _story(services: WhyServices, principal: Principal, of: str, tenant: str | None) -> Story:
    if of.startswith(("msg_", "dlv_")):
        return _of_message(of, await services.endpoint.records(of, principal))
    if match := _NUMBERED.fullmatch(of):
        return await _numbered(services, principal, match[1], int(match[2]))
    if match := _LANE.fullmatch(of):
        return await _lane(
            services, await lookup.viewer(services.reads, principal, match[1]), *match.groups()
        )
    if match := _DOMAIN.fullmatch(of):
        return await _domain(services, await lookup.viewer(services.reads, principal, tenant), match[1])
    if "@" in of and " " not in of:
        return await _address(services, principal, of, tenant)
    raise Invalid(Fault("of", messages.not_a_subject(texts.harmless(of, 64))))


def _of_message(of: str, records: view.MessageRecords) -> Story:
    found = list(view.deliveries(records))
    if of.startswith("dlv_"):
        found = [one for one in found if ids.delivery_id(one.id) == of]
        if not found:
            raise NotFound(messages.no_such_record(of))
    several = len(found) > 1
    if several:
        states = Counter(message_shapes.word(one.state) for one in found)
        sentence = messages.message_is(ids.message_id(records.message.id), dict(states))
    else:
        sentence = _delivery_is(found[0])
    if said := _path_of(records.message, found):
        sentence = f"{sentence}. {said}"
    entries = [
        Entry(one.at, one.what, f"{delivery.to}: {one.detail}" if several else one.detail)
        for delivery in found
        for one in delivery.timeline
    ]
    entries.sort(key=lambda entry: entry.at)
    return Story("message" if of.startswith("msg_") else "delivery", of, sentence, entries)


def _path_of(message: view.MessageRow, found: Sequence[view.DeliveryView]) -> str | None:
    """Which path it takes, if its lane had two."""
    if message.other_path is None:
        return None
    taken = {message.path_of(one.id) for one in found}
    return message.fixed_path or (paths.takes_path(taken.pop()) if len(taken) == 1 else None)


def _delivery_is(one: view.DeliveryView) -> str:
    since = times.minute(one.since)
    return messages.delivery_is(one.to, message_shapes.word(one.state), since, one.detail or "")


async def _numbered(services: WhyServices, principal: Principal, kind: str, number: int) -> Story:
    viewer = await lookup.viewer(services.reads, principal, None)
    if kind == "hold":
        for one in await services.reads.holds(viewer, is_open=None, before=number + 1, limit=1):
            if one.hold.id == number:
                return why.hold(one)
    elif kind == "stop":
        for one in await services.reads.stops(viewer, is_open=None, before=number + 1, limit=1):
            if one.stop.id == number:
                return why.stop(one)
    elif kind == "incident":
        return await _incident(services, principal, number)
    elif not viewer.as_tenant:  # a loss names what tenants share
        for one in await services.feedback.losses(viewer, is_open=None, before=number + 1, limit=1):
            if one.id == number:
                return why.loss(one)
    raise NotFound(messages.no_such_record(f"{kind} {number}"))


async def _incident(services: WhyServices, principal: Principal, number: int) -> Story:
    subject = str(number)
    if principal.tenant_id is None:
        found = await services.incidents.detail(number)
        entries = [Entry(one.at, one.what, f"{one.author}: {one.text}") for one in found.timeline]
        return Story("incident", subject, found.incident.sentence, sorted(entries, key=lambda one: one.at))
    slug = principal.tenant_slug or ""
    report = await services.incidents.report(principal.tenant_id, slug, number, as_tenant=True)
    actions = [Entry(at, "action", text) for at, text in report.actions]
    return Story("incident", subject, report.incident.says, actions)


async def _lane(services: WhyServices, viewer: Viewer, slug: str, type: str) -> Story:
    if not names.is_slug(type):
        raise lookup.no_lane(slug, type)
    found = await lanes.overview(services.reads, viewer, slug, type)
    return why.lane(
        found,
        await services.reads.holds(viewer, is_open=None, before=None, limit=_MOST),
        await services.reads.stops(viewer, is_open=None, before=None, limit=_MOST),
        []
        if viewer.as_tenant
        else await services.feedback.losses(viewer, is_open=None, before=None, limit=_MOST),
    )


async def _domain(services: WhyServices, viewer: Viewer, name: str) -> Story:
    found = await lookup.identity(services.reads, viewer, name)
    tenant = await services.reads.tenant_id(found.tenant)
    own = Viewer(tenant, as_tenant=viewer.as_tenant)
    return why.domain(
        found,
        await lanes.overviews(services.reads, own),
        await services.reads.stops(own, is_open=None, before=None, limit=_MOST),
        await services.reads.holds(own, is_open=None, before=None, limit=_MOST),
    )


async def _address(services: WhyServices, principal: Principal, text: str, tenant: str | None) -> Story:
    parsed = shapes.address(text)
    slug = principal.tenant_for(tenant)
    id = principal.tenant_id
    if id is None:
        id = await lookup.tenant_id(services.endpoint.reader, slug, code=NotFound.code)
    hash = address.hash_of(services.endpoint.hash_key, parsed)
    as_tenant = not principal.is_platform
    found = await services.endpoint.reader.address(id, hash, _ADDRESS_LIMIT, as_tenant=as_tenant)
    mails = [(records, view.delivery(records, one)) for one, records in found.deliveries]
    entries = [Entry(one.since, "suppressed", one.sentence(slug)) for one in found.suppressions]
    entries += [
        Entry(one.since, message_shapes.word(one.state), _of_mail(records, one)) for records, one in mails
    ]
    entries.sort(key=lambda entry: entry.at)
    if found.suppressions:
        sentence = found.suppressions[0].sentence(slug)
    elif mails:
        newest = mails[0][1]
        sentence = messages.address_gets_mail(
            slug, str(parsed), message_shapes.word(newest.state), times.minute(newest.since)
        )
    else:
        query = Query(tenant=id, hash=hash)
        never = await never_mailed(services.search, parsed, query, slug, as_tenant=as_tenant)
        sentence = "" if never is None else never.detail
    return Story("address", str(parsed), sentence, entries)


def _of_mail(records: view.MessageRecords, one: view.DeliveryView) -> str:
    words: Sequence[str | None] = (ids.delivery_id(one.id), records.message.type, one.detail)
    return ", ".join(word for word in words if word)
