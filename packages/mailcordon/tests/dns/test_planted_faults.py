"""Faults planted in the local SES's DNS, resolved and judged: each has one sentence, with the record to publish."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from mailcordon.adapters.dns.public_suffixes import PublicSuffixes
from mailcordon.adapters.dns.reply import Server
from mailcordon.adapters.dns.resolver import Resolver
from mailcordon.adapters.ses.administer import Administer
from mailcordon.control.authentication import judgement
from mailcordon.control.authentication.faults import Code
from mailcordon.control.authentication.judgement import Judgement, Result
from mailcordon.control.authentication.subject import Domain, Mail
from seslocal import server
from seslocal.dns.identity_records import required_records
from seslocal.state.name_faults import NameFault
from seslocal.state.settings import Settings
from seslocal.state.zone import Record

DOMAIN = "mail.acme.example"
BOUNCE = "bounce.mail.acme.example"
DMARC = "_dmarc.mail.acme.example"
SPF = "v=spf1 include:amazonses.com ~all"
MX = "10 feedback-smtp.us-east-1.amazonses.com"
SUFFIXES = PublicSuffixes()
PATIENCE = 20.0  #: seconds for a look-up; on a busy machine an answer takes its time
pytestmark = pytest.mark.asyncio(loop_scope="module")


class World:
    """A verified domain at a strict local SES, whose records the test breaks."""

    def __init__(self, local: Any, ses: Administer) -> None:
        self.account = local.account
        self._ses = ses
        self._port = local.names.port
        self.patience = PATIENCE

    async def onboard(self) -> None:
        await self._ses.create_configuration_set("mc-none", reasons=None, max_delivery_seconds=None)
        await self._ses.create_identity(DOMAIN, configuration_set="mc-none")
        await self._ses.put_mail_from(DOMAIN, BOUNCE, behavior="USE_DEFAULT_VALUE")
        self.account.zone.put(required_records(self.account.identities[DOMAIN], "us-east-1"))
        self.put(DMARC, "TXT", "v=DMARC1; p=reject")

    def put(self, name: str, type: str, *values: str) -> None:
        self.account.zone.put([Record(name, type, value) for value in values])

    def fail(self, name: str, **how: Any) -> None:
        self.account.faults.names.put(NameFault(name=name, **how))

    @property
    def token(self) -> str:
        return f"{self.account.identities[DOMAIN].dkim['Tokens'][0]}._domainkey.{DOMAIN}"

    async def judge(self, from_domain: str = DOMAIN) -> Judgement:
        """What SES said before the fault; a check of the DNS alone must find it."""
        whole = await self._ses.get_identity(DOMAIN)
        assert whole is not None
        domain = Domain(
            name=DOMAIN,
            region="us-east-1",
            tokens=tuple(whole["DkimAttributes"]["Tokens"]),
            signing_zone=whole["DkimAttributes"]["SigningHostedZone"],
            mail_from=whole["MailFromAttributes"]["MailFromDomain"],
            mail_from_status="SUCCESS",
        )
        resolver = Resolver([Server("127.0.0.1", self._port)], seconds=self.patience)
        check = resolver.check(authoritative=True)
        return await judgement.judge(domain, [Mail(lane="news", from_domain=from_domain)], check, SUFFIXES)

    async def only_fault(
        self, code: Code, from_domain: str = DOMAIN
    ) -> tuple[str, tuple[str, str, str] | None]:
        """The sentence and the record to publish of the one fault that was found."""
        found = await self.judge(from_domain)
        assert [fault.code for fault in found.faults] == [code]
        publish = found.faults[0].publish
        return found.faults[0].sentence, publish and (publish.type, publish.name, publish.value)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[World]:
    """One for all tests: a client of SES takes a second to make."""
    local = server.Local(Settings(strict=True, dns_port=0), server.Clock())
    await local.listen("127.0.0.1", 0)
    ses = Administer(
        region="us-east-1",
        endpoint=local.url,
        access_key="test",
        secret_key="test",
    )
    world = World(local, ses)
    await world.onboard()
    yield world
    ses.close()
    await local.close()


@pytest.fixture
def world(running: World) -> Iterator[World]:
    before = list(running.account.zone)
    running.patience = PATIENCE
    yield running
    for name in {record.name for record in running.account.zone}:
        running.account.zone.delete(name)
    running.account.zone.put(before)
    for fault in list(running.account.faults.names):
        running.account.faults.names.delete(fault.name)


async def test_without_a_fault_everything_passes_by_answers_of_the_zones_own_servers(world: World) -> None:
    found = await world.judge()
    assert found.faults == ()
    assert (found.mails[0].result, found.authoritative, found.complete) == (Result.PASSES_BOTH, True, True)


async def test_a_missing_dkim_record(world: World) -> None:
    world.account.zone.delete(world.token)
    sentence, publish = await world.only_fault(Code.DKIM_MISSING)
    assert sentence == f"{world.token} has no CNAME record, so mail that is signed with this key fails DKIM."
    assert publish == ("CNAME", world.token, f"{world.token.partition('.')[0]}.dkim.amazonses.com")


async def test_two_spf_records(world: World) -> None:
    world.put(BOUNCE, "TXT", SPF, "v=spf1 mx -all")
    assert await world.only_fault(Code.SPF_TWO_RECORDS) == (
        f"{BOUNCE} has 2 SPF records, which receivers treat as an error: keep one.",
        ("TXT", BOUNCE, SPF),
    )


async def test_eleven_lookups(world: World) -> None:
    for number in range(10):
        world.put(f"i{number}.example", "TXT", "v=spf1 -all")
    includes = " ".join(f"include:i{number}.example" for number in range(10))
    world.put(BOUNCE, "TXT", f"v=spf1 {includes} include:amazonses.com ~all")
    sentence, publish = await world.only_fault(Code.SPF_TOO_MANY_LOOKUPS)
    assert sentence.startswith(f"The SPF record of {BOUNCE} needs 11 look-ups, and 10 are allowed (")
    assert publish == ("TXT", BOUNCE, SPF)


async def test_the_mx_of_mail_from_is_gone(world: World) -> None:
    world.account.zone.delete(BOUNCE, "MX")
    assert await world.only_fault(Code.MAIL_FROM_MX_MISSING) == (
        f"{BOUNCE} has no MX record, so MAIL FROM falls back to amazonses.com and SPF does not align.",
        ("MX", BOUNCE, MX),
    )
    assert (await world.judge()).mails[0].sentence == (
        f"Mail from {DOMAIN} passes DMARC by DKIM only: MAIL FROM fell back to amazonses.com."
    )


async def test_an_alias_at_dmarc_whose_target_has_no_record(world: World) -> None:
    world.account.zone.delete(DMARC)
    world.put(DMARC, "CNAME", "acme.reports.example.")
    assert await world.only_fault(Code.DMARC_ALIAS_EMPTY) == (
        f"{DMARC} is a CNAME to acme.reports.example, which has no DMARC record.",
        ("TXT", DMARC, "v=DMARC1; p=none"),
    )


async def test_an_alias_at_dmarc_with_a_good_target_passes(world: World) -> None:
    world.account.zone.delete(DMARC)
    world.put(DMARC, "CNAME", "acme.reports.example.")
    world.put("acme.reports.example", "TXT", "v=DMARC1; p=reject")
    found = await world.judge()
    assert found.faults == ()
    assert (found.mails[0].result, found.mails[0].policy) == (Result.PASSES_BOTH, "reject")


async def test_a_dmarc_record_one_level_too_low(world: World) -> None:
    world.account.zone.delete(DMARC)
    world.put(f"_dmarc.{BOUNCE}", "TXT", "v=DMARC1; p=reject")
    assert await world.only_fault(Code.DMARC_WRONG_PLACE) == (
        f"The DMARC record at _dmarc.{BOUNCE} is not used for mail from {DOMAIN}: it belongs at {DMARC}.",
        ("TXT", DMARC, "v=DMARC1; p=reject"),
    )


async def test_a_dmarc_record_between_two_levels_that_is_not_used(world: World) -> None:
    world.put("_dmarc.acme.example", "TXT", "v=DMARC1; p=none")
    sentence, publish = await world.only_fault(Code.DMARC_WRONG_PLACE, f"a.{DOMAIN}")
    assert sentence == (
        f"The DMARC record at {DMARC} is not used for mail from a.{DOMAIN} (they use that of _dmarc.acme.example): it"
        f" belongs at _dmarc.a.{DOMAIN}."
    )
    assert publish == ("TXT", f"_dmarc.a.{DOMAIN}", "v=DMARC1; p=reject")


HOW = [
    ({"rcode": "SERVFAIL"}, "SERVFAIL"),
    ({"truncate": True, "no_tcp": True}, "127.0.0.1 closed the connection over TCP"),
    ({"lame": True}, "127.0.0.1 does not serve this zone"),
]


@pytest.mark.parametrize(("how", "detail"), [*HOW, ({"delay": 5.0}, "no answer in 2 s")])
async def test_a_dmarc_record_that_cannot_be_read_is_not_missing(
    world: World, how: dict[str, Any], detail: str
) -> None:
    world.fail(DMARC, **how)
    world.patience = 2.0 if "delay" in how else PATIENCE
    found = await world.judge()
    assert found.mails[0].result is Result.UNKNOWN
    assert [(fault.code, fault.unsure, fault.publish) for fault in found.faults] == [
        (Code.NOT_KNOWN, True, None)
    ]
    assert found.faults[0].sentence == (
        f"Nothing is known about the TXT record of {DMARC}: the DNS did not answer ({detail})."
    )


@pytest.mark.parametrize(("how", "detail"), HOW)
async def test_a_dkim_record_that_cannot_be_read_is_not_missing(
    world: World, how: dict[str, Any], detail: str
) -> None:
    world.fail(world.token, **how)
    sentence, _ = await world.only_fault(Code.NOT_KNOWN)
    assert sentence == (
        f"Nothing is known about the CNAME record of {world.token}: the DNS did not answer ({detail})."
    )
    assert (await world.judge()).mails[0].result is Result.PASSES_SPF_ONLY


async def test_a_truncated_answer_that_comes_over_tcp_is_no_fault(world: World) -> None:
    for name in (DMARC, BOUNCE, world.token):
        world.fail(name, truncate=True)
    assert (await world.judge()).faults == ()


async def test_a_dead_mail_from_leaves_dkim(world: World) -> None:
    world.fail(BOUNCE, rcode="SERVFAIL")
    found = await world.judge()
    assert {fault.code for fault in found.faults} == {Code.NOT_KNOWN}
    assert found.passes
    assert found.mails[0].sentence == (
        f"Mail from {DOMAIN} passes DMARC by DKIM only: the DNS did not answer about SPF."
    )
