"""The account's suppression list taken apart, against the local SES and a real database."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db.split_store import SplitStore
from mailcordon.control.suppression_split.nouns import Phase, State
from mailcordon.control.suppression_split.splits import Splits, Status, To
from mailcordon.control.suppression_split.standing import half_moved
from mailcordon.control.suppression_split.worker import Splitter
from mailcordon.core.errors import Conflict, NotFound
from mailcordon_fixtures import local_ses
from seslocal import errors
from seslocal.state.settings import Settings
from seslocal.state.suppression import SuppressedDestination

from .test_control_upkeep import World as ControlWorld

DAY = 86_400_000


def hash_of(text: str) -> bytes | None:
    """In place of the keyed hash: the same for every letter case."""
    return text.lower().encode().ljust(16, b".")[:16] if "@" in text else None


class World(ControlWorld):
    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.rows = SplitStore(self.control)
        self.splits = Splits(self.rows, calls_per_second=1.0)
        self.splitter = Splitter(
            self.rows, self.administer, hash_of, retry_seconds=0, watch_seconds=0, watch_ended_seconds=0
        )

    @property
    def entries(self) -> dict[str, SuppressedDestination]:
        return self.local.account.suppression.list.entries

    async def entered(
        self, address: str, ses_id: str | None = None, reason: str = "BOUNCE", *, days: int = 1
    ) -> None:
        """As SES enters an address for a mail; without one as a person does."""
        at = self.local.account.clock.now() - days * 86_400
        self.local.account.suppression.list.put(
            SuppressedDestination(address, reason, at, ses_id, ses_id and "feedback")
        )

    async def mailed(
        self, tenant: int, address: str, ses_id: str, *, observed: bool = False, lane: int | None = None
    ) -> int:
        """A mail that was sent yesterday."""
        lane = lane or await self.owner.fetchval("select min(id) from lane where tenant = $1", tenant)
        id = await self.owner.fetchval(
            "select first_id_at(now_ms() - 86400000) + 64 * (1 + (select count(*) from message))"
        )
        path = "observed" if observed else "isolated"
        await self.owner.execute(
            "insert into message (id, tenant, lane, path, from_address, recipients, bytes, api_key)"
            " values ($1, $2, $3, $4, 'a@b.example', array[$5], 1, 1)",
            id, tenant, lane, path, address,
        )  # fmt: skip
        await self.owner.execute(
            "insert into recipient (tenant, hash, id) values ($1, $2, $3)", tenant, hash_of(address), id + 1
        )
        await self.owner.execute(
            "insert into ledger (id, tenant, lane, state, attempt, provider, ses_id, called_at, at)"
            " values ($1, $2, $3, 20, 1, 0, $4, now_ms() - 86400000, now_ms() - 86400000)",
            id + 1, tenant, lane, ses_id,
        )  # fmt: skip
        return id + 1

    async def reported(self, delivery: int, kind: int, ses_id: str, *, ago: int = DAY) -> None:
        await self.owner.execute(
            "insert into event (delivery, key, tenant, lane, kind, attempt, at, ses_id, detail)"
            " select $1, decode(md5($3), 'hex'), tenant, lane, $2, 1, now_ms() - $4::bigint, $3, '{}' from ledger where id = $1",
            delivery, kind, ses_id, ago,
        )  # fmt: skip

    async def hit(self, tenant: int, address: str) -> None:
        """SES dropped mail of a tenant because of the account's entry."""
        await self.owner.execute(
            "insert into suppression (tenant, hash, scope, target, address, cause, since, by)"
            " values ($1, $2, 0, 0, $3, 'ses-account-list', now_ms(), 'ses')",
            tenant, hash_of(address), address,
        )  # fmt: skip

    async def run(self, until: Phase = Phase.WATCHING) -> Status:
        for _ in range(50):
            run = await self.rows.newest()
            assert run is not None
            if run.phase is until and not await self.rows.open(None):
                break
            await self.splitter.advance()
        return await self.splits.status()

    async def start(self, **more: Any) -> Status:
        return await self.splits.start(
            owner="kim", because="tenants move", releases=more.pop("releases", True), actor="ann"
        )

    async def states(self) -> dict[str, tuple[str, str | None]]:
        found = await self.owner.fetch(
            "select e.spelling, e.state, t.slug from split_entry e left join tenant t on t.id = e.tenant"
        )
        return {row["spelling"]: (row["state"], row["slug"]) for row in found}

    async def suppressed(self) -> set[tuple[str, str, str]]:
        found = await self.owner.fetch(
            "select t.slug, s.address, s.cause from suppression s join tenant t on t.id = s.tenant"
        )
        return {(row["slug"], row["address"], row["cause"]) for row in found}

    async def platform(self) -> set[tuple[str, str, str | None]]:
        found = await self.owner.fetch("select address, provenance, owner from platform_suppression")
        return {(row["address"], row["provenance"], row["owner"]) for row in found}

    def listed(self, key: str) -> set[str]:
        return set(self.local.account.tenants[key].suppression.entries)


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    async with local_ses.running(database, Settings(rate=80.0, quota=50_000.0)) as parts:
        world = World(*parts)
        try:
            yield world
        finally:
            world.administer.close()


async def test_each_entry_goes_to_the_tenant_that_it_is_about_and_blocks_nobody_else(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    zen, other = await world.onboard("zen", "mail.zen.example")
    await world.entered("Kim@example.com", "m1")
    await world.mailed(acme, "kim@example.com", "m1")
    await world.mailed(zen, "kim@example.com", "m2")  # mailed it too, and owns nothing
    await world.hit(zen, "kim@example.com")
    await world.entered("liv@example.com", "m3", "COMPLAINT")
    await world.reported(await world.mailed(zen, "liv@example.com", "m9"), 7, "m9")  # a complaint of that day
    await world.entered("sam@example.com")
    await world.reported(
        await world.mailed(acme, "sam@example.com", "m8"), 6, "m8", ago=40 * DAY
    )  # one tenant's alone
    await world.entered("nobody@example.com", "m0")
    await world.hit(zen, "nobody@example.com")

    await world.start()
    found = await world.run()
    assert await world.states() == {
        "Kim@example.com": ("assigned", "acme"),
        "liv@example.com": ("assigned", "zen"),
        "sam@example.com": ("assigned", "acme"),
        "nobody@example.com": ("unowned", None),
    }
    assert await world.suppressed() == {
        ("acme", "Kim@example.com", "hard-bounce"),
        ("zen", "liv@example.com", "complaint"),
        ("acme", "sam@example.com", "hard-bounce"),
        ("zen", "nobody@example.com", "ses-account-list"),
    }
    assert world.listed(key) == {"Kim@example.com", "sam@example.com"}
    assert world.listed(other) == {"liv@example.com"}
    assert set(world.entries) == {"nobody@example.com"}, "what nobody owns stays there"
    assert await world.platform() == {("nobody@example.com", "unowned", "kim")}
    by = {one.spelling: (one.by, one.evidence.get("freed")) for one in await world.rows.entries(
        state=None, tenant=None, hash=None, after="", limit=9
    )}  # fmt: skip
    assert by["Kim@example.com"] == ("message", ["zen"])
    assert by["liv@example.com"] == by["sam@example.com"] == ("history", None)
    assert found.run.phase is Phase.WATCHING
    assert found.run.compared_at is not None
    assert found.forecast.calls == 0

    with pytest.raises(Conflict, match="1 entry is nobody's"):
        await world.splits.finish(leave_unowned=False, because="done", actor="ann")
    ended = await world.splits.finish(leave_unowned=True, because="done", actor="ann")
    assert ended.run.ended_by == "ann"


async def test_the_owner_decides_on_what_is_nobodys(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    zen, _ = await world.onboard("zen", "mail.zen.example")
    for name in ("a", "b", "c"):
        await world.entered(f"{name}@example.com", f"m-{name}")
        await world.hit(zen, f"{name}@example.com")
    await world.start()
    await world.run()
    assert len(await world.platform()) == 3

    async def decide(name: str, to: To, tenant: int | None = None) -> int:
        return await world.splits.assign([f"{name}@example.com"], to, tenant, because="known", actor="kim")

    assert await decide("a", To.TENANT, acme) == 1
    assert await decide("b", To.PLATFORM) == 1
    assert await decide("c", To.NOBODY) == 1
    await world.run()
    assert await world.states() == {
        "a@example.com": ("assigned", "acme"),
        "b@example.com": ("platform", None),
        "c@example.com": ("freed", None),
    }
    assert await world.platform() == {("b@example.com", "unowned", "kim")}
    assert set(world.entries) == {"b@example.com"}
    assert world.listed(key) == {"a@example.com"}
    assert ("zen", "a@example.com", "ses-account-list") not in await world.suppressed()
    with pytest.raises(Conflict, match=r"a@example\.com is assigned"):
        await world.splits.assign(
            ["b@example.com", "a@example.com"], To.NOBODY, None, because="x", actor="kim"
        )
    assert (await world.states())["b@example.com"] == ("platform", None), "all of them, or none"
    with pytest.raises(NotFound, match="no entry A@example.com"):
        await decide("A", To.NOBODY)
    audited = await world.owner.fetch(
        "select action, personal::text from audit where action like 'suppression-split.%' order by id"
    )
    assert [row["action"] for row in audited] == ["suppression-split.start"] + [
        "suppression-split.assign"
    ] * 3
    assert all("@example.com" in row["personal"] for row in audited[1:])


async def test_a_complaint_that_is_nobodys_covers_marketing_mail_until_a_bounce_is_there_too(
    world: World,
) -> None:
    acme, _ = await world.onboard("acme", "mail.acme.example")
    await world.entered("kim@example.com", "m1", "COMPLAINT")

    async def classes() -> list[int]:
        found = await world.owner.fetch(
            "select c.class from unnest('{0,1,2}'::smallint[]) c (class)"
            " where suppressed_for($1, $2, c.class, 0, now_ms()) order by 1",
            acme, hash_of("kim@example.com"),
        )  # fmt: skip
        return [row["class"] for row in found]

    await world.start()
    await world.run()
    assert await classes() == [2]
    await world.entered("Kim@example.com", "m2", days=0)
    for _ in range(3):
        await world.splitter.advance()
    assert await classes() == [0, 1, 2]
    await world.splits.assign(["Kim@example.com"], To.NOBODY, None, because="x", actor="kim")
    assert await classes() == [2]
    await world.splits.assign(["kim@example.com"], To.PLATFORM, None, because="x", actor="kim")
    assert await classes() == [2]


async def test_an_entry_stays_on_the_accounts_list_while_its_tenants_mail_does_not_pass_through_us(
    world: World,
) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    await world.owner.execute(
        "update lane set observed = true where id = (select min(id) from lane where tenant = $1)", acme
    )
    await world.entered("kim@example.com", "m1")
    await world.mailed(acme, "kim@example.com", "m1", observed=True)
    await world.start()
    found = await world.run()
    assert await world.states() == {"kim@example.com": ("kept", "acme")}
    assert set(world.entries) == {"kim@example.com"}
    assert world.listed(key) == {"kim@example.com"}
    assert found.counts.by == {"archive": 1}

    # All of its mail passes through us now: the next round releases it.
    await world.owner.execute("update lane set observed = false")
    await world.start()
    await world.run()
    assert await world.states() == {"kim@example.com": ("assigned", "acme")}
    assert set(world.entries) == set()


async def test_both_directions_are_compared_until_they_agree(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    await world.entered("kim@example.com", "m1")
    await world.mailed(acme, "kim@example.com", "m1")
    await world.start()
    await world.run()
    # Behind our back: ours vanishes from the tenant's list, another comes there, and the account's list has ours again.
    lists = world.local.account.tenants[key].suppression
    lists.delete("kim@example.com")
    lists.put(SuppressedDestination("new@example.com", "BOUNCE", world.local.account.clock.now()))
    await world.entered("kim@example.com", "m1", days=0)
    await world.start()
    await world.run()
    assert world.listed(key) == {"kim@example.com", "new@example.com"}
    assert set(world.entries) == set()
    assert await world.suppressed() == {
        ("acme", "kim@example.com", "hard-bounce"),
        ("acme", "new@example.com", "ses-tenant-list"),
    }
    # What a person removed is not put there again.
    lists.delete("kim@example.com")
    await world.owner.execute("delete from suppression where cause = 'hard-bounce'")
    await world.start()
    await world.run()
    assert world.listed(key) == {"new@example.com"}
    # Neither is one that was removed just before it was stored.
    await world.owner.execute("delete from split_stored")
    await world.owner.execute("update split_entry set state = 'owned'")
    await world.run()
    assert world.listed(key) == {"new@example.com"}


async def test_what_ses_adds_later_is_taken_apart_as_it_comes(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    await world.start()
    await world.run()
    await world.entered("kim@example.com", "m1", days=0)
    await world.mailed(acme, "kim@example.com", "m1")
    for _ in range(3):
        await world.splitter.advance()
    assert await world.states() == {"kim@example.com": ("assigned", "acme")}
    assert world.listed(key) == {"kim@example.com"}
    # A hit that is reported late, of before it was taken off, keeps nobody from it.
    zen, _ = await world.onboard("zen", "mail.zen.example")
    await world.hit(zen, "kim@example.com")
    await world.splitter.advance()
    assert await world.suppressed() == {("acme", "kim@example.com", "hard-bounce")}


async def test_what_comes_after_the_end_is_reported_and_left_until_somebody_starts_again(
    world: World,
) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    await world.owner.execute("update identity set status = 'verified'")
    await world.owner.execute(
        "insert into rollout (tenant, state, began_by, because, shares, ended_at)"
        " values ($1, 'finished', 'ann', 'moves', '{100}', 1)",
        acme,
    )  # what it came from is gone
    await world.entered("old@example.com", "m1")
    await world.mailed(acme, "old@example.com", "m1")
    await world.start()
    await world.run()
    ended = await world.splits.finish(leave_unowned=False, because="done", actor="ann")
    await world.splitter.advance()
    assert await world.rows.refilled() is None

    await world.mailed(acme, "kim@example.com", "m2")
    await world.entered("kim@example.com", "m2", days=0)
    await world.entered("old@example.com", "m1", days=0)  # it is back
    await world.entered("ann@example.com", days=0)
    await world.splitter.advance()
    await world.splitter.advance()
    found = await world.rows.refilled()
    assert found is not None
    assert (found.entries, found.ended_at) == (3, ended.run.ended_at)
    said = (await world.splits.status()).sentences
    assert any(line.startswith("3 entries came onto the account's suppression list") for line in said)
    assert set(world.entries) == {"kim@example.com", "old@example.com", "ann@example.com"}, (
        "nothing is changed"
    )
    assert ("acme", "kim@example.com", "hard-bounce") not in await world.suppressed()
    assert (await world.rows.standing(acme)).open == 2, "those that acme mailed"
    [moved] = await world.rows.moved(None, "", 10)
    assert any("feels migrated" in line and "2 entries" in line for line in half_moved(moved))

    del world.entries["ann@example.com"]
    await world.splitter.advance()
    assert (await world.states())["ann@example.com"] == ("gone", None)

    await world.start()
    await world.run()
    assert await world.rows.refilled() is None
    assert {name: state for name, (state, _) in (await world.states()).items()} == {
        "kim@example.com": "assigned",
        "old@example.com": "assigned",
        "ann@example.com": "gone",
    }
    assert world.listed(key) == {"kim@example.com", "old@example.com"}
    assert set(world.entries) == set()
    [moved] = await world.rows.moved(None, "", 10)
    assert not any("feels migrated" in line for line in half_moved(moved))


async def test_a_list_that_a_tenant_gets_later_gets_its_entries(world: World) -> None:
    """On the shared path a tenant has no SES tenant of its own yet."""
    acme, key = await world.onboard("acme", "mail.acme.example")
    await world.owner.execute(
        "update ses_resource set state = 'pending' where kind = 'tenant' and name = $1", key
    )
    await world.entered("kim@example.com", "m1")
    await world.mailed(acme, "kim@example.com", "m1")
    await world.start()
    await world.run()
    assert await world.states() == {"kim@example.com": ("assigned", "acme")}
    assert world.listed(key) == set()
    await world.owner.execute("update ses_resource set state = 'applied' where kind = 'tenant'")
    assert not (await world.rows.standing(acme)).is_done
    for _ in range(3):
        await world.splitter.advance()
    assert world.listed(key) == {"kim@example.com"}
    assert (await world.rows.standing(acme)).is_done


async def test_an_archive_that_is_imported_later_names_the_owner(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    await world.entered("kim@example.com", "m1")
    await world.start()
    await world.run()
    assert await world.states() == {"kim@example.com": ("unowned", None)}
    await world.mailed(acme, "kim@example.com", "m1", observed=True)
    calls = (await world.splits.status()).run.calls
    await world.start()
    found = await world.run()
    assert await world.states() == {"kim@example.com": ("assigned", "acme")}
    assert await world.platform() == set()
    assert world.listed(key) == {"kim@example.com"}
    assert found.counts.by == {"archive": 1}
    # Two listings of two lists, one Put, one Delete: SES is not asked again for what it said.
    assert found.run.calls - calls <= 7


async def test_an_entry_that_ses_makes_anew_meanwhile_is_decided_again(world: World) -> None:
    """SES enters it for another tenant's mail between the reading and the move: that tenant is protected as well."""
    acme, _ = await world.onboard("acme", "mail.acme.example")
    zen, other = await world.onboard("zen", "mail.zen.example")
    await world.entered("kim@example.com", "m1")
    await world.mailed(acme, "kim@example.com", "m1")
    await world.mailed(zen, "kim@example.com", "m2")
    await world.start()
    moved = world.splitter._move

    async def dies(*_: Any) -> None:
        raise asyncio.CancelledError

    world.splitter._move = dies  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await world.run()
    assert await world.states() == {"kim@example.com": ("owned", "acme")}
    world.splitter._move = moved  # type: ignore[method-assign]
    await world.owner.execute("update split_entry set read_at = read_at - 700000")
    await world.entered("kim@example.com", "m2", days=0)
    await world.run()
    assert await world.states() == {"kim@example.com": ("assigned", "zen")}
    assert {(slug, cause) for slug, _, cause in await world.suppressed()} == {
        ("acme", "hard-bounce"),
        ("zen", "hard-bounce"),
    }
    assert set(world.entries) == set()
    assert world.listed(other) == {"kim@example.com"}


async def test_an_entry_that_ses_refuses_does_not_keep_the_others_waiting(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    for name in ("a", "b"):
        await world.entered(f"{name}@example.com", f"m-{name}")
        await world.mailed(acme, f"{name}@example.com", f"m-{name}")
    await world.start()
    world.local.account.tenants[key].suppression.recorder = _Refuses("a@example.com")
    for _ in range(4):
        await world.splitter.advance()
    states = await world.states()
    assert states["b@example.com"] == ("assigned", "acme")
    assert states["a@example.com"] == ("owned", "acme")
    assert set(world.entries) == {"a@example.com"}, "not taken off while it is not on the tenant's list"
    world.local.account.tenants[key].suppression.recorder = None
    await world.run()
    assert set(world.entries) == set()


class _Refuses:
    def __init__(self, address: str) -> None:
        self.address = address

    def put(self, entry: SuppressedDestination) -> None:
        if entry.address == self.address:
            raise errors.bad_request("refused")

    def deleted(self, address: str) -> None: ...

    def cleared(self) -> None: ...


async def test_a_split_is_started_once_and_not_over_mail_past_us(world: World) -> None:
    with pytest.raises(NotFound, match="never taken apart"):
        await world.splits.status()
    await world.owner.execute(
        "insert into ungoverned"
        " (identity, caller, first_at, last_at, since, seen_at, mails, recipients, bounces, complaints, facts)"
        " values ('old.example', '', now_ms(), now_ms(), now_ms(), now_ms(), 1, 1, 0, 0, '{}')"
    )
    with pytest.raises(Conflict, match="1 sender sent past Mailcordon"):
        await world.start(releases=None)
    await world.start(releases=False)
    with pytest.raises(Conflict, match="is at work"):
        await world.start()
    with pytest.raises(Conflict, match="were not compared"):
        await world.splits.finish(leave_unowned=True, because="x", actor="ann")


async def test_an_address_that_is_erased_is_erased_here_too(world: World) -> None:
    acme, _ = await world.onboard("acme", "mail.acme.example")
    await world.entered("kim@example.com", "m1")
    await world.mailed(acme, "kim@example.com", "m1")
    await world.start()
    await world.run()
    await world.owner.execute("update suppression set address = 'erased', evidence = '{}'")
    rows = await world.owner.fetch("select spelling, evidence::text, state from split_entry")
    assert [(row["spelling"].partition(":")[0], row["state"]) for row in rows] == [("erased", "assigned")]
    stored = await world.owner.fetchval("select spelling from split_stored")
    assert "kim" not in stored
    await world.start()
    await world.run()
    assert not any(name.startswith("erased") for name in world.listed(_key_of(world, "kim@example.com")))


def _key_of(world: World, address: str) -> str:
    return next(key for key, one in world.local.account.tenants.items() if address in one.suppression.entries)


async def test_a_tenant_that_only_feels_migrated_is_named(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    await world.owner.execute("update identity set status = 'verified'")
    await world.entered("kim@example.com", "m1")
    await world.mailed(acme, "kim@example.com", "m1")

    async def said() -> list[str]:
        return [line for one in await world.rows.moved(None, "", 10) for line in half_moved(one)]

    assert await said() == [], "it was never on a shared account"
    await world.owner.execute(
        "insert into observed_rule (by, value, tenant, type, created_by)"
        " select 'set', 'old-set', $1, min(id), 'ann' from message_type",
        acme,
    )
    first = await said()
    assert [line for line in first if "feels migrated" in line and "never taken apart" in line]
    assert [line for line in first if "no alert channel names it" in line]
    assert not (await world.rows.standing(acme)).is_done

    await world.start()
    await world.splitter.advance()
    standing = await world.rows.standing(acme)
    await world.run()
    assert (await world.rows.standing(acme)).is_done
    assert standing.phase is not None
    await world.owner.execute(
        "insert into alert_channel (name, form, target, secret, least, tenants, made_at, made_by)"
        " values ('acme', 'webhook', 'x', '', 'high', array[$1::int], 0, 'ann')",
        acme,
    )
    assert await said() == []
    # Somebody sets the scope back.
    await world.owner.execute(
        """update ses_resource set observed = observed || '{"suppression_scope": "ACCOUNT"}'
            where kind = 'tenant' and name = $1""",
        key,
    )
    assert [line for line in await said() if "still checks the account's suppression list" in line]


async def test_a_state_of_every_kind_can_be_stored(world: World) -> None:
    await world.start()
    for state in State:
        tenant = state in (State.OWNED, State.ASSIGNED, State.KEPT)
        if tenant:
            continue
        await world.owner.execute(
            "insert into split_entry (spelling, split, reason, listed_at, state) select $1, id, 'BOUNCE', 0, $1 from split",
            str(state),
        )
    assert (await world.rows.counts()).total == len(State) - 3
