"""A rollout's whole life on a real database, in which each process dies with SIGKILL before and after each of its commits: the
loop's steps, and what people do. The next process goes on, and mail is on one path whatever died.
"""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from mailcordon.core.provider import Provider
from mailcordon_fixtures import dying_rollouts, forking
from mailcordon_fixtures import rollouts as made
from mailcordon_fixtures.cohorts import Cohorts

HOUR = 3_600_000
LIMITS = "limits:acme/newsletter:enforced"
EVERYTHING = [
    LIMITS,
    "time",
    "mails",
    *(f"gate:{m}" for m in ("unreported", "undelivered", "bounced", "delayed")),
]


@dataclass
class Life:
    world: Any
    lane: int
    forker: forking.Forker
    epoch: int
    deaths: int = 0
    seen: list[str] = field(default_factory=list[str])

    async def run(self, kind: str, number: int, *action: Any) -> int:
        return await self.forker.run(kind=kind, number=number, action=action)

    async def survives(self, *action: Any, to: tuple[str, int]) -> None:
        """Does it again and again until it is done, killed before and after its first commit, its second, and so on."""
        code, before = -9, await self.standing()
        for number in itertools.count(1):
            for kind in ("commit", "committed"):
                code = await self.run(kind, number, *action)
                await self.check()
                if code != -9:
                    break
                self.deaths += 1
                if (kind, number) == ("commit", 1):
                    assert await self.standing() == before, f"{action} changed something before a commit"
            if code != -9 or (action[0] != "look" and await self.standing() == to):
                break  # who sees that it is done does not ask again
        assert code in (0, -9, dying_rollouts.REFUSED), f"{action} ended with {code}"
        assert (await self.standing())[:2] == to, f"{action}: {await self.sentence()}"
        self.seen.append(action[0])

    async def standing(self) -> tuple[str, int]:
        row = await self.world.connection.fetchrow(
            "select state, share from rollout order by id desc limit 1"
        )
        return ("none", 0) if row is None else (row["state"], row["share"])

    async def sentence(self) -> str:
        return await self.world.connection.fetchval("select sentence from rollout order by id desc limit 1")

    async def check(self) -> None:
        """What holds at each moment at which a process may have died."""
        c = self.world.connection
        shares = {
            row["path"]: row["share"]
            for row in await c.fetch("select path, share from route where lane = $1", self.lane)
        }
        row = await c.fetchrow("select id, state, share, version from rollout order by id desc limit 1")
        if row is None:
            assert shares["isolated"] == 0
            return
        if "shared" in shares:
            assert shares == {"isolated": row["share"], "shared": 100 - row["share"]}
        steps = await c.fetch(
            "select from_share, to_share from rollout_step where rollout = $1 order by id", row["id"]
        )
        # Each step begins where the one before ended: none is missing, doubled, or half done.
        assert [one["from_share"] for one in steps[1:]] == [one["to_share"] for one in steps[:-1]]
        assert steps[-1]["to_share"] == row["share"]
        audited = await c.fetchval("select count(*) from audit where object like $1", f"rollout {row['id']}%")
        assert audited == len(steps)
        # Who accepts mail is told of every change of the shares, and of no other.
        moved = await c.fetchval("select count(*) from rollout_step where from_share <> to_share")
        assert await c.fetchval("select value from epoch where name = 'control'") == self.epoch + moved
        if row["state"] == "back":
            left = await c.fetchval("select move_after from rollout_lane where rollout = $1", row["id"])
            assert left is not None or await self.waiting() == 0, (
                "mail waits for the new path and nothing moves it"
            )

    async def waiting(self) -> int:
        """Deliveries in the queue that would take the new path."""
        return await self.world.connection.fetchval(
            "select count(*) from ready d join message m on m.id = d.id & -64"
            " where d.lane = $1 and path_of(m.path, m.other_path, d.id) = 'isolated'",
            self.lane,
        )

    async def mail_that_waits(self, messages: int) -> None:
        await self.world.connection.execute(
            "with m as (insert into message (id, tenant, lane, path, from_address, recipients, bytes, api_key, other_path)"
            " select (now_ms() - 1767225600000 + n) << 22, l.tenant, l.id, 'isolated', 'a@b.example', '{r@x.example}', 1, 1, 0"
            " from lane l, generate_series(1, $2::int) n where l.id = $1 returning *)"
            " insert into ready (lane, id, tenant, hash) select lane, id + 1, tenant, 'h' from m",
            self.lane,
            messages,
        )

    async def mail(self, path: str, sent: int, **counts: int) -> None:
        minute = await self.world.connection.fetchval("select now_ms() / 60000")
        of: dict[str, Any] = {"send_events": sent, "delivered": sent, **counts}
        await Cohorts(self.world.connection).add(
            self.lane, minute=minute - 90, path=path, provider=Provider.YAHOO, sent=sent, **of
        )

    async def later(self) -> None:
        await self.world.connection.execute(
            "update rollout set since = since - $1::bigint, looked_at = 0", 7 * HOUR
        )


@pytest.fixture
async def life(world: Any) -> AsyncIterator[Life]:
    lane = await world.lane("acme", "newsletter")
    await world.share(lane)
    await made.let_the_checklist_hold(world.connection, lane)
    epoch = await world.connection.fetchval("select value from epoch where name = 'control'")
    async with forking.forker(dying_rollouts.__name__, world.database.dsn("control")) as forker:
        yield Life(world, lane, forker, epoch)


async def test_whatever_commit_of_a_rollout_dies_the_next_process_goes_on(life: Life) -> None:
    start = ("start", "acme", ["newsletter"], [1, 5, 100], 1.0)
    await life.survives(*start, to=("running", 0))
    first = await life.world.connection.fetchval("select max(id) from rollout")
    await life.survives("cancel", first, to=("cancelled", 0))
    await life.survives(*start, to=("running", 0))
    id = await life.world.connection.fetchval("select max(id) from rollout")
    await life.survives("look", to=("running", 1))
    await life.later()
    await life.mail("shared", 20_000, hard_bounced=160, soft_bounced=100, delayed=200)
    await life.mail("isolated", 220, hard_bounced=2, soft_bounced=1, delayed=2)
    await life.survives("look", to=("running", 5))
    await life.survives("hold", id, to=("held", 5))
    await life.survives("advance", id, [], to=("running", 5))

    # A gate is breached while mail waits: the shares go back at once, and the mail follows in batches.
    await life.later()
    await life.mail("isolated", 200, send_events=0, delivered=0)
    await life.mail_that_waits(5)
    await life.survives("look", to=("back", 0))
    await life.world.connection.execute("update rollout_lane set move_until = 0 where open")
    await life.survives("look", to=("back", 0))
    assert await life.waiting() == 0
    assert await life.world.connection.fetchval("select move_after from rollout_lane where open") is None

    # A person begins again, lets things pass, and takes all of it back once more.
    await life.survives("advance", id, ["rest"], to=("running", 1))
    await life.survives("advance", id, EVERYTHING, to=("running", 5))
    await life.survives("advance", id, EVERYTHING, to=("standing", 100))
    await life.mail_that_waits(3)
    await life.survives("back", id, to=("back", 0))
    await life.survives("look", to=("back", 0))
    assert await life.waiting() == 0
    await life.survives("advance", id, ["rest"], to=("running", 1))
    await life.survives("advance", id, EVERYTHING, to=("running", 5))
    await life.survives("advance", id, EVERYTHING, to=("standing", 100))
    await life.survives("finish", id, to=("finishing", 100))
    await life.world.connection.execute("delete from route where lane = $1 and path = 'shared'", life.lane)
    await life.survives("look", to=("finished", 100))
    print(f"\n{life.deaths} kills")
    assert life.deaths >= 2 * len(set(life.seen))
