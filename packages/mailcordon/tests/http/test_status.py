"""GET /v1/status: who may read it, and what it shows."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db.health_store import HealthStore
from mailcordon.adapters.db.status_reader import StatusReader
from mailcordon.adapters.http import status
from mailcordon_fixtures import route


@pytest.fixture
async def ask(world: Any) -> AsyncIterator[Any]:
    async with route.asked(
        world.database, "/v1/status", lambda pool: status.routes(StatusReader(pool))
    ) as get:
        yield get


async def test_only_a_platform_key_that_may_read_sees_the_status(world: Any, ask: Any) -> None:
    for key in (None, "nonsense"):
        assert (await ask(key)).status_code == 401
    answer = await ask(world.tenant_keys["acme"])
    assert (answer.status_code, answer.json()["code"]) == (403, "platform-only")
    assert "newsletter" not in answer.text
    answer = await ask(await world.key(None, "send", "operate", "admin"))
    assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")
    assert (await ask(await world.key(None, "read"))).status_code == 200


async def test_the_answer_lists_problems_with_what_to_do_and_the_processes_with_their_facts(
    world: Any, ask: Any
) -> None:
    store = HealthStore(world.database.dsn("send"), role="dispatch", instance="a", host="mail-1", pid=7)
    await store.beat({"last_success": 1_795_879_380_000, "sent": 3, "success_minutes": [1]})
    await store.close()
    found = (await ask(await world.key(None, "read"))).json()
    assert found["ok"] is False
    silent = [one for one in found["problems"] if one["code"] == "role-silent"]
    assert len(silent) == 3
    assert all(one["detail"] and one["next"] and one["whose"] is None for one in silent)
    [process] = found["processes"]
    assert (process["role"], process["host"], process["pid"], process["silent"]) == (
        "dispatch",
        "mail-1",
        7,
        False,
    )
    assert process["facts"] == {"last_success": "2026-11-28T15:23:00.000Z", "sent": 3}
    assert "roles" in found["checked"]
