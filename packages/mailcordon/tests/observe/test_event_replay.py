"""Events from files, through the route that takes them (docs/events.md)."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient, Response

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.observe_store import ObserveStore
from mailcordon.adapters.http import event_replay, server
from mailcordon.adapters.ses import envelopes
from mailcordon.adapters.ses.feedback import Reader
from mailcordon.adapters.ses.sns_signature import Proof
from mailcordon.control.key_cache import KeyCache
from mailcordon.control.keys import Keys
from mailcordon.observe.file_replay import FileReplay

from .conftest import World, enveloped

PATH = "/v1/events/replay"
ANY_TOPIC = "arn:aws:sns:eu-west-1:999999999999:somebody-elses"


class Api:
    def __init__(self, client: AsyncClient, keys: dict[str, str]) -> None:
        self.client = client
        self.keys = keys

    async def ask(self, *documents: str, key: str | None = "operate", file: str = "x.jsonl") -> Response:
        headers = {} if key is None else {"authorization": f"Bearer {self.keys[key]}"}
        return await self.client.post(PATH, headers=headers, json={"documents": documents, "file": file})

    async def replay(self, *documents: str) -> Any:
        answer = await self.ask(*documents)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def api(world: World, database: Any) -> AsyncIterator[Api]:
    control = await engine.create_pool(database.dsn("control"))
    store = ObserveStore(database.dsn("observe"))
    keys = Keys(KeyStore(control))
    made = {
        scope: (await keys.create(tenant=None, name=scope, scopes=[scope], actor="test"))[1]
        for scope in ("operate", "send", "read", "admin", "events")
    }
    made["acme"] = (await keys.create(tenant="acme", name="a", scopes=["send", "read"], actor="test"))[1]
    replay = FileReplay(store, world.ingest, Reader(Proof(set())), envelopes.documents)
    app: Any = server.application(KeyCache(KeyStore(control)), event_replay.routes(replay))
    try:
        async with AsyncClient(transport=ASGITransport(app), base_url="http://api.test") as client:
            yield Api(client, made)
    finally:
        await store.close()
        await control.close()


async def test_only_a_platform_key_that_operates_replays_files(world: World, api: Api) -> None:
    sent = await world.sent("acme", "receipt", "kim@example.com")
    assert (await api.ask(sent.bounce(), key=None)).status_code == 401
    for key in ("send", "read", "admin", "events", "acme"):
        assert (await api.ask(sent.bounce(), key=key)).status_code == 403, key
    assert await world.rows("select * from suppression") == []
    for documents in ((), ("{}",) * 1001):
        assert (await api.ask(*documents)).status_code == 422


async def test_a_replay_says_what_was_new_and_can_be_repeated(world: World, api: Api) -> None:
    a, b, c = [await world.sent("acme", "newsletter", f"{name}@example.com", known=False) for name in "abc"]
    firehose = {"records": [{"data": base64.b64encode(c.send().encode()).decode()}]}
    documents = [
        a.send(),
        enveloped(a.bounce(), ANY_TOPIC),  # of a topic that is not ours: the operator vouches for the file
        json.dumps({"Messages": [{"Body": b.send()}, {"Body": b.complaint()}]}),
        json.dumps(firehose),
        "{nonsense",
        "Successfully validated SNS topic for Amazon SES event publishing.",
    ]
    said = await api.replay(*documents)
    assert said == {
        "documents": 7,
        "new": {"send": 3, "hard-bounce": 1, "complaint": 1},
        "copies": 0,
        "observed": 0,
        "unmapped": 0,
        "quarantined": {"malformed": 1},
        "not_kept": {},
        "elsewhere": 0,
        "notices": 1,
        "lost": 0,
    }
    assert len(await world.rows("select * from send_event")) == 3
    assert await world.rows("select configuration_set from send_seen") == []  # a file proves no absence
    before = await world.picture()
    again = await api.replay(*documents)
    assert (again["new"], again["copies"]) == ({}, 5)
    after = await world.picture()
    assert {name: rows for name, rows in after.items() if rows != before[name]} == {}


async def test_a_replay_is_audited_with_its_file_and_counts(world: World, api: Api) -> None:
    sent = await world.sent("acme", "receipt", "kim@example.com", known=False)
    assert (await api.ask(sent.send(), "{", file="events-\n2026.jsonl")).status_code == 200
    [(actor, object_, after)] = await world.rows(
        "select actor, object, after from audit where action = 'events.replay'"
    )
    assert "operate" in actor
    assert object_.startswith("file events-")
    assert "\n" not in object_
    assert json.loads(after) == {"documents": 2, "new": 1, "copies": 0, "quarantined": 1}


async def test_one_document_that_the_database_rejects_does_not_stop_the_others(
    world: World, api: Api
) -> None:
    good, bad = [await world.sent("acme", "newsletter", f"{name}@example.com") for name in "ab"]
    await world.owner.execute(f"alter table event add constraint no_b check (delivery <> {bad.delivery})")
    said = await api.replay(good.send(), bad.bounce(), good.delivery_event())
    assert (said["new"], said["quarantined"]) == ({"send": 1, "delivery": 1}, {"malformed": 1})
