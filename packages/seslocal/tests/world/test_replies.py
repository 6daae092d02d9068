"""The providers' words."""

import re
from collections import Counter
from ipaddress import ip_address, ip_network
from typing import get_args

import msgspec
import pytest

from seslocal.world import replies
from seslocal.world.envelope import Envelope
from seslocal.world.providers import SYSTEMS
from seslocal.world.reply import Reply
from seslocal.world.verdict import Cause
from seslocal_fixtures.world_senders import plain

AT = 1_790_000_000.0
EVERY = (*SYSTEMS, "unreachable")
DOCUMENTATION = [
    ip_network(one) for one in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]
#: causes for which all have words of its own
SAID_BY_ALL = {
    "refuse": ("no_mailbox", "full", "reputation", "content", "authentication", "too_large"),
    "defer": ("rate", "full", "weather"),
}
MAIL = plain("k", "anna.smith@gmail.com", from_domain="news.shop.example")


def to(system: str) -> Envelope:
    return msgspec.structs.replace(MAIL, recipient=f"anna.smith@acme.{system}.example")


def spoken(outcome: replies.Outcome, cause: Cause, recipient: str, about: replies.About = "") -> str:
    return replies.find(
        outcome, cause, msgspec.structs.replace(MAIL, recipient=recipient), 0.1, AT, about
    ).spoken()


# as somebody who reads bounces every day knows them


@pytest.mark.parametrize(
    ("said", "recipient", "outcome", "cause", "about"),
    [
        (
            r"550-5\.1\.1 The email account that you tried to reach does not exist\. Please try\n550-5\.1\.1 double-checking"
            r".*\n550-5\.1\.1 .*\n550 5\.1\.1  https://support\.google\.com/mail/\?p=NoSuchUser [0-9a-f]{13}-\S+ - gsmtp",
            "x@gmail.com",
            "refuse",
            "no_mailbox",
            "",
        ),
        (
            r"421-4\.7\.28 Gmail has detected an unusual rate.*DKIM\n421-4\.7\.28 domain \[shop\.example {6}35\]",
            "x@gmail.com",
            "defer",
            "rate",
            "domain",
        ),
        (
            r"550-5\.7\.1 \[192\.0\.2\.25 {6}19\] .*\n.*very low reputation of the sending domain",
            "x@gmail.com",
            "refuse",
            "reputation",
            "domain",
        ),
        (
            r"550-5\.7\.26 Unauthenticated email from news\.shop\.example is not accepted",
            "x@gmail.com",
            "refuse",
            "authentication",
            "dmarc",
        ),
        (
            r"550 5\.5\.0 Requested action not taken: mailbox unavailable \(S2017062302\)\. \[BN\dPEPF0000[0-9A-F]{4}\.",
            "x@hotmail.com",
            "refuse",
            "no_mailbox",
            "",
        ),
        (
            r"451 4\.7\.650 The mail server \[192\.0\.2\.25\] has been temporarily rate limited due to IP .* \(S775\)",
            "x@outlook.com",
            "defer",
            "reputation",
            "",
        ),
        (
            r"550 5\.7\.1 Unfortunately, messages from \[192\.0\.2\.25\] weren't sent\..*\(S3140\)",
            "x@live.com",
            "refuse",
            "reputation",
            "",
        ),
        (
            r"550 5\.7\.515 Access denied, sending domain news\.shop\.example .* Spf= Pass , Dkim= Pass , DMARC= Pass",
            "x@msn.com",
            "refuse",
            "authentication",
            "",
        ),
        (
            r"552 1 Requested mail action aborted, mailbox not found",
            "x@yahoo.com",
            "refuse",
            "no_mailbox",
            "",
        ),
        (
            r"421 4\.7\.0 \[TSS04\] Messages from 192\.0\.2\.25 temporarily deferred",
            "x@aol.com",
            "defer",
            "reputation",
            "",
        ),
        (r"550 5\.1\.1 <x@icloud\.com>: user does not exist", "x@icloud.com", "refuse", "no_mailbox", ""),
        (
            r"550 5\.7\.1 \[CS01\] Message rejected due to local policy\.",
            "x@me.com",
            "refuse",
            "reputation",
            "",
        ),
        (
            r"550-Requested action not taken: mailbox unavailable\n550 For explanation visit https://postmaster\.gmx",
            "x@web.de",
            "refuse",
            "no_mailbox",
            "",
        ),
        (
            r"554 IP=192\.0\.2\.25 - None/bad reputation\..*\(NOWL\)",
            "x@t-online.de",
            "refuse",
            "reputation",
            "",
        ),
        (
            r"550 5\.1\.1 \S+ Adresse d au moins un destinataire invalide\. Invalid recipient\. OFR_416",
            "x@orange.fr",
            "refuse",
            "no_mailbox",
            "",
        ),
        (
            r"550 5\.4\.1 Recipient address rejected: Access denied\..*EXOSmtpErrors",
            "x@acme.exchange-online.example",
            "refuse",
            "no_mailbox",
            "",
        ),
        (
            r"550 5\.7\.606 Access denied, banned sending IP \[192\.0\.2\.25\]",
            "x@acme.exchange-online.example",
            "refuse",
            "reputation",
            "",
        ),
        (
            r"550 5\.7\.0 Blocked - see https://ipcheck\.proofpoint\.com/\?ip=192\.0\.2\.25",
            "x@acme.proofpoint.example",
            "refuse",
            "reputation",
            "",
        ),
        (
            r"451 Internal resources are temporarily unavailable - https://community\.mimecast\.com/docs/DOC-1369#451 \[",
            "x@acme.mimecast.example",
            "defer",
            "greylisted",
            "",
        ),
        (
            r"554 5\.7\.1 Service unavailable; Client host \[192\.0\.2\.25\] blocked using zen\.spamhaus\.org;",
            "x@acme.postfix.example",
            "refuse",
            "listed",
            "",
        ),
        (
            r"450 4\.2\.0 <x@acme\.postfix\.example>: Recipient address rejected: Greylisted, see http://postgrey",
            "x@acme.postfix.example",
            "defer",
            "greylisted",
            "",
        ),
        (r"550 No Such User Here", "x@acme.exim.example", "refuse", "no_mailbox", ""),
        (
            r"554-esa\d\.hc\d{4}-\d\d\.iphmx\.com\n554 Your access to this mail system has been rejected due to ",
            "x@acme.cisco.example",
            "refuse",
            "reputation",
            "",
        ),
    ],
)
def test_providers_say_what_they_are_known_for(
    said: str, recipient: str, outcome: replies.Outcome, cause: Cause, about: replies.About
) -> None:
    assert re.match(said, spoken(outcome, cause, recipient, about))


def test_acceptances_are_the_providers_own_too() -> None:
    assert re.fullmatch(
        r"250 2\.0\.0 OK  1790000000 [0-9a-f]{13}-[0-9a-f]{11}si\d{8}[a-z]{3}\.\d{3} - gsmtp",
        spoken("accept", "", "x@gmail.com"),
    )
    assert spoken("accept", "", "x@yahoo.com") == "250 ok dirdel"
    found = replies.find("accept", "", to("outlook"), 0.1, AT)
    assert found.spoken("id@email.amazonses.com").startswith(
        "250 2.6.0 <id@email.amazonses.com> [InternalId="
    )


# the form of all


def test_every_reply_has_a_source_that_its_file_names_and_is_of_a_known_case() -> None:
    for system in EVERY:
        given = replies.read(system)
        for reply in given["reply"]:
            assert reply["source"] in given["sources"], (system, reply["text"])
            assert reply.get("cause", "") in get_args(Cause)
            assert reply["kind"] in get_args(replies.Outcome)
            assert reply.get("about", "") in get_args(replies.About)
            assert not set(reply) - {"kind", "cause", "about", "share", "code", "status", "text", "source"}
        assert {one["source"] for one in given["reply"]} <= set(given["sources"])


def test_codes_and_statuses_agree_with_what_is_said() -> None:
    digits = {"accept": 2, "defer": 4, "refuse": 5, "return": 5}
    for system in EVERY:
        for case in replies.cases(system):
            for reply in replies.all_of(system, case, to(system), AT):
                assert reply.code // 100 == digits[case[0]], (system, reply)
                assert not reply.status or re.fullmatch(
                    rf"{digits[case[0]]}\.\d{{1,3}}\.\d{{1,3}}", reply.status
                )
                assert all(len(line) <= 512 for line in reply.spoken().split("\n"))  # RFC 5321, 4.5.3.1.5


def test_no_gap_is_left_open() -> None:
    for system in EVERY:
        for case in replies.cases(system):
            for reply in replies.all_of(system, case, to(system), AT):
                assert not re.search(r"[{}]", reply.spoken("m")), (system, reply)


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_has_words_of_its_own_for_the_common_causes(system: str) -> None:
    own = {case[:2] for case in replies.cases(system)}
    assert ("accept", "") in own
    assert [
        (outcome, one)
        for outcome, causes in SAID_BY_ALL.items()
        for one in causes
        if (outcome, one) not in own
    ] == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_cause_has_an_answer(system: str) -> None:
    for outcome in ("defer", "refuse", "return"):
        for cause in get_args(Cause):
            found = replies.find(outcome, cause, to(system), 0.5, AT)
            assert found.code // 100 == (4 if outcome == "defer" else 5)
            assert found.text


def test_a_bounce_that_comes_later_has_words_wherever_one_comes() -> None:
    for system in SYSTEMS:
        for cause in ("no_mailbox", "full"):
            if any(replies.answer("refuse", cause, to(system), n / 997, AT).returned for n in range(997)):
                assert ("return", cause, "") in replies.cases(system)


def test_hosts_have_addresses_for_documentation_only() -> None:
    for system in SYSTEMS:
        for number in range(20):
            found = replies.answer("inbox", "", to(system), number / 20, AT)
            assert found.host
            assert any(ip_address(found.address) in network for network in DOCUMENTATION)
    assert replies.answer("refuse", "no_host", to("postfix"), 0.5, AT).address == ""


# choice and ids


def test_the_same_chance_gives_the_same_reply_and_others_give_other_ids() -> None:
    first = [replies.answer("refuse", "no_mailbox", MAIL, n / 1_000, AT) for n in range(1_000)]
    assert first == [replies.answer("refuse", "no_mailbox", MAIL, n / 1_000, AT) for n in range(1_000)]
    assert len({one.text for one in first}) == 1_000


def test_replies_are_chosen_by_their_shares() -> None:
    found = Counter(
        replies.find("refuse", "no_mailbox", to("yahoo"), n / 1_000, AT).code for n in range(1_000)
    )
    assert found == {552: 500, 554: 500}


def test_a_hint_that_a_system_has_no_words_for_does_not_matter() -> None:
    plain = replies.find("refuse", "content", to("postfix"), 0.2, AT)
    assert replies.find("refuse", "content", to("postfix"), 0.2, AT, about="domain") == plain


def test_the_hosts_of_one_organisation_have_one_name() -> None:
    names = {replies.answer("inbox", "", to("proofpoint"), n / 50, AT).host for n in range(50)}
    assert len(names) == 1
    other = msgspec.structs.replace(MAIL, recipient="a@other.proofpoint.example")
    assert replies.answer("inbox", "", other, 0.5, AT).host not in names


# verdicts


def test_a_system_that_looks_up_later_accepts_and_returns() -> None:
    found = [replies.answer("refuse", "no_mailbox", to("exchange"), n / 2_003, AT) for n in range(2_003)]
    late = [one for one in found if one.returned is not None]
    assert 0.4 < len(late) / len(found) < 0.5
    for one in late:
        assert one.accepted
        assert one.cause == "no_mailbox"
        assert one.code == 250
        assert one.bounce is not None
        assert one.bounce.code == 550
    assert all(one.kind == "refuse" and one.bounce is None for one in found if one.returned is None)


def test_weather_makes_answers_slower() -> None:
    usual = replies.answer("inbox", "", MAIL, 0.4, AT)
    assert replies.answer("inbox", "", MAIL, 0.4, AT, slower=3).seconds == pytest.approx(3 * usual.seconds)
    assert replies.answer("inbox", "", MAIL, 0.4, AT, slower=1e6).seconds == 600  # RFC 5321, 4.5.3.2.6


def test_lines_are_spoken_as_smtp_does() -> None:
    assert Reply(550, "5.1.1", "one\ntwo").spoken() == "550-5.1.1 one\n550 5.1.1 two"
    assert Reply(554, "", "one\ntwo").spoken() == "554-one\n554 two"
    assert Reply(250, "2.0.0", "OK").spoken() == "250 2.0.0 OK"
