"""A rollout under traffic whose processes are killed: the role that decides, and the one that people ask. Judged by SES's ledger.

`./dev crash rollout --kills 60` kills often, the suite twice. Every commit of a rollout dies in store/test_rollout_kills.py.
"""

import asyncio
import contextlib
import os
import random
import secrets
from collections import defaultdict
from typing import Any

import pytest

from mailcordon.guard.rollouts.nouns import Measure
from mailcordon_fixtures import moving, systems, traffic
from mailcordon_fixtures.traffic import NOBODY_ANSWERS, Traffic

KILLS = int(os.environ.get("MAILCORDON_TEST_KILLS", "2"))
TYPE = "newsletter"
READERS = [f"reader{n}@kills.example" for n in range(40)]
VICTIMS = ("control", "api")


@pytest.fixture
def system(shaken_system: systems.System) -> systems.System:
    return shaken_system


class Rollout:
    """As a person sees it who asks again until somebody answers."""

    def __init__(self, mail: Traffic, id: int) -> None:
        self._mail = mail
        self._url = f"/v1/rollouts/{id}"

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        while True:
            with contextlib.suppress(*NOBODY_ANSWERS, FileNotFoundError, KeyError):
                status, said = await self._mail.call(method, path, body)
                if status < 500:
                    return status, said
            await asyncio.sleep(0.05)

    async def now(self) -> Any:
        status, said = await self.call("GET", self._url)
        assert status == 200, said
        return said

    async def step(self) -> str:
        """One step ahead with all that would keep it let pass, or back if it stands or mail is on half of it. Which, and how
        it was answered: a request that is repeated after a kill may be refused."""
        now = await self.now()
        if now["share"] >= 50:
            status, _ = await self.call("POST", f"{self._url}/back", {"because": "a test"})
            return f"back {status}"
        keys = [one["key"] for one in now["checklist"]]
        gates = [f"gate:{measure}" for measure in Measure]
        overrides = ["rest", "time", "mails", *keys, *gates]
        body = {"because": "a test", "overrides": overrides}
        status, _ = await self.call("POST", f"{self._url}/advance", body)
        return f"advance {status}"


@pytest.mark.crash
@pytest.mark.timeout(300 + 20 * KILLS)
async def test_no_recipient_gets_a_message_over_both_paths_whatever_is_killed(mail: Traffic) -> None:
    chance = random.Random(KILLS)
    slug, platform = f"rk-{secrets.token_hex(3)}", f"rkp-{secrets.token_hex(3)}"
    await mail.onboard({slug: (TYPE,)})
    await moving.onto_two_paths(mail, [slug], TYPE, platform)
    asked = {"tenant": slug, "types": [TYPE], "shares": [25, 50, 100], "because": "off the shared domain"}
    rollout = Rollout(mail, (await moving.done(mail, "POST", "/v1/rollouts", asked))["id"])
    done: list[str] = []

    async def some_take_the_new_path() -> bool:
        done.append(await rollout.step())
        return (await rollout.now())["share"] > 0

    await mail.until(some_take_the_new_path, "some recipients take the new path")
    for kill in range(KILLS):
        victim = VICTIMS[kill % len(VICTIMS)]
        step = asyncio.create_task(rollout.step())
        sending = asyncio.create_task(mailing(mail, slug, f"m{kill}"))
        await asyncio.sleep(chance.random() * 0.3)
        pid = mail.system.kill(victim)
        done.append(await step)
        await asyncio.to_thread(mail.system.wait_replaced, victim, pid)
        await sending
        assert await agrees(mail, slug)
    while (await rollout.now())["share"] > 0:
        await rollout.call("POST", f"/v1/rollouts/{(await rollout.now())['id']}/back", {"because": "the end"})
    await mail.all_final(slug)

    async def settled() -> bool:
        return not (await rollout.now())["moving"]

    await mail.until(settled, "waiting mail was moved back")
    verdict = await mail.judge(slug, platform)
    print(f"\n{KILLS} kills, {done}: {verdict}")
    assert verdict.faults == []
    ways: defaultdict[int, set[str]] = defaultdict(set)
    for one in await mail.sent(slug, platform):
        ways[traffic.delivery_of(one)].add(one["from"].rpartition("@")[2].rstrip(">"))
    assert {len(domains) for domains in ways.values()} == {1}
    assert len(set().union(*ways.values())) == 2, "no mail took the new path"
    now = await rollout.now()
    assert now["steps"][0]["to_share"] == now["share"] == 0


async def mailing(mail: Traffic, slug: str, campaign: str) -> None:
    """To all readers, in several messages, however often nobody answers."""
    for start in range(0, len(READERS), 10):
        to = READERS[start : start + 10]
        key = f"{campaign}-{start}"
        while await mail.put(slug, TYPE, to, campaign=campaign, key=key, subject=campaign) is None:
            await asyncio.sleep(0.05)


async def agrees(mail: Traffic, slug: str) -> bool:
    """The lane's shares are those of its rollout, and of its newest step: no death left one without the other."""
    return await mail.db.fetchval(
        "select r.share = i.share and s.share = 100 - i.share and r.share = (select p.to_share from rollout_step p"
        " where p.rollout = r.id order by p.id desc limit 1)"
        " from rollout r join tenant t on t.id = r.tenant join rollout_lane l on l.rollout = r.id"
        " join route i on i.lane = l.lane and i.path = 'isolated' join route s on s.lane = l.lane and s.path = 'shared'"
        " where t.slug = $1",
        slug,
    )
