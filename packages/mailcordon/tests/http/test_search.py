"""GET /v1/messages: what may be asked for, by whom, and what is said of an address that was never mailed."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.control_reader import ControlReader
from mailcordon.adapters.db.feedback_reader import FeedbackReader
from mailcordon.adapters.db.incident_reader import IncidentReader
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.message_reader import MessageReader
from mailcordon.adapters.db.message_search import MessageSearch
from mailcordon.adapters.http import search, server, why
from mailcordon.adapters.http.message_endpoint import MessageEndpoint
from mailcordon.control import keys
from mailcordon.control.key_cache import KeyCache
from mailcordon.core import ids
from mailcordon_fixtures.queue_world import HASH_KEY, MakeSubmission, World, accepting, allowed

CALLED = time.time_ns() // 1_000_000 + 3_600_000  #: after every acceptance of this module
SES_ID = f"0100{CALLED + 50:012x}-e4511161-032f-4588-82f8-53f2b862e736-000000"
HEADER = f"<{SES_ID}@email.amazonses.com>"


class Api:
    def __init__(self, client: httpx.AsyncClient, tokens: dict[str, str], owner: Any) -> None:
        self.client, self.tokens, self.owner = client, tokens, owner

    async def get(self, who: str = "acme", path: str = "/v1/messages", **query: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.tokens[who]}"}
        return await self.client.get(path, params=query, headers=headers)

    async def found(self, who: str = "acme", **query: str) -> dict[str, Any]:
        answer = await self.get(who, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    """The world of the queue tests, instead of the one in conftest.py."""
    connection = await asyncpg.connect(database.dsn("owner"), server_settings={"search_path": "mailcordon"})
    yield World(database, connection)
    await connection.close()


@pytest.fixture
async def api(world: World, make_submission: MakeSubmission) -> AsyncIterator[Api]:
    for slug in ("acme", "zen"):
        await world.lane(slug, "password-reset")
        await world.lane(slug, "newsletter")
    await world.account()
    await world.dispatcher()
    async with accepting(world) as accept:
        for slug, to in (
            ("acme", "kim@example.com"),
            ("acme", "lee@example.com"),
            ("zen", "kin@example.com"),
        ):
            one = make_submission("newsletter", slug, [to], campaign=f"{slug}-spring")
            await accept.enqueue(slug, one, api_key=1, key=None, still_allowed=allowed)
    c = world.connection
    await c.execute(
        "with gone as (delete from ready where id = (select max(r.id) from recipient r join tenant t on t.id = r.tenant"
        " where t.slug = 'zen') returning *)"
        " insert into ledger (id, tenant, lane, state, attempt, provider, ses_id, called_at, at, reason, detail)"
        " select id, tenant, lane, 20, 1, 0, $1, $2, $2, 'sent', 'SES accepted the mail' from gone",
        SES_ID, CALLED,
    )  # fmt: skip
    pools = {login: await engine.create_pool(world.database.dsn(login)) for login in ("control", "reader")}
    store = KeyStore(pools["control"])
    made, cache = keys.Keys(store), KeyCache(store, clock=time.time)
    tokens = {
        name: (await made.create(tenant=tenant, name=name, scopes=scopes, actor="test"))[1]
        for name, tenant, scopes in (
            ("acme", "acme", ["read"]),
            ("zen", "zen", ["read"]),
            ("sender", "acme", ["send"]),
            ("platform", None, ["read"]),
        )
    }
    read_as, nothing = (pools["control"], pools["reader"]), None
    endpoint = MessageEndpoint(
        accept=nothing,  # pyright: ignore[reportArgumentType]
        keys=cache,
        reader=MessageReader(*read_as),
        canceller=nothing,  # pyright: ignore[reportArgumentType]
        hash_key=HASH_KEY,
    )

    async def health() -> server.Health:
        return server.Health(ok=True, database="ok", oldest_snapshot_seconds=None)

    searching = search.SearchServices(search=MessageSearch(*read_as), hash_key=HASH_KEY, region="us-east-1")
    explaining = why.WhyServices(
        endpoint=endpoint,
        search=searching,
        reads=ControlReader(*read_as),
        feedback=FeedbackReader(*read_as),
        incidents=IncidentReader(*read_as),
    )
    handlers = [*search.routes(searching), *why.routes(explaining)]
    app: Any = server.build(endpoint, cache, handlers, health, "0")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mailcordon") as client:
        yield Api(client, tokens, c)
    for pool in pools.values():
        await pool.close()


def to(page: dict[str, Any]) -> list[str]:
    return [item["to"] for item in page["items"]]


async def test_a_tenants_key_finds_its_own_mail_only(api: Api) -> None:
    assert to(await api.found("acme")) == ["lee@example.com", "kim@example.com"]
    assert to(await api.found("zen")) == ["kin@example.com"]
    assert to(await api.found("platform")) == ["kin@example.com", "lee@example.com", "kim@example.com"]
    assert to(await api.found("platform", tenant="zen")) == ["kin@example.com"]
    assert to(await api.found("acme", campaign="zen-spring")) == []
    assert to(await api.found("acme", message_id=HEADER)) == []


async def test_a_tag_of_the_apps_own_finds_its_mail(api: Api) -> None:
    await api.owner.execute(
        'update message set tags = \'{"order": "17", "x": "y"}\' where recipients = \'{kim@example.com}\''
    )
    found = await api.found("platform", tag="order=17")
    assert (to(found), found["items"][0]["tags"]) == (["kim@example.com"], {"order": "17", "x": "y"})
    assert to(await api.found("acme", tag="order=17", campaign="none")) == []
    assert to(await api.found("zen", tag="order=17")) == []
    assert to(await api.found("platform", tag="order=1")) == []


async def test_another_tenant_does_not_exist_and_the_scope_is_needed(api: Api) -> None:
    for who, query, status in (
        ("acme", {"tenant": "zen"}, 404),
        ("acme", {"tenant": "nobody"}, 404),
        ("platform", {"tenant": "nobody"}, 404),
        ("sender", {}, 403),
    ):
        assert (await api.get(who, **query)).status_code == status, (who, query)
    assert (await api.client.get("/v1/messages")).status_code == 401


async def test_a_page_goes_on_at_its_cursor(api: Api) -> None:
    first = await api.found("platform", limit="2")
    assert to(first) == ["kin@example.com", "lee@example.com"]
    rest = await api.found("platform", limit="2", after=first["next"])
    assert (to(rest), rest["next"]) == (["kim@example.com"], None)


async def test_the_message_id_that_the_recipient_sees_finds_the_mail_and_is_shown(api: Api) -> None:
    for query in ({"message_id": HEADER}, {"message_id": HEADER.strip("<>")}, {"ses_id": SES_ID}):
        [item] = (await api.found("platform", **query))["items"]
        assert (item["to"], item["message_id"], item["state"]) == ("kin@example.com", HEADER, "sent")
        shown = (await api.get("platform", f"/v1/messages/{item['message']}")).json()["deliveries"][0]
        names = ("id", "to", "state", "since", "reason", "detail", "ses_id", "message_id")
        assert [shown[name] for name in names] == [item[name] for name in names]


async def test_an_address_that_was_never_mailed_says_so_with_similar_ones_of_the_tenant(api: Api) -> None:
    page = await api.found("acme", to="kim@exmaple.com")
    never = page["never_mailed"]
    assert (page["items"], never["similar"]) == ([], ["kim@example.com"])
    assert never["detail"].startswith("acme has never mailed kim@exmaple.com in the records")
    assert "kim@example.com" in never["detail"]
    # kin@example.com is another tenant's.
    assert (await api.found("zen", to="kim@exmaple.com"))["never_mailed"]["similar"] == []
    both = (await api.found("platform", to="kik@example.com"))["never_mailed"]
    assert both["detail"].startswith("No tenant has ever mailed kik@example.com")
    assert both["similar"] == []  # neither is a slip of one key


async def test_an_address_that_was_mailed_is_not_called_never_mailed(api: Api) -> None:
    assert (await api.found("acme", to="kim@example.com", state="bounced"))["never_mailed"] is None
    assert (await api.found("acme", to="KIM@example.com"))["never_mailed"] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"to": "kim"}, "to"),
        ({"id": "msg_1"}, "id"),
        ({"message_id": "<x@mail.acme.example>"}, "message_id"),
        ({"ses_id": "a b"}, "ses_id"),
        ({"state": "bouncy"}, "state"),
        ({"reason": ""}, "reason"),
        ({"since": "yesterday"}, "since"),
        ({"type": "a\0b"}, "type"),
        ({"campaign": "a\nb"}, "campaign"),
        ({"tag": "order"}, "tag"),
        ({"tag": "a b=c"}, "tag"),
        ({"id": ids.message_id(64), "ses_id": "x"}, "ses_id"),
    ],
)
async def test_a_field_that_cannot_be_asked_for_is_named(api: Api, query: dict[str, str], field: str) -> None:
    answer = await api.get("acme", **query)
    assert answer.status_code == 422
    assert [one["field"] for one in json.loads(answer.content)["errors"]] == [field]


# WHY ---------------------------------------------------------------------------------------------------------------------


async def told(api: Api, of: str, who: str = "acme", **query: str) -> tuple[str, list[str]]:
    answer = await api.get(who, "/v1/why", of=of, **query)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    entries = found["timeline"]
    assert [entry["at"] for entry in entries] == sorted(entry["at"] for entry in entries)
    return found["sentence"], [entry["what"] for entry in entries]


async def hold(api: Api) -> int:
    """On acme's newsletters, placed before the mail was accepted and lifted now."""
    await api.owner.execute(
        "insert into hold (tenant, lane, owner, because, by, since, lifted_at, lifted_by, lifted_because)"
        " select l.tenant, l.id, 'person', 'list looks bought', 'kim', now_ms() - 60000, now_ms(), 'lee', 'it was not'"
        " from lane l join tenant t on t.id = l.tenant where t.slug = 'acme' and l.class = 2"
    )
    return await api.owner.fetchval("select max(id) from hold")


async def test_why_of_a_message_is_one_sentence_and_its_timeline(api: Api) -> None:
    await hold(api)
    [_, item] = (await api.found("acme"))["items"]
    for of in (item["id"], item["message"]):
        sentence, story = await told(api, of)
        assert sentence.startswith("The mail to kim@example.com has been in state queued since ")
        assert {"accepted", "held", "released"} <= set(story)


async def test_why_says_which_path_mail_takes_and_that_one_of_two_is_stopped(api: Api, world: World) -> None:
    lane = await api.owner.fetchval(
        "select min(l.id) from lane l join tenant t on t.id = l.tenant where l.class = 2"
    )
    await world.share(lane, 100)
    await api.owner.execute("update message set other_path = 0 where lane = $1", lane)
    [item, other] = (await api.found("acme"))["items"]
    assert (await told(api, item["id"]))[0].endswith(". It takes the lane's own path")
    await api.owner.execute("update message set other_path = 3::bigint << 61 where lane = $1", lane)
    assert (await told(api, other["id"]))[0].endswith(
        "raw MIME is sent as it was handed in, so its From decides"
    )
    await api.owner.execute(
        "insert into stop (scope, name, cause, because, urgent, since, last_seen, probe_at)"
        " values ('identity', 'mail.platform.example', 'identity', 'not found', true, now_ms(), now_ms(), now_ms())"
    )
    sentence, story = await told(api, "lane acme/newsletter")
    assert sentence.startswith(
        "acme/newsletter is open: Only mail on the path that tenants share waits, the other path goes on: Stopped"
    )
    assert story == ["stopped"]
    assert (await told(api, item["id"]))[0].endswith("so its From decides"), "it is on the other path"
    await api.owner.execute("update message set path = 'shared' where lane = $1", lane)
    assert "in state held" in (await told(api, item["id"]))[0]


async def test_why_of_a_hold_and_of_its_lane_tells_who_placed_and_lifted_it(api: Api) -> None:
    number = await hold(api)
    sentence, story = await told(api, f"hold {number}")
    assert "list looks bought" in sentence
    assert "newsletter mail of acme; lifted by lee: it was not" in sentence
    assert story == ["held", "released"]
    sentence, story = await told(api, "lane acme/newsletter")
    assert sentence == "acme/newsletter is open: nothing keeps its mail from leaving"
    assert story == ["held", "released"]
    assert (await told(api, "lane acme/password-reset"))[1] == []


async def test_why_of_a_domain_tells_of_its_lanes_and_stops(api: Api) -> None:
    await api.owner.execute(
        "insert into stop (scope, name, cause, because, urgent, since, last_seen, probe_at, tenant)"
        " select 'identity', 'newsletter.acme.example', 'identity', 'not found', true, now_ms(), now_ms(), now_ms(), id"
        " from tenant where slug = 'acme'"
    )
    sentence, story = await told(api, "domain newsletter.acme.example")
    assert sentence == "newsletter.acme.example of acme is verified, and newsletter mail leaves from it"
    assert story == ["added", "stopped"]
    number = await api.owner.fetchval("select max(id) from stop")
    assert "not found" in (await told(api, f"stop {number}"))[0]
    assert (await told(api, "lane acme/newsletter"))[1] == ["stopped"]


async def test_why_of_an_address_tells_of_its_mail_or_of_a_misspelling(api: Api) -> None:
    sentence, story = await told(api, "kim@example.com")
    assert sentence.startswith(
        "Nothing keeps acme from mailing kim@example.com: the last mail has been in state queued"
    )
    assert story == ["queued"]
    assert "acme has never mailed kim@exmaple.com" in (await told(api, "kim@exmaple.com"))[0]


async def test_why_tells_a_tenant_nothing_of_others(api: Api) -> None:
    number = await hold(api)
    [item] = (await api.found("zen"))["items"]
    for of in (
        item["id"],
        "lane zen/newsletter",
        "domain newsletter.zen.example",
        "hold 999999",
        "incident 1",
        "loss 1",
    ):
        assert (await api.get("acme", "/v1/why", of=of)).status_code == 404, of
    for of in (f"hold {number}", "lane acme/newsletter", "domain newsletter.acme.example"):
        assert (await api.get("zen", "/v1/why", of=of)).status_code == 404, of
        assert (await api.get("platform", "/v1/why", of=of)).status_code == 200, of
        assert (await api.get("sender", "/v1/why", of=of)).status_code == 403, of
    assert (await api.get("acme", "/v1/why", of="nothing at all")).status_code == 422
