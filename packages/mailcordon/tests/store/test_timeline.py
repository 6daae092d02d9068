"""What kept a delivery in the queue, read on a real PostgreSQL from the rows of holds, stops and dispatchers."""

from collections.abc import AsyncIterator

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.message_reader import MessageReader
from mailcordon.core import ids
from mailcordon.messages import reasons
from mailcordon.send import view
from mailcordon_fixtures.queue_world import World

MINUTE = 60_000
REFUSED = reasons.credentials_refused("ExpiredToken")


class Past:
    """A message that was accepted an hour ago. Times are minutes since then."""

    def __init__(self, world: World, reader: MessageReader, tenant: int, lane: int, now: int) -> None:
        self.world, self.reader, self.tenant, self.lane = world, reader, tenant, lane
        self.accepted = now - 60 * MINUTE
        self.message = ids.IdGenerator(1).next(self.accepted)

    def at(self, minute: float | None) -> int | None:
        return None if minute is None else int(self.accepted + minute * MINUTE)

    async def dispatcher(self, start: float, end: float | None = None, *, killed: bool = False) -> int:
        """`killed`: it gave no heartbeat after `end`, and was never declared dead."""
        return await self.world.connection.fetchval(
            "insert into worker (heartbeat, host, pid, started_at, ended_at)"
            " values (coalesce($1, now_ms()), 'h', 1, $2, $3) returning id",
            self.at(end),
            self.at(start),
            None if killed else self.at(end),
        )

    async def stop(
        self, name: int | str, start: float, end: float | None, scope: str = "worker", because: str = REFUSED
    ) -> int:
        return await self.world.connection.fetchval(
            "insert into stop (scope, name, cause, because, urgent, since, last_seen, probe_at, ended_at,"
            " ended_by, ended_because) values ($1, $2, 'credentials', $3, true, $4, $4, $4, $5, $6, $7) returning id",
            scope,
            str(name),
            because,
            self.at(start),
            self.at(end),
            None if end is None else "dispatch",
            None if end is None else "SES answers again",
        )

    async def delivery(self, *, as_tenant: bool = False) -> view.DeliveryView:
        records = await self.reader.records(self.message, self.tenant if as_tenant else None)
        assert records is not None
        [one] = view.deliveries(records)
        return one

    async def story(self, *, as_tenant: bool = False) -> list[tuple[str, float]]:
        one = await self.delivery(as_tenant=as_tenant)
        return [(entry.what, (entry.at - self.accepted) / MINUTE) for entry in one.timeline]


@pytest.fixture
async def past(world: World) -> AsyncIterator[Past]:
    lane = await world.lane("acme", "newsletter")
    await world.account()
    await world.dispatcher()
    pools = [await engine.create_pool(world.database.dsn(role)) for role in ("control", "reader")]
    c = world.connection
    made = Past(
        world,
        MessageReader(*pools),
        await c.fetchval("select tenant from lane where id = $1", lane),
        lane,
        await c.fetchval("select now_ms()"),
    )
    await c.execute(
        "insert into message (id, tenant, lane, path, from_address, recipients, bytes, api_key)"
        " values ($1, $2, $3, 'isolated', 'a@acme.example', '{kim@example.com}', 1, 1)",
        made.message, made.tenant, lane,
    )  # fmt: skip
    await c.execute(
        "insert into ready (lane, id, tenant, hash) values ($1, $2, $3, '\\x00')",
        lane, made.message + 1, made.tenant,
    )  # fmt: skip
    yield made
    for pool in pools:
        await pool.close()


async def test_a_stop_of_the_only_dispatcher_stays_in_the_timeline_after_its_end(past: Past) -> None:
    await past.stop(await past.dispatcher(-5), 2, 50)
    assert await past.story() == [("accepted", 0), ("stopped", 2), ("open-again", 50)]
    assert await past.story(as_tenant=True) == await past.story()


async def test_a_reset_that_expired_under_it_says_so(past: Past) -> None:
    await past.stop(await past.dispatcher(-5), -1, 50)
    await past.world.connection.execute("update lane set expiry_ms = $1", 15 * MINUTE)
    one = await past.delivery()
    assert one.state.word == "expired"
    assert REFUSED in (one.detail or "")


async def test_it_kept_nothing_while_another_dispatcher_could_call_ses(past: Past) -> None:
    await past.stop(await past.dispatcher(-5), 2, 50)
    await past.dispatcher(-5)
    assert await past.story() == [("accepted", 0)]


async def test_it_kept_mail_for_the_time_in_which_every_dispatcher_was_stopped(past: Past) -> None:
    one, other = await past.dispatcher(-5), await past.dispatcher(-5)
    await past.stop(one, 2, 50)
    await past.stop(other, 10, 20)
    assert await past.story() == [
        ("accepted", 0), ("stopped", 10), ("stopped", 10), ("open-again", 20), ("open-again", 20),
    ]  # fmt: skip
    ends = {entry.detail for entry in (await past.delivery()).timeline if entry.what == "open-again"}
    assert ends == {
        reasons.stop_ended("SES answers again"),
        reasons.stop_ended(reasons.another_dispatcher()),
    }


async def test_a_time_without_any_dispatcher_is_in_the_timeline(past: Past) -> None:
    await past.dispatcher(-5, 10)
    await past.dispatcher(30)
    assert await past.story() == [("accepted", 0), ("stopped", 10), ("open-again", 30)]
    assert "No dispatcher has reported" in (await past.delivery()).timeline[1].detail


async def test_a_dispatcher_that_was_killed_lived_until_its_heartbeats_were_missed(past: Past) -> None:
    await past.dispatcher(-5, 10, killed=True)
    await past.dispatcher(30)
    assert [at for what, at in await past.story() if what == "stopped"] == [10 + 10 / 60]


async def test_a_restart_of_the_dispatcher_is_no_time_without_one(past: Past) -> None:
    await past.dispatcher(-5, 10)
    await past.dispatcher(10.1)
    assert await past.story() == [("accepted", 0)]


async def test_what_still_keeps_it_is_read_after_hundreds_that_ended(past: Past) -> None:
    await past.dispatcher(-5)
    for n in range(120):
        await past.stop("default", n / 10, n / 10 + 0.05, scope="cell")
    still = await past.stop("default", 20, None, scope="cell", because="still refused")
    await past.world.connection.execute(
        "insert into hold (tenant, stops, owner, because, evidence, by, since, lifted_at, lifted_by, lifted_because)"
        " select $1, true, 'person', 'x', '{}', 'ann', $2::bigint + n, case when n < 120 then $2::bigint + n + 1 end,"
        " case when n < 120 then 'ann' end, case when n < 120 then 'x' end from generate_series(1, 120) n",
        past.tenant, past.accepted,
    )  # fmt: skip
    details = [entry.detail for entry in (await past.delivery()).timeline]
    assert any(f"[stop {still}]" in detail for detail in details)
    open_hold = await past.world.connection.fetchval("select id from hold where lifted_at is null")
    assert any(f"[hold {open_hold}]" in detail for detail in details)


async def test_a_tenants_key_reads_no_words_of_the_host(past: Past) -> None:
    words = reasons.ses_unreachable("no connection to 10.0.0.7")
    await past.stop(await past.dispatcher(-5), 2, None, because=words)
    for as_tenant in (False, True):
        one = await past.delivery(as_tenant=as_tenant)
        said = [one.detail or "", *(entry.detail for entry in one.timeline)]
        assert any("10.0.0.7" in detail for detail in said) is not as_tenant
        assert one.state.word == "held"
