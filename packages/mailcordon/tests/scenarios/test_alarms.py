"""What goes wrong on a running system opens an incident that names the culprit, and closes by itself when it is mended.

All of it goes wrong at the same time, so that the waits are one wait: each thing has its own incident all the same.
"""

import asyncio
import contextlib
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import boto3
import pytest

from mailcordon_fixtures import systems, traffic
from mailcordon_fixtures.receiver import Receiver
from mailcordon_fixtures.traffic import Traffic

RESET, NEWS = "password-reset", "newsletter"
LATE_MS = 60_000  #: urgent mail may wait half as long


@pytest.fixture
def ses(system: systems.System) -> Iterator[Any]:
    """SES's own API, for what somebody changes there."""
    client = _client(system, "sesv2")
    yield client
    client.close()


def _client(system: systems.System, service: Any) -> Any:
    return boto3.client(
        service,
        endpoint_url=system.ses_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@dataclass
class World:
    mail: Traffic
    ses: Any
    run: str = field(default_factory=lambda: secrets.token_hex(3))
    began: float = field(default_factory=time.monotonic)
    times: dict[str, float] = field(default_factory=dict[str, float])
    ids: dict[int, str] = field(default_factory=dict[int, str])  #: incidents of this test, by their causes
    events_read: asyncio.Event = field(default_factory=asyncio.Event)  #: the observer is not needed any more

    def slug(self, stem: str) -> str:
        return f"{stem}-{self.run}"

    async def ses_tenant(self, slug: str) -> str:
        return await self.mail.db.fetchval(
            "select r.ses_tenant from route r join tenant t on t.id = r.tenant where t.slug = $1 limit 1",
            slug,
        )

    async def lane(self, slug: str, type: str) -> int:
        return await self.mail.db.fetchval(
            "select l.id from lane l join tenant t on t.id = l.tenant join message_type m on m.id = l.type"
            " where t.slug = $1 and m.name = $2",
            slug,
            type,
        )

    async def incident(self, cause: str, *kinds: str, culprit: str, tenant: str | None) -> Any:
        """Waits for the incident of this cause, until it has alarms of all these kinds and a culprit."""

        async def named() -> Any:
            row = await self.mail.db.fetchrow(
                "select i.*, t.slug, (select array_agg(distinct a.kind) from incident_alarm a where a.incident = i.id) as kinds"
                " from incident i left join tenant t on t.id = i.tenant where i.cause = $1 order by i.id desc limit 1",
                cause,
            )
            found = row is not None and row["culprit"] is not None and set(kinds) <= set(row["kinds"] or ())
            return row if found else None

        try:
            row = await self.mail.until(named, f"an incident says {cause}", patience=60)
        except AssertionError as error:
            others = await self.mail.db.fetch(
                "select i.cause, i.closed_at is null as open, a.key, a.ended_at is null as shows"
                " from incident i left join incident_alarm a on a.incident = i.id order by i.id, a.key"
            )
            raise AssertionError(f"{error}, only {[tuple(row) for row in others]}") from None
        self.times[f"{'+'.join(kinds)} named"] = time.monotonic() - self.began
        assert culprit in row["culprit"], row["culprit"]
        assert row["slug"] == tenant
        assert row["identified_at"] is not None
        self.ids[row["id"]] = cause
        return row

    async def closes(self, row: Any) -> Any:
        async def closed() -> Any:
            found: Any = await self.mail.db.fetchrow("select * from incident where id = $1", row["id"])
            return found if found["closed_at"] is not None else None

        return await self.mail.until(closed, f"{row['cause']} closes", patience=60)


@contextlib.asynccontextmanager
async def proposed(mail: Traffic, kind: str) -> AsyncIterator[None]:
    """Such differences are proposed, not repaired, meanwhile."""
    path = f"/v1/drift/policies/{kind}"
    status, said = await mail.call("PUT", path, {"act": "propose", "because": "a test"})
    assert status == 200, said
    try:
        yield
    finally:
        await mail.call("PUT", path, {"act": "apply", "because": "as before"})


# One thing that goes wrong, each: until its incident names the culprit; then it is mended, until it is closed -------------------


async def drift(world: World) -> None:
    """Somebody changes the reputation policy of a tenant."""
    slug = world.slug("drift")
    arn = (await asyncio.to_thread(world.ses.get_tenant, TenantName=await world.ses_tenant(slug)))["Tenant"][
        "TenantArn"
    ]

    async def put(policy: str) -> None:
        await asyncio.to_thread(
            world.ses.update_reputation_entity_policy,
            ReputationEntityType="RESOURCE",
            ReputationEntityReference=arn,
            ReputationEntityPolicy=f"arn:aws:ses:us-east-1:aws:reputation-policy/{policy}",
        )

    async with proposed(world.mail, "reputation-policy"):
        await put("none")
        row = await world.incident(f"tenant:{slug}", "drift", culprit="user test", tenant=slug)
        assert "who changed policy" in row["culprit"]
        await put("standard")
        await world.closes(row)


async def paused(world: World) -> None:
    """SES stops a tenant."""
    slug = world.slug("paused")
    name = await world.ses_tenant(slug)
    await world.mail.ses(
        "PUT", f"/tenants/{name}", {"aws_status": "DISABLED", "cause": "Too many complaints."}
    )
    row = await world.incident(f"tenant:{slug}", "ses-status", culprit=f"tenant {slug}", tenant=slug)
    assert "Too many complaints." in row["sentence"]
    await world.mail.ses("PUT", f"/tenants/{name}", {"aws_status": "ENABLED"})
    await world.closes(row)


async def listed(world: World) -> None:
    """SES sees third-party complaints, and an address of ours on a blocklist."""
    slug = world.slug("listed")
    name = await world.ses_tenant(slug)
    for type in ("FEEDBACK_3P", "IP_LISTING"):
        await world.mail.ses("POST", f"/tenants/{name}/findings", {"type": type, "impact": "LOW"})

    async def both() -> bool:
        found = await world.mail.db.fetchval(
            "select count(*) from incident_alarm a join incident i on i.id = a.incident"
            " where i.cause = $1 and a.kind = 'ses-finding'",
            f"tenant:{slug}",
        )
        return found == 2

    await world.mail.until(both, "both findings are alarms")
    row = await world.incident(f"tenant:{slug}", "ses-finding", culprit=slug, tenant=slug)
    says = [
        each["sentence"]
        for each in await world.mail.db.fetch(
            "select sentence from incident_alarm where incident = $1", row["id"]
        )
    ]
    assert any("third-party complaints" in one and "FEEDBACK_3P" in one for one in says)
    assert any("is on a blocklist" in one and "IP_LISTING" in one for one in says)
    for type in ("FEEDBACK_3P", "IP_LISTING"):
        await world.mail.ses("DELETE", f"/tenants/{name}/findings/{type}")
    await world.closes(row)


async def stuck(world: World) -> None:
    """A lane may send next to nothing."""
    slug, mail = world.slug("stuck"), world.mail
    lane = await world.lane(slug, RESET)
    await mail.db.execute(
        "update lane set rate = 0.0001, policy_rate = 0.0001, tokens = 0, tokens_at = now_ms() where id = $1",
        lane,
    )
    await mail.db.execute("update epoch set value = value + 1")
    await mail.put(slug, RESET)
    await mail.age(slug, LATE_MS)
    row = await world.incident(f"lane:{lane}", "stuck", culprit=f"the lane {RESET} of {slug}", tenant=slug)
    assert row["command"] == f"mailcordon lane show {slug} {RESET}"
    await mail.set_lanes([slug], rate=None, policy_rate=None)
    await world.closes(row)


async def full(world: World) -> None:
    """A lane refuses mail, since it is held and its backlog is full."""
    slug, mail = world.slug("stuck"), world.mail
    lane = await world.lane(slug, NEWS)
    await mail.hold(slug, type=NEWS)
    await mail.set_lanes([slug], backlog_deliveries=1)
    assert await mail.put(slug, NEWS) is not None

    async def refused() -> bool:
        return await mail.put(slug, NEWS) is None

    await mail.until(refused, "the lane refuses mail")
    row = await world.incident(f"lane:{lane}", "backlog", culprit=f"the lane {NEWS} of {slug}", tenant=slug)
    assert "is full" in row["sentence"]
    await mail.set_lanes([slug], backlog_deliveries=2_000_000)
    await mail.lift(slug, type=NEWS)
    await world.closes(row)


async def lapsed(world: World) -> None:
    """SES no longer finds a domain's records."""
    slug, mail = world.slug("lapsed"), world.mail
    domain = traffic.domain(slug, NEWS)

    async def checked_until(wanted: str) -> None:
        """What SES says is read again and the domain checked, until both have happened in this order."""

        async def seen() -> bool:
            await mail.db.execute(
                "update ses_resource set next_try_at = 'epoch' where kind = 'identity' and name = $1", domain
            )
            await mail.db.execute(
                "update identity_state set next_check_at = 0"
                " where identity = (select id from identity where domain = $1)",
                domain,
            )
            await asyncio.sleep(0.2)
            return await mail.db.fetchval(
                f"select coalesce({wanted}, false)"
                " from identity_state s join identity i on i.id = s.identity where i.domain = $1",
                domain,
            )

        await mail.until(seen, f"a check says {wanted}")

    await checked_until("s.evidence -> 'good' ? 'dkim'")
    await mail.ses("PUT", f"/identities/{domain}", {"status": "FAILED"})
    await checked_until("s.lapsed_at is not null")
    row = await world.incident(
        f"identity:{domain}", "domain-lapsed", culprit=f"the DNS of {domain}", tenant=slug
    )
    await mail.ses("PUT", f"/identities/{domain}", {"status": "SUCCESS"})
    await checked_until("s.lapsed_at is null")
    await world.closes(row)


async def doubtful(world: World) -> None:
    """Somebody else writes to the queue of events."""
    mail = world.mail
    sqs = _client(mail.system, "sqs")
    url = f"{mail.system.ses_url}/123456789012/mailcordon-outcome"
    body = f'{{"eventType": "Bounce", "nobody": "{world.run}"}}'
    await asyncio.to_thread(sqs.send_message, QueueUrl=url, MessageBody=body)
    sqs.close()

    async def read() -> bool:
        return await mail.db.fetchval(
            "select exists (select from quarantine where document like '%' || $1 || '%')", world.run
        )

    await mail.until(read, "it is in quarantine")
    world.events_read.set()
    row = await world.incident(
        "integrity:source:mailcordon-outcome",
        "integrity",
        culprit="who writes to mailcordon-outcome",
        tenant=None,
    )
    # As 15 minutes later.
    await mail.db.execute("update quarantine set last_received_at = last_received_at - interval '16 minutes'")
    await world.closes(row)


async def silent(world: World) -> None:
    """The observer hangs."""
    await world.events_read.wait()
    mail = world.mail
    with traffic.stopped(mail.system, "observe"):
        # As ten seconds later: it cannot report.
        await mail.db.execute("update role_health set beat = beat - 60000 where role = 'observe'")
        pid = mail.system.processes["observe"]
        row = await world.incident(
            "role:observe", "service", culprit=f"observe (process {pid} on ", tenant=None
        )
        assert row["command"] == "mailcordon run observe"
    await world.closes(row)


async def bought(world: World) -> None:
    """A tenant mails a bought list, and then enough people who exist."""
    slug, mail = world.slug("bought"), world.mail
    lane = await world.lane(slug, NEWS)

    async def mailing(number: int, *, bad: int = 0) -> None:
        people = [f"p{n}-{number}-{world.run}@example.com" for n in range(traffic.MOST_RECIPIENTS)]
        for one in people[:bad]:
            await mail.ses("PUT", f"/mailboxes/{one}", {"fate": "bounces"})
        assert await mail.put(slug, NEWS, people, list_name="bought") is not None

    await mailing(0, bad=11)
    row = await world.incident(
        f"lane:{lane}/list:bought", "rates", culprit=f"list bought of {slug}/{NEWS}", tenant=slug
    )
    assert "11 hard bounces of 50 mails" in row["sentence"]
    for number in range(1, 4):
        await mailing(number)
    await world.closes(row)


async def told(world: World, receiver: Receiver) -> None:
    """Whoever is alerted hears of each incident once when it opens and once when it closes."""

    def heard(what: str) -> Counter[int]:
        documents = [got.json for got in receiver.got]
        found = (one["data"]["incident"] for one in documents if one["type"] == f"incident.{what}")
        return Counter(id for id in found if id in world.ids)

    async def all_closed() -> bool:
        return set(heard("closed")) == set(world.ids)

    await world.mail.until(all_closed, "every end was told", patience=60)
    for what in ("opened", "closed"):
        assert heard(what) == dict.fromkeys(world.ids, 1), (what, world.ids)
    assert not heard("reminder")


async def test_whatever_goes_wrong_is_an_incident_with_its_culprit_until_it_is_mended(
    mail: Traffic, ses: Any, receiver: Receiver
) -> None:
    world = World(mail, ses)
    channel = {"name": f"alarms-{world.run}", "form": "webhook", "url": receiver.url}
    status, said = await mail.call("POST", "/v1/alert-channels", channel)
    assert status == 201, said
    stems = ("drift", "paused", "listed", "stuck", "lapsed", "bought")
    await mail.onboard({world.slug(stem): [RESET, NEWS] for stem in stems})
    world.began = time.monotonic()
    wrong = (drift, paused, listed, stuck, full, lapsed, bought, doubtful, silent)

    async def alone(each: Callable[[World], Awaitable[None]]) -> None:
        async with traffic.on(mail.system) as own:  # a connection is for one task
            await each(replace(world, mail=own))

    async with asyncio.TaskGroup() as group:
        for each in wrong:
            group.create_task(alone(each), name=each.__name__)
    await told(world, receiver)
    status, said = await mail.call("DELETE", f"/v1/alert-channels/{channel['name']}?because=told")
    assert status in (200, 204), said
    print({name: round(seconds, 1) for name, seconds in world.times.items()})
    tenants = await mail.db.fetch(
        "select t.slug, count(*) from incident i join tenant t on t.id = i.tenant where t.slug like '%-' || $1"
        # What a bad list costs in the lane's error budget is told apart from the list.
        " and i.kind <> 'objective' group by t.slug",
        world.run,
    )
    assert {row["slug"]: row["count"] for row in tenants} == {
        world.slug(stem): 2 if stem == "stuck" else 1 for stem in stems
    }
