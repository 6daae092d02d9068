"""What one look-up of a recipient's domain brings, and what is known after it. No database."""

import dataclasses
from collections.abc import Mapping

import pytest

from mailcordon.control import provider_learning
from mailcordon.control.provider_learning import BELIEVED_MS, Known, Seen, learnt, look_up
from mailcordon.core.mailbox_hosts import Found, Records
from mailcordon.core.provider import Provider
from mailcordon_fixtures.written_dns import WrittenDns

NOW = 1_795_000_000_000
DOMAIN = "acme.example"
Zone = Mapping[str, Mapping[str, list[str]]]


def google() -> Seen:
    return Seen(found=Found.RECORDS, records=Records(mx=((10, "aspmx.l.google.com"),)))


@pytest.mark.parametrize(
    ("zone", "found"),
    [
        ({DOMAIN: {"MX": ["10 aspmx.l.google.com"]}}, Found.RECORDS),
        ({DOMAIN: {"A": ["198.51.100.7"]}}, Found.IMPLICIT),
        ({DOMAIN: {"AAAA": ["2001:db8::7"]}}, Found.IMPLICIT),
        ({DOMAIN: {"MX": ["0 "]}}, Found.NULL_MX),
        ({DOMAIN: {"MX": ["0 ."]}}, Found.NULL_MX),
        ({DOMAIN: {"TXT": ["v=spf1 -all"]}}, Found.NOTHING),
        ({}, Found.NO_NAME),
    ],
)
async def test_a_look_up_tells_apart_what_a_domain_publishes(zone: Zone, found: Found) -> None:
    assert (await look_up(DOMAIN, WrittenDns(zone))).found is found


async def test_a_question_without_an_answer_is_never_taken_for_no_records() -> None:
    silent_mx = await look_up(DOMAIN, WrittenDns({DOMAIN: {"A": ["198.51.100.7"]}}, silent=[(DOMAIN, "MX")]))
    assert silent_mx.found is Found.FAILED
    silent_address = await look_up(DOMAIN, WrittenDns({DOMAIN: {"TXT": ["x"]}}, silent=[(DOMAIN, "AAAA")]))
    assert silent_address.found is Found.FAILED


async def test_a_domain_with_a_known_host_takes_one_question() -> None:
    dns = WrittenDns({DOMAIN: {"MX": ["10 acme-example.mail.protection.outlook.com"]}})
    await look_up(DOMAIN, dns)
    assert dns.asked == [(DOMAIN, "MX")]


@pytest.mark.parametrize(
    "hints",
    [
        {DOMAIN: {"TXT": ["other", "v=spf1 include:spf.protection.outlook.com -all"]}},
        {f"autodiscover.{DOMAIN}": {"CNAME": ["autodiscover.outlook.com"]}},
        {f"_autodiscover._tcp.{DOMAIN}": {"SRV": ["0 0 443 autodiscover.outlook.com"]}},
    ],
)
async def test_the_mailboxes_behind_a_gateway_are_asked_for(hints: dict[str, dict[str, list[str]]]) -> None:
    zone = {DOMAIN: {"MX": ["10 mx1.ppe-hosted.com"]}}
    for name, kinds in hints.items():
        zone[name] = zone.get(name, {}) | kinds
    known = learnt(DOMAIN, None, await look_up(DOMAIN, WrittenDns(zone)), NOW)
    assert (known.provider, known.behind) == (Provider.PROOFPOINT, Provider.MICROSOFT)


async def test_a_hint_that_fails_to_come_does_not_fail_the_look_up() -> None:
    zone = {DOMAIN: {"MX": ["10 mx1.ppe-hosted.com"]}}
    silent = [(DOMAIN, "TXT"), f"autodiscover.{DOMAIN}", f"_autodiscover._tcp.{DOMAIN}"]
    known = learnt(DOMAIN, None, await look_up(DOMAIN, WrittenDns(zone, silent=silent)), NOW)
    assert (known.provider, known.behind, known.failures) == (Provider.PROOFPOINT, None, 0)


async def test_records_that_are_no_exchange_are_passed_over() -> None:
    seen = await look_up(DOMAIN, WrittenDns({DOMAIN: {"MX": ["x y", "20 mail.acme.example", "-1 z"]}}))
    assert seen.records.mx == ((20, "mail.acme.example"),)


@pytest.mark.parametrize("found", [Found.NO_NAME, Found.NOTHING, Found.NULL_MX, Found.IMPLICIT])
def test_an_answer_without_mx_is_other_and_believed_for_less_long(found: Found) -> None:
    known = learnt(DOMAIN, None, Seen(found=found), NOW)
    assert (known.provider, known.learnt_at) == (Provider.OTHER, NOW)
    assert NOW < known.expires_at == NOW + BELIEVED_MS[found] < NOW + BELIEVED_MS[Found.RECORDS]


def test_a_failed_look_up_keeps_what_was_known_and_is_tried_again_ever_later() -> None:
    known = learnt(DOMAIN, None, google(), NOW)
    waits: list[int] = []
    for _ in range(15):
        at = known.expires_at
        known = learnt(DOMAIN, known, Seen(found=Found.FAILED, detail="SERVFAIL"), at)
        waits.append(known.expires_at - at)
    assert (known.provider, known.found, known.learnt_at, known.mx) == (
        Provider.GMAIL,
        Found.RECORDS,
        NOW,
        ("aspmx.l.google.com",),
    )
    assert (known.failures, known.detail) == (15, "SERVFAIL")
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (provider_learning.FIRST_RETRY_MS, provider_learning.LONGEST_RETRY_MS)


def test_a_domain_whose_first_look_up_failed_is_unknown() -> None:
    known = learnt(DOMAIN, None, Seen(found=Found.FAILED, detail="SERVFAIL"), NOW)
    assert (known.provider, known.found, known.learnt_at) == (Provider.UNKNOWN, Found.FAILED, 0)
    assert learnt(DOMAIN, known, google(), NOW + 1).since == NOW + 1


def test_a_domain_that_moves_has_its_provider_since_then() -> None:
    first = learnt(DOMAIN, None, google(), NOW)
    again = learnt(DOMAIN, first, google(), NOW + 5)
    moved = learnt(
        DOMAIN, again, Seen(found=Found.RECORDS, records=Records(mx=((1, "mx.yandex.net"),))), NOW + 9
    )
    assert (again.since, moved.since, moved.provider) == (NOW, NOW + 9, Provider.YANDEX)
    assert again == dataclasses.replace(
        first, learnt_at=NOW + 5, asked_at=NOW + 5, expires_at=again.expires_at
    )


def test_with_the_local_ses_a_changed_record_is_seen_within_a_minute() -> None:
    known = learnt(DOMAIN, None, google(), NOW, most_ms=provider_learning.LOCAL_MS)
    assert known.expires_at == NOW + 60_000


async def test_a_reserved_domain_is_never_asked_for() -> None:
    class Store:
        def __init__(self) -> None:
            self.recorded: list[Known] = []

        async def claim(self, most: int, *, lease_ms: int) -> tuple[list[str], int]:
            return ["acme.internal", "acme.test"], NOW

        async def known(self, domains: object) -> dict[str, Known]:
            return {}

        async def record(self, learnt: list[Known]) -> None:
            self.recorded += learnt

    store, dns = Store(), WrittenDns({})
    learning = provider_learning.ProviderLearning(store, lambda *_: dns, local=False)  # type: ignore[arg-type]
    await learning.advance()
    assert [one.found for one in store.recorded] == [Found.NO_NAME, Found.NO_NAME]
    assert dns.asked == []
