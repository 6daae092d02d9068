"""From a call at SES behind our back to the row that is due: boto3, the local SES, our SQS client, a real database."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import boto3
import pytest

from mailcordon.adapters.db import engine, hint_store
from mailcordon.adapters.db.hint_store import HintStore
from mailcordon.adapters.ses import management_events
from mailcordon.adapters.ses.administer import Administer
from mailcordon.adapters.ses.queue import SqsQueue, open_queue
from mailcordon.adapters.ses.signer import Credentials, FixedCredentials
from mailcordon.control import hints
from mailcordon.control.hints import Caller, Hint, Place
from mailcordon.control.signals import LOOK_EVERY, Signals
from mailcordon.core.queue import Received, Unreachable
from seslocal import server
from seslocal.admin import fault_calls
from seslocal.state.settings import Settings

QUEUE = "mailcordon-management"
OURS = (
    ("configuration-set", "mc-urgent"),
    ("event-destination", "mc-urgent/engagement"),
    ("event-destination", "mc-urgent/outcome"),
    ("event-destination", "mc-urgent-zen/outcome"),
    ("identity", "mail.acme.example"),
    ("tenant", "mc-acme"),
    ("policy", "mc-acme"),
    ("association", "mc-acme"),
)
_WRITE = """insert into ses_resource (kind, name, phase, desired, state, next_try_at)
    values ($1, $2, 0, '{}', 'applied', 'infinity')"""


@dataclass
class World:
    local: server.Local
    owner: engine.Connection
    control: engine.Pool
    ses: Any  #: a boto3 client of somebody else
    queue: SqsQueue
    signals: Signals
    now: float = 1000.0

    async def call(self, operation: str, **members: Any) -> Any:
        return await asyncio.to_thread(lambda: getattr(self.ses, operation)(**members))

    async def due(self) -> list[str]:
        """What is looked at next, and is urgent."""
        rows = await self.owner.fetch(
            "select kind, name from ses_resource where next_try_at <= now() and work = 'urgent' order by 1, 2"
        )
        return [f"{row['kind']} {row['name']}" for row in rows]

    async def looked(self) -> None:
        await self.owner.execute("update ses_resource set next_try_at = 'infinity'")

    async def hints(self) -> list[tuple[str, str, str, str]]:
        rows = await self.owner.fetch(
            "select event, resource_kind, resource, member from ses_hint order by id"
        )
        return [tuple(row) for row in rows]

    async def take(self, *calls: tuple[str, dict[str, Any]], **more: Any) -> None:
        """As if the queue had brought these."""
        await self.signals.take([Received(event(name, given, **more), "") for name, given in calls])


def event(name: str, parameters: dict[str, Any], **more: Any) -> str:
    record = {
        "eventName": name,
        "eventSource": "ses.amazonaws.com",
        "eventTime": "2026-03-01T14:02:11Z",
        "requestParameters": parameters,
        **more,
    }
    return json.dumps({"detail-type": "AWS API Call via CloudTrail", "detail": record})


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    owner = await engine.connect(database.dsn("owner"))
    control = await engine.create_pool(database.dsn("control"))
    local = server.Local(Settings(), server.Clock())
    await local.listen("127.0.0.1", 0)
    local.account.events.management_queue = QUEUE
    local.account.queues.ensure(QUEUE)
    await owner.executemany(_WRITE, OURS)
    given: dict[str, Any] = {
        "region_name": "us-east-1",
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
    }
    ses = boto3.client("sesv2", endpoint_url=local.url, **given)
    queue = open_queue(
        f"{local.url}/123456789012/{QUEUE}",
        region="us-east-1",
        credentials=FixedCredentials(Credentials("test", "test")),
        endpoint=local.url,
    )
    decode = partial(management_events.decode, region="us-east-1")
    world = World(
        local,
        owner,
        control,
        ses,
        queue,
        Signals(queue, HintStore(control), decode, cell="default", clock=lambda: world.now),
    )
    try:
        yield world
    finally:
        ses.close()
        await queue.close()
        await local.close()
        await control.close()
        await owner.close()


async def test_news_about_a_finding_of_ses_is_passed_on_and_other_events_are_not(world: World) -> None:
    told: list[None] = []
    decode = partial(management_events.decode, region="us-east-1")
    signals = Signals(
        world.queue, HintStore(world.control), decode, cell="default", advised=lambda: told.append(None)
    )
    about = {
        "source": "aws.ses",
        "region": "us-east-1",
        "resources": ["arn:aws:ses:us-east-1:123456789012:tenant/mc-acme/tn-1"],
        "detail": {
            "version": "1",
            "data": "The bounce rate exceeded 15.0%",
            "metadata": {"impact": "HIGH", "type": "BOUNCE"},
        },
    }
    for type in (
        "Sending Status Disabled",
        "Advisor Recommendation Status Open",
        "Advisor Recommendation Status Closed",
    ):
        await signals.take([Received(json.dumps({"detail-type": type, **about}), "")])
    await signals.take([Received(event("CreateTenant", {"tenantName": "mc-acme"}), "")])
    assert len(told) == 2


async def test_a_call_behind_our_back_makes_its_resource_due_and_says_who_made_it(world: World) -> None:
    await world.call("create_email_identity", EmailIdentity="mail.acme.example")
    await world.call(
        "put_email_identity_dkim_attributes", EmailIdentity="mail.acme.example", SigningEnabled=False
    )
    assert await world.signals.read() == 2
    assert await world.due() == ["identity mail.acme.example"]
    [_, hint] = await world.owner.fetch("select event, member, by, at, received_at from ses_hint order by id")
    assert (hint["event"], hint["member"]) == ("PutEmailIdentityDkimAttributes", "dkim_signing")
    by = json.loads(hint["by"])
    assert by["arn"] == "arn:aws:iam::123456789012:user/test"
    assert (by["access_key"], by["source_ip"]) == ("test", "127.0.0.1")
    assert abs(hint["received_at"] - hint["at"]) < timedelta(minutes=1)
    assert await world.queue.count() == 0


async def test_our_own_calls_make_nothing_due_and_are_not_stored(world: World) -> None:
    administer = Administer(
        region="us-east-1", endpoint=world.local.url, access_key="test", secret_key="test"
    )
    ours: Any = administer._client
    await asyncio.to_thread(ours.create_email_identity, EmailIdentity="mail.acme.example")
    administer.close()
    assert await world.signals.read() == 1
    assert await world.due() == []
    assert await world.hints() == []
    assert world.signals.facts.counted == {"own": 1}


async def test_what_is_not_ours_makes_ours_due_that_it_touches(world: World) -> None:
    arn = "arn:aws:ses:us-east-1:123456789012:identity/mail.acme.example"
    await world.take(("CreateTenantResourceAssociation", {"tenantName": "zen", "resourceArn": arn}))
    assert await world.due() == ["identity mail.acme.example"]
    assert await world.hints() == [
        ("CreateTenantResourceAssociation", "association", "zen", "identity/mail.acme.example"),
        ("CreateTenantResourceAssociation", "identity", "mail.acme.example", "tenant/zen"),
    ]
    await world.looked()
    await world.take(("CreateTenantResourceAssociation", {"tenantName": "mc-acme", "resourceArn": arn}))
    assert await world.due() == ["association mc-acme"]


async def test_a_destination_that_is_not_ours_makes_the_whole_set_due(world: World) -> None:
    given = {"configurationSetName": "mc-urgent", "eventDestinationName": "spy"}
    await world.take(("CreateConfigurationSetEventDestination", given))
    assert await world.due() == [
        "configuration-set mc-urgent",
        "event-destination mc-urgent/engagement",
        "event-destination mc-urgent/outcome",
    ]
    await world.looked()
    own = given | {"eventDestinationName": "outcome"}
    await world.take(("UpdateConfigurationSetEventDestination", own))
    assert await world.due() == ["event-destination mc-urgent/outcome"]


async def test_a_flood_causes_one_look_now_and_one_after_the_last_event(world: World) -> None:
    one = ("DeleteTenant", {"tenantName": "mc-acme"})
    await world.take(one)
    assert await world.due() == ["tenant mc-acme"]
    await world.looked()
    for _ in range(20):
        world.now += 0.1
        await world.take(one, one)
    assert await world.due() == []
    assert world.signals.facts.looks == 2
    planned = await world.owner.fetchval(
        "select extract(epoch from next_try_at - now())::float8 from ses_resource where kind = 'tenant'"
    )
    assert 0 < planned < LOOK_EVERY
    assert len(await world.hints()) == 1


async def test_a_later_event_causes_a_look_at_once(world: World) -> None:
    one = ("DeleteTenant", {"tenantName": "mc-acme"})
    await world.take(one)
    await world.looked()
    world.now += LOOK_EVERY
    await world.take(one)
    assert await world.due() == ["tenant mc-acme"]


async def test_odd_messages_are_counted_and_deleted(world: World) -> None:
    queue = world.local.account.queues.ensure(QUEUE)
    for body in (
        "nonsense",
        event("DeleteTenant", {"tenantName": "zen"}),
        event("Odd", {"colour": "red"}),
    ):
        queue.put(body)
    assert await world.signals.read() == 3
    assert await world.due() == []
    assert world.signals.facts.counted == {"malformed": 1, "look": 1, "nothing": 1}
    assert world.signals.facts.looks == 0
    assert await world.queue.count() == 0


async def test_a_message_that_was_not_stored_comes_again(world: World) -> None:
    await world.call("create_tenant", TenantName="mc-acme")
    await world.owner.execute("alter table ses_hint rename to ses_hint_away")
    with pytest.raises(Exception, match="ses_hint"):
        await world.signals.read()
    await world.owner.execute("alter table ses_hint_away rename to ses_hint")
    assert await world.queue.count() == 1


async def test_a_queue_that_is_away_is_a_problem_until_it_is_back(world: World) -> None:
    stop = asyncio.Event()
    fault = await _fault(world, "queue_outage")
    running = asyncio.create_task(world.signals.run(stop))
    while world.signals.facts.problem is None:
        await asyncio.sleep(0.01)
    world.local.account.faults.active.pop(fault)
    await world.call("create_tenant", TenantName="mc-acme")
    while not await world.due():
        await asyncio.sleep(0.01)
    assert world.signals.facts.problem is None
    stop.set()
    await running


async def _fault(world: World, kind: str) -> str:
    fault = fault_calls.read(world.local.account, {"fault": kind})
    fault_calls.start(world.local.account, fault, lambda _: 0)
    return fault.id


def _hint(member: str, at: datetime, arn: str = "a") -> Hint:
    place = Place("tenant", "mc-acme", member)
    return Hint(event="E", place=place, by=Caller(arn=arn), at=at)


async def test_hints_end_after_ninety_days_and_are_bounded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, now = HintStore(world.control), datetime(2026, 3, 1, 14, tzinfo=UTC)
    many = [replace(_hint(str(number), now), event=f"E{number}") for number in range(10)]
    await store.record(many)
    await world.owner.execute(
        "update ses_hint set received_at = now() - interval '91 days' where event = 'E9'"
    )
    assert await store.purge() == 1
    monkeypatch.setattr(hint_store, "MOST_ROWS", 4)
    assert await store.purge() == 5
    assert [row[0] for row in await world.hints()] == ["E5", "E6", "E7", "E8"]


async def test_an_unreachable_queue_is_said_so(world: World) -> None:
    await _fault(world, "queue_outage")
    with pytest.raises(Unreachable):
        await world.signals.read()


async def test_a_hint_that_cannot_be_stored_keeps_no_other_back(world: World) -> None:
    by = Caller(arn="\0")
    one = hints.Call(event="TagResource", by=by, at=None, parameters={"tenantname": "mc-acme"})

    def decode(body: str) -> hints.Call:
        return replace(one, event=body, by=by if body == "Odd" else Caller(arn="arn"))

    signals = Signals(world.queue, HintStore(world.control), decode, cell="default")
    await signals.take([Received("CreateTenant", ""), Received("Odd", ""), Received("DeleteTenant", "")])
    assert [name for name, *_ in await world.hints()] == ["CreateTenant", "DeleteTenant"]
    assert signals.facts.counted["not stored"] == 1
    assert await world.due() == ["tenant mc-acme"]


async def test_of_a_flood_only_so_many_looks_are_urgent(world: World) -> None:
    world.signals._urgent_per_minute = 2  # pyright: ignore[reportPrivateUsage]
    names = ("mc-urgent", "mc-a", "mc-b", "mc-c")
    await world.owner.executemany(_WRITE, [("configuration-set", name) for name in names[1:]])
    for name in names:
        await world.take(("UpdateConfigurationSet", {"configurationSetName": name}))
    assert await world.due() == ["configuration-set mc-a", "configuration-set mc-urgent"]
    repair = "select count(*) from ses_resource where next_try_at <= now() and work = 'repair'"
    assert await world.owner.fetchval(repair) == 2
    await world.looked()
    world.now += 61
    await world.take(("UpdateConfigurationSet", {"configurationSetName": "mc-c"}))
    assert await world.due() == ["configuration-set mc-c"]


async def test_what_ses_reports_of_a_tenant_makes_it_due_and_names_nobody(world: World) -> None:
    report = {
        "detail-type": "Sending Status Disabled",
        "source": "aws.ses",
        "region": "us-east-1",
        "time": "2026-03-01T14:02:11Z",
        "resources": ["arn:aws:ses:us-east-1:123456789012:tenant/mc-acme/tn-1"],
        "detail": {"data": {"origin": "AWS_MANAGED"}},
    }
    await world.take(("UpdateReputationEntityPolicy", {"reputationEntityReference": report["resources"][0]}))
    await world.looked()
    before = await world.hints()
    world.now += LOOK_EVERY
    await world.signals.take([Received(json.dumps(report), "")])
    assert await world.due() == ["policy mc-acme"]
    assert await world.hints() == before, "who changed it is known from the call"
    assert world.signals.facts.counted["look"] == 2
