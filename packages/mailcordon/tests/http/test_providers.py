"""GET /v1/providers/{domain}: who may read it, and what it says."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.provider_store import ProviderStore
from mailcordon.adapters.http import providers
from mailcordon.control.providers import Providers
from mailcordon_fixtures import route


@pytest.fixture
async def ask(world: Any) -> AsyncIterator[Any]:
    async with route.asked(
        world.database,
        "/v1/providers/Acme.Example",
        lambda pool: providers.routes(Providers(ProviderStore(pool))),
    ) as get:
        yield get


async def test_only_a_platform_key_that_may_read_sees_whose_a_domain_is(world: Any, ask: Any) -> None:
    for key in (None, "nonsense"):
        assert (await ask(key)).status_code == 401
    for slug in ("acme", "zen"):
        answer = await ask(world.tenant_keys[slug])
        assert (answer.status_code, answer.json()["code"]) == (403, "platform-only")
    for scope in ("send", "operate", "admin"):
        answer = await ask(await world.key(None, scope))
        assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")
    assert (await ask(await world.key(None, "read"))).status_code == 200


async def test_a_domain_is_looked_up_when_it_is_asked_for_and_shown_with_its_age(
    world: Any, ask: Any
) -> None:
    key = await world.key(None, "read")
    first = (await ask(key)).json()
    assert (first["domain"], first["provider"], first["source"], first["learnt_at"]) == (
        "acme.example",
        "unknown",
        "unknown",
        None,
    )
    owner = await engine.connect(world.database.dsn("owner"))
    assert await owner.fetchval("select array_agg(domain) from domain_wanted") == ["acme.example"]
    await owner.execute(
        "insert into domain_provider (domain, provider, behind, found, mx, since, learnt_at, asked_at, expires_at)"
        " values ('acme.example', 211, 2, 1, '{mx1.ppe-hosted.com}', 1795000000000, 1795000000000, 1795000000000, 1795000060000)"
    )
    await owner.close()
    assert (await ask(key)).json() == {
        "domain": "acme.example",
        "provider": "proofpoint",
        "kind": "gateway",
        "behind": "microsoft",
        "source": "mx",
        "hosts": ["mx1.ppe-hosted.com"],
        "since": "2026-11-18T11:06:40.000Z",
        "learnt_at": "2026-11-18T11:06:40.000Z",
        "expires_at": "2026-11-18T11:07:40.000Z",
        "sentence": "Mail to acme.example is received by the gateway of proofpoint (mx1.ppe-hosted.com);"
        " its mailboxes are at microsoft",
        "problem": None,
    }
