"""Addresses leave SES's lists that SES put there for a bounce that is not about the address: against the local SES."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db.unlisting_store import UnlistingStore
from mailcordon.control.unlisting import TRIES, Unlister
from mailcordon_fixtures import local_ses
from seslocal.state.settings import Settings
from seslocal.state.suppression import SuppressedDestination

from .test_control_upkeep import World as ControlWorld

KIM = "kim@example.com"


class World(ControlWorld):
    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.unlister = Unlister(UnlistingStore(self.control), self.administer, retry_seconds=0)

    def list_at_ses(self, key: str, message_id: str, reason: str = "BOUNCE") -> None:
        account = self.local.account
        tenant = account.tenants.get(key)
        assert tenant is not None
        tenant.suppression.put(SuppressedDestination(KIM, reason, account.clock.now(), message_id, "f-1"))

    def listed(self, key: str) -> list[str]:
        tenant = self.local.account.tenants.get(key)
        assert tenant is not None
        return list(tenant.suppression.entries)

    async def bounced(
        self, tenant: int, message_id: str = "ses-1", *, since: int = 1000, due_in: int = 0
    ) -> None:
        await self.owner.execute(
            "insert into ses_unlisting (tenant, hash, spelling, ses_id, since, due_at)"
            " values ($1, $2, $3, $4, $5, now_ms() + $6::bigint)",
            tenant, KIM.encode(), KIM, message_id, since, due_in,
        )  # fmt: skip

    async def suppress(self, tenant: int, cause: str, since: int) -> None:
        await self.owner.execute(
            "insert into suppression (tenant, hash, scope, target, address, cause, since, by)"
            " values ($1, $2, 0, 0, $3, $4, $5, 'ses')",
            tenant, KIM.encode(), KIM, cause, since,
        )  # fmt: skip

    async def left(self, table: str) -> int:
        return await self.owner.fetchval(f"select count(*) from {table}")


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    async with local_ses.running(database, Settings(rate=80.0, quota=50_000.0)) as parts:
        world = World(*parts)
        try:
            yield world
        finally:
            world.administer.close()


async def test_an_entry_for_the_bounced_mail_is_deleted_and_what_its_hits_suppressed_is_open(
    world: World,
) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    world.list_at_ses(key, "ses-1")
    await world.bounced(acme)
    await world.suppress(acme, "ses-tenant-list", since=2000)
    assert await world.unlister.advance() == 1
    assert world.listed(key) == []
    assert (await world.left("ses_unlisting where due_at is not null"), await world.left("suppression")) == (
        0,
        0,
    )


async def test_a_wave_of_one_tenants_bounces_keeps_no_other_tenant_waiting(world: World) -> None:
    acme, _ = await world.onboard("acme", "mail.acme.example")
    zen, _ = await world.onboard("zen", "mail.zen.example")
    await world.owner.execute(
        "insert into ses_unlisting (tenant, hash, spelling, ses_id, since, due_at)"
        " select $1, n::text::bytea, n || '@example.com', 'ses-1', 1000, n from generate_series(1, 50) n", acme,
    )  # fmt: skip
    await world.bounced(zen)
    due = await UnlistingStore(world.control).due(4)
    assert sorted(one.tenant for one in due) == [acme, acme, acme, zen]


@pytest.mark.parametrize(("message_id", "reason"), [("ses-2", "BOUNCE"), ("ses-1", "COMPLAINT")])
async def test_an_entry_for_something_else_stays(world: World, message_id: str, reason: str) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    world.list_at_ses(key, message_id, reason)
    await world.bounced(acme)
    await world.suppress(acme, "ses-tenant-list", since=2000)
    assert await world.unlister.advance() == 0
    assert world.listed(key) == [KIM]
    assert (await world.left("ses_unlisting"), await world.left("suppression")) == (0, 1)


async def test_an_entry_stays_while_something_else_suppresses_the_address(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    world.list_at_ses(key, "ses-1")
    await world.bounced(acme)
    await world.suppress(acme, "hard-bounce", since=500)
    assert await world.unlister.advance() == 0
    assert world.listed(key) == [KIM]
    assert (await world.left("ses_unlisting"), await world.left("suppression")) == (0, 1)


async def test_an_entry_that_ses_makes_later_is_waited_for(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    await world.bounced(acme)
    assert await world.unlister.advance() == 0
    world.list_at_ses(key, "ses-1")
    assert await world.unlister.advance() == 1
    assert await world.left("ses_unlisting where due_at is not null") == 0


async def test_an_entry_that_never_comes_is_not_asked_for_forever(world: World) -> None:
    acme, _ = await world.onboard("acme", "mail.acme.example")
    await world.bounced(acme)
    for _ in range(TRIES):
        assert await world.left("ses_unlisting") == 1
        await world.unlister.advance()
    assert await world.left("ses_unlisting") == 0


async def test_an_entry_is_not_deleted_before_it_is_due(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    world.list_at_ses(key, "ses-1")
    await world.bounced(acme, due_in=60_000)
    assert await world.unlister.advance() == 0
    assert world.listed(key) == [KIM]


async def test_an_address_stays_due_while_ses_cannot_be_asked(world: World) -> None:
    acme, _ = await world.onboard("acme", "mail.acme.example")
    await world.bounced(acme)
    await world.local.close()
    assert await world.unlister.advance() == 0
    assert await world.owner.fetchval("select tries from ses_unlisting where problem is not null") == 0
