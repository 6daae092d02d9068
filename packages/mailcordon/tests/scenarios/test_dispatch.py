"""The dispatcher against the local SES: what leaves, what is held back, and what an unclear answer leads to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import aiohttp
import boto3
import pytest
from botocore.config import Config

import seslocal
from mailcordon.adapters.db import engine
from mailcordon.adapters.db.clearing_store import ClearingStore
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.proving_store import ProvingStore
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.adapters.db.settle_store import SettleStore
from mailcordon.adapters.ses.httptools_transport import HttptoolsTransport
from mailcordon.adapters.ses.send import SesSend
from mailcordon.adapters.ses.signer import Credentials, FixedCredentials
from mailcordon.control.governor import Governor
from mailcordon.core.priority import Class
from mailcordon.send.accept import Accept
from mailcordon.send.dispatch import Dispatcher, Identity
from mailcordon.send.window import FIRST
from mailcordon_fixtures.queue_world import accepting, allowed, database_away

KEY = b"k" * 32
DRAIN = 3.0  #: seconds


@dataclass
class DispatchSystem:
    world: Any
    local: seslocal.Local
    accept: Accept
    governor: Governor
    dispatcher: Dispatcher
    http: aiohttp.ClientSession
    stop: asyncio.Event
    running: asyncio.Task[None]

    def database_away(self) -> AbstractAsyncContextManager[None]:
        """For the data plane's login."""
        return database_away(self.world.connection, self.world.database.dsn("send"))

    async def put(self, submission: Any, slug: str = "acme") -> Any:
        return await self.accept.enqueue(slug, submission, api_key=1, key=None, still_allowed=allowed)

    async def sent(self) -> list[dict[str, Any]]:
        async with self.http.get(f"{self.local.url}/_seslocal/sent") as answer:
            return (await answer.json())["sent"]

    async def fault(self, **body: Any) -> None:
        async with self.http.post(f"{self.local.url}/_seslocal/faults", json=body) as answer:
            assert answer.status < 300, await answer.text()

    async def until(self, what: Callable[[], Awaitable[Any]], seconds: float = 60) -> Any:
        async with asyncio.timeout(seconds):
            while not (found := await what()):
                await asyncio.sleep(0.02)
            return found


def set_up_ses(url: str, tenant: str, domain: str, class_: Class) -> None:
    ses = boto3.client(
        "sesv2",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    arn = "arn:aws:ses:us-east-1:123456789012:"
    set_ = f"mc-{class_.word}"
    ses.create_tenant(TenantName=tenant)
    ses.create_email_identity(EmailIdentity=domain)
    ses.create_configuration_set(ConfigurationSetName=set_)
    for resource in (f"identity/{domain}", f"configuration-set/{set_}"):
        ses.create_tenant_resource_association(TenantName=tenant, ResourceArn=arn + resource)
    ses.close()


@pytest.fixture
async def dispatching(world: Any) -> AsyncIterator[DispatchSystem]:
    async with seslocal.running(port=0) as local:
        await world.lane("acme", "password-reset", grace_ms=300)
        await world.account()
        tenant = await world.connection.fetchval("select key from tenant where slug = 'acme'")
        await asyncio.to_thread(set_up_ses, local.url, tenant, "password-reset.acme.example", Class.URGENT)
        queue, settle = QueueStore(world.database.dsn("send")), SettleStore(world.database.dsn("send"))
        clearing = ClearingStore(world.database.dsn("send"))
        proving = ProvingStore(world.database.dsn("send"))
        transport = HttptoolsTransport(local.url)
        ses = SesSend(
            transport,
            host=transport.host,
            region="us-east-1",
            credentials=FixedCredentials(Credentials("test", "test")),
        )
        pool = await engine.create_pool(world.database.dsn("governor"), max_size=2)
        governor = Governor(GovernorStore(pool))
        dispatcher = Dispatcher(
            store=queue,
            settle=settle,
            clearing=clearing,
            proving=proving,
            ses=ses,
            governor=governor.stops,
            identity=Identity(installation="test", mac_key=KEY),
            cell="default",
            slots=16,
            drain=DRAIN,
        )
        stop = asyncio.Event()
        async with accepting(world) as accept, aiohttp.ClientSession() as http:
            running = asyncio.create_task(dispatcher.run(stop))
            yield DispatchSystem(world, local, accept, governor, dispatcher, http, stop, running)
            stop.set()
            await running
        for one in (queue, settle, clearing, proving, transport, pool):
            await one.close()


async def test_mail_leaves_with_tenant_set_and_signed_tags(
    dispatching: DispatchSystem, make_submission: Any
) -> None:
    answer = await dispatching.put(make_submission())

    async def recorded() -> Any:
        return await dispatching.world.connection.fetchrow("select * from ledger")

    row = await dispatching.until(recorded)
    [mail] = await dispatching.sent()
    assert row["state"] == 20
    assert row["ses_id"] == mail["message_id"]
    assert row["id"] == answer.deliveries[0].id
    assert mail["configuration_set"] == "mc-urgent"
    assert mail["tags"]["mc-type"] == ["password-reset"]


async def test_each_recipients_mail_has_the_headers_given_for_them_and_no_others(
    dispatching: DispatchSystem, make_submission: Any
) -> None:
    to = ["kim@example.com", "lee@example.com", "ann@example.com"]
    own = [{"X-Seat": "1"}, None, {"x-seat": "3", "X-Door": "B"}]
    await dispatching.put(make_submission(to=to, headers={"X-Seat": "any", "X-Hall": "2"}, own_headers=own))

    async def sent() -> Any:
        mails = await dispatching.sent()
        return mails if len(mails) == 3 else None

    found = {
        mail["recipients"][0]: {
            one["name"].lower(): one["value"]
            for one in mail["headers"]
            if one["name"].lower().startswith("x-")
        }
        for mail in await dispatching.until(sent)
    }
    assert found == {
        "kim@example.com": {"x-hall": "2", "x-seat": "1"},
        "lee@example.com": {"x-hall": "2", "x-seat": "any"},
        "ann@example.com": {"x-hall": "2", "x-seat": "3", "x-door": "B"},
    }


async def test_an_accepted_mail_whose_answer_was_lost_is_not_sent_again(
    dispatching: DispatchSystem, make_submission: Any
) -> None:
    await dispatching.fault(fault="accept_lose_answer", count=1)
    await dispatching.put(make_submission())

    async def unknown() -> int:
        return await dispatching.world.count("waiting", "why = 2")

    await dispatching.until(unknown)
    [mail] = await dispatching.sent()
    delivery = await dispatching.world.connection.fetchval("select id from waiting")
    await dispatching.world.connection.execute(
        "insert into send_event (delivery, attempt, ses_id, at) values ($1, 1, $2, now_ms())",
        delivery,
        mail["message_id"],
    )

    async def settled() -> int:
        return await dispatching.world.count("ledger", "state = 20")

    await dispatching.until(settled)
    real = [m for m in await dispatching.sent() if "simulator" not in str(m["recipients"])]
    assert len(real) == 1


async def test_an_unknown_at_quiet_hours_is_asked_after_by_a_canary(
    dispatching: DispatchSystem, make_submission: Any
) -> None:
    await dispatching.fault(fault="error_500", count=1)
    await dispatching.put(make_submission())

    async def canary() -> list[Any]:
        return [m for m in await dispatching.sent() if "simulator" in str(m["recipients"])]

    [mail, *_] = await dispatching.until(canary)
    assert mail["tags"]["mc-attempt"][0].startswith("c0-")
    assert mail["configuration_set"] == "mc-urgent"


async def test_a_throttling_answer_loses_and_doubles_nothing(
    dispatching: DispatchSystem, make_submission: Any
) -> None:
    await dispatching.fault(fault="throttle", count=5)
    for n in range(10):
        await dispatching.put(make_submission(to=[f"r{n}@example.com"]))

    async def all_out() -> bool:
        return await dispatching.world.count("ledger", "state = 20") == 10

    await dispatching.until(all_out)
    assert len(await dispatching.sent()) == 10


async def test_an_outage_meets_a_few_calls_and_a_canary_ends_it(
    dispatching: DispatchSystem, make_submission: Any
) -> None:
    await dispatching.fault(fault="error_503", count=None)
    for n in range(60):
        await dispatching.put(make_submission(to=[f"r{n}@example.com"]))

    async def stopped() -> bool:
        return dispatching.dispatcher._window.stopped

    await dispatching.until(stopped)
    await asyncio.sleep(0.3)
    unknown = await dispatching.world.count("waiting", "why = 2")
    assert 5 <= unknown <= FIRST, "what a dispatcher begins with"
    async with dispatching.http.delete(f"{dispatching.local.url}/_seslocal/faults"):
        pass

    async def rest_out() -> bool:
        return await dispatching.world.count("ledger", "state = 20") >= 60 - unknown

    await dispatching.until(rest_out)


async def test_the_mail_of_a_tenant_that_ses_paused_is_kept_and_leaves_when_ses_lets_it(
    dispatching: DispatchSystem, make_submission: Any
) -> None:
    key = await dispatching.world.connection.fetchval("select key from tenant where slug = 'acme'")
    async with dispatching.http.put(
        f"{dispatching.local.url}/_seslocal/tenants/{key}", json={"aws_status": "DISABLED"}
    ) as answer:
        assert answer.status < 300, await answer.text()
    await dispatching.put(make_submission())

    async def stopped() -> Any:
        return await dispatching.governor.stops.open()

    [stop] = await dispatching.until(stopped)
    assert stop.because == "SES has paused this tenant"
    assert stop.said.startswith("Sending disabled for arn:aws:ses:")

    async def back() -> bool:
        return await dispatching.world.count("ready", "state = 0") == 1

    await dispatching.until(back)
    assert await dispatching.sent() == []
    async with dispatching.http.put(
        f"{dispatching.local.url}/_seslocal/tenants/{key}", json={"aws_status": "REINSTATED"}
    ) as answer:
        assert answer.status < 300, await answer.text()

    async def sent() -> bool:
        return await dispatching.world.count("ledger", "state = 20") == 1

    await dispatching.until(sent)
    assert await dispatching.governor.stops.open() == []


async def test_a_hold_stops_a_busy_lane_and_what_was_claimed_goes_back(
    dispatching: DispatchSystem, make_submission: Any
) -> None:
    await dispatching.fault(fault="slow", seconds=0.05, count=None)
    for n in range(8):
        await dispatching.put(make_submission(to=[f"r{n}-{i}@example.com" for i in range(50)]))

    async def some() -> bool:
        return await dispatching.world.count("ledger", "state = 20") > 5

    await dispatching.until(some)
    await dispatching.world.connection.execute("update lane set held = true")
    await dispatching.world.connection.execute("update epoch set value = value + 1 where name = 'hold'")
    await asyncio.sleep(1.0)  # by then a hold acts

    async def quiet() -> bool:
        return await dispatching.world.count("ready", "state = 1") == 0

    await dispatching.until(quiet)
    before = len(await dispatching.sent())
    await asyncio.sleep(0.5)
    assert len(await dispatching.sent()) == before
    assert (
        await dispatching.world.count("ready") + await dispatching.world.count("ledger", "state = 20") == 400
    )


async def test_a_dispatcher_ends_although_the_database_is_away_and_its_calls_stay_sending(
    dispatching: DispatchSystem, make_submission: Any
) -> None:
    await dispatching.fault(fault="slow", seconds=1, count=None)
    await dispatching.put(make_submission())

    async def called() -> bool:
        return await dispatching.world.count("ready", "state = 1") == 1

    await dispatching.until(called)
    async with dispatching.database_away():
        dispatching.stop.set()
        ended, _ = await asyncio.wait([dispatching.running], timeout=10 * DRAIN)
        assert ended
    assert dispatching.running.exception() is None
    assert await called()


async def test_a_dispatcher_that_begins_while_the_database_is_away_ends(dispatching: DispatchSystem) -> None:
    dispatching.stop.set()
    await dispatching.running
    async with dispatching.database_away():
        dispatching.stop.clear()
        again = asyncio.create_task(dispatching.dispatcher.run(dispatching.stop))
        await asyncio.wait([again], timeout=0.2)
        assert not again.done()
        dispatching.stop.set()
        ended, _ = await asyncio.wait([again], timeout=10 * DRAIN)
        again.cancel()
    assert ended
