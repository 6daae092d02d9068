"""The split of the account's suppression list by processes that die at any step: no entry is lost or doubled, and none is without
protection for a moment. `./dev crash suppression_split --kills 100` dies more often."""

import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon_fixtures import dying_split, forking, local_ses
from mailcordon_fixtures.dying_control import KINDS
from seslocal.state.settings import Settings

from .test_suppression_split import World, hash_of

KILLS = int(os.environ.get("MAILCORDON_TEST_KILLS", "2"))
ENTRIES = 4 * KILLS  #: of each of two tenants; and a quarter as many that are nobody's
STEPS = 14 * KILLS  #: of each kind that the whole takes, roughly


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    async with local_ses.running(database, Settings(rate=80.0, quota=50_000.0)) as parts:
        world = World(*parts)
        try:
            yield world
        finally:
            world.administer.close()


@pytest.mark.crash
@pytest.mark.timeout(300 + 20 * KILLS)
async def test_whatever_step_dies_no_entry_is_lost_doubled_or_without_protection(
    world: World, database: Any
) -> None:
    chance = random.Random(KILLS)
    owners: dict[str, str | None] = {}
    keys: dict[str, str] = {}
    for slug in ("acme", "zen"):
        tenant, keys[slug] = await world.onboard(slug, f"mail.{slug}.example")
        for n in range(ENTRIES):
            address = f"{slug[0]}{n}@example.com"
            owners[address] = slug
            await world.entered(address, f"m-{address}")
            await world.mailed(tenant, address, f"m-{address}")
    for n in range(ENTRIES // 4):
        owners[f"n{n}@example.com"] = None
        await world.entered(f"n{n}@example.com", "unknown")
    blocked = await world.owner.fetchval("select id from tenant where slug = 'zen'")
    await world.hit(blocked, "a0@example.com")
    await world.start()

    deaths = Counter[str]()
    async with forking.forker(dying_split.__name__, world.local.url, database.dsn("control")) as forker:
        for kill in range(KILLS):
            kind = KINDS[kill % len(KINDS)]
            number = chance.randint(1, 2 * STEPS // KILLS)
            if await forker.run(kind=kind, number=number) == -signal.SIGKILL:
                deaths[kind] += 1
            await protected(world, owners, keys)
        assert await forker.run(kind="call", number=0) == 0
    print(f"\n{deaths.total()} kills {dict(deaths)}, {len(owners)} entries")
    assert deaths, "nothing was killed"

    assert await world.states() == {
        address: ("unowned", None) if slug is None else ("assigned", slug) for address, slug in owners.items()
    }
    assert set(world.entries) == {address for address, slug in owners.items() if slug is None}
    for slug, key in keys.items():
        assert world.listed(key) == {address for address, owner in owners.items() if owner == slug}
    assert sorted(await world.suppressed()) == sorted(
        (slug, address, "hard-bounce") for address, slug in owners.items() if slug is not None
    )
    assert {address for address, _, _ in await world.platform()} == set(world.entries)


async def protected(world: World, owners: dict[str, str | None], keys: dict[str, str]) -> None:
    """Each address is on the account's list, or suppressed for its owner here and at SES; and for no other."""
    ours = {
        (slug, hash_of(address))
        for slug, address, cause in await world.suppressed()
        if cause == "hard-bounce"
    }
    for address, slug in owners.items():
        if address not in world.entries:
            assert slug is not None, f"{address} is nobody's, and left the account's list"
            assert (slug, hash_of(address)) in ours, address
            assert address in world.listed(keys[slug]), address
        for other, key in keys.items():
            assert other == slug or address not in world.listed(key), f"{address} is copied to {other}"
            assert other == slug or (other, hash_of(address)) not in ours, f"{address} is copied to {other}"
