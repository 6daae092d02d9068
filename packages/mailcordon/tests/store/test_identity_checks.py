"""Checks on a real database: what is recorded, what lapses, which lanes are held, and what a process that dies leaves behind."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.control_reader import ControlReader
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.identity_check_store import IdentityCheckStore
from mailcordon.adapters.db.plan_store import PlanStore
from mailcordon.adapters.db.tenant_store import TenantStore
from mailcordon.adapters.dns.public_suffixes import PublicSuffixes
from mailcordon.control import desired, identity_check_rows, identity_checks
from mailcordon.control.authentication.lookup import Answer, Found, Lookup, RecordType
from mailcordon.control.governor import Governor
from mailcordon.control.identity_checks import AT_ONCE, LEASE_MS, IdentityChecks
from mailcordon.control.lapses import Effect, Policy
from mailcordon.control.plans import Plans
from mailcordon.control.tenants import Tenants
from mailcordon.control.views import Viewer
from mailcordon.core.errors import Conflict, NotFound, TooMuch
from mailcordon.core.hold import NewHold
from mailcordon.core.priority import Class
from mailcordon.core.target import Target
from mailcordon_fixtures.written_dns import WrittenDns

SETTINGS = desired.Settings(
    outcome_topic_arn="arn:aws:sns:us-east-1:123456789012:mailcordon-outcome",
    engagement_topic_arn="arn:aws:sns:us-east-1:123456789012:mailcordon-engagement",
    local=True,
)
HOUR = 3_600_000
DOMAIN = "mail.acme.example"
BOUNCE = f"bounce.{DOMAIN}"
EVERYBODY = Viewer(None)


def zone(domain: str = DOMAIN) -> dict[str, dict[str, list[str]]]:
    """All that a domain needs."""
    bounce = f"bounce.{domain}"
    return {
        **{f"{token}._domainkey.{domain}": {"CNAME": [f"{token}.dkim.amazonses.com"]} for token in "abc"},
        **{f"{token}.dkim.amazonses.com": {"TXT": ["p=MIIB"]} for token in "abc"},
        bounce: {
            "MX": ["10 feedback-smtp.us-east-1.amazonses.com"],
            "TXT": ["v=spf1 include:amazonses.com ~all"],
        },
        "amazonses.com": {"TXT": ["v=spf1 ip4:199.255.192.0/22 -all"]},
        "_dmarc.acme.example": {"TXT": ["v=DMARC1; p=reject"]},
        domain: {"MX": ["10 mx.acme.example"]},
    }


class Silent:
    """A DNS that is down: nothing is answered."""

    async def find(self, name: str, type: RecordType) -> Answer:
        return Answer(name=name, type=type, found=Found.FAILED, canonical=name, detail="SERVFAIL")


class Stuck:
    """A DNS that is asked, and does not answer while the process lives."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def find(self, name: str, type: RecordType) -> Answer:
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError


class World:
    def __init__(self, owner: engine.Connection, pools: dict[str, engine.Pool]) -> None:
        self.owner = owner
        self.at = 0
        self.zone = zone()
        self.dns: Lookup | None = None  #: instead of the zone
        self.governor = Governor(GovernorStore(pools["governor"]))
        self.reads = ControlReader(pools["control"], pools["reader"])
        self.store = IdentityCheckStore(pools["control"], pools["reader"])
        plans = Plans(PlanStore(pools["control"]), self.governor, SETTINGS)
        self.tenants = Tenants(TenantStore(pools["control"]), plans, local=True)
        self.checks = self.process()

    def process(self) -> IdentityChecks:
        """Another process that checks."""

        async def clock() -> int:
            return self.at

        return IdentityChecks(
            self.store,
            self.reads,
            self.governor,
            lambda _: self.dns or WrittenDns(self.zone),
            PublicSuffixes(),
            region="us-east-1",
            clock=clock,
        )

    async def onboard(self, slug: str, types: dict[str, str]) -> None:
        await self.tenants.onboard(slug, types, actor="ann")
        for domain in set(types.values()):
            await self.ses(domain)
        await self.governor.align_all()
        self.at = max(self.at, await self.store.now_ms())

    async def ses(self, domain: str = DOMAIN, **changed: Any) -> None:
        """What SES returned last of a domain."""
        whole = {
            "VerifiedForSendingStatus": True,
            "VerificationStatus": changed.get("status", "SUCCESS"),
            "DkimAttributes": {
                "SigningEnabled": True,
                "Status": changed.get("status", "SUCCESS"),
                "Tokens": ["a", "b", "c"],
                "SigningHostedZone": "dkim.amazonses.com",
                **changed.get("dkim", {}),
            },
            "MailFromAttributes": {
                "MailFromDomain": f"bounce.{domain}",
                "MailFromDomainStatus": changed.get("mail_from_status", "SUCCESS"),
                "BehaviorOnMxFailure": "USE_DEFAULT_VALUE",
            },
        }
        await self.owner.execute(
            "update ses_resource set whole = $2, observed_at = now() where kind = 'identity' and name = $1",
            domain,
            json.dumps(whole),
        )
        await self.owner.execute("update identity set status = 'verified' where domain = $1", domain)

    async def check(self, hours: float = 0, domain: str = DOMAIN) -> identity_checks.Checked:
        self.at += int(hours * HOUR)
        return await self.checks.now(EVERYBODY, domain, reread=False)

    async def due(self, hours: float = 0) -> int:
        """What the schedule does at once, `hours` later."""
        self.at += int(hours * HOUR)
        count = await self.checks.run_due(asyncio.Event())
        await self.checks.align_holds()
        return count

    async def lane(self, type: str) -> Any:
        return await self.owner.fetchrow(
            "select l.held, l.rate from lane l join message_type t on t.id = l.type where t.name = $1", type
        )

    async def holds(self) -> list[Any]:
        return await self.owner.fetch("select * from hold where lifted_at is null order by id")

    def lose(self, *names: str) -> None:
        for name in names:
            self.zone.pop(name)

    def lose_everything(self) -> None:
        """So that the mail fails DMARC."""
        self.lose(BOUNCE, *(f"{token}._domainkey.{DOMAIN}" for token in "abc"))


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    owner = await engine.connect(database.dsn("owner"))
    pools = {role: await engine.create_pool(database.dsn(role)) for role in ("control", "governor", "reader")}
    world = World(owner, pools)
    await world.onboard("acme", {"newsletter": DOMAIN, "invoice": DOMAIN, "password-reset": DOMAIN})
    yield world
    for pool in pools.values():
        await pool.close()
    await owner.close()


async def test_a_domain_is_on_the_schedule_from_its_first_moment(world: World) -> None:
    assert await world.due() == 1
    found = await world.checks.last(EVERYBODY, DOMAIN)
    assert (found.check.asked, found.check.passes, found.state.lapsed_at) == ("schedule", True, None)
    assert await world.due(1) == 0
    assert await world.due(26) == 1


async def test_a_new_domain_is_first_checked_when_ses_has_verified_it_or_after_a_minute(world: World) -> None:
    await world.owner.execute("update identity set status = 'pending'")
    assert await world.due() == 0
    await world.ses()
    await world.owner.execute("update ses_resource set whole = null where kind = 'identity'")
    assert await world.due() == 0
    await world.ses()
    assert await world.due() == 1
    await world.tenants.onboard("zen", {"newsletter": "news.zen.example"}, actor="ann")
    world.at = await world.store.now_ms()
    assert await world.due() == 0
    assert await world.due(1 / 60) == 1  # nobody knows yet what SES has
    assert await world.due(1 / 60) == 1


async def test_a_check_shows_the_answer_for_the_mail_of_each_lane(world: World) -> None:
    found = await world.check()
    lanes = {each["type"]: each["result"] for each in found.check.result["lanes"]}
    assert lanes == dict.fromkeys(("newsletter", "invoice", "password-reset"), "passes-both")
    assert [row.state for row in identity_check_rows.rows(found)] == ["ok"] * 4
    world.lose(BOUNCE)
    await world.ses(mail_from_status="FAILED")
    found = await world.check(1)
    assert {each["result"] for each in found.check.result["lanes"]} == {"passes-dkim-only"}
    row = next(
        row for row in identity_check_rows.rows(found) if row.state in ("error", "lapsed") and row.publish
    )
    assert row.publish == {
        "type": "MX",
        "name": BOUNCE,
        "value": "10 feedback-smtp.us-east-1.amazonses.com",
    }


async def test_a_key_of_ours_is_looked_for_where_ses_signs_with_it(world: World) -> None:
    key = base64.b64encode(
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    ).decode()
    await world.owner.execute(
        "insert into dkim_key (tenant, domain, selector, public_key, state, made_by)"
        " values (1, $1, 's1', $2, 'signing', 'ann')",
        DOMAIN,
        key,
    )
    await world.ses(dkim={"SigningAttributesOrigin": "EXTERNAL", "Tokens": ["s1"]})
    found = await world.check()
    row = next(row for row in identity_check_rows.rows(found) if row.what == "dkim")
    assert row.publish is not None
    assert (row.state, row.publish["type"], row.publish["name"]) == (
        "error",
        "TXT",
        f"s1._domainkey.{DOMAIN}",
    )
    world.zone[f"s1._domainkey.{DOMAIN}"] = {"TXT": [row.publish["value"]]}
    assert (await world.check(1)).check.passes


async def test_a_lapse_that_fails_dmarc_holds_marketing_with_the_missing_record_and_ends_with_it(
    world: World,
) -> None:
    assert await world.due() == 1
    whole_zone = dict(world.zone)
    world.lose_everything()
    for _ in range(4):
        assert await world.holds() == []
        await world.due(27 if not await world.owner.fetchval("select lapsed_at from identity_state") else 0)
        if (await world.checks.last(EVERYBODY, DOMAIN)).state.suspicions:
            break
    for _ in range(3):
        assert not (await world.lane("newsletter"))["held"]
        assert await world.due(8.1) == 1
    assert (await world.lane("newsletter"))["held"]
    assert not (await world.lane("invoice"))["held"]
    assert not (await world.lane("password-reset"))["held"]
    [hold] = await world.holds()
    assert hold["owner"] == "policy"
    assert "_domainkey.mail.acme.example" in hold["because"]
    assert "fails DMARC" in hold["because"]
    audited = await world.owner.fetch("select action, because from audit where action like 'identity.%'")
    assert [row["action"] for row in audited] == ["identity.lapsed"]

    world.zone = whole_zone
    assert await world.due(1.1) == 1
    assert await world.holds() == []
    assert not (await world.lane("newsletter"))["held"]
    assert await world.owner.fetchval("select count(*) from audit where action = 'identity.recovered'") == 1


async def test_a_dns_that_is_down_for_days_lapses_nothing_and_says_so(world: World) -> None:
    await world.due()
    world.dns = Silent()
    for _ in range(20):
        await world.due(12)
    found = await world.checks.last(EVERYBODY, DOMAIN)
    assert (found.check.complete, found.state.suspicions) == (False, ())
    assert "unknown" in {row.state for row in identity_check_rows.rows(found)}
    assert await world.holds() == []
    # A suspicion from before stays one.
    world.dns = None
    world.lose_everything()
    await world.due(12)
    suspected = (await world.checks.last(EVERYBODY, DOMAIN)).state.suspicions
    assert suspected
    world.dns = Silent()
    for _ in range(20):
        await world.due(12)
    assert (await world.checks.last(EVERYBODY, DOMAIN)).state.suspicions == suspected


async def test_ses_that_gives_up_a_mail_from_counts_at_once(world: World) -> None:
    await world.check()
    await world.ses(mail_from_status="FAILED")
    found = await world.check(1)
    assert (found.state.effect, found.state.lapsed_at) == (Effect.WEAKER, world.at)
    assert await world.holds() == []  # its mail passes DMARC by DKIM
    policy = Policy(action="slow", rate=0.5)
    await world.checks.set_policy(
        Class.MARKETING, Effect.WEAKER, policy, actor="ann", because="our brand needs both"
    )
    assert (await world.lane("newsletter"))["rate"] == 0.5
    assert (await world.lane("invoice"))["rate"] is None
    await world.checks.set_policy(
        Class.MARKETING, Effect.WEAKER, Policy(action="report"), actor="ann", because="it does not"
    )
    assert (await world.lane("newsletter"))["rate"] is None
    await world.ses()
    assert (await world.check(1)).state.lapsed_at is None


async def test_the_hold_of_a_lapse_leaves_those_of_people_alone(world: World) -> None:
    await world.check()
    tenant = await world.owner.fetchval("select id from tenant where slug = 'acme'")
    theirs = await world.governor.place(
        NewHold(target=Target(tenant=tenant), owner="person", because="mine"), actor="ann"
    )
    await world.checks.set_policy(
        Class.MARKETING, Effect.WEAKER, Policy(action="hold"), actor="ann", because="test"
    )
    await world.ses(mail_from_status="FAILED")
    await world.check(1)
    assert len(await world.holds()) == 2
    await world.ses()
    await world.check(1)
    assert [hold["id"] for hold in await world.holds()] == [theirs.id]


async def test_a_hold_that_a_person_lifted_is_not_placed_again_for_the_same_lapse(world: World) -> None:
    await world.check()
    await world.checks.set_policy(
        Class.MARKETING, Effect.WEAKER, Policy(action="hold"), actor="ann", because="test"
    )
    await world.ses(mail_from_status="FAILED")
    await world.check(1)
    [hold] = await world.holds()
    await world.governor.lift([hold["id"]], tenant=hold["tenant"], actor="ann", because="I take the risk")
    assert await world.checks.align_holds() == 0
    assert not (await world.lane("newsletter"))["held"]
    # The next lapse is another one.
    await world.ses()
    await world.check(1)
    await world.ses(mail_from_status="FAILED")
    await world.check(1)
    assert (await world.lane("newsletter"))["held"]


async def test_a_process_that_dies_during_a_check_loses_nothing(world: World) -> None:
    stuck = Stuck()
    world.dns = stuck
    dying = asyncio.create_task(world.process().run_due(asyncio.Event()))
    await stuck.asked.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    world.dns = None
    assert await world.due() == 0  # the lease of the one that died
    assert await world.due(LEASE_MS / HOUR) == 1
    assert (await world.checks.last(EVERYBODY, DOMAIN)).check.passes


async def test_a_process_that_dies_before_it_places_a_hold_leaves_it_to_the_next(world: World) -> None:
    await world.check()
    await world.checks.set_policy(
        Class.URGENT, Effect.WEAKER, Policy(action="hold"), actor="ann", because="test"
    )
    await world.ses(mail_from_status="FAILED")
    world.at += HOUR * 30
    assert await world.checks.run_due(asyncio.Event()) == 1  # and dies here
    assert await world.holds() == []
    again = await asyncio.gather(*(world.process().align_holds() for _ in range(4)))
    assert sum(again) >= 1
    assert len(await world.holds()) == 1
    assert (await world.lane("password-reset"))["held"]
    assert await world.process().align_holds() == 0


async def test_a_stop_ends_checks_that_wait_for_the_dns(world: World) -> None:
    stuck, stop = Stuck(), asyncio.Event()
    world.dns = stuck
    running = asyncio.create_task(world.checks.run_due(stop))
    await stuck.asked.wait()
    stop.set()
    async with asyncio.timeout(10):
        assert await running == 0


async def test_two_processes_share_what_is_due(world: World) -> None:
    await world.onboard("zen", {"newsletter": "news.zen.example"})
    counts = await asyncio.gather(*(world.process().run_due(asyncio.Event()) for _ in range(3)))
    assert sum(counts) == 2
    assert await world.owner.fetchval("select count(*) from identity_check") == 2


async def test_a_domain_is_checked_once_in_ten_seconds_however_often_it_is_asked_for(world: World) -> None:
    asked = [world.process().now(EVERYBODY, DOMAIN, reread=False) for _ in range(5)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert sorted(getattr(each, "code", "checked") for each in found) == [
        "checked",
        *["checked-just-now"] * 4,
    ]
    assert {each.retry_after for each in found if isinstance(each, TooMuch)} == {10}
    assert (await world.check(10 / 3600)).check.asked == "now"


async def test_a_tenant_checks_a_bounded_number_of_domains_a_minute(world: World) -> None:
    names = [f"d{number}.zen.example" for number in range(3)]
    types = ("newsletter", "invoice", "password-reset")
    await world.onboard("zen", dict(zip(types, names, strict=True)))
    ask = {"now": world.at, "apart_ms": 10_000, "per_minute": 2}
    rows = await world.owner.fetch("select id, tenant from identity where domain like '%.zen.example'")
    answers = [await world.store.ask(row["id"], row["tenant"], **ask) for row in rows]
    assert answers == [(False, 0), (False, 0), (True, 0)]
    assert await world.store.ask(1, 1, **ask) == (False, 0)  # another tenant


async def test_a_foreign_domain_does_not_exist_for_a_tenant(world: World) -> None:
    await world.onboard("zen", {"newsletter": "news.zen.example"})
    await world.check()
    zen = Viewer(await world.reads.tenant_id("zen"), as_tenant=True)
    with pytest.raises(NotFound):
        await world.checks.last(zen, DOMAIN)
    with pytest.raises(NotFound):
        await world.checks.now(zen, DOMAIN, reread=False)
    identity = await world.owner.fetchval("select id from identity where domain = $1", DOMAIN)
    assert await world.store.last(zen, identity) is None  # row-level security, had the look-up been forgotten


async def test_a_retired_domain_is_not_checked(world: World) -> None:
    await world.owner.execute(
        "update identity set retiring_at = now(), retired_at = now(), retired_with = 'domain' where domain = $1",
        DOMAIN,
    )
    with pytest.raises(Conflict):
        await world.check()
    assert await world.due() == 0


async def test_a_domain_that_its_tenant_lost_is_not_checked_and_holds_nothing(world: World) -> None:
    await world.check()
    await world.checks.set_policy(
        Class.MARKETING, Effect.WEAKER, Policy(action="hold"), actor="ann", because="test"
    )
    await world.ses(mail_from_status="FAILED")
    await world.check(1)
    assert len(await world.holds()) == 1
    [before] = await world.owner.fetch("select evidence, lapsed_at from identity_state")
    await world.owner.execute(
        "update identity set freed_at = now(), freed_because = 'lost', retiring_at = now(), retired_with = 'domain'"
        " where domain = $1",
        DOMAIN,
    )
    await world.owner.execute("update identity_state set evidence = $1, lapsed_at = $2", *before)
    await world.checks.align_holds()
    assert not [hold for hold in await world.holds() if "lapse" in hold["evidence"]]
    assert await world.due(48) == 0


async def test_the_newest_checks_are_kept(world: World) -> None:
    for _ in range(identity_checks.KEPT + 3):
        await world.check(1)
    rows = await world.owner.fetch("select at from identity_check order by id")
    assert len(rows) == identity_checks.KEPT
    assert rows[-1]["at"] == world.at


async def test_what_was_known_of_a_domain_is_forgotten_when_it_changes_hands(world: World) -> None:
    await world.check()
    await world.ses(mail_from_status="FAILED")
    assert (await world.check(1)).state.lapsed_at is not None
    [view] = await world.reads.identities(EVERYBODY, domain=DOMAIN, after=0, limit=1)
    assert view.lapsed_at == world.at
    await world.onboard("zen", {"newsletter": "news.zen.example"})
    await world.owner.execute("delete from route")
    await world.owner.execute(
        "update identity set tenant = (select id from tenant where slug = 'zen') where domain = $1", DOMAIN
    )
    zen = Viewer(await world.reads.tenant_id("zen"), as_tenant=True)
    found = await world.checks.last(zen, DOMAIN)
    assert (found.tenant, found.state.good, found.state.suspicions) == ("zen", {}, ())
    await world.owner.execute("delete from identity where domain = $1", DOMAIN)
    assert await world.owner.fetchval("select count(*) from identity_check") == 0


async def test_more_than_one_batch_of_domains_is_checked_in_one_run(world: World) -> None:
    count = AT_ONCE + 3
    await world.owner.execute(
        "insert into identity (tenant, domain) select 1, 'd' || n || '.acme.example' from generate_series(1, $1) n",
        count,
    )
    world.at = await world.store.now_ms() + 60_000  # SES was not asked about them yet
    assert await world.due() == count + 1
