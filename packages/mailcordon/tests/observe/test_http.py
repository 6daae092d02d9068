"""The observability routes with every kind of key, on a real database."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient, Response

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.control_reader import ControlReader
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.metrics_reader import PostgresMetricsReader
from mailcordon.adapters.db.observe_reader import PostgresObserveReader
from mailcordon.adapters.db.observe_store import ObserveStore
from mailcordon.adapters.db.suppression_reader import PostgresSuppressionReader
from mailcordon.adapters.db.suppression_store import PostgresSuppressions
from mailcordon.adapters.db.unsubscribe_store import PostgresUnsubscribes
from mailcordon.adapters.http import metrics, observe, server, suppressions, unsubscribe_hosts
from mailcordon.adapters.ses.feedback import Reader
from mailcordon.adapters.ses.sns_signature import Proof
from mailcordon.control.key_cache import KeyCache
from mailcordon.control.keys import Keys
from mailcordon.observe.view import Replay

from .conftest import INSTALLATION, World

READS = ["/v1/metrics", "/v1/suppressions"]
KIM = {"address": "kim@example.com", "scope": "tenant", "because": "asked by letter"}
CHANGES: list[tuple[str, str, Any]] = [
    ("POST", "/v1/suppressions", KIM | {"tenant": "acme"}),
    ("DELETE", "/v1/suppressions?tenant=acme&address=kim@example.com&scope=tenant", None),
    ("GET", "/v1/quarantine", None),
    ("GET", "/v1/quarantine/1", None),
    ("POST", "/v1/quarantine/1/replay", None),
]


@dataclass
class Api:
    client: AsyncClient
    keys: dict[str, str]

    async def ask(self, method: str, path: str, key: str | None = "platform", body: Any = None) -> Response:
        headers = {} if key is None else {"authorization": f"Bearer {self.keys.get(key, key)}"}
        return await self.client.request(method, path, headers=headers, json=body)

    async def items(self, path: str, key: str = "platform") -> list[dict[str, Any]]:
        answer = await self.ask("GET", path, key)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]


@pytest.fixture
async def api(world: World, database: Any) -> AsyncIterator[Api]:
    control = await engine.create_pool(database.dsn("control"))
    reader = await engine.create_pool(database.dsn("reader"))
    store = ObserveStore(database.dsn("observe"))
    services = observe.ObserveServices(
        reader=PostgresObserveReader(control),
        replay=Replay(store, reader=Reader(Proof(set())), ingest=world.ingest),
    )
    of_suppressions = suppressions.SuppressionServices(
        reader=PostgresSuppressionReader(control, reader),
        suppressions=PostgresSuppressions(control),
        hash_key=INSTALLATION.hash_key,
        unsubscribes=PostgresUnsubscribes(control),
    )
    keys = Keys(KeyStore(control))
    made = {
        "platform": (await keys.mint_platform_key("test"))[1],
        "platform-reader": (await keys.create(tenant=None, name="r", scopes=["read"], actor="test"))[1],
        "platform-sender": (await keys.create(tenant=None, name="s", scopes=["send"], actor="test"))[1],
        "acme": (await keys.create(tenant="acme", name="a", scopes=["send", "read"], actor="test"))[1],
        "zen": (await keys.create(tenant="zen", name="z", scopes=["send", "read"], actor="test"))[1],
    }
    app: Any = server.application(
        KeyCache(KeyStore(control)),
        [
            *observe.routes(services),
            *metrics.routes(PostgresMetricsReader(control, reader)),
            *suppressions.routes(of_suppressions),
            *unsubscribe_hosts.routes(ControlReader(control, reader), PostgresUnsubscribes(control)),
        ],
    )
    try:
        async with AsyncClient(transport=ASGITransport(app), base_url="http://api.test") as client:
            yield Api(client, made)
    finally:
        await store.close()
        await control.close()
        await reader.close()


async def test_every_route_requires_a_key_with_the_right_scope(api: Api) -> None:
    for method, path, body in [*(("GET", path, None) for path in READS), *CHANGES]:
        assert (await api.ask(method, path, None, body)).status_code == 401
        assert (await api.ask(method, path, "mck_aaaaaaaa_" + "A" * 43, body)).status_code == 401
        assert (await api.ask(method, path, "platform-sender", body)).status_code == 403
    for method, path, body in CHANGES:
        assert (await api.ask(method, path, "acme", body)).status_code == 403
        assert (await api.ask(method, path, "platform-reader", body)).status_code == 403


async def test_another_tenants_counts_and_suppressions_are_not_found(world: World, api: Api) -> None:
    sent = await world.sent("acme", "newsletter", "kim@gmail.com")
    await world.tell(sent.send(), sent.bounce())
    for path in READS:
        assert len(await api.items(path, "acme")) == 1
        assert len(await api.items(f"{path}?tenant=acme", "platform-reader")) == 1
        assert await api.items(path, "zen") == []
        assert (await api.ask("GET", f"{path}?tenant=acme", "zen")).status_code == 404
        assert (await api.ask("GET", f"{path}?tenant=nobody")).status_code == 404
    unnamed = await api.ask("GET", "/v1/suppressions")
    assert (unnamed.status_code, unnamed.json()["errors"][0]["field"]) == (422, "tenant")


async def test_a_platform_key_may_leave_the_tenant_out_of_counts_and_rankings(world: World, api: Api) -> None:
    sent = await world.sent("acme", "newsletter", "kim@gmail.com")
    await world.tell(sent.send(), sent.bounce())
    for key in ("platform", "platform-reader"):
        [line] = await api.items("/v1/metrics", key)
        assert (line["tenant"], line["type"], line["hard_bounced"]) == ("acme", "newsletter", 1)
        [worst] = await api.items("/v1/top", key)
        assert worst["detail"].startswith("acme/newsletter: 1 hard bounce of 1 mail in the last hour (")
    for key, status in ((None, 401), ("platform-sender", 403), ("acme", 403)):
        assert (await api.ask("GET", "/v1/top", key)).status_code == status


async def test_the_reader_role_sees_no_rows_without_a_tenant_even_on_a_used_connection(
    world: World, database: Any
) -> None:
    sent = await world.sent("acme", "newsletter", "kim@gmail.com")
    await world.tell(sent.send(), sent.bounce())
    connection = await engine.connect(database.dsn("reader"))
    try:
        for tables in (
            "event",
            "outcome",
            "suppression",
            "cohort_minute",
            "cohort_hour",
            "cohort_day",
            "cohort_slice",
            "slice",
        ):
            async with connection.transaction():
                await connection.execute(
                    "select set_config('mailcordon.tenant', $1, true)", str(world.tenants["acme"])
                )
                assert await connection.fetchval(f"select count(*) from {tables}") > 0
            assert await connection.fetchval(f"select count(*) from {tables}") == 0
    finally:
        await connection.close()


async def test_metrics_add_up_by_lane_by_provider_and_by_minute(world: World, api: Api) -> None:
    for index, to in enumerate(["a@gmail.com", "b@gmail.com", "c@yahoo.com"]):
        sent = await world.sent("acme", "newsletter", to, at=world.now + index * 60_000)
        await world.tell(sent.send(), sent.delivery_event())
    reset = await world.sent("acme", "password-reset", "a@gmail.com")
    await world.tell(reset.send(), reset.bounce())
    lanes = await api.items("/v1/metrics?tenant=acme")
    assert [
        (one["type"], one["class"], one["sent"], one["delivered"], one["hard_bounced"]) for one in lanes
    ] == [
        ("password-reset", "urgent", 1, 0, 1),
        ("newsletter", "marketing", 3, 3, 0),
    ]
    providers = await api.items("/v1/metrics?tenant=acme&by=provider&type=newsletter")
    assert [(one["provider"], one["sent"]) for one in providers] == [("gmail", 2), ("yahoo", 1)]
    minutes = await api.items("/v1/metrics?tenant=acme&by=minute&provider=gmail")
    assert [one["sent"] for one in minutes] == [2, 1]
    first = await api.ask("GET", "/v1/metrics?tenant=acme&by=minute&limit=1")
    assert [one["sent"] for one in first.json()["items"]] == [2]
    rest = await api.items(f"/v1/metrics?tenant=acme&by=minute&after={first.json()['next']}")
    assert [one["sent"] for one in rest] == [1, 1]
    assert await api.items("/v1/metrics?tenant=acme&minutes=5") == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("minutes=0", 422),
        ("minutes=x", 422),
        ("limit=1001", 422),
        ("by=colour", 422),
        ("provider=nobody", 422),
        ("type=invoice", 404),
        ("type=%00", 404),
        ("after=-1", 422),
        ("after=9999999999", 422),
        ("after=%00&by=campaign", 422),
        ("campaign=%00", 422),
        ("class=none", 422),
        ("since=yesterday", 422),
        ("since=2026-11-28T15:00Z&minutes=5", 422),
        ("since=2026-11-28T15:00Z&until=2026-11-28T14:00Z", 422),
        ("since=1999-11-28T15:00Z", 422),
        ("by=minute&minutes=1500", 422),
        ("by=campaign&minutes=144000", 422),
        ("tenants=acme", 422),
    ],
)
async def test_a_wrong_query_is_named(api: Api, query: str, status: int) -> None:
    answer = await api.ask("GET", f"/v1/metrics?tenant=acme&{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize(
    "query",
    ["by=colour", "per=campaign", "by=volume&movers=true", "limit=101", "provider=nobody", "minutes=0"],
)
async def test_a_wrong_ranking_is_named(api: Api, query: str) -> None:
    answer = await api.ask("GET", f"/v1/top?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


async def test_some_tenants_are_named_by_slugs_and_a_platform_key_only(api: Api) -> None:
    assert (await api.ask("GET", "/v1/metrics?by=tenant&tenants=acme,nobody")).status_code == 200
    for wrong in ("", ",", "acme,%00", "acme,%25", ",".join(["acme"] * 101)):
        assert (await api.ask("GET", f"/v1/metrics?tenants={wrong}")).status_code == 422, wrong


async def test_all_tenants_campaigns_are_read_for_a_week_at_most(api: Api) -> None:
    assert (await api.ask("GET", "/v1/metrics?by=campaign&minutes=11520")).status_code == 200
    assert (await api.ask("GET", "/v1/metrics?by=campaign&minutes=14400")).status_code == 422
    assert (await api.ask("GET", "/v1/metrics?type=invoices")).status_code == 404
    assert (await api.ask("GET", "/v1/metrics?type=%00")).status_code == 404


async def test_a_line_says_its_rates_first_as_a_sentence(world: World, api: Api) -> None:
    for index in range(20):
        sent = await world.sent("acme", "newsletter", f"k{index}@gmail.com")
        await world.tell(sent.send(), sent.delivery_event())
    sent = await world.sent("acme", "newsletter", "kim@yahoo.com")
    await world.tell(sent.send(), sent.complaint())
    page = (await api.ask("GET", "/v1/metrics?tenant=acme")).json()
    [line] = page["items"]
    complaints = line["rates"]["complaints"]
    assert (complaints["events"], complaints["mails"], complaints["young"]) == (1, 1, True)
    assert (complaints["usual"], complaints["standing"]) == (None, "unknown")
    assert round(complaints["left_out"], 3) == 0.952
    assert line["detail"].startswith("acme/newsletter: 0 hard bounces of 21 mails in the last hour (")
    assert (page["unreliable"], page["until"], page["next"]) == (False, None, None)
    assert page["since"].endswith("Z")


async def test_a_suppression_by_hand_is_audited_and_ends_on_time(world: World, api: Api) -> None:
    body = KIM | {"tenant": "acme", "scope": "lane", "type": "newsletter", "until_seconds": 3600}
    assert (await api.ask("POST", "/v1/suppressions", body=body)).status_code == 201
    assert (await api.ask("POST", "/v1/suppressions", body=KIM | {"tenant": "acme"})).status_code == 201
    items = await api.items("/v1/suppressions?tenant=acme&address=KIM@example.com")
    assert [
        (one["scope"], one["type"], one["cause"], one["evidence"], one["until"] is None) for one in items
    ] == [
        ("tenant", None, "manual", "asked by letter", True),
        ("lane", "newsletter", "manual", "asked by letter", False),
    ]
    assert items[1]["detail"].startswith("acme may not send newsletter mail to kim@example.com until ")
    assert await api.items("/v1/suppressions?tenant=zen") == []
    audit = await world.rows(
        "select actor, action, tenant, personal -> 'because' ->> 'value', object || because from audit"
        " where action like 'suppression%'"
    )
    assert {row[1:4] for row in audit} == {("suppression.add", world.tenants["acme"], "asked by letter")}
    assert all(row[0].startswith("mailcordon (key test, ") for row in audit)
    assert all("kim@" not in row[4] and "letter" not in row[4] for row in audit)


async def test_a_longer_suppression_is_not_shortened(world: World, api: Api) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(sent.bounce())
    answer = await api.ask("POST", "/v1/suppressions", body=KIM | {"tenant": "acme", "until_seconds": 60})
    assert (answer.status_code, answer.json()["cause"]) == (200, "hard-bounce")


async def test_a_removal_is_marked_once_and_waits_for_ses(world: World, api: Api) -> None:
    path = "/v1/suppressions?tenant=acme&address=kim@example.com&scope=class&class=marketing"
    assert (await api.ask("DELETE", path)).status_code == 404
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.tell(sent.complaint())
    assert [(await api.ask("DELETE", path)).json()["removing"] for _ in range(2)] == [True, True]
    assert (await api.items("/v1/suppressions?tenant=acme"))[0]["removing"]
    audit = await world.rows("select action from audit where action like 'suppression%'")
    assert audit == [("suppression.remove",)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"address": "kim"}, "address"),
        ({"address": "kim@example.com\r\nBcc: x@y.example"}, "address"),
        ({"scope": "class"}, "class"),
        ({"scope": "class", "class": "vip"}, "class"),
        ({"scope": "lane"}, "type"),
        ({"type": "newsletter"}, "type"),
        ({"because": "  "}, "because"),
        ({"until_seconds": 0}, "until_seconds"),
        ({"tenant": None}, "tenant"),
    ],
)
async def test_a_wrong_suppression_names_the_field(world: World, api: Api, change: Any, field: str) -> None:
    answer = await api.ask("POST", "/v1/suppressions", body=KIM | {"tenant": "acme"} | change)
    assert (answer.status_code, [one["field"] for one in answer.json()["errors"]]) == (422, [field])
    assert await world.rows("select 1 from suppression") == []


async def test_suppressions_come_in_pages(api: Api) -> None:
    for n in range(5):
        await api.ask(
            "POST", "/v1/suppressions", body=KIM | {"tenant": "acme", "address": f"a{n}@example.com"}
        )
    seen: list[str] = []
    path = "/v1/suppressions?tenant=acme&limit=2"
    page = (await api.ask("GET", path)).json()
    while page["next"]:
        seen += [one["address"] for one in page["items"]]
        page = (await api.ask("GET", f"{path}&after={page['next']}")).json()
    seen += [one["address"] for one in page["items"]]
    assert sorted(seen) == [f"a{n}@example.com" for n in range(5)]
    assert (await api.ask("GET", f"{path}&after=nonsense")).status_code == 422


async def test_a_replay_counts_what_can_be_attributed_by_now_and_only_once(world: World, api: Api) -> None:
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.owner.execute("update message set recipients = '{}'")
    await world.tell(sent.bounce())
    [entry] = await api.items("/v1/quarantine")
    assert (entry["why"], entry["tenant"], entry["resolution"]) == ("disagreement", "acme", None)
    shown = (await api.ask("GET", f"/v1/quarantine/{entry['id']}")).json()
    assert json.loads(shown["document"])["mail"]["messageId"] == sent.ses_id
    path = f"/v1/quarantine/{entry['id']}/replay"
    assert (await api.ask("POST", path)).json()["resolution"].startswith("still disagreement: ")
    await world.owner.execute("update message set recipients = '{kim@example.com}'")
    assert (await api.ask("POST", path)).json()["resolution"].startswith("counted: hard-bounce of ")
    again = (await api.ask("POST", path + "?because=to+be+sure")).json()
    assert again["resolution"] == "nothing to do: the same event was counted before"
    assert (again["copies"], await world.metrics("hard_bounced")) == (1, [(1,)])
    audit = await world.rows("select action, object from audit where action like 'quarantine%'")
    assert audit == [("quarantine.replay", f"quarantine {entry['id']}")] * 3
    given = await world.rows("select because from audit where action like 'quarantine%' order by id")
    assert given == [(None,), (None,), ("to be sure",)]


@pytest.mark.parametrize("why", ["Double", "bounces", "%00", "", "double%20"])
async def test_a_kind_that_quarantine_does_not_have_is_named(api: Api, why: str) -> None:
    answer = await api.ask("GET", f"/v1/quarantine?why={why}")
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["errors"]] == ["why"]


async def test_an_entry_about_many_mails_shows_samples(world: World, api: Api) -> None:
    mail = {
        "timestamp": "2026-03-01T12:00:00Z",
        "messageId": "m",
        "source": "a@shop.example",
        "tags": {"ses:x": ["y"]},
    }
    await world.tell(
        *[
            json.dumps({"eventType": "Send", "mail": mail | {"messageId": f"m{n}"}, "send": {}})
            for n in range(5)
        ]
    )
    [entry] = await api.items("/v1/quarantine?why=ungoverned")
    assert entry["copies"] == 5
    shown = (await api.ask("GET", f"/v1/quarantine/{entry['id']}")).json()
    documents = [shown["document"], *shown["samples"]]
    assert [json.loads(one)["mail"]["messageId"] for one in documents] == ["m0", "m1", "m2"]
    again = (await api.ask("POST", f"/v1/quarantine/{entry['id']}/replay")).json()
    assert again["resolution"].startswith("still ungoverned: Mail of a@shop.example")


async def test_quarantine_is_listed_newest_first_in_pages(world: World, api: Api) -> None:
    for n in range(3):
        await world.tell(f"{n}{{")
    page = (await api.ask("GET", "/v1/quarantine?limit=2")).json()
    rest = await api.items(f"/v1/quarantine?after={page['next']}")
    found = [one["id"] for one in [*page["items"], *rest]]
    assert found == sorted(found, reverse=True)
    assert len(found) == 3
    assert await api.items("/v1/quarantine?why=double") == []
    assert [one["id"] for one in await api.items("/v1/quarantine?why=malformed")] == found
    [malformed] = [kind for kind in page["kinds"] if kind["why"] == "malformed"]
    assert (malformed["entries"], malformed["documents"], malformed["not_kept"]) == (3, 3, 0)
    for path in ("/v1/quarantine/999999", "/v1/quarantine/99999999999999999999"):
        assert (await api.ask("GET", path)).status_code == 404
        assert (await api.ask("POST", path + "/replay")).status_code == 404
