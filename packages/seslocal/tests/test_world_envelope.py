"""The envelope of a mail is as its identity is set up, and its content's fingerprint is of what it says."""

from __future__ import annotations

from typing import Any

import pytest

from seslocal import Settings
from seslocal.mail.world_content import fingerprint, html_of
from seslocal.sesv2 import identities
from seslocal.state.dedicated_ips import Pool
from seslocal.state.zone import Record
from seslocal.world.envelope import Envelope
from seslocal_fixtures.scripted_world import CALLER, Scripted

KIM = "kim@gmail.com"


@pytest.fixture
async def scripted() -> Scripted:
    return Scripted()


def envelope(scripted: Scripted, to: str = KIM, **more: Any) -> Envelope:
    """Sends a mail and returns its envelope."""
    scripted.send(to, **more)
    scripted.pass_time(10)
    return scripted.world.attempts[-1][2]


def mail_from(scripted: Scripted, name: str, domain: str) -> None:
    given = {"EmailIdentity": name, "MailFromDomain": domain}
    identities.OPERATIONS["PutEmailIdentityMailFromAttributes"](scripted.account, given, CALLER)


def publish(scripted: Scripted, name: str, value: str) -> None:
    scripted.account.zone.put([Record(name, "TXT", f'"{value}"')])


async def test_a_domain_identity_signs_and_ses_sends_as_its_own_mail_from(scripted: Scripted) -> None:
    found = envelope(scripted)
    assert (found.from_domain, found.signed_by, found.aligned) == ("acme.example", "acme.example", True)
    assert (found.spf, found.mail_from, found.dmarc) == (True, "amazonses.com", "none")
    assert (found.pool, found.ip) == ("ses-shared-pool", "192.0.2.25")
    assert (found.sender, found.configuration_set, found.bulk, found.one_click) == ("", "news", False, False)


async def test_the_default_mail_from_is_of_the_region() -> None:
    found = envelope(Scripted(Settings(region="eu-west-1", rate=1e9, quota=-1)))
    assert found.mail_from == "eu-west-1.amazonses.com"


async def test_a_subdomain_is_signed_by_its_identity_and_aligned(scripted: Scripted) -> None:
    found = envelope(scripted, sender="a@mail.acme.example")
    assert (found.from_domain, found.signed_by, found.aligned) == (
        *("mail.acme.example", "acme.example", True),
    )


async def test_strict_alignment_wants_the_same_domain(scripted: Scripted) -> None:
    publish(scripted, "_dmarc.acme.example", "v=DMARC1; p=reject; sp=quarantine; adkim=s; aspf=s")
    mail_from(scripted, "acme.example", "bounce.acme.example")
    below = envelope(scripted, sender="a@mail.acme.example")
    assert (below.aligned, below.dmarc) == (False, "quarantine")
    same = envelope(scripted)
    assert (same.aligned, same.dmarc) == (True, "reject")


async def test_without_signing_only_a_mail_from_of_its_own_aligns(scripted: Scripted) -> None:
    scripted.account.identities["acme.example"].signing = False
    found = envelope(scripted)
    assert (found.signed_by, found.spf, found.aligned) == (None, True, False)
    assert found.domain == "acme.example"
    mail_from(scripted, "acme.example", "bounce.acme.example")
    found = envelope(scripted)
    assert (found.signed_by, found.mail_from, found.aligned) == (None, "bounce.acme.example", True)
    scripted.account.identities["acme.example"].mail_from_status = "FAILED"
    found = envelope(scripted)
    assert (found.mail_from, found.aligned) == ("amazonses.com", False)


async def test_an_address_identity_has_the_signature_of_its_domain_if_there_is_one(
    scripted: Scripted,
) -> None:
    scripted.domain("kim@other.example")
    found = envelope(scripted, sender="kim@other.example")
    assert (found.signed_by, found.aligned) == (None, False)
    scripted.domain("other.example")
    found = envelope(scripted, sender="kim@other.example")
    assert (found.signed_by, found.aligned) == ("other.example", True)


async def test_with_strict_identities_dns_is_all_there_is() -> None:
    scripted = Scripted(Settings(strict=True, rate=1e9, quota=-1))
    assert envelope(scripted).dmarc == "absent"
    publish(scripted, "_dmarc.acme.example", "v=spf1 -all")  # no policy
    assert envelope(scripted).dmarc == "absent"
    publish(scripted, "_dmarc.acme.example", "v=DMARC1; p=none")
    assert envelope(scripted).dmarc == "none"


async def test_a_mail_from_a_dedicated_pool_knows_its_ip(scripted: Scripted) -> None:
    account = scripted.account
    account.dedicated_ips.pools["own"] = Pool("own", account.arn("dedicated-ip-pool/own"), "STANDARD", {})
    account.dedicated_ips.auto_warm_up = False
    [ip] = account.dedicated_ips.lease(1, "own", account.clock.now())
    scripted.configuration_set("own", DeliveryOptions={"SendingPoolName": "own"})
    found = envelope(scripted, ConfigurationSetName="own")
    assert (found.pool, found.ip) == ("own", ip)
    assert scripted.events()[-1]["mail"]["tags"]["ses:outgoing-ip"] == [ip]
    found = envelope(scripted)
    assert (found.pool, found.ip) == ("ses-shared-pool", "192.0.2.25")


async def test_headers_and_tags_are_known(scripted: Scripted) -> None:
    headers = {"List-Unsubscribe": "<mailto:u@acme.example>", "X-Seslocal-Key": "spring-7"}
    tags = [{"Name": "campaign", "Value": "spring"}]
    found = envelope(scripted, headers=headers, EmailTags=tags)
    assert (found.key, found.campaign, found.bulk, found.one_click) == ("spring-7", "spring", True, False)
    found = envelope(scripted, headers={**headers, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"})
    assert (found.bulk, found.one_click) == (True, True)


async def test_mails_without_a_key_differ_and_do_not_depend_on_ids(scripted: Scripted) -> None:
    keys = [envelope(scripted).key for _ in range(3)]
    assert len(set(keys)) == 3
    other = Scripted(Settings(seed=99, rate=1e9, quota=-1))
    assert [envelope(other).key for _ in range(3)] == keys


async def test_raw_mail_is_from_its_header(scripted: Scripted) -> None:
    scripted.domain("other.example")
    data = (
        b"From: Kim <kim@other.example>\r\nTo: kim@gmail.com\r\nSubject: Hi\r\n"
        b"X-Seslocal-Key: raw\r\nContent-Type: text/html\r\n\r\n<p>Hello</p>\r\n"
    )
    content = {"Raw": {"Data": data}}
    found = envelope(scripted, Content=content)
    assert (found.from_domain, found.signed_by, found.key) == ("other.example", "other.example", "raw")
    assert found.size == len(data)
    assert html_of(content) == "<p>Hello</p>\r\n"


def test_mail_that_cannot_be_read_has_a_fingerprint_and_no_html() -> None:
    content = {
        "Raw": {"Data": b"\xff\xfe: =?x?b?!?=\r\nContent-Type: text/html; charset=nothing\r\n\r\n\xff"}
    }
    assert len(fingerprint(content)) == 12
    failed: dict[str, Any] = {"Template": {}, "Failure": "x"}
    assert html_of(failed) is None


def simple(text: str, *, html: bool = True) -> dict[str, Any]:
    return {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Html" if html else "Text": {"Data": text}}}}


LONG = "<p>Our spring offers are here: coats, boots and umbrellas for rainy days.</p>"


@pytest.mark.parametrize("html", [True, False])
def test_a_name_a_number_and_a_link_do_not_change_the_fingerprint(html: bool) -> None:
    link = "<a href='https://acme.example/u/{}'>Read more about these offers in our shop</a>"
    one = simple(f"<p>Dear Kim,</p>{LONG}{link.format('a1b2')}<p>Order 1001</p>", html=html)
    two = simple(f"<p>Hi Mo!</p>{LONG}{link.format('c3d4')}<p>Order 2</p>", html=html)
    assert fingerprint(one) == fingerprint(two)
    other = simple(f"<p>Dear Kim,</p>{LONG.replace('coats', 'tents')}", html=html)
    assert fingerprint(other) != fingerprint(one)


def test_a_short_content_is_told_apart() -> None:
    assert fingerprint(simple("Hello")) != fingerprint(simple("Goodbye"))
