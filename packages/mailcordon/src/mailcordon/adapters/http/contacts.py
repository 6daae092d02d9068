"""Tenants' contacts and the notices to them, over HTTP. A tenant's key sees its own; only the platform sets them."""

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from litestar import delete, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.alerts import Tried
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.shapes import After, Limit, Time
from mailcordon.control import lookup
from mailcordon.control.views import Reads
from mailcordon.core.errors import Fault, Invalid, NotFound
from mailcordon.core.principal import ADMIN, OPERATE
from mailcordon.messages import api
from mailcordon.messages import notices as words
from mailcordon.observe.alerts.channels import Channels
from mailcordon.observe.alerts.nouns import CONTACT_FORMS, Contact, ContactForm, NoticeView
from mailcordon.observe.alerts.ports import ContactReads


class ContactItem(msgspec.Struct):
    tenant: str
    form: str  #: email or webhook
    target: str  #: an address, or a host
    tell: list[str]  #: what it is told of: holds
    made_at: Time
    made_by: str
    failing_since: Time | None
    problem: str | None


class ContactList(msgspec.Struct):
    items: list[ContactItem]


class ContactBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Either an address, or a URL."""

    email: str | None = None
    url: str | None = None
    channel: str | None = (
        None  #: of email: the alert channel whose lane carries it; not needed if there is one only
    )
    tell: list[Literal["holds"]] = msgspec.field(default_factory=lambda: ["holds"])
    because: str | None = None


class ContactSet(msgspec.Struct):
    contact: ContactItem
    secret: str | None  #: the signing secret of a webhook; shown once


class ContactRemoved(msgspec.Struct):
    tenant: str
    form: str


class NoticeItem(msgspec.Struct):
    kind: str  #: hold, stop or webhook
    number: int
    ended: bool


class Notice(msgspec.Struct):
    id: int
    form: str
    items: list[NoticeItem]
    made_at: Time
    sent_at: Time | None
    due_at: Time | None  #: when it is tried; null beside a null sent_at: given up
    problem: str | None


class NoticePage(msgspec.Struct):
    items: list[Notice]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactServices:
    reads: Reads
    channels: Channels
    contacts: ContactReads


def routes(services: ContactServices) -> list[HTTPRouteHandler]:
    reads, channels, contacts = services.reads, services.channels, services.contacts

    @get("/v1/tenants/{slug:str}/contacts", summary="List a tenant's contacts", tags=["observe"])
    async def list_contacts(request: AnyRequest, slug: FromPath[str]) -> ContactList:
        viewer = await lookup.viewer(reads, principal_of(request), slug)
        assert viewer.tenant is not None
        found = await contacts.contacts(viewer.tenant, as_tenant=viewer.as_tenant)
        return ContactList([_item(one) for one in found])

    @put("/v1/tenants/{slug:str}/contacts", summary="Set a contact of a tenant", tags=["observe"])
    async def set_contact(
        request: AnyRequest, slug: FromPath[str], data: JSONBody[ContactBody]
    ) -> ContactSet:
        actor = platform_principal(request, ADMIN).actor
        because = None if data.because is None else shapes.reason(data.because)
        tenant = await lookup.tenant_id(reads, slug)
        secret = await channels.set_contact(
            tenant,
            slug,
            email=data.email,
            url=data.url,
            channel=data.channel,
            tell=data.tell,
            actor=actor,
            because=because,
        )
        form = "webhook" if data.email is None else "email"
        found = await contacts.contacts(tenant, as_tenant=False)
        return ContactSet(next(_item(one) for one in found if one.form == form), secret)

    @delete(
        "/v1/tenants/{slug:str}/contacts/{form:str}",
        status_code=200,
        summary="Remove a contact of a tenant",
        tags=["observe"],
    )
    async def remove_contact(
        request: AnyRequest,
        slug: FromPath[str],
        form: FromPath[str],
        because: Annotated[str, QueryParameter(description="The reason. It is audited.")],
    ) -> ContactRemoved:
        actor = platform_principal(request, ADMIN).actor
        reason = shapes.reason(because)
        kind, tenant = _form(form), await lookup.tenant_id(reads, slug)
        if not await contacts.remove(tenant, slug, kind, actor=actor, because=reason):
            raise NotFound(words.no_contact(slug, kind), code="no-such-contact")
        return ContactRemoved(slug, kind)

    @post(
        "/v1/tenants/{slug:str}/contacts/{form:str}/test",
        status_code=200,
        summary="Send a test message to a contact of a tenant",
        tags=["observe"],
    )
    async def try_contact(request: AnyRequest, slug: FromPath[str], form: FromPath[str]) -> Tried:
        platform_principal(request, OPERATE)
        tenant = await lookup.tenant_id(reads, slug)
        problem = await channels.try_contact(tenant, slug, _form(form))
        return Tried(problem is None, problem)

    @get(
        "/v1/tenants/{slug:str}/notices",
        summary="List what a tenant was told of its holds, newest first",
        tags=["observe"],
    )
    async def list_notices(
        request: AnyRequest, slug: FromPath[str], after: After = None, limit: Limit = 100
    ) -> NoticePage:
        viewer = await lookup.viewer(reads, principal_of(request), slug)
        assert viewer.tenant is not None
        found = await contacts.notices(viewer.tenant, as_tenant=viewer.as_tenant, before=after, limit=limit)
        return NoticePage([_notice(one) for one in found], shapes.next_of([one.id for one in found], limit))

    return [list_contacts, set_contact, remove_contact, try_contact, list_notices]


def _form(text: str) -> ContactForm:
    for form in CONTACT_FORMS:
        if form == text:
            return form
    raise Invalid(Fault("form", api.not_one_of(list(CONTACT_FORMS))))


def _item(found: Contact) -> ContactItem:
    return ContactItem(
        tenant=found.slug,
        form=found.form,
        target=found.target,
        tell=list(found.tell),
        made_at=shapes.iso_ms(found.made_at),
        made_by=found.made_by,
        failing_since=shapes.iso_ms_or_none(found.failing_since),
        problem=found.problem,
    )


def _notice(found: NoticeView) -> Notice:
    return Notice(
        id=found.id,
        form=found.form,
        items=[
            NoticeItem(str(one["kind"]), int(str(one["number"])), bool(one["ended"])) for one in found.items
        ],
        made_at=shapes.iso_ms(found.made_at),
        sent_at=shapes.iso_ms_or_none(found.sent_at),
        due_at=shapes.iso_ms_or_none(found.due_at),
        problem=found.problem,
    )
