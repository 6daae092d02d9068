"""Webhooks over HTTP: endpoints, what was sent to them, and the certificate of messages in SNS's form.

A tenant's key sees its own; only the platform changes them. No secret is ever read back.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, UnsetType

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.alerts import BecauseBody, Tried
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.shapes import After, Limit, Time
from mailcordon.control import lookup
from mailcordon.core import ids
from mailcordon.core.errors import Fault, Invalid, NotFound, parse_field
from mailcordon.core.principal import ADMIN, OPERATE, READ
from mailcordon.messages import webhooks as messages
from mailcordon.observe.webhooks.endpoints import (
    DEFAULT_OVERLAP_MS,
    LONGEST_OVERLAP_MS,
    EndpointChanges,
    Endpoints,
    NewEndpoint,
)
from mailcordon.observe.webhooks.nouns import Endpoint, LogView
from mailcordon.observe.webhooks.ports import WebhookReads

_PEM = re.compile(r"([1-9][0-9]{0,8})\.pem")
_MOST_CACHED = 8


class WebhookItem(msgspec.Struct):
    name: str
    tenant: str | None  #: null: it gets events of every tenant
    form: str  #: standard, or ses-sns
    target: str  #: where it leads: a host
    events: list[str]
    made_at: Time
    made_by: str
    failing_since: Time | None  #: null: the last messages arrived
    next_at: Time | None  #: of one that fails: when it is tried again
    problem: str | None
    paused_at: Time | None
    paused_by: str | None
    paused_because: str | None


class WebhookShown(WebhookItem):
    waiting: int  #: messages that did not arrive yet, counted to 100,000


class WebhookList(msgspec.Struct):
    items: list[WebhookItem]


class WebhookBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    name: str
    url: str
    tenant: str | None = None  #: null: events of every tenant
    form: Literal["standard", "ses-sns"] = "standard"
    events: list[str] = []  #: empty: all but those that are as frequent as mail
    secret: str | None = None  #: of standard: the signing secret; else one is made up
    because: str | None = None


class WebhookMade(msgspec.Struct):
    webhook: WebhookItem
    secret: str | None  #: the signing secret that was made up; shown once


class WebhookChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A field that is left out keeps its value."""

    url: str | UnsetType = UNSET
    tenant: str | UnsetType | None = UNSET  #: null: events of every tenant
    events: list[str] | UnsetType = UNSET  #: empty: all but those that are as frequent as mail
    secret: str | UnsetType = UNSET  #: of standard: the signing secret; for a day the former one signs too
    because: str | None = None


class RotationBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    overlap_seconds: Annotated[int, msgspec.Meta(ge=0, le=LONGEST_OVERLAP_MS // 1_000)] = (
        DEFAULT_OVERLAP_MS // 1_000
    )  #: for so long the former secret signs too
    because: str | None = None


class WebhookRotated(msgspec.Struct):
    secret: str  #: the new signing secret; shown once


class ResumeBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    because: str | None = None


class ReplayBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Either a message or a delivery, or a time."""

    message: str | None = None  #: the id of a message or of a delivery
    since: str | None = None
    until: str | None = None  #: null: now
    after: Annotated[int, msgspec.Meta(ge=0, le=shapes.HIGHEST_ID)] = 0  #: `next` of the answer before
    all: bool = False  #: also what arrived
    because: str | None = None


class Replayed(msgspec.Struct):
    messages: int
    next: int | None  #: there may be more: ask again, with this as `after`


class WebhookMessage(msgspec.Struct):
    number: int
    event: str
    delivery: str | None
    made_at: Time
    arrived_at: Time | None
    due_at: Time | None  #: when it is tried; null beside a null arrived_at: it was given up
    tries: int
    problem: str | None


class WebhookLog(msgspec.Struct):
    items: list[WebhookMessage]
    next: str | None


class Certificates(Protocol):
    async def certificate(self, number: int) -> str | None: ...


class WebhookStore(WebhookReads, Certificates, Protocol): ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookServices:
    reads: lookup.TenantNames
    endpoints: Endpoints
    store: WebhookStore


def routes(services: WebhookServices) -> list[HTTPRouteHandler]:
    endpoints, store = services.endpoints, services.store
    certificates: dict[int, str] = {}

    @get("/v1/webhooks", summary="List webhooks", tags=["webhooks"])
    async def list_webhooks(
        request: AnyRequest,
        tenant: Annotated[str | None, QueryParameter(description="Only this tenant's.")] = None,
    ) -> WebhookList:
        principal = principal_of(request)
        viewer = await lookup.viewer(services.reads, principal, tenant)
        return WebhookList([_item(one) for one in await endpoints.seen_by(principal, of=viewer.tenant)])

    @get("/v1/webhooks/{name:str}", summary="Show a webhook", tags=["webhooks"])
    async def get_webhook(request: AnyRequest, name: FromPath[str]) -> WebhookShown:
        principal = principal_of(request)
        principal.require(READ)
        (found,) = await endpoints.seen_by(principal, name)
        waiting = await endpoints.waiting(found)
        return WebhookShown(**msgspec.structs.asdict(_item(found)), waiting=waiting)

    @post("/v1/webhooks", summary="Add a webhook", tags=["webhooks"])
    async def add_webhook(request: AnyRequest, data: JSONBody[WebhookBody]) -> WebhookMade:
        principal = platform_principal(request, ADMIN)
        because = None if data.because is None else shapes.reason(data.because)
        tenant = None if data.tenant is None else await lookup.tenant_id(services.reads, data.tenant)
        new = NewEndpoint(
            name=data.name,
            url=data.url,
            tenant=data.tenant,
            form=data.form,
            events=data.events,
            secret=data.secret,
        )
        secret = await endpoints.add(new, tenant, principal, because=because)
        return WebhookMade(_item((await endpoints.seen_by(principal, data.name))[0]), secret)

    @patch("/v1/webhooks/{name:str}", summary="Change a webhook", tags=["webhooks"])
    async def change_webhook(
        request: AnyRequest, name: FromPath[str], data: JSONBody[WebhookChange]
    ) -> WebhookItem:
        principal = platform_principal(request, ADMIN)
        because = None if data.because is None else shapes.reason(data.because)
        changes: EndpointChanges = {}
        if data.url is not UNSET:
            changes["url"] = data.url
        if data.tenant is None:
            changes["tenant"] = None
        elif data.tenant is not UNSET:
            changes["tenant"] = (await lookup.tenant_id(services.reads, data.tenant), data.tenant)
        if data.events is not UNSET:
            changes["events"] = data.events
        if data.secret is not UNSET:
            changes["secret"] = data.secret
        await endpoints.change(name, principal, because=because, **changes)
        return _item((await endpoints.seen_by(principal, name))[0])

    @delete(
        "/v1/webhooks/{name:str}",
        status_code=200,
        summary="Remove a webhook with its secrets",
        tags=["webhooks"],
    )
    async def remove_webhook(
        request: AnyRequest,
        name: FromPath[str],
        because: Annotated[str, QueryParameter(description="The reason. It is audited.")],
    ) -> WebhookItem:
        principal = platform_principal(request, ADMIN)
        reason = shapes.reason(because)
        gone = _item((await endpoints.seen_by(principal, name))[0])
        await endpoints.remove(name, principal, because=reason)
        return gone

    @post(
        "/v1/webhooks/{name:str}/rotation",
        summary="Give a webhook another signing secret",
        tags=["webhooks"],
    )
    async def rotate_webhook(
        request: AnyRequest, name: FromPath[str], data: JSONBody[RotationBody]
    ) -> WebhookRotated:
        principal = platform_principal(request, ADMIN)
        because = None if data.because is None else shapes.reason(data.because)
        overlap_ms = data.overlap_seconds * 1_000
        return WebhookRotated(await endpoints.rotate(name, principal, overlap_ms=overlap_ms, because=because))

    @post(
        "/v1/webhooks/{name:str}/test",
        status_code=200,
        summary="Send a test message to a webhook",
        tags=["webhooks"],
    )
    async def try_webhook(request: AnyRequest, name: FromPath[str]) -> Tried:
        platform_principal(request, OPERATE)
        problem = await endpoints.try_out(name)
        return Tried(problem is None, problem)

    @post("/v1/webhooks/{name:str}/pause", status_code=200, summary="Pause a webhook", tags=["webhooks"])
    async def pause_webhook(
        request: AnyRequest, name: FromPath[str], data: JSONBody[BecauseBody]
    ) -> WebhookItem:
        principal = platform_principal(request, OPERATE)
        await endpoints.pause(name, principal, because=shapes.reason(data.because))
        return _item((await endpoints.seen_by(principal, name))[0])

    @post("/v1/webhooks/{name:str}/resume", status_code=200, summary="Resume a webhook", tags=["webhooks"])
    async def resume_webhook(
        request: AnyRequest, name: FromPath[str], data: JSONBody[ResumeBody]
    ) -> WebhookItem:
        principal = platform_principal(request, OPERATE)
        because = None if data.because is None else shapes.reason(data.because)
        await endpoints.resume(name, principal, because=because)
        return _item((await endpoints.seen_by(principal, name))[0])

    @post(
        "/v1/webhooks/{name:str}/replay",
        status_code=200,
        summary="Send events to a webhook again",
        tags=["webhooks"],
    )
    async def replay(request: AnyRequest, name: FromPath[str], data: JSONBody[ReplayBody]) -> Replayed:
        principal = platform_principal(request, OPERATE)
        because = None if data.because is None else shapes.reason(data.because)
        if (data.message is None) == (data.since is None):
            raise Invalid(Fault("since", messages.bad_replay()))
        if data.message is not None:
            count = await endpoints.replay_mail(name, principal, id=data.message, because=because)
            return Replayed(count, None)
        count, further = await endpoints.replay_since(
            name,
            principal,
            since=_time("since", data.since or ""),
            until=None if data.until is None else _time("until", data.until),
            after=data.after,
            arrived=data.all,
            because=because,
        )
        return Replayed(count, further)

    @get(
        "/v1/webhooks/{name:str}/messages",
        summary="List what was sent to a webhook, newest first",
        tags=["webhooks"],
    )
    async def list_messages(
        request: AnyRequest,
        name: FromPath[str],
        only: Annotated[
            Literal["arrived", "waiting", "failed"] | None,
            QueryParameter(name="state", description="Only what arrived, what waits, or what was given up."),
        ] = None,
        delivery: Annotated[str | None, QueryParameter(description="Only of this delivery.")] = None,
        after: After = None,
        limit: Limit = 100,
    ) -> WebhookLog:
        principal = principal_of(request)
        principal.require(READ)
        of = None if delivery is None else parse_field("delivery", _delivery, delivery)
        (endpoint,) = await endpoints.seen_by(principal, name)
        found = await store.log(
            endpoint, tenant=principal.tenant_id, state=only, delivery=of, before=after, limit=limit
        )
        return WebhookLog(
            [_message(one) for one in found], shapes.next_of([one.number for one in found], limit)
        )

    @get(
        "/v1/webhook-certificates/{file:str}",
        opt={"open": True},
        summary="Show the certificate that messages in SNS's form are signed with",
        tags=["webhooks"],
        media_type="application/x-pem-file",
    )
    async def get_certificate(file: FromPath[str]) -> Response[str]:
        named = _PEM.fullmatch(file)
        number = 0 if named is None else int(named[1])
        found = certificates.get(number)
        if found is None and number:
            found = await store.certificate(number)
            if found is not None and len(certificates) < _MOST_CACHED:
                certificates[number] = found
        if found is None:
            raise NotFound(messages.no_certificate(), code="no-such-certificate")
        return Response(found, media_type="application/x-pem-file")

    return [
        list_webhooks,
        get_webhook,
        add_webhook,
        change_webhook,
        remove_webhook,
        rotate_webhook,
        try_webhook,
        pause_webhook,
        resume_webhook,
        replay,
        list_messages,
        get_certificate,
    ]


def _time(field: str, text: str) -> int:
    return max(0, min(shapes.time(field, text), shapes.HIGHEST_ID))


def _delivery(text: str) -> int:
    ids.parse_message_id(text)
    return ids.decode(text.partition("_")[2])


def _item(found: Endpoint) -> WebhookItem:
    fails = found.failing_since is not None and found.paused_at is None
    return WebhookItem(
        name=found.name,
        tenant=found.slug,
        form=found.form,
        target=found.target,
        events=list(found.events),
        made_at=shapes.iso_ms(found.made_at),
        made_by=found.made_by,
        failing_since=shapes.iso_ms_or_none(found.failing_since),
        next_at=shapes.iso_ms(found.next_at) if fails else None,
        problem=found.problem,
        paused_at=shapes.iso_ms_or_none(found.paused_at),
        paused_by=found.paused_by,
        paused_because=found.paused_because,
    )


def _message(found: LogView) -> WebhookMessage:
    return WebhookMessage(
        number=found.number,
        event=found.event,
        delivery=None if found.delivery is None else ids.delivery_id(found.delivery),
        made_at=shapes.iso_ms(found.made_at),
        arrived_at=shapes.iso_ms_or_none(found.arrived_at),
        due_at=shapes.iso_ms_or_none(found.due_at),
        tries=found.tries,
        problem=found.problem,
    )
