"""SES's suppression lists as control reads them, and removals that end only when SES says so: against the local SES."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db.ses_list_store import SesListStore
from mailcordon.adapters.db.suppression_store import PostgresSuppressions
from mailcordon.control.ses_lists import ACCOUNT, Entry, SesLists, Wanted
from mailcordon.core.suppression import Scope
from mailcordon.observe.suppression_view import SuppressionKey
from mailcordon_fixtures import local_ses
from seslocal.state.settings import Settings

from .test_control_upkeep import World as ControlWorld


def hash_of(text: str) -> bytes | None:
    """In place of the keyed hash: the same for every letter case."""
    return text.lower().encode() if "@" in text else None


class World(ControlWorld):
    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.lists = SesLists(SesListStore(self.control), self.administer, hash_of, retry_seconds=0)

    async def suppress(
        self, tenant: int, address: str, *, scope: int = 0, target: int = 0, removing: bool = True
    ) -> None:
        await self.owner.execute(
            "insert into suppression (tenant, hash, scope, target, address, cause, since, by, removing_since)"
            " values ($1, $2, $3, $4, $5, 'hard-bounce', 0, 'ses', $6)",
            tenant, hash_of(address), scope, target, address, 1 if removing else None,
        )  # fmt: skip

    async def listed(self, key: str) -> set[str]:
        found = await asyncio.to_thread(lambda: self.ses.list_suppressed_destinations(TenantName=key))
        return {each["EmailAddress"] for each in found["SuppressedDestinationSummaries"]}

    async def list_at_ses(self, key: str, address: str) -> None:
        await asyncio.to_thread(
            lambda: self.ses.put_suppressed_destination(EmailAddress=address, Reason="BOUNCE", TenantName=key)
        )

    async def want(self, tenant: int, list: str, spelling: str) -> None:
        await self.owner.execute(
            "insert into ses_entry (tenant, hash, list, spelling, wanted_since) values ($1, $2, $3, $4, 1)",
            tenant, hash_of(spelling), list, spelling,
        )  # fmt: skip

    async def list_in_account(self, address: str) -> None:
        await asyncio.to_thread(
            lambda: self.ses.put_suppressed_destination(EmailAddress=address, Reason="BOUNCE")
        )

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in await self.owner.fetch(sql)]


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    async with local_ses.running(database, Settings(rate=80.0, quota=50_000.0)) as parts:
        world = World(*parts)
        try:
            yield world
        finally:
            world.administer.close()


# Removals --------------------------------------------------------------------------------------------------------------------


async def test_a_removed_suppression_leaves_sess_list_of_that_tenant_first(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    zen, other = await world.onboard("zen", "mail.zen.example")
    for k in (key, other):
        await world.list_at_ses(k, "Kim@example.com")
    await world.suppress(acme, "Kim@Example.com")
    await world.suppress(zen, "Kim@example.com", removing=False)
    assert await world.lists.remove() == 1
    assert await world.listed(key) == set()
    assert await world.listed(other) == {"Kim@example.com"}
    assert await world.owner.fetchval("select array_agg(tenant) from suppression") == [zen]


async def test_a_removed_suppression_leaves_the_list_of_every_ses_tenant_of_the_tenant(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    _, other = await world.onboard("zen", "mail.zen.example")
    await world.give_each_class_its_own(acme, key)
    lists = [key, f"{key}-urgent", f"{key}-marketing"]
    for name in (*lists, other):
        await world.list_at_ses(name, "kim@example.com")
    await world.suppress(acme, "kim@example.com")
    assert await world.lists.remove() == 1
    assert [await world.listed(name) for name in lists] == [set(), set(), set()]
    assert await world.listed(other) == {"kim@example.com"}


async def test_a_suppression_whose_address_was_erased_can_be_removed(world: World) -> None:
    acme, _ = await world.onboard("acme", "mail.acme.example")
    await world.suppress(acme, "kim@example.com")
    await world.owner.execute("update suppression set address = 'erased'")
    assert await world.lists.remove() == 1
    assert await world.owner.fetchval("select count(*) from suppression") == 0


async def test_sess_entry_stays_while_something_else_of_ours_suppresses_the_address(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    await world.list_at_ses(key, "kim@example.com")
    await world.suppress(acme, "kim@example.com", scope=1, target=2)
    await world.suppress(acme, "kim@example.com", removing=False)
    await world.lists.remove()
    assert await world.listed(key) == {"kim@example.com"}
    assert await world.owner.fetchval("select array_agg(scope) from suppression") == [0]


async def test_a_suppression_does_not_read_as_removed_while_ses_cannot_be_asked(world: World) -> None:
    acme, _ = await world.onboard("acme", "mail.acme.example")
    await world.suppress(acme, "kim@example.com")
    await world.local.close()
    assert await world.lists.remove() == 0
    assert await world.owner.fetchval("select count(*) from suppression") == 1


async def test_a_removal_is_done_only_when_no_spelling_is_left_on_sess_list(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    spellings = {"KIM@example.com", "kim@example.com", "Kim@example.com"}
    for spelling in (*spellings, "kimberly@example.com"):
        await world.list_at_ses(key, spelling)
    await world.suppress(acme, "kim@example.com")
    assert await world.lists.remove() == 1
    assert await world.listed(key) == {"kimberly@example.com"}

    # An entry that stands again although it was deleted: the removal waits, says why, and is tried again.
    await world.list_at_ses(key, "KIM@example.com")
    await world.suppress(acme, "kim@example.com")

    async def keeps(address: str, *, tenant: str) -> None:
        return None

    world.administer.doing = lambda work, tenant: world.administer  # type: ignore[method-assign]
    world.administer.delete_suppressed = keeps  # type: ignore[method-assign]
    assert await world.lists.remove() == 0
    assert await world.rows("select removal_waits, removal_next_at is not null from suppression") == [
        (f"SES still has KIM@example.com on the list of {key}", True)
    ]
    del world.administer.delete_suppressed, world.administer.doing
    assert await world.lists.remove() == 1
    assert await world.listed(key) == {"kimberly@example.com"}


async def test_an_entry_of_the_account_blocks_a_removal_only_where_ses_checks_it(world: World) -> None:
    acme, _ = await world.onboard("acme", "mail.acme.example")
    await world.list_in_account("kim@example.com")
    await world.suppress(acme, "kim@example.com")
    assert await world.lists.remove() == 1
    await world.owner.execute(
        "update ses_resource set observed = observed || '{\"suppression_scope\": \"ACCOUNT\"}' where kind = 'tenant'"
    )
    await world.suppress(acme, "kim@example.com")
    assert await world.lists.remove() == 0
    [(why,)] = await world.rows("select removal_waits from suppression")
    assert "aws sesv2 delete-suppressed-destination --email-address kim@example.com" in why
    found = await asyncio.to_thread(
        lambda: world.ses.get_suppressed_destination(EmailAddress="kim@example.com")
    )
    assert found["SuppressedDestination"]["Reason"] == "BOUNCE", "the account's list is not ours to change"


async def test_a_removal_that_waits_is_tried_ever_later_and_at_once_when_it_is_asked_for_again(
    world: World,
) -> None:
    acme, _ = await world.onboard("acme", "mail.acme.example")
    await world.list_in_account("kim@example.com")
    await world.owner.execute(
        "update ses_resource set observed = observed || '{\"suppression_scope\": \"ACCOUNT\"}' where kind = 'tenant'"
    )
    lists = SesLists(SesListStore(world.control), world.administer, hash_of, retry_seconds=60)
    waits = "select (removal_next_at - now_ms()) / 60000.0 from suppression"
    for minutes, pause in ((1, 1), (200, 20), (10**6, 60)):
        await world.owner.execute("delete from suppression")
        await world.suppress(acme, "kim@example.com")
        await world.owner.execute(
            "update suppression set removing_since = now_ms() - $1::bigint * 60000", minutes
        )
        assert await lists.remove() == 0
        [(found,)] = await world.rows(waits)
        assert pause - 1 < found <= pause + 0.1
    key = SuppressionKey(
        tenant=acme,
        hash=b"kim@example.com",
        address="kim@example.com",
        scope=Scope.TENANT,
        target=0,
    )
    await PostgresSuppressions(world.control).remove(key, because=None, actor="ops")
    assert await world.rows("select removal_next_at from suppression") == [(None,)]


# Reading ---------------------------------------------------------------------------------------------------------------------


async def test_ses_entry_is_read_once_and_says_since_when_and_why(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    await world.list_at_ses(key, "Kim@example.com")
    await world.owner.execute(
        "insert into suppression (tenant, hash, scope, target, address, cause, evidence, since, by)"
        " values ($1, $2, 0, 0, 'Kim@example.com', 'ses-tenant-list', '{\"reason\": \"hit\"}', 5, 'ses')",
        acme, hash_of("kim@example.com"),
    )  # fmt: skip
    await world.want(acme, key, "Kim@example.com")
    await world.want(acme, key, "lee@example.com")
    assert await world.lists.read() == 2
    assert await world.lists.read() == 0
    assert await world.rows(
        "select spelling, found, reason, wanted_since from ses_entry order by spelling"
    ) == [("Kim@example.com", True, "BOUNCE", None), ("lee@example.com", False, None, None)]
    [(evidence, since)] = await world.rows(
        "select evidence #>> '{ses,reason}', since from suppression where evidence ->> 'reason' = 'hit'"
    )
    assert (evidence, since) == ("BOUNCE", 5)


async def test_an_address_that_only_ses_lists_is_suppressed_once_that_is_read(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    await world.list_at_ses(key, "kim@example.com")
    await world.want(acme, key, "kim@example.com")
    await world.list_in_account("lee@example.com")
    await world.want(acme, ACCOUNT, "lee@example.com")
    assert await world.lists.read() == 2
    assert await world.rows("select address, scope, cause, by from suppression") == [
        ("kim@example.com", 0, "ses-tenant-list", "ses")
    ], "the account's list is not checked for a tenant with the scope TENANT"


async def test_a_suppression_that_has_ended_gives_way_to_what_ses_lists(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    for address, until in (("kim@example.com", 1), ("lee@example.com", 2**62)):
        await world.suppress(acme, address, removing=False)
        await world.owner.execute(
            "update suppression set until = $1::bigint where address = $2", until, address
        )
        await world.list_at_ses(key, address)
        await world.want(acme, key, address)
    assert await world.lists.read() == 2
    assert await world.rows("select address, cause, until from suppression order by address") == [
        ("kim@example.com", "ses-tenant-list", None),
        ("lee@example.com", "hard-bounce", 2**62),
    ]


async def test_evidence_does_not_name_the_mail_of_an_entry_of_the_account(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    await world.suppress(acme, "kim@example.com", removing=False)
    await world.owner.execute("update suppression set cause = 'ses-account-list'")
    store = SesListStore(world.control)
    entry = Entry(
        spelling="kim@example.com",
        reason="BOUNCE",
        listed_at=5,
        message_id="of-another-tenant",
        feedback_id="f",
    )
    for list_, shown in ((ACCOUNT, None), (key, "of-another-tenant")):
        wanted = Wanted(tenant=acme, hash=b"kim@example.com", list=list_, spelling="kim@example.com")
        await store.read(wanted, entry)
        assert await world.rows("select evidence #>> '{ses,message_id}' from suppression") == [(shown,)]


async def test_a_tenant_that_asks_for_much_leaves_the_next_round_to_others(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    zen, other = await world.onboard("zen", "mail.zen.example")
    for number in range(6):
        await world.want(acme, key, f"a{number}@example.com")
        await world.suppress(acme, f"a{number}@example.com")
    await world.want(zen, other, "z@example.com")
    await world.suppress(zen, "z@example.com")
    store = SesListStore(world.control)
    for asked in (await store.wanted(100, 2), await store.removals(100, 2)):
        assert sorted(one.tenant for one in asked) == [acme, acme, zen]
    for asked in (await store.wanted(2, 2), await store.removals(2, 2)):
        assert {one.tenant for one in asked} == {acme, zen}


async def test_what_ses_refuses_to_show_is_tried_again_later(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    await world.want(acme, key, "kim@example.com")
    await world.local.close()
    assert await world.lists.read() == 0
    assert await world.rows("select problem is not null, next_try_at is not null from ses_entry") == [
        (True, True)
    ]


async def test_a_forgotten_address_leaves_sess_lists_in_every_spelling_and_stays_suppressed(
    world: World,
) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    for spelling in ("KIM@example.com", "kim@example.com"):
        await world.list_at_ses(key, spelling)
    await world.suppress(acme, "kim@example.com", removing=False)
    hash = (hash_of("kim@example.com") or b"").ljust(16)[:16]
    await world.owner.execute("update suppression set hash = $1", hash)
    world.lists = SesLists(
        SesListStore(world.control),
        world.administer,
        lambda text: (hash_of(text) or b"").ljust(16)[:16],
        retry_seconds=0,
    )
    await world.owner.execute("select forget_address($1, $2, 'kim@example.com', 'Ana')", acme, hash)
    assert await world.lists.read() == 0, "what is forgotten is not read"
    assert await world.lists.forget() == 1
    assert await world.listed(key) == set()
    assert await world.rows("select count(*) from ses_entry") == [(0,)]
    assert await world.rows("select address, until from suppression") == [("erased", None)]
    assert await world.lists.forget() == 0
    await world.owner.execute("update suppression set removing_since = now_ms()")
    assert await world.lists.remove() == 1
    assert await world.rows("select count(*) from forgotten_address") == [(0,)], "mailed again with consent"
