"""People who use the dashboard, over HTTP: links to sign in, sessions, and tenants' view links. For platform keys only."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.adapters.http.shapes import After, IsOpen, Limit, Time, WhyAudited
from mailcordon.control.people.sessions import Session, Sessions
from mailcordon.control.people.sign_in_links import SignInLink, SignInLinks
from mailcordon.control.people.view_links import ViewLink, ViewLinks
from mailcordon.core.principal import ADMIN, READ

Person = Annotated[
    str, QueryParameter(description="The name of a person, as the audit trail has it: an e-mail address.")
]
AnyPerson = Annotated[str | None, QueryParameter(description="The name of a person. Without it: everybody.")]


class NewSignInLink(msgspec.Struct, forbid_unknown_fields=True):
    person: str | None = (
        None  #: who signs in: the actor of what they do; null: the holder of the key that makes the link
    )
    role: str = "viewer"  #: viewer, operator or admin


class SignInLinkItem(msgspec.Struct):
    prefix: str
    person: str
    role: str
    made_at: Time
    made_by: str
    expires_at: Time
    used_at: Time | None
    revoked_at: Time | None


class MintedSignInLink(SignInLinkItem):
    path: str  #: of the dashboard; shown only once
    url: str | None  #: the same with the dashboard's address; null if MAILCORDON_DASHBOARD_URL is not set


class SignInLinkPage(msgspec.Struct):
    items: list[SignInLinkItem]
    next: str | None


class SessionItem(msgspec.Struct):
    prefix: str
    person: str
    role: str  #: when it began
    way: str  #: link, or oidc: the OpenID provider
    subject: str  #: the prefix of the link, or the provider's `sub`
    started_at: Time
    seen_at: Time  #: a minute behind at most
    ends_at: Time  #: if no more is asked of it
    ended_at: Time | None  #: signed out, or ended by somebody
    ended_by: str | None


class SessionPage(msgspec.Struct):
    items: list[SessionItem]
    next: str | None


class SessionList(msgspec.Struct):
    items: list[SessionItem]


class NewViewLink(msgspec.Struct, forbid_unknown_fields=True):
    name: str  #: whom it is given to: the actor, in the audit trail
    expires_at: datetime | None = None  #: in the next 30 days; null: in 7 days


class ViewLinkItem(msgspec.Struct):
    prefix: str
    tenant: str
    name: str
    made_at: Time
    made_by: str
    expires_at: Time
    revoked_at: Time | None
    last_used_at: Time | None  #: a minute behind at most; null: not yet


class MintedViewLink(ViewLinkItem):
    path: str  #: of the dashboard; shown only once
    url: str | None  #: the same with the dashboard's address; null if MAILCORDON_DASHBOARD_URL is not set


class ViewLinkPage(msgspec.Struct):
    items: list[ViewLinkItem]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleServices:
    sessions: Sessions
    sign_in_links: SignInLinks
    view_links: ViewLinks
    dashboard_url: str | None = None  #: without a slash at its end

    def url(self, path: str) -> str | None:
        return None if self.dashboard_url is None else self.dashboard_url.rstrip("/") + path


def routes(people: PeopleServices) -> list[HTTPRouteHandler]:
    return [*_sign_in_links(people), *_sessions(people.sessions), *_view_links(people)]


def _sign_in_links(people: PeopleServices) -> list[HTTPRouteHandler]:
    links = people.sign_in_links

    @post(
        "/v1/sign-in-links",
        summary="Make a link with which a person signs in to the dashboard, once; only this response shows it",
        tags=["control"],
    )
    async def create_sign_in_link(request: AnyRequest, data: JSONBody[NewSignInLink]) -> MintedSignInLink:
        principal = platform_principal(request, ADMIN)
        made, token = await links.create(
            principal, person=principal.holder if data.person is None else data.person, role=data.role
        )
        path = f"/sign-in/link/{token}"
        return MintedSignInLink(**msgspec.structs.asdict(_link(made)), path=path, url=people.url(path))

    @get("/v1/sign-in-links", summary="List links to sign in", tags=["control"])
    async def list_sign_in_links(
        request: AnyRequest, after: After = None, limit: Limit = 100
    ) -> SignInLinkPage:
        platform_principal(request, READ)
        found = await links.list(after=shapes.id32(after), limit=limit)
        return SignInLinkPage([_link(one) for one in found], shapes.next_of([one.id for one in found], limit))

    @delete(
        "/v1/sign-in-links/{prefix:str}",
        status_code=200,
        summary="Revoke a link to sign in that was not used",
        tags=["control"],
    )
    async def revoke_sign_in_link(request: AnyRequest, prefix: FromPath[str]) -> SignInLinkItem:
        principal = platform_principal(request, ADMIN)
        return _link(await links.revoke(prefix, actor=principal.actor))

    return [create_sign_in_link, list_sign_in_links, revoke_sign_in_link]


def _sessions(sessions: Sessions) -> list[HTTPRouteHandler]:
    @get("/v1/sessions", summary="List sessions of the dashboard", tags=["control"])
    async def list_sessions(
        request: AnyRequest,
        person: AnyPerson = None,
        is_open: IsOpen = None,
        after: After = None,
        limit: Limit = 100,
    ) -> SessionPage:
        platform_principal(request, READ)
        found = await sessions.list(person=person, is_open=is_open, after=shapes.id32(after), limit=limit)
        return SessionPage([_session(one) for one in found], shapes.next_of([one.id for one in found], limit))

    @delete("/v1/sessions/{prefix:str}", status_code=200, summary="End a session at once", tags=["control"])
    async def end_session(
        request: AnyRequest, prefix: FromPath[str], because: WhyAudited = None
    ) -> SessionItem:
        principal = platform_principal(request, ADMIN)
        return _session(
            await sessions.end(prefix, actor=principal.actor, because=shapes.reason_or_none(because))
        )

    @delete(
        "/v1/sessions",
        status_code=200,
        summary="End all sessions of a person at once, and their unused links to sign in",
        tags=["control"],
    )
    async def end_sessions(request: AnyRequest, person: Person, because: WhyAudited = None) -> SessionList:
        principal = platform_principal(request, ADMIN)
        ended = await sessions.end_of_person(
            person, actor=principal.actor, because=shapes.reason_or_none(because)
        )
        return SessionList([_session(one) for one in ended])

    return [list_sessions, end_session, end_sessions]


def _view_links(people: PeopleServices) -> list[HTTPRouteHandler]:
    links = people.view_links

    @post(
        "/v1/tenants/{slug:str}/view-links",
        summary="Make a link with which a tenant's own admins see its mail; only this response shows it",
        tags=["control"],
    )
    async def create_view_link(
        request: AnyRequest, slug: FromPath[str], data: JSONBody[NewViewLink]
    ) -> MintedViewLink:
        principal = platform_principal(request, ADMIN)
        made, token = await links.create(principal, slug, name=data.name, expires_at=data.expires_at)
        path = f"/view/{token}"
        return MintedViewLink(**msgspec.structs.asdict(_view_link(made)), path=path, url=people.url(path))

    @get("/v1/tenants/{slug:str}/view-links", summary="List a tenant's view links", tags=["control"])
    async def list_view_links(
        request: AnyRequest, slug: FromPath[str], after: After = None, limit: Limit = 100
    ) -> ViewLinkPage:
        platform_principal(request, READ)
        found = await links.list(slug, after=shapes.id32(after), limit=limit)
        return ViewLinkPage(
            [_view_link(one) for one in found], shapes.next_of([one.id for one in found], limit)
        )

    @delete(
        "/v1/tenants/{slug:str}/view-links/{prefix:str}",
        status_code=200,
        summary="Revoke a view link at once",
        tags=["control"],
    )
    async def revoke_view_link(
        request: AnyRequest, slug: FromPath[str], prefix: FromPath[str]
    ) -> ViewLinkItem:
        principal = platform_principal(request, ADMIN)
        return _view_link(await links.revoke(slug, prefix, actor=principal.actor))

    return [create_view_link, list_view_links, revoke_view_link]


def _link(found: SignInLink) -> SignInLinkItem:
    return SignInLinkItem(
        prefix=found.prefix,
        person=found.person,
        role=found.role,
        made_at=shapes.iso(found.made_at),
        made_by=found.made_by,
        expires_at=shapes.iso(found.expires_at),
        used_at=shapes.iso_or_none(found.used_at),
        revoked_at=shapes.iso_or_none(found.revoked_at),
    )


def _session(found: Session) -> SessionItem:
    return SessionItem(
        prefix=found.prefix,
        person=found.person,
        role=found.role,
        way=found.way,
        subject=found.subject,
        started_at=shapes.iso(found.started_at),
        seen_at=shapes.iso(found.seen_at),
        ends_at=shapes.iso(min(found.idle_at, found.expires_at)),
        ended_at=shapes.iso_or_none(found.ended_at),
        ended_by=found.ended_by,
    )


def _view_link(found: ViewLink) -> ViewLinkItem:
    return ViewLinkItem(
        prefix=found.prefix,
        tenant=found.tenant,
        name=found.name,
        made_at=shapes.iso(found.made_at),
        made_by=found.made_by,
        expires_at=shapes.iso(found.expires_at),
        revoked_at=shapes.iso_or_none(found.revoked_at),
        last_used_at=shapes.iso_or_none(found.last_used_at),
    )
