"""Links with which a tenant's own admins look at their mail: read-only, for one tenant, with an end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from mailcordon.control.people import tokens
from mailcordon.control.people.tokens import Kind, Minted
from mailcordon.core import names
from mailcordon.core.errors import Fault, Forbidden, Invalid, NotFound, Unauthorised, parse_field
from mailcordon.core.principal import READ, Principal
from mailcordon.messages import api, keys, sign_in

LONGEST = timedelta(days=30)
DEFAULT = timedelta(days=7)
MOST_OPEN = 20  #: of a tenant
KEY_NAME = "view link"


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewLink:
    id: int
    prefix: str
    tenant_id: int
    tenant: str  #: slug
    name: str  #: whom it was given to
    made_at: datetime
    made_by: str
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None  #: a minute behind at most


class ViewLinkStore(Protocol):
    """Each change audits in its transaction."""

    async def insert(
        self, minted: Minted, tenant: str, name: str, expires_at: datetime, *, most: int, actor: str
    ) -> ViewLink:
        """Raises NotFound for an unknown or retired tenant, Conflict if it has `most` that work."""
        ...

    async def revoke(self, tenant: str, prefix: str, *, actor: str) -> ViewLink | None: ...

    async def list(self, tenant: str, *, after: int, limit: int) -> Sequence[ViewLink]:
        """Raises NotFound for an unknown tenant."""
        ...

    async def find(self, hash: bytes, *, opened: bool) -> ViewLink | None:
        """The link if it works. One indexed query. `opened`: its URL was opened, which is audited once an hour at most."""
        ...


class ViewLinks:
    def __init__(self, store: ViewLinkStore) -> None:
        self._store = store

    async def create(
        self, principal: Principal, tenant: str, *, name: str, expires_at: datetime | None
    ) -> tuple[ViewLink, str]:
        """Returns the link and its token, which cannot be read again. Without an end it lasts DEFAULT.

        Raises Invalid, NotFound, Conflict, or Forbidden if the principal may not read itself.
        """
        if READ not in principal.gives:
            problem = keys.scopes_not_held(principal.prefix, [READ], sorted(principal.gives))
            raise Forbidden(problem, code="scope-not-held")
        if not names.is_slug(tenant):
            raise _no_tenant(tenant)
        given = parse_field("name", names.key_name, name)
        now = datetime.now(UTC)
        end = now + DEFAULT if expires_at is None else expires_at
        if end.tzinfo is None:
            end = end.replace(tzinfo=UTC)
        if not now < end <= now + LONGEST + timedelta(minutes=1):
            raise Invalid(Fault("expires_at", sign_in.bad_end_of_view_link(LONGEST.days)))
        minted = tokens.mint(Kind.VIEW_LINK)
        made = await self._store.insert(minted, tenant, given, end, most=MOST_OPEN, actor=principal.actor)
        return made, minted.text

    async def revoke(self, tenant: str, prefix: str, *, actor: str) -> ViewLink:
        """Ends it at once. One that had ended stays as it was. Raises NotFound."""
        known = tokens.is_prefix(prefix) and names.is_slug(tenant)
        link = await self._store.revoke(tenant, prefix, actor=actor) if known else None
        if link is None:
            raise NotFound(sign_in.no_view_link(ascii(prefix[:32])[1:-1]), code="no-such-link")
        return link

    async def list(self, tenant: str, *, after: int, limit: int) -> Sequence[ViewLink]:
        """The oldest first. Raises NotFound for an unknown tenant."""
        if not names.is_slug(tenant):
            raise _no_tenant(tenant)
        return await self._store.list(tenant, after=after, limit=limit)

    async def principal(self, token: str | None, *, opened: bool = False) -> Principal:
        """Who sends a request with this token: somebody who may read one tenant's data. `opened`: the link itself was followed.

        Raises Unauthorised at once after the link ended."""
        found = None
        if token is not None and tokens.is_token(Kind.VIEW_LINK, token):
            found = await self._store.find(tokens.hash_of(token), opened=opened)
        if found is None:
            raise Unauthorised(sign_in.view_link_unusable(), code="view-link-unusable")
        return principal_of(found)


def _no_tenant(slug: str) -> NotFound:
    return NotFound(api.no_tenant(ascii(slug[:64])[1:-1]), code="no-such-tenant")


def principal_of(link: ViewLink) -> Principal:
    """Reads one tenant's data, as a tenant's key with the scope `read` does."""
    return Principal(
        key_id=-2 * link.id - 1,
        prefix=link.prefix,
        name=KEY_NAME,
        holder=link.name,
        tenant_id=link.tenant_id,
        tenant_slug=link.tenant,
        scopes=frozenset({READ}),
    )
