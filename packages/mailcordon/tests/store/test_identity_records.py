"""The records that `identity records` lists, published as they are at the name server of a strict local SES: the domain verifies,
and its MAIL FROM becomes active."""

from collections.abc import AsyncIterator
from typing import Any

import dns.zone
import pytest
from dns.rdatatype import to_text

from mailcordon.adapters.db import dkim_key_store, engine
from mailcordon.adapters.db.control_reader import ControlReader
from mailcordon.adapters.db.dkim_key_store import DkimKeyStore
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.plan_store import PlanStore
from mailcordon.adapters.db.provision_store import ProvisionStore
from mailcordon.adapters.db.secrets import Vault, make_secret_key
from mailcordon.adapters.db.tenant_store import TenantStore
from mailcordon.adapters.dns.public_suffixes import PublicSuffixes
from mailcordon.adapters.dns.reply import Server
from mailcordon.adapters.dns.resolver import Resolver
from mailcordon.adapters.ses.administer import Administer
from mailcordon.control.desired import Settings
from mailcordon.control.dkim_keys import DkimKeys, DkimSigning, StoredKey
from mailcordon.control.governor import Governor
from mailcordon.control.identity_records import IdentityRecords, Records
from mailcordon.control.plans import Plans
from mailcordon.control.reconcile import Pace, Reconciler
from mailcordon.control.steps import Step, StepKind
from mailcordon.control.tenants import Tenants
from mailcordon.control.views import Viewer
from mailcordon.core.errors import Conflict, Invalid
from mailcordon_fixtures import local_ses
from seslocal.state.settings import Settings as Strict
from seslocal.state.zone import Record as ZoneRecord

DOMAIN = "mail.acme.example"
TOPICS = Settings(
    outcome_topic_arn="arn:aws:sns:us-east-1:123456789012:mailcordon-outcome",
    engagement_topic_arn="arn:aws:sns:us-east-1:123456789012:mailcordon-engagement",
    local=True,
)


class World:
    def __init__(self, parts: local_ses.Parts, reader: engine.Pool) -> None:
        self.local, self.owner = parts.local, parts.owner
        governor = Governor(GovernorStore(parts.governor))
        self.plans = Plans(PlanStore(parts.control), governor, TOPICS)
        self.tenants = Tenants(TenantStore(parts.control), self.plans, local=True)
        self.ses = Administer(
            region="us-east-1", endpoint=self.local.url, access_key="test", secret_key="test"
        )
        self.reconciler = Reconciler(
            ProvisionStore(parts.control), self.ses, governor, Pace(retry=0, identity=0)
        )
        self.secret_keys = [make_secret_key()]
        self.keys = DkimKeyStore(parts.control, self.secret_keys, reader)
        self.dkim = DkimKeys(self.keys)
        resolver = Resolver([Server("127.0.0.1", self.local.names.port)])
        self.signing = DkimSigning(
            self.keys, self.ses, lambda: resolver.check(authoritative=True), look_seconds=0
        )
        self.records = IdentityRecords(
            ControlReader(parts.control, reader), self.dkim, PublicSuffixes(), region="us-east-1"
        )

    async def settle(self) -> None:
        await self.owner.execute("update ses_resource set next_try_at = now()")
        for _ in range(30):
            if not await self.reconciler.step():
                return

    async def listed(self, **more: Any) -> Records:
        return await self.records.of(Viewer(None), DOMAIN, **more)

    def publish(self, zone_file: str) -> None:
        """As a DNS provider imports it."""
        zone = dns.zone.from_text(zone_file, relativize=False, check_origin=False)
        self.local.account.zone.put(
            [
                ZoneRecord(name.to_text().rstrip("."), to_text(data.rdtype), _value(data), ttl)
                for name, ttl, data in zone.iterate_rdatas()
            ]
        )


def _value(data: Any) -> str:
    if hasattr(data, "strings"):
        return b"".join(data.strings).decode()
    return data.to_text().rstrip(".")


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    reader = await engine.create_pool(database.dsn("reader"))
    async with local_ses.running(database, Strict(strict=True)) as parts:
        world = World(parts, reader)
        yield world
        world.ses.close()
    await reader.close()


@pytest.mark.parametrize("names", ["absolute", "relative"])
async def test_the_zone_file_verifies_the_domain_and_makes_its_mail_from_active(
    world: World, names: Any
) -> None:
    await world.tenants.onboard("acme", {"newsletter": DOMAIN}, actor="ann")
    step = Step(kind=StepKind.SET_MAIL_FROM, tenant="acme", domain=DOMAIN, to=f"bounce.{DOMAIN}")
    planned = await world.plans.make([step], actor="ann")
    await world.plans.apply(planned.id or 0, actor="ann")
    assert not (await world.listed()).complete

    await world.settle()
    before = await world.ses.get_identity(DOMAIN)
    listed = await world.listed(names=names)
    assert (listed.complete, listed.zone) == (True, "acme.example")
    world.publish(listed.zone_file)
    after = await world.ses.get_identity(DOMAIN)

    assert before is not None
    assert (before["VerificationStatus"], before["MailFromAttributes"]["MailFromDomainStatus"]) == (
        "PENDING",
        "PENDING",
    )
    assert after is not None
    assert (after["VerificationStatus"], after["MailFromAttributes"]["MailFromDomainStatus"]) == (
        "SUCCESS",
        "SUCCESS",
    )


GIVEN = {"actor": "ann", "because": "our own keys"}


async def signed_by(world: World) -> tuple[str, list[str], str]:
    found = await world.ses.get_identity(DOMAIN)
    assert found is not None
    dkim = found["DkimAttributes"]
    return dkim.get("SigningAttributesOrigin", "AWS_SES"), list(dkim["Tokens"]), dkim["Status"]


async def advance(world: World) -> None:
    await world.owner.execute("update dkim_key set next_look_at = now()")
    await world.signing.advance()


async def states(world: World) -> dict[str | None, str]:
    return {each.selector: each.state for each in await world.dkim.of(None, DOMAIN)}


async def verified(world: World) -> None:
    await world.tenants.onboard("acme", {"newsletter": DOMAIN}, actor="ann")
    await world.settle()
    world.publish((await world.listed()).zone_file)
    await world.settle()


async def test_a_key_of_ours_is_given_to_ses_once_the_dns_shows_it(world: World) -> None:
    await verified(world)
    await world.dkim.change(DOMAIN, "own", selector="mc1", **GIVEN)
    await advance(world)
    assert (await signed_by(world))[0] == "AWS_SES"  # not before: nobody could check the mail
    (waiting,) = await world.dkim.of(None, DOMAIN)
    assert (waiting.state, "no TXT record" in str(waiting.looked)) == ("waiting", True)

    world.publish((await world.listed()).zone_file)
    await advance(world)
    await world.settle()
    assert await signed_by(world) == ("EXTERNAL", ["mc1"], "SUCCESS")
    assert await states(world) == {"mc1": "signing"}
    records = (await world.listed()).published
    assert [each.record.name for each in records if each.purpose == "dkim"] == [f"mc1._domainkey.{DOMAIN}"]
    # It is our own doing, and so no difference.
    assert await world.owner.fetchval("select count(*) from finding where kind = 'dkim-key'") == 0


async def test_a_record_with_another_key_does_not_switch(world: World) -> None:
    await verified(world)
    await world.dkim.change(DOMAIN, "own", selector="mc1", **GIVEN)
    name = f"mc1._domainkey.{DOMAIN}"
    world.local.account.zone.put([ZoneRecord(name, "TXT", "v=DKIM1; k=rsa; p=AAAA")])
    await advance(world)
    (waiting,) = await world.dkim.of(None, DOMAIN)
    assert (waiting.state, "another key" in str(waiting.looked)) == ("waiting", True)


async def test_a_record_that_receivers_cannot_use_does_not_switch(world: World) -> None:
    await verified(world)
    await world.dkim.change(DOMAIN, "own", selector="mc1", **GIVEN)
    (made,) = await world.dkim.of(None, DOMAIN)
    key = str(made.public_key)
    value = f'"v=DKIM1; h=sha1; p={key[:200]}" "{key[200:]}"'
    world.local.account.zone.put([ZoneRecord(f"mc1._domainkey.{DOMAIN}", "TXT", value)])
    await advance(world)
    (waiting,) = await world.dkim.of(None, DOMAIN)
    assert (waiting.state, "does not allow SHA-256" in str(waiting.looked)) == ("waiting", True)


async def test_a_key_is_rotated_with_a_second_selector_and_the_old_record_stays_for_a_week(
    world: World,
) -> None:
    await verified(world)
    await world.dkim.change(DOMAIN, "own", selector="mc1", **GIVEN)
    world.publish((await world.listed()).zone_file)
    await advance(world)
    with pytest.raises(Conflict):
        await world.dkim.change(DOMAIN, "own", selector=None, **GIVEN)
    await world.dkim.change(DOMAIN, "rotate", selector="mc2", **GIVEN)
    with pytest.raises(Conflict, match="mc2"):
        await world.dkim.change(DOMAIN, "rotate", selector="mc3", **GIVEN)
    world.publish((await world.listed()).zone_file)
    await advance(world)
    assert await states(world) == {"mc2": "signing", "mc1": "replaced"}
    old: StoredKey = next(each for each in await world.dkim.of(None, DOMAIN) if each.selector == "mc1")
    assert old.keep_until is not None
    notes = {
        each.record.name.partition(".")[0]: each.note
        for each in (await world.listed()).published
        if each.purpose == "dkim"
    }
    assert old.keep_until.isoformat() in str(notes["mc1"])
    assert await world.owner.fetchval("select secret from dkim_key where selector = 'mc1'") is None

    await world.dkim.change(DOMAIN, "ses", selector=None, **GIVEN)
    await advance(world)
    assert (await signed_by(world))[0] == "AWS_SES"
    with pytest.raises(Invalid):
        await world.dkim.change(DOMAIN, "own", selector="Bad.One", **GIVEN)


async def test_a_key_that_waits_is_taken_back_and_the_one_before_goes_on_signing(world: World) -> None:
    await verified(world)
    await world.dkim.change(DOMAIN, "own", selector="mc1", **GIVEN)
    world.publish((await world.listed()).zone_file)
    await advance(world)
    await world.dkim.change(DOMAIN, "rotate", selector="mc2", **GIVEN)
    with pytest.raises(Conflict, match="identity dkim .* ses"):
        await world.dkim.change(DOMAIN, "rotate", selector="mc3", **GIVEN)
    waiting = next(each for each in await world.dkim.of(None, DOMAIN) if each.state == "waiting")
    await world.dkim.change(DOMAIN, "ses", selector=None, **GIVEN)
    assert await states(world) == {"mc1": "signing"}
    await world.keys.signs(waiting.id)  # SES was called in the meantime
    assert await states(world) == {"mc1": "signing"}
    with pytest.raises(Conflict, match="had a key with the selector mc2"):
        await world.dkim.change(DOMAIN, "rotate", selector="mc2", **GIVEN)
    await world.dkim.change(DOMAIN, "rotate", selector="mc3", **GIVEN)
    assert await states(world) == {"mc1": "signing", "mc3": "waiting"}


async def test_a_private_key_is_stored_encrypted_and_follows_the_rotation_of_secrets(world: World) -> None:
    await verified(world)
    await world.dkim.change(DOMAIN, "own", selector="mc1", **GIVEN)
    secret = await world.owner.fetchval("select secret from dkim_key")
    plain = await world.keys.private_key(1)
    assert plain.encode() not in secret
    audited = await world.owner.fetch("select after::text as said from audit where action like 'dkim.%'")
    assert not any(plain in str(row["said"]) for row in audited)

    keys = [make_secret_key(), *world.secret_keys]
    await dkim_key_store.SECRETS.reencrypt(world.owner, Vault(keys))
    assert await DkimKeyStore(world.keys._control, keys[:1]).private_key(1) == plain
