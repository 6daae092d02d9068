"""One-time links with which a person signs in: the first admin of an installation, and the way in without an OpenID provider."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mailcordon.control.people import roles, tokens
from mailcordon.control.people.roles import Role
from mailcordon.control.people.tokens import Kind, Minted
from mailcordon.core import names
from mailcordon.core.errors import NotFound, parse_field
from mailcordon.core.principal import Principal
from mailcordon.messages import sign_in

SECONDS = 600  #: from making a link to its use
MOST_OPEN = 100  #: that can be used; a program that makes links in a loop is stopped here


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInLink:
    id: int
    prefix: str
    person: str
    role: str
    made_at: datetime
    made_by: str
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


class SignInLinkStore(Protocol):
    """Each change audits in its transaction."""

    async def insert(
        self, minted: Minted, person: str, role: Role, *, seconds: int, most: int, actor: str
    ) -> SignInLink:
        """Raises Conflict if `most` can be used already."""
        ...

    async def revoke(self, prefix: str, *, actor: str) -> SignInLink | None: ...

    async def list(self, *, after: int, limit: int) -> Sequence[SignInLink]: ...


class SignInLinks:
    def __init__(self, store: SignInLinkStore) -> None:
        self._store = store

    async def create(self, principal: Principal, *, person: str, role: str) -> tuple[SignInLink, str]:
        """Returns the link and its token, which cannot be read again.

        Raises Invalid; Forbidden if the principal holds less than the role gives; Conflict if too many links wait for their use.
        """
        name = parse_field("person", names.holder, person)
        given = roles.role(role)
        roles.require_to_give(principal, given)
        minted = tokens.mint(Kind.SIGN_IN_LINK)
        made = await self._store.insert(
            minted, name, given, seconds=SECONDS, most=MOST_OPEN, actor=principal.actor
        )
        return made, minted.text

    async def revoke(self, prefix: str, *, actor: str) -> SignInLink:
        """The link cannot be used any more. One that was used or revoked stays as it was. Raises NotFound."""
        link = await self._store.revoke(prefix, actor=actor) if tokens.is_prefix(prefix) else None
        if link is None:
            raise NotFound(sign_in.no_sign_in_link(ascii(prefix[:32])[1:-1]), code="no-such-link")
        return link

    async def list(self, *, after: int, limit: int) -> Sequence[SignInLink]:
        return await self._store.list(after=after, limit=limit)
