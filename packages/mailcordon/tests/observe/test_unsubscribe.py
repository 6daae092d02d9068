"""Links to unsubscribe as mail programs, scanners and people use them, on a real database."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient, Response

from mailcordon import config
from mailcordon.adapters.db import engine, installation, unsubscribe_keys
from mailcordon.adapters.db.secrets import Vault, make_secret_key
from mailcordon.adapters.db.unsubscribe_keys import TokenReader
from mailcordon.adapters.db.unsubscribe_store import PostgresUnsubscribes
from mailcordon.adapters.http.unsubscribe import Unsubscribe
from mailcordon.core import address
from mailcordon.core.errors import Conflict
from mailcordon.observe.unsubscribing import How
from mailcordon.run import doctor
from mailcordon.send.unsubscribe import PATH, Named

from .conftest import INSTALLATION, World
from .test_http import Api, api  # noqa: F401

FORM = {"content-type": "application/x-www-form-urlencoded"}
ONE_CLICK = b"List-Unsubscribe=One-Click"
KIM = "kim@example.com"
STANDING = "select l.id, s.address, s.cause, s.by from suppression s join lane l on s.scope = 2 and l.id = s.target order by 1"


class Links:
    """What a mail program has: links, and HTTP."""

    def __init__(
        self, world: World, app: Any, client: AsyncClient, control: engine.Pool, secret_key: str
    ) -> None:
        self.world = world
        self.app = app
        self.client = client
        self.control = control
        self.secret_keys = [secret_key]
        self.now = 0.0
        self.refused: list[str] = []

    async def link(self, slug: str, type: str, to: str = KIM) -> str:
        async with self.control.acquire() as connection:
            ring = await unsubscribe_keys.load_keyring(connection, self.secret_keys)
        hash = address.hash_of_text(INSTALLATION.hash_key, to)
        return PATH + ring.token(Named(self.world.lanes[slug, type], hash))

    async def post(self, link: str, body: bytes = ONE_CLICK) -> Response:
        return await self.client.post(link, content=body, headers=FORM)

    async def standing(self) -> list[tuple[int, str, str, str]]:
        return [tuple(row) for row in await self.world.owner.fetch(STANDING)]


@pytest.fixture
async def links(world: World, database: Any) -> AsyncIterator[Links]:
    control = await engine.create_pool(database.dsn("control"), max_size=2)
    key = make_secret_key()
    async with control.acquire() as connection:
        await unsubscribe_keys.ensure_first(connection, Vault([key]))
        await unsubscribe_keys.ensure_first(connection, Vault([key]))  # two processes begin
    found: Links
    app: Any = Unsubscribe(
        PostgresUnsubscribes(control),
        TokenReader(control, [key], clock=lambda: found.now).read,
        refused=lambda limit: found.refused.append(limit),
        clock=lambda: found.now,
    )
    async with AsyncClient(transport=ASGITransport(app), base_url="http://links.test") as client:
        found = Links(world, app, client, control, key)
        yield found
    await control.close()


async def test_one_click_unsubscribes_from_that_lane_alone(world: World, links: Links) -> None:
    await world.sent("acme", "newsletter", "Kim@example.com")
    link = await links.link("acme", "newsletter")
    answer = await links.post(link)
    assert (answer.status_code, answer.text) == (200, "You are unsubscribed.")
    lane = world.lanes["acme", "newsletter"]
    assert await links.standing() == [(lane, "Kim@example.com", "unsubscribe", "recipient")]
    first = await world.owner.fetchval("select since from suppression")
    assert (await links.post(link)).status_code == 200  # mail programs repeat it
    assert await world.owner.fetchval("select since from suppression") == first
    hash = address.hash_of_text(INSTALLATION.hash_key, KIM)
    covered = "select suppressed_for(tenant, $1, class, id, now_ms()) from lane where id = $2"
    assert await world.owner.fetchval(covered, hash, lane)
    for other in [("acme", "receipt"), ("zen", "newsletter")]:
        assert not await world.owner.fetchval(covered, hash, world.lanes[other])


async def test_an_unsubscription_outlives_what_somebody_suppressed_by_hand(
    world: World, links: Links
) -> None:
    link = await links.link("acme", "newsletter")
    lane = world.lanes["acme", "newsletter"]
    hash = address.hash_of_text(INSTALLATION.hash_key, KIM)
    await world.owner.execute(
        "insert into suppression (tenant, hash, scope, target, address, cause, evidence, since, by)"
        " select tenant, $1, 2, id, $2, 'manual', '{\"because\": \"by phone\"}', 5, 'ann' from lane where id = $3",
        *(hash, KIM, lane),
    )
    assert (await links.post(link)).status_code == 200
    assert [row[2:] for row in await links.standing()] == [("unsubscribe", "recipient")]
    assert "You are unsubscribed" in (await links.client.get(link)).text
    assert (await links.post(link)).status_code == 200
    await links.post(link, b"do=choose&shown=newsletter&wanted=newsletter")  # what Ann stopped stays stopped
    assert [row[2:] for row in await links.standing()] == [("manual", "ann")]
    assert await world.rows("select since, evidence ->> 'because' from suppression") == [(5, "by phone")]


async def test_slow_bodies_take_no_places_of_those_that_wait_for_the_database(links: Links) -> None:
    link = await links.link("acme", "newsletter")
    assert (await links.client.get(link)).status_code == 200
    slow = 0

    async def receive() -> Any:
        nonlocal slow
        slow += 1
        await asyncio.Event().wait()

    async def send(message: Any) -> None: ...

    scope = {
        "type": "http",
        "method": "POST",
        "path": link,
        "headers": [],
        "client": ("192.0.2.1", 1),
        "state": {},
    }
    clients = [asyncio.create_task(links.app(scope, receive, send)) for _ in range(300)]
    for _ in range(100):
        await asyncio.sleep(0)
    assert slow == len(clients)
    assert (await links.post(link)).status_code == 200
    for one in clients:
        one.cancel()
    await asyncio.gather(*clients, return_exceptions=True)


async def test_doctor_on_aws_names_marketing_lanes_whose_links_have_no_address(
    world: World, links: Links, database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    settings = {
        "MAILCORDON_HOME": str(tmp_path),
        "MAILCORDON_SES": "aws",
        "MAILCORDON_INSTALLATION": "prod",
        "MAILCORDON_SECRET_KEYS": links.secret_keys[0],
        "MAILCORDON_SQS_ENDPOINT": "http://127.0.0.1:9",
        **{config.login_setting(login): database.dsn(login) for login in config.LOGINS},
    }
    for kind in ("OUTCOME", "ENGAGEMENT"):
        settings[f"MAILCORDON_{kind}_QUEUE_URL"] = f"http://127.0.0.1:9/1/{kind}"
        settings[f"MAILCORDON_{kind}_TOPIC_ARN"] = f"arn:aws:sns:us-east-1:123456789012:{kind}"

    async def found(**more: str) -> list[tuple[str, str]]:
        all_ = await doctor.find(settings | more)
        return [(one.state, one.says) for one in all_ if one.about == doctor.LINKS]

    [(state, says)] = await found()
    assert state == "warn"
    assert "newsletter of acme" in says
    assert await found(MAILCORDON_UNSUBSCRIBE_URL="https://links.example.com") == []
    await world.owner.execute(
        "insert into unsubscribe_host (tenant, host, set_by) select id, slug || '.links.example', 'ann' from tenant"
    )
    assert await found() == []


async def test_nothing_but_the_exact_post_unsubscribes(links: Links) -> None:
    link = await links.link("acme", "newsletter")
    page = await links.client.get(link)
    assert (page.status_code, "Unsubscribe</button>" in page.text) == (200, True)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text
    assert "http" not in page.text
    head = await links.client.head(link, headers={"sec-purpose": "prefetch"})
    assert (head.status_code, head.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for body in (
        b"",
        b"List-Unsubscribe=",
        b"List-Unsubscribe=One-Click&x=1",
        b"do=else",
        b"\xff",
        b"do=choose&do=choose",
    ):
        assert (await links.post(link, body)).status_code == 400, body
    assert (await links.client.post(link, json={"List-Unsubscribe": "One-Click"})).status_code == 400
    assert (await links.post(link, b"x" * 40_000)).status_code == 413
    assert (await links.client.put(link, content=ONE_CLICK, headers=FORM)).status_code == 405
    assert await links.standing() == []


async def test_a_person_chooses_on_the_page_and_takes_it_back(world: World, links: Links) -> None:
    await world.owner.execute(
        "update message_type set description = 'News & <b>more</b>' where name = 'newsletter'"
    )
    link = await links.link("acme", "newsletter")
    shown = await links.client.get(link)
    assert shown.text.count("News &amp; &lt;b&gt;more&lt;/b&gt;") == 2  # the button's question, and the list
    assert "<b>" not in shown.text
    marketing = re.findall(r'name="shown" value="([a-z-]+)"', shown.text)
    assert "newsletter" in marketing
    assert "receipt" not in marketing
    answer = await links.post(link, b"do=unsubscribe")
    assert "You are unsubscribed" in answer.text
    assert len(await links.standing()) == 1
    listed = "&".join(f"shown={type}" for type in marketing)
    answer = await links.post(link, f"do=choose&{listed}&wanted=newsletter".encode())
    assert "Your choice is saved" in answer.text
    lane = world.lanes["acme", "newsletter"]
    assert lane not in [row[0] for row in await links.standing()]
    assert len(await links.standing()) == len(marketing) - 1
    audit = await world.rows(
        "select actor, action, after ->> 'how' from audit where action like 'suppression%'"
    )
    assert audit == [("recipient", "suppression.resubscribe", "page")]
    assert (await links.post(link)).status_code == 200  # and unsubscribes again
    assert lane in [row[0] for row in await links.standing()]


async def test_the_page_takes_back_unsubscriptions_alone(world: World, links: Links) -> None:
    mail = await world.sent("acme", "newsletter", KIM)
    await world.tell(mail.complaint())
    link = await links.link("acme", "newsletter")
    assert "stopped for another reason" in (await links.client.get(link)).text
    await links.post(link, b"do=choose&shown=newsletter&wanted=newsletter")
    assert await world.rows("select cause from suppression") == [("complaint",)]
    # By a person, of this lane alone. The store itself leaves it, whatever the page would ask for.
    lane = world.lanes["acme", "newsletter"]
    await world.owner.execute("update suppression set cause = 'manual', scope = 2, target = $1", lane)
    assert "stopped for another reason" in (await links.client.get(link)).text
    hash = address.hash_of_text(INSTALLATION.hash_key, KIM)
    await PostgresUnsubscribes(links.control).choose(lane, hash, {lane: True}, How.PAGE)
    assert await world.rows("select cause from suppression") == [("manual",)]


async def test_a_link_works_when_tenant_and_lane_are_held_or_gone(world: World, links: Links) -> None:
    link = await links.link("acme", "newsletter", "nobody@example.com")
    await world.owner.execute(
        "update lane set held = true, retiring_at = now(), retire_mail = 'drain', retired_with = 'lane', retired_at = now()"
    )
    await world.owner.execute("update tenant set retiring_at = now(), retired_at = now()")
    assert (await links.client.get(link)).status_code == 200
    assert (await links.post(link)).status_code == 200
    # The mail is past retention: nobody knows the address any more, and its hash suppresses it all the same.
    assert [row[1:] for row in await links.standing()] == [("erased", "unsubscribe", "recipient")]


async def test_links_that_we_did_not_make_are_refused_and_limited(links: Links) -> None:
    link = await links.link("acme", "newsletter")
    for wrong in (
        link[:-1],
        link + "x",
        PATH,
        PATH + "x" * 52,
        PATH + "A" * 52,
        link[:10] + "%00" + link[11:],
    ):
        answer = await links.post(wrong)
        assert (answer.status_code, "not complete" in answer.text) == (404, True), wrong
    codes = [(await links.client.get(PATH + "guess")).status_code for _ in range(40)]
    assert (codes.count(404), codes.count(429)) == (24, 16)
    assert (await links.client.get(PATH + "guess")).headers["retry-after"] == "1"
    assert set(links.refused) == {"unsubscribes-per-address"}
    assert (await links.post(link)).status_code == 200  # whoever has a real one is not locked out


async def test_a_new_key_makes_links_and_the_old_ones_stay_valid(links: Links, database: Any) -> None:
    old = await links.link("acme", "newsletter")
    assert (await links.client.get(old)).status_code == 200
    newer = make_secret_key()
    control = await engine.connect(database.dsn("control"))
    await installation.load_or_create_installation(control, links.secret_keys, "test")
    await installation.rotate_unsubscribe_key(control, links.secret_keys, actor="ann")
    new = await links.link("acme", "newsletter")
    assert new != old
    assert (await links.client.get(new)).status_code == 404  # keys are read every five seconds at most
    links.now = 5.0
    assert (await links.client.get(new)).status_code == 200
    # Under another key of MAILCORDON_SECRET_KEYS.
    await installation.reencrypt(control, [newer, *links.secret_keys], actor="ann")
    stored = await installation.stored_secrets(control, [newer])
    assert stored.by_first_key.count("unsubscribe_key") == 2
    await control.close()
    for link in (old, new):
        reader = TokenReader(links.control, [newer])
        assert await reader.read(link.removeprefix(PATH)) is not None
        assert (await links.post(link)).status_code == 200


async def test_a_tenant_resubscribes_with_later_consent_only(world: World, links: Links, api: Api) -> None:  # noqa: F811
    body = {
        "address": KIM,
        "type": "newsletter",
        "evidence": "ticked the box",
        "consented_at": "2020-01-01T00:00:00Z",
    }
    path = "/v1/suppressions/resubscribe"
    assert (await api.ask("POST", path, None, body)).status_code == 401
    assert (await api.ask("POST", path, "platform-reader", body | {"tenant": "acme"})).status_code == 403
    assert (await api.ask("POST", path, "zen", body | {"tenant": "acme"})).status_code == 403
    assert (await api.ask("POST", path, "acme", body)).status_code == 404  # not unsubscribed
    await links.post(await links.link("acme", "newsletter"))
    early = await api.ask("POST", path, "acme", body)
    assert (early.status_code, early.json()["code"]) == (409, "consent-too-old")
    assert (await api.ask("POST", path, "zen", body)).status_code == 404  # its own lane: nothing there
    for wrong in ("soon", "2020-01-01T00:00:00", "9999-01-01T00:00:00Z"):
        assert (await api.ask("POST", path, "acme", body | {"consented_at": wrong})).status_code == 422
    assert (await api.ask("POST", path, "acme", body | {"evidence": ""})).status_code == 422
    await world.owner.execute("update suppression set since = since - 60000")
    since = await world.owner.fetchval("select to_timestamp((now_ms() - 30000) / 1000.0) at time zone 'UTC'")
    done = await api.ask("POST", path, "acme", body | {"consented_at": since.isoformat() + "+00:00"})
    assert (done.status_code, done.json()["may_be_mailed"]) == (200, True), done.text
    assert await links.standing() == []
    said = "select action, because, personal -> 'because' ->> 'value' from audit where action = 'suppression.resubscribe'"
    assert await world.rows(said) == [("suppression.resubscribe", "{because}", "ticked the box")]


async def test_a_tenants_host_name_is_its_own(world: World, links: Links) -> None:
    store, acme, zen = PostgresUnsubscribes(links.control), world.tenants["acme"], world.tenants["zen"]
    epoch = "select value from epoch where name = 'control'"
    before = await world.owner.fetchval(epoch)
    await store.set_host(acme, "acme", "links.acme.example", because="own", actor="ann")
    assert await world.owner.fetchval(epoch) == before + 1  # routes are read again
    await world.owner.execute("insert into identity (tenant, domain) values ($1, 'own.zen.example')", zen)
    for host in ("links.acme.example", "own.zen.example", "u.own.zen.example"):
        owner = zen if host == "links.acme.example" else acme
        with pytest.raises(Conflict):
            await store.set_host(owner, "x", host, because="own", actor="ann")
    await store.set_host(acme, "acme", None, because="given up", actor="ann")
    assert await world.rows("select host from unsubscribe_host") == []
    changes = await world.rows(
        "select before ->> 'host', after ->> 'host' from audit where action = 'tenant.unsubscribe-host'"
    )
    assert changes == [(None, "links.acme.example"), ("links.acme.example", None)]


async def test_only_an_administrator_gives_a_tenant_a_host_name(world: World, api: Api) -> None:  # noqa: F811
    path, body = "/v1/tenants/acme/unsubscribe-host", {"host": "Links.acme.example", "because": "own"}
    assert (await api.ask("PUT", path, None, body)).status_code == 401
    for key in ("acme", "zen", "platform-reader", "platform-sender"):
        assert (await api.ask("PUT", path, key, body)).status_code == 403
    assert (await api.ask("PUT", "/v1/tenants/nobody/unsubscribe-host", "platform", body)).status_code == 404
    for wrong in ("localhost", "a b.example", "127.0.0.1", "x.example/u", ""):
        answer = await api.ask("PUT", path, "platform", body | {"host": wrong})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "host"), wrong
    assert await world.rows("select host from unsubscribe_host") == []
    answer = await api.ask("PUT", path, "platform", body)
    assert (answer.status_code, answer.json()["host"]) == (200, "links.acme.example")
    shared = await api.ask("PUT", path, "platform", body | {"host": None})
    assert (shared.status_code, shared.json()["host"]) == (200, None)
