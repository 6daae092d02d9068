"""One row that the database rejects keeps no other from being settled or from expiring, and is reported."""

from typing import Any

from mailcordon.adapters.db.clearing_store import ClearingStore
from mailcordon.adapters.db.settle_store import SettleStore

N = 8


async def forbid_in_ledger(world: Any, delivery: int) -> None:
    await world.connection.execute(
        f"alter table ledger add constraint poison check (id <> {delivery}) not valid"
    )


async def wait(world: Any, lane: int, why: int, code: str, **more: Any) -> list[int]:
    """N deliveries that wait, and their ids."""
    age, until = more.get("age_ms", 0), more.get("until")
    rows = await world.connection.fetch(
        "insert into waiting (lane, id, tenant, why, until, attempt, called_at, hash, reason, code, since)"
        " select l.id, ((now_ms() - $4 - 1767225600000) << 22) + 64 * n + 1, l.tenant, $2, $5, 1, now_ms(), '\\x00', 'x', $3, 0"
        "   from lane l, generate_series(1, $6::int) n where l.id = $1 returning id",
        lane,
        why,
        code,
        age,
        until,
        N,
    )
    return sorted(row["id"] for row in rows)


async def test_send_events_settle_all_but_the_one_that_cannot_be_recorded(
    world: Any, settle: SettleStore
) -> None:
    lane = await world.lane("acme", "password-reset")
    ids = await wait(world, lane, 2, "outcome-unknown")
    await world.connection.execute(
        "insert into send_event (delivery, attempt, ses_id, at) select id, 1, 'ses-' || id, 1 from waiting"
    )
    await forbid_in_ledger(world, ids[2])
    done = await settle.settle()
    assert done is not None
    assert (done.proved_sent, done.rejected) == (N - 1, 1)
    assert [row["id"] for row in await world.connection.fetch("select id from waiting")] == [ids[2]]


async def test_waiting_mail_expires_beside_one_that_cannot_be_recorded(
    world: Any, settle: SettleStore
) -> None:
    lane = await world.lane("acme", "password-reset")
    ids = await wait(world, lane, 1, "retry", age_ms=3_600_000, until=2**50)
    await forbid_in_ledger(world, ids[0])
    done = await settle.settle()
    assert done is not None
    assert (done.expired, done.rejected) == (N - 1, 1)


async def test_a_retry_that_cannot_become_ready_keeps_no_other_waiting(
    world: Any, settle: SettleStore
) -> None:
    lane = await world.lane("acme", "password-reset")
    ids = await wait(world, lane, 1, "retry", until=1)
    await world.connection.execute(
        f"alter table ready add constraint poison check (id <> {ids[5]}) not valid"
    )
    done = await settle.settle()
    assert done is not None
    assert (done.released, done.rejected) == (N - 1, 1)
    assert await world.count("ready") == N - 1


async def test_ready_mail_expires_beside_one_that_cannot_be_recorded(
    world: Any, clearing: ClearingStore
) -> None:
    lane = await world.lane("acme", "password-reset")
    rows = await world.connection.fetch(
        "insert into ready (lane, id, tenant, hash)"
        " select l.id, ((now_ms() - 3600000 - 1767225600000) << 22) + 64 * n + 1, l.tenant, '\\x00'"
        "   from lane l, generate_series(1, $2::int) n where l.id = $1 returning id",
        lane,
        N,
    )
    await forbid_in_ledger(world, rows[3]["id"])
    assert await clearing.expire() == N - 1
    assert await world.count("ready") == 1
