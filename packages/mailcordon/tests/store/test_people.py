"""People's sessions, one-time links and view links: each way in works as often and as long as it says, and is audited."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailcordon.adapters.db import engine, session_store
from mailcordon.adapters.db.session_store import SessionStore
from mailcordon.adapters.db.sign_in_link_store import SignInLinkStore
from mailcordon.adapters.db.upkeep_store import UpkeepStore
from mailcordon.adapters.db.view_link_store import ViewLinkStore
from mailcordon.control.people import tokens
from mailcordon.control.people.roles import Role, RoleMap
from mailcordon.control.people.sessions import (
    MOST_OPEN,
    Lifetimes,
    Person,
    Sessions,
    principal_of,
)
from mailcordon.control.people.sign_in_links import SignInLinks
from mailcordon.control.people.tokens import Kind
from mailcordon.control.people.view_links import ViewLinks
from mailcordon.control.upkeep import Purged
from mailcordon.core.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorised
from mailcordon.core.principal import ADMIN, OPERATE, READ

ADMINISTRATOR = principal_of(1, "aaaaaaaa", "ann", Role.ADMIN)
GROUPS = RoleMap(
    claim="groups", values={Role.ADMIN: frozenset({"mail-admins"}), Role.VIEWER: frozenset({"all"})}
)
KIM = Person(name="kim", role=Role.ADMIN, way="oidc", subject="u1", values=("mail-admins",))
DAY_MS = 86_400_000


class House:
    def __init__(self, owner: engine.Connection, control: engine.Pool) -> None:
        self.owner = owner
        self.store = SessionStore(control)
        self.sessions = Sessions(self.store, roles=GROUPS)
        self.links = SignInLinks(SignInLinkStore(control))
        self.views = ViewLinks(ViewLinkStore(control))
        self.upkeep = UpkeepStore(control)

    async def audited(self) -> list[tuple[str, str]]:
        """Who did what, without prefixes."""
        rows = await self.owner.fetch("select actor, action from audit order by id")
        return [(row["actor"].partition(" (")[0], row["action"]) for row in rows]

    async def link(self, person: str = "kim", role: str = "operator") -> str:
        return (await self.links.create(ADMINISTRATOR, person=person, role=role))[1]

    async def view(self, tenant: str = "acme", expires_at: datetime | None = None) -> tuple[str, str]:
        made, token = await self.views.create(ADMINISTRATOR, tenant, name="lee", expires_at=expires_at)
        return made.prefix, token


@pytest.fixture
async def house(database: Any) -> AsyncIterator[House]:
    owner = await engine.connect(database.dsn("owner"))
    pool = await engine.create_pool(database.dsn("control"))
    await owner.execute(
        "insert into tenant (key, slug) values ('mc-aaaaaaaaaa', 'acme'), ('mc-bbbbbbbbbb', 'zen')"
    )
    try:
        yield House(owner, pool)
    finally:
        await pool.close()
        await owner.close()


async def test_a_link_lets_one_person_in_once_with_its_role(house: House) -> None:
    link = await house.link()
    started = await house.sessions.start_by_link(link)
    person = await house.sessions.principal(started.token)
    assert (person.holder, person.scopes, person.is_platform) == ("kim", {READ, OPERATE}, True)
    assert person.actor == f"kim (key dashboard, {started.session.prefix})"
    with pytest.raises(Unauthorised, match="works once"):
        await house.sessions.start_by_link(link)
    assert await house.audited() == [
        ("ann", "sign-in-link.create"),
        ("kim", "sign-in-link.use"),
        ("kim", "session.start"),
    ]


async def test_of_two_who_use_a_link_at_once_one_is_in(house: House) -> None:
    link = await house.link()
    ends = await asyncio.gather(
        *(house.sessions.start_by_link(link) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(end, Unauthorised) for end in ends) == 3
    assert await house.owner.fetchval("select count(*) from person_session") == 1


async def test_a_link_that_is_old_or_revoked_or_no_link_lets_nobody_in(house: House) -> None:
    old, revoked = await house.link(), await house.link("lee")
    await house.owner.execute("update sign_in_link set expires_at = now() where person = 'kim'")
    prefix = (await house.links.list(after=0, limit=9))[1].prefix
    assert (await house.links.revoke(prefix, actor="ann")).revoked_at is not None
    assert (await house.links.revoke(prefix, actor="ann")).revoked_at is not None
    view = (await house.view())[1]
    for link in (old, revoked, view, tokens.mint(Kind.SIGN_IN_LINK).text, "", "mcl_\x00"):
        with pytest.raises(Unauthorised):
            await house.sessions.start_by_link(link)
    assert [what for _, what in await house.audited()].count("sign-in-link.revoke") == 1
    with pytest.raises(NotFound, match="no sign-in link"):
        await house.links.revoke("zzzzzzzz", actor="ann")


async def test_nobody_lets_another_in_with_more_than_they_have(house: House) -> None:
    viewer = principal_of(2, "bbbbbbbb", "bob", Role.VIEWER)
    assert (await house.links.create(viewer, person="kim", role="viewer"))[0].role == "viewer"
    with pytest.raises(Forbidden, match="operate"):
        await house.links.create(viewer, person="kim", role="operator")
    with pytest.raises(Invalid, match="one of viewer, operator, admin"):
        await house.links.create(ADMINISTRATOR, person="kim", role="owner")
    with pytest.raises(Invalid):
        await house.links.create(ADMINISTRATOR, person="kim\x00", role="viewer")


async def test_the_number_of_open_links_has_a_bound(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailcordon.control.people.sign_in_links.MOST_OPEN", 2)
    monkeypatch.setattr("mailcordon.control.people.view_links.MOST_OPEN", 1)
    await house.link()
    await house.sessions.start_by_link(await house.link())
    await house.link()
    with pytest.raises(Conflict, match="2 sign-in links"):
        await house.link()
    await house.view()
    await house.view("zen")
    with pytest.raises(Conflict, match="acme has 1 view links"):
        await house.view()


async def test_no_token_is_stored_and_no_reader_sees_any_of_it(house: House, database: Any) -> None:
    link = await house.link()
    view = (await house.view())[1]
    started = await house.sessions.start(KIM)
    await house.sessions.set_out("a-state", "a-browser", "/now")
    tables = ("sign_in_link", "person_session", "view_link", "pending_sign_in", "audit")
    rows = [str(dict(row)) for t in tables for row in await house.owner.fetch(f"select * from {t}")]
    for secret in (link[4:], view[4:], started.token[4:], "a-state", "a-browser"):
        assert not [row for row in rows if secret in row]
    for login in ("reader", "send", "observe", "governor"):
        other = await engine.connect(database.dsn(login))
        try:
            for table in tables[:4]:
                with pytest.raises(Exception, match="permission denied"):
                    await other.fetch(f"select * from {table}")
        finally:
            await other.close()


async def test_a_session_ends_at_once_when_its_person_signs_out_or_an_admin_ends_it(house: House) -> None:
    first, second, third = [await house.sessions.start(KIM) for _ in range(3)]
    await house.sessions.sign_out(first.token)
    await house.sessions.sign_out(first.token)
    await house.sessions.end(second.session.prefix, actor="ann", because="left it open")
    await house.sessions.end(second.session.prefix, actor="ann")
    await house.sessions.principal(third.token)
    link = await house.link("kim")
    ended = await house.sessions.end_of_person("kim", actor="ann", because="has left")
    assert [one.prefix for one in ended] == [third.session.prefix]
    for one in (first, second, third):
        with pytest.raises(Unauthorised, match="has ended"):
            await house.sessions.principal(one.token)
    with pytest.raises(Unauthorised):
        await house.sessions.start_by_link(link)
    ends = [one for one in await house.audited() if "start" not in one[1] and "create" not in one[1]]
    assert ends == [
        ("kim", "session.sign-out"),
        ("ann", "session.end"),
        ("ann", "sign-in-link.revoke"),
        ("ann", "session.end"),
    ]
    given = await house.owner.fetch(
        "select because from audit where actor = 'ann' and action like 'se%' order by id"
    )
    assert [row["because"] for row in given] == ["left it open", "has left"]
    with pytest.raises(NotFound, match="no session"):
        await house.sessions.end("zzzzzzzz", actor="ann")


@pytest.mark.parametrize(
    "passes", ["seen_at = now() - interval '121 min'", "expires_at = now()", "ended_at = now()"]
)
async def test_a_session_ends_when_it_is_idle_or_old(house: House, passes: str) -> None:
    started = await house.sessions.start(KIM)
    await house.owner.execute("update person_session set seen_at = now() - interval '119 min'")
    await house.sessions.principal(started.token)  # it was used, so the idle time begins anew
    await house.owner.execute("update person_session set expires_at = now() + interval '1 min'")
    await house.sessions.principal(started.token)
    await house.owner.execute(f"update person_session set {passes}")
    with pytest.raises(Unauthorised, match="has ended"):
        await house.sessions.principal(started.token)
    assert await house.sessions.list(person=None, is_open=True, after=0, limit=9) == []
    assert len(await house.sessions.list(person="kim", is_open=False, after=0, limit=9)) == 1


async def test_a_session_of_the_provider_ends_with_the_group_that_gave_its_role(house: House) -> None:
    started = await house.sessions.start(KIM)
    assert ADMIN in (await house.sessions.principal(started.token)).scopes
    less = Sessions(
        house.store, roles=RoleMap(claim="groups", values={Role.VIEWER: frozenset({"mail-admins"})})
    )
    assert (await less.principal(started.token)).scopes == {READ}
    for roles in (RoleMap(claim="groups", values={Role.ADMIN: frozenset({"others"})}), None):
        with pytest.raises(Unauthorised, match="has ended"):
            await Sessions(house.store, roles=roles).principal(started.token)
    by_link = await house.sessions.start_by_link(await house.link("lee"))
    await Sessions(house.store).principal(by_link.token)


async def test_a_person_has_a_bounded_number_of_sessions_and_the_oldest_goes(house: House) -> None:
    begun = [await house.sessions.start(KIM) for _ in range(MOST_OPEN + 1)]
    other = await house.sessions.start(
        Person(name="lee", role=Role.VIEWER, way="oidc", subject="u2", values=("all",))
    )
    with pytest.raises(Unauthorised):
        await house.sessions.principal(begun[0].token)
    for one in (*begun[1:], other):
        await house.sessions.principal(one.token)


async def test_a_look_at_a_session_is_one_query_by_index_that_writes_once_a_minute(house: House) -> None:
    started = await house.sessions.start(KIM)
    seen = "select seen_at from person_session"
    before = await house.owner.fetchval(seen)
    await house.sessions.principal(started.token)
    assert await house.owner.fetchval(seen) == before
    await house.owner.execute("update person_session set seen_at = now() - interval '2 min'")
    before = await house.owner.fetchval(seen)
    await house.sessions.principal(started.token)
    assert await house.owner.fetchval(seen) > before
    await house.owner.execute(
        "insert into person_session (prefix, hash, person, role, way, subject, idle, expires_at)"
        " select translate(lpad(to_hex(n), 8, 'x'), '01', 'yz'), sha256(n::text::bytea), 'p' || n, 'viewer', 'link', 'x',"
        " interval '1 h', now() + interval '1 h' from generate_series(1, 3000) n"
    )
    await house.owner.execute("analyze person_session")
    plan = await house.owner.fetch(
        "explain " + session_store._SQL.find_session.replace("$1", "'\\x00'::bytea")  # pyright: ignore[reportPrivateUsage]
    )
    assert "person_session_hash_key" in str(plan)
    assert "Seq Scan on person_session" not in str(plan)


async def test_a_browser_comes_back_once_in_time_and_with_its_own_cookie(house: House) -> None:
    await house.sessions.set_out("state", "browser", "/tenants/acme")
    for state, browser in (("state", "another"), ("another", "browser"), ("", "")):
        with pytest.raises(Forbidden, match="Begin again"):
            await house.sessions.come_back(state, browser)
    assert await house.sessions.come_back("state", "browser") == "/tenants/acme"
    with pytest.raises(Forbidden):
        await house.sessions.come_back("state", "browser")
    await house.sessions.set_out("late", "browser", "/")
    await house.owner.execute("update pending_sign_in set expires_at = now()")
    with pytest.raises(Forbidden):
        await house.sessions.come_back("late", "browser")


async def test_the_number_of_browsers_on_their_way_has_a_bound(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_store, "_MOST_PENDING", 3)
    for n in range(5):
        await house.sessions.set_out(f"state {n}", "browser", "/")
    assert await house.owner.fetchval("select count(*) from pending_sign_in") == 3
    assert await house.sessions.come_back("state 4", "browser") == "/"


async def test_a_view_link_reads_one_tenant_until_it_ends(house: House) -> None:
    prefix, token = await house.view()
    found = await house.views.principal(token, opened=True)
    await house.views.principal(token, opened=True)
    assert (found.tenant_slug, found.scopes, found.is_platform, found.holder) == (
        "acme",
        {READ},
        False,
        "lee",
    )
    assert (await house.views.list("acme", after=0, limit=9))[0].last_used_at is not None
    with pytest.raises(NotFound):
        await house.views.revoke("zen", prefix, actor="ann")
    await house.views.principal(token)
    await house.views.revoke("acme", prefix, actor="ann")
    with pytest.raises(Unauthorised, match="does not work any more"):
        await house.views.principal(token)
    assert await house.audited() == [
        ("ann", "view-link.create"),
        ("lee", "view-link.open"),
        ("ann", "view-link.revoke"),
    ]


@pytest.mark.parametrize(
    "passes",
    ["update view_link set expires_at = now()", "update tenant set retired_at = now(), retiring_at = now()"],
)
async def test_a_view_link_ends_with_its_time_and_with_its_tenant(house: House, passes: str) -> None:
    _, token = await house.view()
    await house.views.principal(token)
    await house.owner.execute(passes)
    with pytest.raises(Unauthorised):
        await house.views.principal(token)


async def test_a_view_link_lasts_30_days_at_most_and_is_of_a_tenant_that_exists(house: House) -> None:
    now = datetime.now(UTC)
    for end in (now - timedelta(minutes=1), now + timedelta(days=31)):
        with pytest.raises(Invalid, match="next 30 days"):
            await house.view(expires_at=end)
    await house.view(expires_at=now + timedelta(days=30))
    for tenant in ("gone", "no\x00such"):
        with pytest.raises(NotFound):
            await house.view(tenant)
        with pytest.raises(NotFound):
            await house.views.list(tenant, after=0, limit=9)


async def test_what_is_over_for_long_is_deleted_and_nothing_else(house: House) -> None:
    for _ in range(2):
        await house.link()
        await house.view()
        await Sessions(house.store, lifetimes=Lifetimes(), roles=GROUPS).start(KIM)
    await house.sessions.set_out("one", "browser", "/")
    await house.sessions.set_out("two", "browser", "/")
    tables = {
        Purged.SIGN_IN_LINKS: "sign_in_link",
        Purged.VIEW_LINKS: "view_link",
        Purged.SESSIONS: "person_session",
        Purged.PENDING_SIGN_INS: "pending_sign_in",
    }
    for kind, table in tables.items():
        key = "state" if table == "pending_sign_in" else "id"
        await house.owner.execute(
            f"update {table} set expires_at = now() - interval '91 days' where {key} = (select min({key}) from {table})"
            if key == "id"
            else f"update {table} set expires_at = now() - interval '91 days' where next = '/' and state = sha256('one')"
        )
        assert await house.upkeep.purge(kind, 90 * DAY_MS, 100) == 1
        assert await house.owner.fetchval(f"select count(*) from {table}") == 1
