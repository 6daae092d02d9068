"""The local DNS fails by name, and shows what owners of verified domains have published."""

from collections.abc import Iterator

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest
from botocore.config import Config

import seslocal
from seslocal_fixtures.world import SESSION, Background, World

DOMAIN = "mail.acme.example"
BOUNCES = "bounces.mail.acme.example"


@pytest.fixture(scope="module")
def server() -> Iterator[Background]:
    server = Background(seslocal.Settings(event_delay=0.001, dns_port=0))
    yield server
    server.stop()


@pytest.fixture
def world(server: Background) -> Iterator[World]:
    config = Config(retries={"total_max_attempts": 1})
    ses = SESSION.client("sesv2", endpoint_url=server.local.url, config=config)
    world = World(server.local, ses, None)
    world.admin("POST", "/reset")
    yield world
    ses.close()


def ask(
    world: World, name: str, kind: str, *, tcp: bool = False, timeout: float = 5.0
) -> dns.message.Message:
    assert world.local.names is not None
    over = dns.query.tcp if tcp else dns.query.udp
    query = dns.message.make_query(name, kind)
    return over(query, "127.0.0.1", port=world.local.names.port, timeout=timeout)


def texts(answer: dns.message.Message) -> list[str]:
    return [record.to_text() for found in answer.answer for record in found]


@pytest.fixture
def published(world: World) -> World:
    world.admin("PUT", "/dns/a.example", {"type": "TXT", "value": "here"})
    return world


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "NXDOMAIN"])
def test_a_name_answers_with_the_code_of_its_fault_and_others_as_before(published: World, rcode: str) -> None:
    published.admin("PUT", "/dns/b.example", {"type": "TXT", "value": "there"})
    published.admin("PUT", "/dns/faults/A.example.", {"rcode": rcode})
    assert ask(published, "a.example", "TXT").rcode() == dns.rcode.from_text(rcode)
    assert texts(ask(published, "b.example", "TXT")) == ['"there"']
    published.admin("DELETE", "/dns/faults/a.example")
    assert texts(ask(published, "a.example", "TXT")) == ['"here"']


def test_a_truncated_answer_is_whole_over_tcp_unless_that_is_closed(published: World) -> None:
    published.admin("PUT", "/dns/faults/a.example", {"truncate": True})
    cut = ask(published, "a.example", "TXT")
    assert cut.flags & dns.flags.TC
    assert not cut.answer
    assert texts(ask(published, "a.example", "TXT", tcp=True)) == ['"here"']
    published.admin("PUT", "/dns/faults/a.example", {"truncate": True, "no_tcp": True})
    with pytest.raises(EOFError):
        ask(published, "a.example", "TXT", tcp=True)


def test_a_lame_server_has_nothing_and_no_authority(published: World) -> None:
    published.admin("PUT", "/dns/faults/a.example", {"lame": True})
    answer = ask(published, "a.example", "TXT")
    assert answer.rcode() == dns.rcode.NOERROR
    assert not answer.flags & dns.flags.AA
    assert not answer.answer


@pytest.mark.parametrize("tcp", [False, True])
def test_a_delayed_answer_comes_late(published: World, tcp: bool) -> None:
    published.admin("PUT", "/dns/faults/a.example", {"delay": 0.4})
    with pytest.raises(dns.exception.Timeout):
        ask(published, "a.example", "TXT", tcp=tcp, timeout=0.1)
    assert texts(ask(published, "a.example", "TXT", tcp=tcp)) == ['"here"']


def test_faults_are_listed_and_end_with_a_reset(published: World) -> None:
    published.admin("PUT", "/dns/faults/a.example", {"delay": 5})
    shown = {
        "name": "a.example",
        "rcode": None,
        "delay": 5.0,
        "truncate": False,
        "no_tcp": False,
        "lame": False,
    }
    assert published.admin("GET", "/dns/faults") == {"faults": [shown]}
    published.admin("POST", "/reset")
    assert published.admin("GET", "/dns/faults") == {"faults": []}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "needs one of"),
        ({"rcode": "NOERROR"}, "rcode"),
        ({"delay": 61}, "delay"),
        ({"truncate": "yes"}, "truncate"),
        ({"rcodes": "SERVFAIL"}, "rcodes"),
    ],
)
def test_a_fault_that_does_not_exist_is_refused(world: World, body: dict[str, object], sentence: str) -> None:
    assert sentence in world.admin("PUT", "/dns/faults/a.example", body, expect=400)["error"]


def test_names_with_faults_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seslocal.state.name_faults.MOST", 1)
    world.admin("PUT", "/dns/faults/a.example", {"lame": True})
    world.admin("PUT", "/dns/faults/a.example", {"delay": 1})
    world.admin("PUT", "/dns/faults/b.example", {"lame": True}, expect=400)


def test_records_of_verified_domains_are_there_as_if_their_owner_had_published_them(world: World) -> None:
    tokens = world.ses.create_email_identity(EmailIdentity=DOMAIN)["DkimAttributes"]["Tokens"]
    world.ses.put_email_identity_mail_from_attributes(EmailIdentity=DOMAIN, MailFromDomain=BOUNCES)
    alias = f"{tokens[0]}._domainkey.{DOMAIN}"
    assert texts(ask(world, alias, "CNAME")) == [f"{tokens[0]}.dkim.amazonses.com."]
    assert texts(ask(world, BOUNCES, "MX")) == ["10 feedback-smtp.us-east-1.amazonses.com."]
    assert texts(ask(world, BOUNCES, "TXT")) == ['"v=spf1 include:amazonses.com ~all"']
    assert ask(world, "acme.example", "TXT").rcode() == dns.rcode.NOERROR
    assert ask(world, f"_dmarc.{DOMAIN}", "TXT").rcode() == dns.rcode.NXDOMAIN


def test_what_is_put_wins_over_records_of_the_same_type(world: World) -> None:
    tokens = world.ses.create_email_identity(EmailIdentity=DOMAIN)["DkimAttributes"]["Tokens"]
    world.ses.put_email_identity_mail_from_attributes(EmailIdentity=DOMAIN, MailFromDomain=BOUNCES)
    world.admin("PUT", f"/dns/{BOUNCES}", {"type": "TXT", "value": "v=spf1 -all"})
    assert texts(ask(world, BOUNCES, "TXT")) == ['"v=spf1 -all"']
    assert texts(ask(world, BOUNCES, "MX")) == ["10 feedback-smtp.us-east-1.amazonses.com."]
    alias = f"{tokens[0]}._domainkey.{DOMAIN}"
    world.admin("PUT", f"/dns/{alias}", {"type": "TXT", "value": "no alias"})
    assert texts(ask(world, alias, "CNAME")) == []
    world.admin("PUT", "/dns/amazonses.com", {"type": "TXT", "value": "v=spf1 -all"})
    assert texts(ask(world, "amazonses.com", "TXT")) == ['"v=spf1 -all"']


def test_records_of_a_domain_that_is_not_verified_are_not_there(world: World) -> None:
    tokens = world.ses.create_email_identity(EmailIdentity=DOMAIN)["DkimAttributes"]["Tokens"]
    world.admin("PUT", f"/identities/{DOMAIN}", {"status": "PENDING"})
    assert ask(world, f"{tokens[0]}._domainkey.{DOMAIN}", "CNAME").rcode() == dns.rcode.NXDOMAIN
