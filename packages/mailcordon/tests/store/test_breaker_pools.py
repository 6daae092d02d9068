"""Many new senders that are ill together, though each alone sends too little to tell: their caps shrink, and none is stopped."""

from mailcordon.adapters.db.breaker_reader import BreakerAlarms
from mailcordon.core.cohort import COLUMNS
from mailcordon_fixtures.breaker_watching import Watching

MEMBERS = 24


async def senders(watching: Watching, prefix: str, count: int, *, source: str, bounces: int) -> list[int]:
    """New tenants of one sign-up source that have sent 50 mails each today."""
    lanes = [await watching.world.lane(f"{prefix}-{number}", "newsletter") for number in range(count)]
    await watching.world.connection.execute(
        "insert into tenant_fact (tenant, sign_up_source, told_at, told_by)"
        " select tenant, $2, 1, 'ana' from lane where id = any ($1)",
        lanes,
        source,
    )
    await watching.world.connection.execute(
        "insert into cohort_change (tenant, lane, minute, path, provider, counts)"
        " select l.tenant, l.id, $2, 'isolated', 3, array[50, 0, 50 - $3, $3] || array_fill(0, array[$4 - 4])"
        " from lane l where l.id = any ($1)",
        lanes,
        watching.now - 20,
        bounces,
        len(COLUMNS),
    )
    return lanes


async def test_new_senders_that_are_ill_together_are_capped_and_none_is_stopped(watching: Watching) -> None:
    ill = await senders(watching, "partner", MEMBERS, source="partner-x", bounces=4)
    healthy = await senders(watching, "direct", 8, source="direct", bounces=0)
    await watching.cohorts.fold()
    for lane in [*ill, *healthy]:
        await watching.prove(lane)
    loop = watching.start(real=True)
    await loop.advance()
    await loop.advance()
    limits = await watching.rows("select lane, owner, per, cap, mode from send_limit order by lane")
    assert limits == [(lane, "guard", "day", 25, "enforce") for lane in ill]
    assert await watching.holds() == []
    decisions = await watching.rows("select distinct part, level, mode from breaker_decision")
    assert decisions == [("pool:sign-up partner-x", 2, "enforce")]
    ((seen, done),) = await watching.rows(
        f"select seen, done from breaker_decision where lane = {ill[0]} and ended_at is null"
    )
    assert seen.startswith(f"{MEMBERS} new lanes of sign-up partner-x together: ")
    assert done.startswith(
        "Slowed: partner-0/newsletter to 25 mails a day. None of its mail is held for good."
    )
    alarms = await BreakerAlarms(watching.control).read()
    assert {alarm.cause for alarm in alarms} == {"pool:sign-up partner-x"}
    # Whoever goes on after a restart makes nothing twice.
    await loop.close()
    next_ = watching.start(real=True)
    await next_.advance()
    await next_.advance()
    assert await watching.rows("select lane, owner, per, cap, mode from send_limit order by lane") == limits
    assert await watching.rows("select count(*) from breaker_decision") == [(len(ill),)]
    # A person who accepts it for one of them frees them all.
    await watching.rows(
        "update breaker_decision set accepted_at = 1, accepted_by = 'ana', accepted_because = 'we know them'"
        f" where lane = {ill[0]} returning id"
    )
    await next_.advance()
    assert await watching.rows("select lane from send_limit order by lane") == []
    assert await watching.rows("select count(*) from breaker_decision where ended_at is null") == [(0,)]
