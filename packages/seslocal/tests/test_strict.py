"""Strict identities, and the DNS server, queried over UDP and TCP with dnspython."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.resolver
import pytest
from botocore.config import Config

import seslocal
from seslocal.dns.dkim_keys import public_key_of
from seslocal_fixtures.keys import private_key
from seslocal_fixtures.world import SESSION, Background, World

if TYPE_CHECKING:
    from seslocal.dns.nameserver import NameServer

HOUR = 3600.0
DOMAIN = "mail.acme.example"
BOUNCES = "bounces.mail.acme.example"


@pytest.fixture(scope="module")
def server() -> Iterator[Background]:
    settings = seslocal.Settings(event_delay=0.001, strict=True)
    server = Background(settings)
    yield server
    server.stop()


@pytest.fixture
def strict(server: Background) -> Iterator[World]:
    config = Config(retries={"total_max_attempts": 1})
    ses = SESSION.client("sesv2", endpoint_url=server.local.url, config=config)
    sqs = SESSION.client("sqs", endpoint_url=server.local.url, config=config)
    world = World(server.local, ses, sqs)
    world.admin("POST", "/reset")
    yield world
    ses.close()
    sqs.close()


def names(world: World) -> NameServer:
    assert world.local.names is not None
    return world.local.names


def ask(world: World, name: str, kind: str, *, tcp: bool = False) -> dns.message.Message:
    query = dns.message.make_query(name, kind)
    over = dns.query.tcp if tcp else dns.query.udp
    return over(query, "127.0.0.1", port=names(world).port, timeout=60)


def state(world: World, name: str = DOMAIN) -> tuple[str, bool, str | None]:
    found = world.ses.get_email_identity(EmailIdentity=name)
    return (
        found["VerificationStatus"],
        found["VerifiedForSendingStatus"],
        found["VerificationInfo"].get("ErrorType"),
    )


def mail_from(world: World) -> str:
    return world.ses.get_email_identity(EmailIdentity=DOMAIN)["MailFromAttributes"]["MailFromDomainStatus"]


def create(world: World, **more: Any) -> list[str]:
    answer = world.ses.create_email_identity(EmailIdentity=DOMAIN, **more)
    return answer["DkimAttributes"]["Tokens"]


def test_a_domain_verifies_only_when_its_three_records_exist(strict: World) -> None:
    tokens = create(strict)
    assert state(strict) == ("PENDING", False, "HOST_NOT_FOUND")
    refused = strict.refused(lambda: strict.send("kim@example.com", tenant=None, configuration_set=None))
    assert refused[1] == "MessageRejected"
    for token in tokens[:2]:
        record = {"type": "CNAME", "value": f"{token}.dkim.amazonses.com"}
        strict.admin("PUT", f"/dns/{token}._domainkey.{DOMAIN}", record)
    assert state(strict)[:2] == ("PENDING", False)
    wrong = {"type": "CNAME", "value": "elsewhere.example"}
    strict.admin("PUT", f"/dns/{tokens[2]}._domainkey.{DOMAIN}", wrong)
    assert state(strict) == ("PENDING", False, "INVALID_VALUE")
    right = {"type": "CNAME", "value": f"{tokens[2]}.dkim.amazonses.com."}
    strict.admin("PUT", f"/dns/{tokens[2]}._domainkey.{DOMAIN}", right)
    assert state(strict) == ("SUCCESS", True, None)
    assert strict.send("kim@example.com", tenant=None, configuration_set=None)


def test_a_domain_without_its_records_fails_temporarily_and_then_permanently(strict: World) -> None:
    tokens = create(strict)
    published = strict.admin("POST", f"/identities/{DOMAIN}/publish")
    assert published["status"] == "SUCCESS"
    name = f"{tokens[0]}._domainkey.{DOMAIN}"
    strict.admin("DELETE", f"/dns/{name}?type=CNAME")
    assert state(strict) == ("TEMPORARY_FAILURE", False, "HOST_NOT_FOUND")
    strict.admin("POST", f"/identities/{DOMAIN}/publish")
    assert state(strict)[0] == "SUCCESS"
    strict.admin("DELETE", f"/dns/{name}")
    strict.admin("PUT", "/clock", {"advance": 71 * HOUR})
    assert state(strict)[0] == "TEMPORARY_FAILURE"
    strict.admin("PUT", "/clock", {"advance": 2 * HOUR})
    assert state(strict)[0] == "FAILED"
    strict.admin("POST", f"/identities/{DOMAIN}/publish")
    assert state(strict)[0] == "FAILED"  # SES stops checking ...
    strict.ses.put_email_identity_dkim_signing_attributes(
        EmailIdentity=DOMAIN, SigningAttributesOrigin="AWS_SES"
    )
    strict.admin("POST", f"/identities/{DOMAIN}/publish")
    assert state(strict)[0] == "SUCCESS"  # ... until it is asked again


def test_a_domain_without_records_fails_after_three_days(strict: World) -> None:
    create(strict)
    strict.admin("PUT", "/clock", {"advance": 71 * HOUR})
    assert state(strict)[0] == "PENDING"
    strict.admin("PUT", "/clock", {"advance": 2 * HOUR})
    assert state(strict) == ("FAILED", False, "HOST_NOT_FOUND")


def test_existing_records_verify_a_new_domain_at_once(strict: World) -> None:
    private = private_key()
    key = {"DomainSigningSelector": "s1", "DomainSigningPrivateKey": private}
    value = f"v=DKIM1; p={public_key_of(private)}"
    strict.admin("PUT", f"/dns/s1._domainkey.{DOMAIN}", {"type": "TXT", "value": value})
    create(strict, DkimSigningAttributes=key)
    assert state(strict)[0] == "SUCCESS"


def test_a_revoked_dkim_key_does_not_verify(strict: World) -> None:
    key = {"DomainSigningSelector": "s1", "DomainSigningPrivateKey": private_key()}
    strict.admin("PUT", f"/dns/s1._domainkey.{DOMAIN}", {"type": "TXT", "value": "v=DKIM1; p="})
    create(strict, DkimSigningAttributes=key)
    assert state(strict) == ("PENDING", False, "INVALID_VALUE")


def test_a_different_dkim_key_does_not_verify(strict: World) -> None:
    key = {"DomainSigningSelector": "s1", "DomainSigningPrivateKey": private_key()}
    value = f"v=DKIM1; p={public_key_of(private_key(bits=1024))}"
    strict.admin("PUT", f"/dns/s1._domainkey.{DOMAIN}", {"type": "TXT", "value": value})
    create(strict, DkimSigningAttributes=key)
    assert state(strict) == ("PENDING", False, "INVALID_VALUE")


def test_a_verified_domain_with_new_keys_stays_verified_while_records_are_pending(strict: World) -> None:
    before = create(strict)
    strict.admin("POST", f"/identities/{DOMAIN}/publish")
    strict.admin("PUT", "/clock", {"advance": HOUR})
    longer: Any = {"NextSigningKeyLength": "RSA_1024_BIT"}
    answer = strict.ses.put_email_identity_dkim_signing_attributes(
        EmailIdentity=DOMAIN, SigningAttributesOrigin="AWS_SES", SigningAttributes=longer
    )
    assert answer["DkimStatus"] == "PENDING"
    assert not set(answer["DkimTokens"]) & set(before)
    assert lengths(strict) == ("PENDING", "RSA_2048_BIT", "RSA_1024_BIT")
    assert state(strict)[:2] == ("SUCCESS", True)
    strict.admin("POST", f"/identities/{DOMAIN}/publish")
    assert lengths(strict) == ("SUCCESS", "RSA_1024_BIT", "RSA_1024_BIT")


def lengths(world: World) -> tuple[str, str, str]:
    dkim = world.ses.get_email_identity(EmailIdentity=DOMAIN)["DkimAttributes"]
    return dkim["Status"], dkim["CurrentSigningKeyLength"], dkim["NextSigningKeyLength"]


def test_a_domain_fails_if_records_of_new_keys_never_appear(strict: World) -> None:
    create(strict)
    strict.admin("POST", f"/identities/{DOMAIN}/publish")
    own: Any = {"DomainSigningSelector": "s1", "DomainSigningPrivateKey": private_key()}
    strict.ses.put_email_identity_dkim_signing_attributes(
        EmailIdentity=DOMAIN, SigningAttributesOrigin="EXTERNAL", SigningAttributes=own
    )
    strict.admin("PUT", "/clock", {"advance": 71 * HOUR})
    assert state(strict)[0] == "SUCCESS"
    strict.admin("PUT", "/clock", {"advance": 2 * HOUR})
    assert state(strict) == ("FAILED", False, "HOST_NOT_FOUND")


@pytest.mark.parametrize(
    ("region", "error"),
    [
        ("EU_WEST_1", "REPLICATION_PRIMARY_NOT_FOUND"),
        ("US_EAST_1", "REPLICATION_PRIMARY_INVALID_REGION"),
    ],
)
def test_a_replica_never_finds_its_parent(strict: World, region: str, error: str) -> None:
    create(strict, DkimSigningAttributes={"DomainSigningAttributesOrigin": f"AWS_SES_{region}"})
    strict.admin("POST", f"/identities/{DOMAIN}/publish")
    assert state(strict) == ("PENDING", False, error)


def test_verification_info_has_the_zone_that_was_asked(strict: World) -> None:
    create(strict)
    info = strict.ses.get_email_identity(EmailIdentity=DOMAIN)["VerificationInfo"]
    soa = {"PrimaryNameServer": "ns.seslocal", "AdminEmail": "hostmaster.seslocal", "SerialNumber": 1}
    assert info["SOARecord"] == soa


def test_a_mail_from_domain_needs_its_one_mx_and_its_spf(strict: World) -> None:
    create(strict)
    strict.admin("POST", f"/identities/{DOMAIN}/publish")
    strict.ses.put_email_identity_mail_from_attributes(
        EmailIdentity=DOMAIN, MailFromDomain=BOUNCES, BehaviorOnMxFailure="REJECT_MESSAGE"
    )
    assert mail_from(strict) == "PENDING"
    refused = strict.refused(lambda: strict.send("kim@example.com", tenant=None, configuration_set=None))
    assert refused[1] == "MailFromDomainNotVerifiedException"
    mx = {"type": "MX", "value": "10 feedback-smtp.us-east-1.amazonses.com"}
    strict.admin("PUT", f"/dns/{BOUNCES}", mx)
    assert mail_from(strict) == "PENDING"
    strict.admin("PUT", f"/dns/{BOUNCES}", {"type": "TXT", "value": "v=spf1 include:amazonses.com ~all"})
    assert mail_from(strict) == "SUCCESS"
    assert strict.send("kim@example.com", tenant=None, configuration_set=None)
    strict.admin("DELETE", f"/dns/{BOUNCES}?type=TXT")
    assert mail_from(strict) == "TEMPORARY_FAILURE"
    assert state(strict)[0] == "SUCCESS"  # the domain itself is not affected
    strict.admin("PUT", "/clock", {"advance": 73 * HOUR})
    assert mail_from(strict) == "FAILED"


def test_a_second_mx_fails_a_mail_from_domain(strict: World) -> None:
    create(strict)
    two = ["10 feedback-smtp.us-east-1.amazonses.com.", "20 mx.acme.example."]
    strict.admin("PUT", f"/dns/{BOUNCES}", {"type": "MX", "values": two})
    strict.ses.put_email_identity_mail_from_attributes(EmailIdentity=DOMAIN, MailFromDomain=BOUNCES)
    assert mail_from(strict) == "FAILED"


def test_a_pending_address_fails_after_a_day(strict: World) -> None:
    for name in ("kim@acme.example", "lee@acme.example"):
        strict.ses.create_email_identity(EmailIdentity=name)
    strict.admin("PUT", "/identities/kim@acme.example", {"status": "SUCCESS"})
    strict.admin("PUT", "/clock", {"advance": 25 * HOUR})
    assert state(strict, "kim@acme.example")[0] == "SUCCESS"
    assert state(strict, "lee@acme.example")[0] == "FAILED"


def test_a_dns_outage_is_a_temporary_failure(strict: World) -> None:
    create(strict)
    strict.admin("POST", f"/identities/{DOMAIN}/publish")
    fault = strict.fault("dns_outage")
    assert state(strict) == ("TEMPORARY_FAILURE", False, "DNS_SERVER_ERROR")
    assert ask(strict, DOMAIN, "TXT").rcode() == dns.rcode.SERVFAIL
    strict.admin("DELETE", f"/faults/{fault}")
    assert state(strict) == ("SUCCESS", True, None)


# the name server


@pytest.mark.parametrize("tcp", [False, True])
def test_records_are_served_over_udp_and_tcp(strict: World, tcp: bool) -> None:
    policy = "v=spf1 include:amazonses.com ~all"
    strict.admin(
        "PUT", "/dns/ACME.example.", {"type": "TXT", "values": [policy, 'says "hi" \\ ' + "x" * 300]}
    )
    answer = ask(strict, "acme.Example", "TXT", tcp=tcp)
    assert answer.flags & dns.flags.AA
    [found] = answer.answer
    texts = sorted(b"".join(record.strings).decode() for record in found)
    assert texts == sorted([policy, 'says "hi" \\ ' + "x" * 300])


def test_an_alias_is_followed_to_the_key(strict: World) -> None:
    tokens = create(strict)
    strict.admin("POST", f"/identities/{DOMAIN}/publish")
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], names(strict).port
    found: Any = resolver.resolve(f"{tokens[0]}._domainkey.{DOMAIN}", "TXT")
    assert b"".join(found[0].strings).startswith(b"v=DKIM1; k=rsa; p=MII")
    assert found.canonical_name.to_text() == f"{tokens[0]}.dkim.amazonses.com."


def test_nxdomain_differs_from_a_name_with_other_records(strict: World) -> None:
    strict.admin("PUT", "/dns/a.b.example", {"type": "A", "value": "192.0.2.1"})
    assert ask(strict, "a.b.example", "MX").rcode() == dns.rcode.NOERROR
    assert ask(strict, "b.example", "MX").rcode() == dns.rcode.NOERROR  # a name below it exists
    missing = ask(strict, "c.example", "A")
    assert missing.rcode() == dns.rcode.NXDOMAIN
    assert missing.authority


def test_a_long_response_is_truncated_over_udp_and_whole_over_tcp(strict: World) -> None:
    values = [f"{number} " + "x" * 200 for number in range(20)]
    strict.admin("PUT", "/dns/long.example", {"type": "TXT", "values": values})
    assert ask(strict, "long.example", "TXT").flags & dns.flags.TC
    assert len(ask(strict, "long.example", "TXT", tcp=True).answer[0]) == 20


def test_malformed_packets_do_not_stop_the_name_server(strict: World) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noise:
        noise.settimeout(5)
        where = ("127.0.0.1", names(strict).port)
        for junk in (
            b"",
            b"x",
            b"\x00" * 11,
            b"\xff" * 40,
            b"\x12\x34\x01\x00\x00\x01" + b"\x00" * 6 + b"\xc0\x0c",
        ):
            noise.sendto(junk, where)
        noise.sendto(b"\x12\x34\x01\x00\x00\x01" + b"\x00" * 6 + b"\x3fabc", where)
        answer = noise.recvfrom(512)[0]
        assert answer[:2] == b"\x12\x34"
        assert answer[3] & 0xF == dns.rcode.FORMERR
    with socket.create_connection(where) as half:
        half.sendall(b"\x00\x20abc")
    assert ask(strict, "a.example", "A").rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("/dns/a.example", {"type": "MX", "value": "nonsense"}, "not a valid record"),
        ("/dns/a.example", {"type": "NONE", "value": "x"}, "not a valid record"),
        ("/dns/a.example", {"type": "TXT"}, "needs name, type and value"),
        ("/dns/a.example", {"type": "CNAME", "values": ["a.", "b."]}, "CNAME"),
        ("/dns", {"records": []}, "list of objects"),
        ("/dns", {"records": ["x"]}, "must be an object"),
        ("/dns", {"records": [{"name": "a..b", "type": "A", "value": "192.0.2.1"}]}, "not a valid record"),
    ],
)
def test_invalid_records_are_refused_with_a_sentence(
    strict: World, path: str, body: object, word: str
) -> None:
    assert word in strict.admin("PUT", path, body, expect=400)["error"]
    assert strict.admin("GET", "/dns") == {"records": []}


def test_a_cname_excludes_other_records(strict: World) -> None:
    strict.admin("PUT", "/dns/a.example", {"type": "A", "value": "192.0.2.1"})
    alias = {"type": "CNAME", "value": "b.example."}
    assert "CNAME" in strict.admin("PUT", "/dns/a.example", alias, expect=400)["error"]


async def test_dns_can_run_without_strict_identities() -> None:
    async with seslocal.running(settings=seslocal.Settings(dns_port=0)) as local:
        assert local.names is not None
        query = dns.message.make_query("amazonses.com", "TXT")
        port = local.names.port
        answer = await asyncio.to_thread(dns.query.udp, query, "127.0.0.1", 5, port)
        assert answer.answer
        assert local.account.behaviour.verify_at_once
