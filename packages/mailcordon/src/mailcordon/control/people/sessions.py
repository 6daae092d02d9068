"""Sessions of people: kept by the server, found by the hash of a random token, ended by time, by their person or by an admin."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from mailcordon.control.people import tokens
from mailcordon.control.people.roles import Role, RoleMap, also_mints, scopes_of
from mailcordon.control.people.tokens import Kind, Minted
from mailcordon.core import names
from mailcordon.core.errors import Forbidden, NotFound, Unauthorised, parse_field
from mailcordon.core.principal import Principal
from mailcordon.messages import sign_in

KEY_NAME = "dashboard"  #: stands for the name of a key in the audit trail: `kim@example.com (key dashboard, k7pq2m9d)`
MOST_OPEN = 20  #: sessions of one person; a new one ends the oldest
PENDING_SECONDS = 600  #: for the way to the OpenID provider and back


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long a session lasts, in seconds. They are fixed when it begins."""

    idle: int = (
        2 * 3600
    )  #: without a request: a screen that was left open over lunch stays signed in, one of last night does not
    absolute: int = (
        12 * 3600
    )  #: however busy: a long shift on call, and then the person shows again who they are
    #: Of somebody whom an OpenID provider let in: then it is asked again. As long as its own access tokens usually last.
    recheck: int = 3600

    def of(self, way: str) -> "Lifetimes":
        """Those of a session that began in this way: `oidc` or `link`."""
        return replace(self, absolute=min(self.absolute, self.recheck)) if way == "oidc" else self


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who signs in, as shown by a link or by an OpenID provider."""

    name: str  #: as the audit trail names them: an e-mail address in most installations
    role: Role
    way: str  #: `link` or `oidc`
    subject: str  #: the prefix of the link, or the provider's `sub`
    values: tuple[str, ...] = ()  #: of the claim that gave the role


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    id: int
    prefix: str
    person: str
    role: str  #: when it began
    way: str
    subject: str
    values: tuple[str, ...]
    started_at: datetime
    seen_at: datetime  #: the last request, a minute behind at most
    idle_at: datetime  #: when it ends if nothing more is asked
    expires_at: datetime
    ended_at: datetime | None
    ended_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    session: Session
    token: str


class SessionStore(Protocol):
    """Each change audits in its transaction."""

    async def start(self, minted: Minted, person: Person, lifetimes: Lifetimes, *, actor: str) -> Session:
        """Ends the oldest sessions of the person if there would be more than MOST_OPEN."""
        ...

    async def start_by_link(self, link: bytes, minted: Minted, lifetimes: Lifetimes) -> Session | None:
        """Uses the one-time link with this hash and starts its session, in one transaction. None: it cannot be used."""
        ...

    async def find(self, hash: bytes) -> Session | None:
        """The session if it has not ended by whatever cause. One indexed query. Notes at most once a minute that it was used."""
        ...

    async def end(self, hash: bytes) -> Session | None:
        """Ends one by its own token: its person signs out. None: it had ended."""
        ...

    async def end_by(self, prefix: str, *, actor: str, because: str | None) -> Session | None:
        """None: no such session."""
        ...

    async def end_of_person(self, person: str, *, actor: str, because: str | None) -> Sequence[Session]: ...

    async def list(
        self, *, person: str | None, is_open: bool | None, after: int, limit: int
    ) -> Sequence[Session]: ...

    async def put_pending(self, state: bytes, browser: bytes, next: str, *, seconds: int) -> None:
        """Somebody went to the OpenID provider. What is past its time goes, and the oldest beyond a bound."""
        ...

    async def take_pending(self, state: bytes, browser: bytes) -> str | None:
        """They came back: returns where they wanted to go, once. None: unknown, past its time, taken, or of another browser."""
        ...


class Sessions:
    """`roles`: what the OpenID provider's claims give; None without one, and then its sessions end."""

    def __init__(
        self, store: SessionStore, *, lifetimes: Lifetimes | None = None, roles: RoleMap | None = None
    ) -> None:
        self._store = store
        self._lifetimes = lifetimes or Lifetimes()
        self._roles = roles

    @property
    def roles(self) -> RoleMap | None:
        return self._roles

    async def principal(self, token: str | None) -> Principal:
        """Who sends a request with this token. Raises Unauthorised at once after the session ended, by whatever cause.

        The role of a person who came from the OpenID provider is found anew from the values that gave it: a group that was taken
        out of the settings gives nobody a role any more.
        """
        if token is None or not tokens.is_token(Kind.SESSION, token):
            raise Unauthorised(sign_in.not_signed_in(), code="not-signed-in")
        found = await self._store.find(tokens.hash_of(token))
        role = None if found is None else self._role(found)
        if found is None or role is None:
            raise Unauthorised(sign_in.session_ended(), code="session-ended")
        return principal_of(found.id, found.prefix, found.person, role)

    def _role(self, session: Session) -> Role | None:
        if session.way == "oidc":
            return None if self._roles is None else self._roles.role_of(session.values)
        return Role(session.role) if session.role in tuple(Role) else None

    async def start(self, person: Person) -> Started:
        """For somebody whom an OpenID provider has identified. Always a new token, whatever the browser had before."""
        minted = tokens.mint(Kind.SESSION)
        session = await self._store.start(
            minted,
            person,
            self._lifetimes.of(person.way),
            actor=names.actor(person.name, KEY_NAME, minted.prefix),
        )
        return Started(session=session, token=minted.text)

    async def start_by_link(self, link: str) -> Started:
        """Uses a one-time link. Raises Unauthorised if it was used, revoked, is too old or unknown."""
        minted = tokens.mint(Kind.SESSION)
        session = None
        if tokens.is_token(Kind.SIGN_IN_LINK, link):
            session = await self._store.start_by_link(tokens.hash_of(link), minted, self._lifetimes)
        if session is None:
            raise Unauthorised(sign_in.link_unusable(), code="link-unusable")
        return Started(session=session, token=minted.text)

    async def sign_out(self, token: str) -> None:
        """Ends the session of this token, if there is one."""
        if tokens.is_token(Kind.SESSION, token):
            await self._store.end(tokens.hash_of(token))

    async def end(self, prefix: str, *, actor: str, because: str | None = None) -> Session:
        """Ends a session at once. One that had ended stays as it was. Raises NotFound."""
        ended = None
        if tokens.is_prefix(prefix):
            ended = await self._store.end_by(prefix, actor=actor, because=because)
        if ended is None:
            raise NotFound(sign_in.no_session(ascii(prefix[:32])[1:-1]), code="no-such-session")
        return ended

    async def end_of_person(
        self, person: str, *, actor: str, because: str | None = None
    ) -> Sequence[Session]:
        """Ends all sessions of a person at once, and the sign-in links for them. Returns the sessions. Raises Invalid."""
        of = parse_field("person", names.holder, person)
        return await self._store.end_of_person(of, actor=actor, because=because)

    async def list(
        self, *, person: str | None, is_open: bool | None, after: int, limit: int
    ) -> Sequence[Session]:
        """In the order in which they began. Raises Invalid."""
        of = None if person is None else parse_field("person", names.holder, person)
        return await self._store.list(person=of, is_open=is_open, after=after, limit=limit)

    # The way to an OpenID provider and back --------------------------------------------------------------------------------

    async def set_out(self, state: str, browser: str, next: str) -> None:
        """A browser goes to the OpenID provider. `state` and `browser` are random texts; only their hashes are stored."""
        await self._store.put_pending(
            tokens.hash_of(state), tokens.hash_of(browser), next, seconds=PENDING_SECONDS
        )

    async def come_back(self, state: str, browser: str) -> str:
        """The same browser came back: returns where it wanted to go. Works once. Raises Forbidden."""
        next = await self._store.take_pending(tokens.hash_of(state), tokens.hash_of(browser))
        if next is None:
            raise Forbidden(sign_in.state_unknown(), code="state-unknown")
        return next


def principal_of(id: int, prefix: str, person: str, role: Role) -> Principal:
    """A person with a role. Ids of keys are positive, so a person has reads and turns of their own."""
    return Principal(
        key_id=-2 * id,
        prefix=prefix,
        name=KEY_NAME,
        holder=person,
        tenant_id=None,
        tenant_slug=None,
        scopes=scopes_of(role),
        also_mints=also_mints(role),
    )
