"""Whose a domain is: claims that race, lapse, contend, are proved, and what becomes of the loser's lanes and mail."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.claim_store import ClaimStore
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.lifecycle_store import LifecycleStore
from mailcordon.adapters.db.plan_store import PlanStore
from mailcordon.adapters.db.provision_store import ProvisionStore
from mailcordon.adapters.db.tenant_store import TenantStore
from mailcordon.adapters.dns.public_suffixes import PublicSuffixes
from mailcordon.adapters.dns.reply import Server
from mailcordon.adapters.dns.resolver import Resolver
from mailcordon.adapters.ses.administer import Administer
from mailcordon.control.claims import Claim, Claims
from mailcordon.control.desired import Settings
from mailcordon.control.governor import Governor
from mailcordon.control.plans import Plans
from mailcordon.control.reconcile import Pace, Reconciler
from mailcordon.control.retirement import Retirement
from mailcordon.control.steps import Step, StepKind
from mailcordon.control.tenants import Tenants
from mailcordon.core.errors import Conflict, Invalid, NotFound
from mailcordon_fixtures import local_ses
from mailcordon_fixtures.cases import case
from seslocal.state.settings import Settings as Strict
from seslocal.state.zone import Record as ZoneRecord

DOMAIN = "mail.acme.example"
SETTINGS = Settings(
    outcome_topic_arn="arn:aws:sns:us-east-1:123456789012:mailcordon-outcome",
    engagement_topic_arn="arn:aws:sns:us-east-1:123456789012:mailcordon-engagement",
    local=True,
)


class World:
    def __init__(self, parts: local_ses.Parts, reader: engine.Pool) -> None:
        self.local, self.owner, self.control = parts.local, parts.owner, parts.control
        self.governor = Governor(GovernorStore(parts.governor))
        self.plans = Plans(PlanStore(parts.control), self.governor, SETTINGS, suffixes=PublicSuffixes())
        self.tenants = Tenants(TenantStore(parts.control), self.plans, local=True)
        self.ses = Administer(
            region="us-east-1", endpoint=self.local.url, access_key="test", secret_key="test"
        )
        self.reconciler = Reconciler(
            ProvisionStore(parts.control), self.ses, self.governor, Pace(retry=0, identity=0)
        )
        self.retirement = Retirement(LifecycleStore(parts.control), self.governor, lambda _: 0.0)
        resolver = Resolver([Server("127.0.0.1", self.local.names.port)])
        self.store = ClaimStore(parts.control, reader)
        self.claims = Claims(
            self.store, self.plans, lambda: resolver.check(authoritative=True), look_seconds=0
        )

    async def onboard(self, slug: str, domain: str = DOMAIN) -> None:
        await self.tenants.onboard(slug, {"newsletter": domain}, actor="ann")

    async def settle(self) -> None:
        for _ in range(4):
            await self.retirement.advance()
            await self.plans.follow()
            await self.owner.execute(
                "update route_before set until = until - 60000 where until > now_ms() - 60000"
            )
            await self.owner.execute("update ses_resource set next_try_at = now()")
            for _ in range(30):
                if not await self.reconciler.step():
                    break

    async def age(self, days: float) -> None:
        """As if all claims were older."""
        await self.owner.execute(
            "update domain_claim set claimed_at = claimed_at - make_interval(secs => $1)", days * 86400
        )

    async def look(self) -> None:
        """The control role's round, when every claim is due."""
        await self.owner.execute("update domain_claim set next_look_at = now()")
        await self.claims.advance()

    def publish(self, claim: Claim) -> None:
        assert claim.record is not None
        self.local.account.zone.put([ZoneRecord(claim.record.name, claim.record.type, claim.record.value)])

    async def verify(self, domain: str = DOMAIN) -> None:
        """Its owner publishes the DKIM records."""
        await self.settle()
        found = await self.ses.get_identity(domain)
        assert found is not None
        dkim = found["DkimAttributes"]
        self.local.account.zone.put(
            [
                ZoneRecord(f"{token}._domainkey.{domain}", "CNAME", f"{token}.{dkim['SigningHostedZone']}")
                for token in dkim["Tokens"]
            ]
        )
        await self.settle()

    async def owners(self, domain: str = DOMAIN) -> list[str]:
        rows = await self.owner.fetch(
            "select t.slug from identity i join tenant t on t.id = i.tenant"
            " where i.domain = $1 and i.freed_at is null",
            domain,
        )
        return [row["slug"] for row in rows]

    async def held_by(self, slug: str, domain: str = DOMAIN) -> Claim:
        async with self.store.changing() as transaction:
            found = await transaction.open_claim(slug, domain)
        assert found is not None
        return found

    async def lane(self, slug: str) -> Any:
        return await self.owner.fetchrow(
            "select l.id, l.held, l.retiring_at, l.retired_at, l.retire_mail, r.domain from lane l"
            " join tenant t on t.id = l.tenant join route r on r.lane = l.id where t.slug = $1",
            slug,
        )

    async def reasons(self, slug: str) -> list[str]:
        rows = await self.owner.fetch(
            "select h.because from hold h join tenant t on t.id = h.tenant"
            " where t.slug = $1 and h.lifted_at is null order by h.id",
            slug,
        )
        return [row["because"] for row in rows]

    async def associated(self, slug: str) -> list[str]:
        key = await self.owner.fetchval("select key from tenant where slug = $1", slug)
        found = await self.ses.get_associations(key)
        return sorted(arn.partition("identity/")[2] for arn in found or () if "identity/" in arn)


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    reader = await engine.create_pool(database.dsn("reader"))
    async with local_ses.running(database, Strict(strict=True)) as parts:
        world = World(parts, reader)
        yield world
        world.ses.close()
    await reader.close()


async def test_two_tenants_that_claim_one_domain_at_once_leave_one_winner(world: World) -> None:
    names = [f"t{n}" for n in range(6)]
    answers = await asyncio.gather(*(world.onboard(name) for name in names), return_exceptions=True)
    refused = [each for each in answers if each is not None]
    assert len(refused) == len(names) - 1
    for each in refused:
        assert isinstance(each, Invalid)
        assert each.faults[0].code == "domain-taken"
        assert not any(name in str(each) for name in names)
    assert len(await world.owners()) == 1


async def test_ses_verification_proves_the_claim_of_the_tenant_that_was_shown_the_records(
    world: World,
) -> None:
    await world.onboard("acme")
    await world.look()
    assert (await world.held_by("acme")).proof is None
    await world.verify()
    await world.look()
    assert (await world.held_by("acme")).proof == "ses"
    await world.age(400)
    await world.look()
    assert await world.owners() == ["acme"]
    await world.onboard("zen", "mail.zen.example")
    with pytest.raises(Invalid, match="taken|another tenant"):
        await world.claims.claim("zen", DOMAIN, actor="ann")


async def test_a_claim_that_is_not_proved_in_14_days_lapses_and_the_name_is_free(world: World) -> None:
    await world.onboard("acme")
    await world.settle()
    await world.age(13.99)
    await world.look()
    assert await world.owners() == ["acme"]
    await world.age(0.02)
    await world.look()

    assert await world.owners() == []
    lane = await world.lane("acme")
    assert (lane["held"], lane["retire_mail"]) == (True, "cancel")
    assert lane["retiring_at"] is not None
    assert any("not proved in 14 days" in reason for reason in await world.reasons("acme"))
    said = await world.owner.fetchval(
        "select because from audit where action = 'tenant.change' order by id desc limit 1"
    )
    assert "14 days" in said
    await world.settle()
    assert await world.ses.get_identity(DOMAIN) is None
    await world.onboard("zen")
    assert await world.owners() == ["zen"]


async def test_a_domain_that_lapsed_can_be_added_again_with_its_lanes(world: World) -> None:
    await world.onboard("acme")
    await world.age(15)
    await world.look()
    await world.settle()
    again = await world.claims.claim("acme", DOMAIN, actor="ann")
    assert (again.holds, again.proof) == (True, None)
    lane = await world.lane("acme")
    assert (lane["retiring_at"], lane["retired_at"]) == (None, None)
    assert any("has not verified" in reason for reason in await world.reasons("acme"))
    await world.verify()
    assert not (await world.lane("acme"))["held"]


async def test_a_proof_takes_an_unproved_domain_from_its_holder(world: World) -> None:
    await world.onboard("acme")
    await world.settle()
    await world.onboard("zen", "mail.zen.example")
    claim = await world.claims.claim("zen", DOMAIN, actor="ann")
    assert not claim.holds
    assert "acme" not in f"{claim.record}".replace(DOMAIN, "")
    await world.look()
    assert await world.owners() == ["acme"]  # nothing is published

    world.publish(claim)
    await world.look()
    assert await world.owners() == ["zen"]
    won = await world.held_by("zen")
    assert (won.proof, won.holds) == ("txt", True)
    lane = await world.lane("acme")
    assert (lane["held"], lane["retire_mail"]) == (True, "cancel")
    reasons = await world.reasons("acme")
    assert any("not the tenant's any more" in reason for reason in reasons)
    assert not any("zen" in reason for reason in reasons)

    await world.verify()
    await world.settle()
    assert await world.associated("zen") == [DOMAIN, "mail.zen.example"]
    assert await world.associated("acme") == []
    assert (await world.lane("acme"))["held"]  # SES verifies the name, and it is still not acme's
    status = await world.owner.fetchval(
        "select i.status from identity i join tenant t on t.id = i.tenant where t.slug = 'zen' and i.domain = $1",
        DOMAIN,
    )
    assert status == "verified"


async def test_a_holder_that_is_contended_shows_its_own_token(world: World) -> None:
    await world.onboard("acme")
    assert (await world.held_by("acme")).record is None
    await world.onboard("zen", "mail.zen.example")
    rival = await world.claims.claim("zen", DOMAIN, actor="ann")
    await world.verify()
    await world.look()
    await world.claims.claim("zen", DOMAIN, actor="ann")  # asked again: still not proved by SES
    held = await world.held_by("acme")
    assert (held.proof, held.contended) == (None, True)  # SES's verification is not enough any more
    assert held.token != rival.token

    world.publish(held)
    await world.look()
    assert (await world.held_by("acme")).proof == "txt"
    with pytest.raises(Invalid):
        await world.claims.claim("zen", DOMAIN, actor="ann")
    assert not (await world.lane("acme"))["retiring_at"]


async def test_a_verified_domain_is_not_lost_because_another_tenant_contended_and_proved_nothing(
    world: World,
) -> None:
    await world.onboard("acme")
    await world.onboard("zen", "mail.zen.example")
    await world.claims.claim("zen", DOMAIN, actor="ann")
    await world.verify()
    await world.owner.execute(
        "update domain_claim set claimed_at = claimed_at - interval '15 days' where holds and domain = $1",
        DOMAIN,
    )
    await world.look()
    held = await world.held_by("acme")
    assert (held.contended, held.lapses_at(14)) == (True, None)
    assert not (await world.lane("acme"))["held"]

    await world.age(15)
    await world.look()  # the contender's claim lapses
    await world.look()
    assert (await world.held_by("acme")).proof == "ses"
    assert await world.owners() == ["acme"]


async def test_a_domain_that_ses_verified_at_the_last_moment_does_not_lapse(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.onboard("acme")
    await world.age(15)
    provable = world.store.provable

    async def then_verified() -> bool:
        found = await provable()
        await world.verify()
        return found

    monkeypatch.setattr(world.store, "provable", then_verified)
    await world.look()
    assert (await world.held_by("acme")).proof == "ses"
    assert await world.owners() == ["acme"]


async def test_a_contender_gets_the_domain_once_it_is_free(world: World) -> None:
    await world.onboard("acme")
    await world.onboard("zen", "mail.zen.example")
    assert not (await world.claims.claim("zen", DOMAIN, actor="ann")).holds
    given_up = [
        Step(kind=StepKind.RETIRE_DOMAIN, tenant="acme", domain=DOMAIN, mail="cancel"),
        Step(kind=StepKind.FREE_DOMAIN, tenant="acme", domain=DOMAIN),
    ]
    async with world.store.changing() as transaction:
        await world.plans.carry_out(transaction, given_up, actor="ann", because="given up")
    claim = await world.claims.claim("zen", DOMAIN, actor="ann")
    assert (claim.holds, claim.record) == (True, None)
    assert await world.owners() == ["zen"]


async def test_a_token_of_another_claim_proves_nothing(world: World) -> None:
    await world.onboard("acme")
    await world.onboard("zen", "mail.zen.example")
    claim = await world.claims.claim("zen", DOMAIN, actor="ann")
    other = f"mailcordon-claim={claim.token[:-1]}"
    world.local.account.zone.put([ZoneRecord(f"_mailcordon.{DOMAIN}", "TXT", other)])
    await world.look()
    assert await world.owners() == ["acme"]
    assert "no TXT record" in str((await world.held_by("zen")).looked)


async def test_a_dns_that_does_not_answer_decides_nothing_and_is_said(world: World) -> None:
    await world.onboard("acme")
    await world.onboard("zen", "mail.zen.example")
    claim = await world.claims.claim("zen", DOMAIN, actor="ann")
    world.publish(claim)
    closed = Resolver([Server("127.0.0.1", 9)], seconds=0.3)
    deaf = Claims(world.store, world.plans, lambda: closed.check(authoritative=True), look_seconds=0)
    await deaf.advance()
    assert await world.owners() == ["acme"]
    assert "nothing is known" in str((await world.held_by("zen")).looked)
    await world.look()
    assert await world.owners() == ["zen"]


async def test_a_proof_of_a_name_above_or_below_counts_too(world: World) -> None:
    await world.onboard("acme", "acme.example")
    await world.onboard("zen", "mail.zen.example")
    claim = await world.claims.claim("zen", "deep.acme.example", actor="ann")
    world.publish(claim)
    await world.look()
    assert await world.owners("acme.example") == []
    assert await world.owners("deep.acme.example") == ["zen"]


async def test_a_token_below_a_verified_domain_does_not_take_the_domain(world: World) -> None:
    await world.onboard("acme", "acme.example")
    await world.onboard("zen", "mail.zen.example")
    claim = await world.claims.claim("zen", "deep.acme.example", actor="ann")
    await world.verify("acme.example")
    world.publish(claim)  # zen runs the delegated zone deep.acme.example
    await world.look()
    assert await world.owners("acme.example") == ["acme"]
    assert await world.owners("deep.acme.example") == []
    assert not (await world.lane("acme"))["retiring_at"]
    await world.look()
    assert (await world.held_by("acme", "acme.example")).proof == "ses"
    with pytest.raises(Invalid):
        await world.claims.claim("zen", "deep.acme.example", actor="ann")


async def test_two_proofs_at_once_leave_one_winner(world: World) -> None:
    await world.onboard("acme")
    for slug in ("zen", "ant"):
        await world.onboard(slug, f"mail.{slug}.example")
        world.publish(await world.claims.claim(slug, DOMAIN, actor="ann"))
    await asyncio.gather(*(world.claims.advance() for _ in range(3)))
    (winner,) = await world.owners()
    loser = {"zen": "ant", "ant": "zen"}[winner]
    ended = await world.owner.fetchval(
        "select c.ended_because from domain_claim c join tenant t on t.id = c.tenant where t.slug = $1 and c.domain = $2",
        loser,
        DOMAIN,
    )
    assert "another tenant has proved" in ended


async def test_a_domain_is_transferred_once_no_lane_uses_it(world: World) -> None:
    await world.onboard("acme")
    await world.verify()
    await world.onboard("zen", "mail.zen.example")
    given = {"of": "acme", "to": "zen", "mail_from": None, "actor": "ann", "because": "sold"}
    with pytest.raises(Conflict, match="newsletter"):
        await world.claims.transfer(DOMAIN, **given)
    retire = Step(kind=StepKind.RETIRE_DOMAIN, tenant="acme", domain=DOMAIN)
    planned = await world.plans.make([retire], actor="ann")
    await world.plans.apply(planned.id or 0, actor="ann")
    moved = await world.claims.transfer(DOMAIN, **given)
    assert await world.owners() == ["acme"]  # planned, not applied
    await world.plans.apply(moved.id or 0, actor="ann", because="sold")
    assert await world.owners() == ["zen"]
    assert (await world.held_by("zen")).proof == "operator"
    audited = await world.owner.fetch(
        "select t.slug, a.after::text as said from audit a join tenant t on t.id = a.tenant"
        " where a.because = 'sold' order by t.slug"
    )
    assert [row["slug"] for row in audited] == ["acme", "zen"]
    assert "zen" not in audited[0]["said"]
    assert 'acme"' not in audited[1]["said"]
    await world.settle()
    assert await world.associated("zen") == [DOMAIN, "mail.zen.example"]


async def test_a_platforms_parent_domain_is_shared_and_nobody_has_it(world: World) -> None:
    await world.onboard("acme", "acme.platform.example")
    await world.claims.share("platform.example", actor="ann", because="ours")
    assert (await world.held_by("acme", "acme.platform.example")).proof == "parent"
    proved = "select after ->> 'proof' from audit where action = 'claim.prove'"
    assert await world.owner.fetchval(proved) == "parent"
    await world.onboard("zen", "zen.platform.example")
    assert (await world.held_by("zen", "zen.platform.example")).proof == "parent"
    (parent,) = await world.claims.shared_parents()
    assert (parent.domain, parent.tenants) == ("platform.example", 2)
    for slug, name in (("ant", "platform.example"), ("ant", "x.zen.platform.example")):
        with pytest.raises(Invalid):
            await world.onboard(slug, name)
    with pytest.raises(Conflict, match=r"acme\.platform\.example"):
        await world.claims.unshare("platform.example", actor="ann", because="no more")
    with pytest.raises(NotFound):
        await world.claims.unshare("other.example", actor="ann", because="no more")
    await world.onboard("ant", "ant.example")
    with pytest.raises(Conflict, match="ant"):
        await world.claims.share("ant.example", actor="ann", because="ours")


async def test_a_domain_shared_by_mistake_becomes_ordinary_again_while_one_tenant_has_names_below(
    world: World,
) -> None:
    await world.onboard("acme", "acme.platform.example")
    await world.claims.share("platform.example", actor="ann", because="a slip")
    await world.age(20)
    await world.claims.unshare("platform.example", actor="ann", because="it was a slip")
    assert (await world.held_by("acme", "acme.platform.example")).proof is None
    await world.look()
    assert await world.owners("acme.platform.example") == ["acme"]  # its 14 days begin anew
    await world.verify("acme.platform.example")
    await world.look()
    assert (await world.held_by("acme", "acme.platform.example")).proof == "ses"


#: What nobody can have, and why.
NOBODYS = (
    ("co.uk", "public-suffix"),
    ("github.io", "public-suffix"),
    ("gmail.com", "mailbox-provider"),
    ("mail.outlook.com", "mailbox-provider"),
    ("seznam.cz", "mailbox-provider"),
    ("eu-west-1.amazonses.com", "domain-of-amazon"),
    ("printer.local", "reserved-domain"),
)


async def test_every_door_refuses_what_nobody_can_have(world: World) -> None:
    await world.onboard("acme")
    for domain, code in NOBODYS:
        with case(domain):
            await refused_at_every_door(world, domain, code)


async def refused_at_every_door(world: World, domain: str, code: str) -> None:
    add = Step(kind=StepKind.ADD_DOMAIN, tenant="acme", domain=domain)
    lane = Step(kind=StepKind.ADD_LANE, tenant="acme", type="invoice", to=domain)
    documents = [
        {"tenants": {"acme": {"types": {"invoice": domain}}}},
        {"tenants": {"acme": {"domains": {domain: {}}}}},
    ]
    doors = [
        lambda: world.onboard("zen", domain),
        lambda: world.plans.make([add], actor="ann"),
        lambda: world.plans.make([lane], actor="ann"),
        lambda: world.claims.claim("acme", domain, actor="ann"),
        lambda: world.claims.share(domain, actor="ann", because="ours"),
        *(lambda d=each: world.plans.make_from(d, actor="ann") for each in documents),
    ]
    said: set[str] = set()
    for door in doors:
        with pytest.raises(Invalid) as refused:
            await door()
        assert refused.value.faults[0].code == code
        said.add(refused.value.faults[0].problem)
    assert len(said) == 1  # the same sentence at every door
    assert await world.owners(domain) == []


async def test_a_domain_that_reads_like_another_tenants_is_a_finding_of_the_platform(world: World) -> None:
    await world.onboard("acme", "mail.acme.com.test")
    await world.onboard("zen", "mail.zen.example")
    await world.onboard("evil", "news.аcme.test".encode("idna").decode())  # a Cyrillic a
    await world.onboard("acme2", "acme.test")
    await world.look()
    await world.look()
    (found,) = await world.owner.fetch("select * from finding where kind = 'look-alike' and ended_at is null")
    assert (found["resource"], found["member"], found["tenant"]) == (
        "acme.test",
        "news.xn--cme-5cd.test",
        None,
    )
    lane = Step(kind=StepKind.RETIRE_DOMAIN, tenant="evil", domain="news.xn--cme-5cd.test", mail="cancel")
    free = Step(kind=StepKind.FREE_DOMAIN, tenant="evil", domain="news.xn--cme-5cd.test")
    planned = await world.plans.make([lane, free], actor="ann")
    await world.plans.apply(planned.id or 0, actor="ann")
    await world.look()
    assert (
        await world.owner.fetchval(
            "select count(*) from finding where kind = 'look-alike' and ended_at is null"
        )
        == 0
    )


async def test_the_lanes_of_a_lost_domain_close_in_the_transaction_that_takes_it(world: World) -> None:
    await world.onboard("acme")
    await world.verify()
    assert not (await world.lane("acme"))["held"]
    taken = [
        Step(kind=StepKind.RETIRE_DOMAIN, tenant="acme", domain=DOMAIN, mail="drain"),
        Step(kind=StepKind.FREE_DOMAIN, tenant="acme", domain=DOMAIN),
    ]
    async with world.store.changing() as transaction:
        await world.plans.carry_out(transaction, taken, actor="ann")
    lane = await world.lane("acme")  # the process died before the governor was asked
    assert (lane["held"], lane["retire_mail"]) == (True, "cancel")
