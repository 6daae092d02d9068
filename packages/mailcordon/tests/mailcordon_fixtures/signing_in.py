"""A person who is signed in to a dashboard, without the pages on the way."""

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.session_store import SessionStore
from mailcordon.adapters.db.view_link_store import ViewLinkStore
from mailcordon.control.people.roles import Role
from mailcordon.control.people.sessions import Person, Sessions, principal_of
from mailcordon.control.people.view_links import ViewLinks

COOKIE = "mailcordon"  #: has the token of a session, without TLS
VIEW_COOKIE = "mailcordon-view"  #: has the token of a tenant's view link, without TLS


async def token(control: str, *, person: str = "kim@example.com", role: Role = Role.ADMIN) -> str:
    """The token of a new session: the value of COOKIE. `control`: the URL of the control login."""
    pool = await engine.create_pool(control)
    try:
        started = await Sessions(SessionStore(pool)).start(
            Person(name=person, role=role, way="link", subject="test")
        )
        return started.token
    finally:
        await pool.close()


async def view_token(control: str, tenant: str) -> str:
    """The token of a new view link of a tenant: the value of VIEW_COOKIE. `control`: the URL of the control login."""
    pool = await engine.create_pool(control)
    try:
        admin = principal_of(0, "test", "test", Role.ADMIN)
        return (await ViewLinks(ViewLinkStore(pool)).create(admin, tenant, name="lee", expires_at=None))[1]
    finally:
        await pool.close()
