"""A plan of many tenants, applied by processes that die at every kind of step: before and after a call to SES, before and after a
commit. The next process goes on; in the end SES has what was desired, and nothing was created twice.

`./dev crash apply --kills 100` applies 200 tenants; the short form in the suite applies 8.
"""

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.installation import load_or_create_installation
from mailcordon.adapters.db.plan_store import PlanStore
from mailcordon.adapters.db.secrets import make_secret_key
from mailcordon.adapters.ses.queue import open_queue
from mailcordon.adapters.ses.signer import Credentials, FixedCredentials
from mailcordon.control import desired
from mailcordon.control.governor import Governor
from mailcordon.control.plans import Plans
from mailcordon.control.steps import Step, StepKind, add_tenant
from mailcordon_fixtures import dying_control, forking, systems
from seslocal import server
from seslocal.state.settings import Settings

KILLS = int(os.environ.get("MAILCORDON_TEST_KILLS", "2"))
TENANTS = 200 if KILLS > 20 else 8
STEPS = TENANTS * 8  #: of each kind that the whole takes, roughly
RECORD = "record-of-management-calls"
ARN = "arn:aws:sns:us-east-1:123456789012:mailcordon-{}"
SETTINGS = desired.Settings(
    outcome_topic_arn=ARN.format("outcome"), engagement_topic_arn=ARN.format("engagement"), local=True
)


@dataclass
class World:
    local: server.Local
    owner: engine.Connection
    plans: Plans
    ses: Any
    forker: forking.Forker
    log: Path
    deaths: Counter[str] = field(default_factory=Counter[str])

    async def run(self, kind: str, number: int, plan: int | None = None, *, until_done: bool = False) -> int:
        """Runs a process that dies at a step. Returns its exit code; with `until_done`, ends it once nothing is left to do."""
        pid, ending = await self.forker.fork(kind=kind, number=number, plan=plan)
        deadline = time.monotonic() + systems.PATIENCE
        try:
            while not ending.done():
                assert time.monotonic() < deadline, self.log.read_text()[-2000:]
                if until_done and await self.is_done() and not ending.done():
                    os.kill(pid, signal.SIGTERM)
                    until_done = False
                await asyncio.wait({ending}, timeout=0.02)
        finally:
            if not ending.done():
                os.kill(pid, signal.SIGKILL)
        if ending.result() == -signal.SIGKILL:
            self.deaths[kind] += 1
        return ending.result()

    async def state(self, plan: int) -> str:
        return await self.owner.fetchval("select state from plan where id = $1", plan)

    async def is_done(self) -> bool:
        return not await self.owner.fetchval(
            "select exists (select from ses_resource where state <> 'applied')"
            " or exists (select from plan where state = 'applying')"
        )

    async def creations(self) -> Counter[str]:
        """How often SES carried out each creation, by its own record of management calls."""
        queue = open_queue(
            f"{self.local.url}/123456789012/{RECORD}",
            region="us-east-1",
            credentials=FixedCredentials(Credentials("test", "test")),
            endpoint=self.local.url,
        )
        found = Counter[str]()
        while received := await queue.receive(wait=False):
            for one in received:
                call = json.loads(one.body)["detail"]
                if call["eventName"].startswith("Create") and "errorCode" not in call:
                    parts = [call["eventName"], *map(str, (call["requestParameters"] or {}).values())]
                    found[" ".join(parts)] += 1
            await queue.delete([one.receipt for one in received])
        await queue.close()
        return found


@pytest.fixture
async def world(database: Any, tmp_path: Path) -> AsyncIterator[World]:
    owner = await engine.connect(database.dsn("owner"))
    secret_key = make_secret_key()
    await load_or_create_installation(owner, [secret_key], "local")
    control = await engine.create_pool(database.dsn("control"))
    governors = await engine.create_pool(database.dsn("governor"))
    local = server.Local(Settings(), server.Clock())
    await local.listen("127.0.0.1", 0)
    local.account.events.management_queue = RECORD
    for queue in (RECORD, "mailcordon-management"):
        local.account.queues.ensure(queue)
    names = {
        "MAILCORDON_SES_ENDPOINT": local.url,
        "MAILCORDON_SECRET_KEYS": secret_key,
        "MAILCORDON_DATABASE_URL_CONTROL": database.dsn("control"),
        "MAILCORDON_DATABASE_URL_GOVERNOR": database.dsn("governor"),
    }
    plans = Plans(PlanStore(control), Governor(GovernorStore(governors)), SETTINGS)
    ses = boto3.client(
        "sesv2",
        endpoint_url=local.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    log = tmp_path / "control.log"
    environment = systems.environment(tmp_path, names)
    try:
        with log.open("ab") as written:
            async with forking.forker(dying_control.__name__, environment=environment, log=written) as forker:
                yield World(local, owner, plans, ses, forker, log)
    finally:
        ses.close()
        await local.close()
        await governors.close()
        await control.close()
        await owner.close()


@pytest.mark.crash
@pytest.mark.timeout(300 + 30 * KILLS)
async def test_whatever_step_of_an_apply_dies_the_end_is_what_was_desired(world: World) -> None:
    chance = random.Random(KILLS)
    slugs = [f"t{number}" for number in range(TENANTS)]
    asked: list[Step] = []
    for slug in slugs:
        asked.append(add_tenant(slug))
        asked.append(Step(kind=StepKind.ADD_LANE, tenant=slug, type="newsletter", to=f"mail.{slug}.example"))
    made = await world.plans.make(asked, actor="kim")
    assert made.id is not None

    # The application itself is one transaction, after some that only read.
    for number in range(1, 10):
        assert await world.run("commit", number, made.id) == -signal.SIGKILL
        assert await world.state(made.id) == "proposed"
        assert await world.run("committed", number, made.id) == -signal.SIGKILL
        if await world.state(made.id) == "applying":
            break
    assert await world.run("call", 0, made.id) == 1, "it is applied already"

    for kill in range(KILLS):
        kind = dying_control.KINDS[kill % len(dying_control.KINDS)]
        await world.run(kind, chance.randint(1, max(2, 2 * STEPS // KILLS)), until_done=True)
    await world.run("call", 0, until_done=True)

    assert await world.is_done(), world.log.read_text()[-2000:]
    assert await world.state(made.id) == "applied"
    assert (await world.plans.pending()).changes_nothing
    creations = await world.creations()
    print(f"\n{sum(world.deaths.values())} kills {dict(world.deaths)}, {sum(creations.values())} creations")
    assert [what for what, times in creations.items() if times > 1] == []
    account = world.local.account
    assert len(account.tenants) == TENANTS
    assert len(account.identities) == TENANTS
    rows = await world.owner.fetch("select name, desired from ses_resource where kind = 'association'")
    assert len(rows) == TENANTS
    for row in rows:
        listed = await asyncio.to_thread(
            lambda name=row["name"]: world.ses.list_tenant_resources(TenantName=name)
        )
        has = {one["ResourceArn"].split(":", 5)[5] for one in listed["TenantResources"]}
        assert has == set(json.loads(row["desired"])["resources"]), row["name"]
    assert world.deaths, "nothing was killed"
