"""Look-ups against a real name server that can be made to fail: the local SES's."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from mailcordon.adapters.dns import resolver as resolvers
from mailcordon.adapters.dns.reply import NoReply, Server
from mailcordon.adapters.dns.resolver import Resolver, chosen
from mailcordon.control.authentication.lookup import Found
from seslocal import server
from seslocal.state.name_faults import NameFault
from seslocal.state.settings import Settings
from seslocal.state.zone import Record

PATIENCE = 20.0  #: seconds; on a busy machine an answer takes its time


class Dns:
    """A name server, and a resolver that asks it."""

    def __init__(self, local: Any) -> None:
        self._account = local.account
        self.server = Server("127.0.0.1", local.names.port)

    def put(self, *records: tuple[str, str, str]) -> None:
        by_name: dict[tuple[str, str], list[Record]] = {}
        for name, type, value in records:
            by_name.setdefault((name, type), []).append(Record(name, type, value))
        for same in by_name.values():
            self._account.zone.put(same)

    def fail(self, name: str, **how: Any) -> None:
        self._account.faults.names.put(NameFault(name=name, **how))

    def check(
        self, *, authoritative: bool = False, patience: float = PATIENCE, **limits: Any
    ) -> resolvers.Check:
        return Resolver([self.server], seconds=patience).check(authoritative=authoritative, **limits)


@pytest.fixture
async def dns() -> AsyncIterator[Dns]:
    local = server.Local(Settings(strict=True, dns_port=0), server.Clock())
    await local.listen("127.0.0.1", 0)
    try:
        yield Dns(local)
    finally:
        await local.close()


async def test_each_type_is_a_text(dns: Dns) -> None:
    dns.put(
        ("a.example", "A", "192.0.2.1"),
        ("a.example", "AAAA", "2001:db8::1"),
        ("a.example", "MX", "10 MX.a.example."),
        ("a.example", "MX", "20 mx2.a.example."),
        ("a.example", "TXT", '"two " "strings"'),
        ("a.example", "NS", "ns.A.example."),
        ("n.example", "MX", "0 ."),
        ("c.example", "CNAME", "A.example."),
    )
    check = dns.check()
    assert (await check.find("A.example.", "A")).records == ("192.0.2.1",)
    assert (await check.find("a.example", "AAAA")).records == ("2001:db8::1",)
    assert sorted((await check.find("a.example", "MX")).records) == ["10 mx.a.example", "20 mx2.a.example"]
    assert (await check.find("a.example", "TXT")).records == ("two strings",)
    assert (await check.find("a.example", "NS")).records == ("ns.a.example",)
    assert (await check.find("n.example", "MX")).records == ("0 .",)
    assert (await check.find("c.example", "CNAME")).records == ("a.example",)


async def test_octets_that_are_no_ascii_stay_what_they_are(dns: Dns) -> None:
    dns.put(("a.example", "TXT", '"v=spf1 caf\\233 -all"'))
    assert (await dns.check().find("a.example", "TXT")).records == ("v=spf1 caf\xe9 -all",)


async def test_a_missing_name_differs_from_a_missing_record(dns: Dns) -> None:
    dns.put(("b.a.example", "A", "192.0.2.1"))
    check = dns.check()
    assert (await check.find("a.example", "TXT")).found is Found.NO_RECORDS
    assert (await check.find("b.a.example", "TXT")).found is Found.NO_RECORDS
    assert (await check.find("c.example", "TXT")).found is Found.NO_NAME


async def test_aliases_are_followed_and_told(dns: Dns) -> None:
    dns.put(
        ("_dmarc.a.example", "CNAME", "b.example."),
        ("b.example", "CNAME", "c.example."),
        ("c.example", "TXT", "here"),
        ("_dmarc.d.example", "CNAME", "gone.example."),
    )
    found = await dns.check().find("_dmarc.a.example", "TXT")
    assert (found.records, found.canonical, found.aliases) == (
        ("here",),
        "c.example",
        ("_dmarc.a.example", "b.example"),
    )
    gone = await dns.check().find("_dmarc.d.example", "TXT")
    assert (gone.found, gone.canonical) == (Found.NO_NAME, "gone.example")


async def test_aliases_in_a_circle_end(dns: Dns) -> None:
    dns.put(("a.example", "CNAME", "b.example."), ("b.example", "CNAME", "a.example."))
    found = await dns.check().find("a.example", "TXT")
    assert (found.found, found.detail) == (Found.FAILED, "b.example: more than 8 aliases")


@pytest.mark.parametrize(
    ("how", "detail"),
    [
        ({"rcode": "SERVFAIL"}, "SERVFAIL"),
        ({"rcode": "REFUSED"}, "REFUSED"),
        ({"lame": True}, "127.0.0.1 does not serve this zone"),
        ({"delay": 60.0}, "no answer in 1 s"),
        ({"truncate": True, "no_tcp": True}, "127.0.0.1 closed the connection over TCP"),
    ],
)
@pytest.mark.parametrize("authoritative", [False, True])
async def test_a_server_that_fails_is_never_a_missing_name(
    dns: Dns, how: dict[str, Any], detail: str, authoritative: bool
) -> None:
    dns.put(("a.example", "TXT", "here"))
    dns.fail("a.example", **how)
    patience = 1.0 if "delay" in how else PATIENCE
    found = await dns.check(authoritative=authoritative, patience=patience).find("a.example", "TXT")
    assert (found.found, found.detail) == (Found.FAILED, detail)


async def test_a_truncated_answer_comes_over_tcp(dns: Dns) -> None:
    dns.put(("a.example", "TXT", "here"))
    dns.fail("a.example", truncate=True)
    assert (await dns.check().find("a.example", "TXT")).records == ("here",)


async def test_a_large_answer_is_whole_and_one_with_too_many_records_is_refused(dns: Dns) -> None:
    dns.put(*(("a.example", "TXT", f"{number:03} " + "x" * 200) for number in range(64)))
    dns.put(*(("b.example", "TXT", f"{number:03}") for number in range(65)))
    assert len((await dns.check().find("a.example", "TXT")).records) == 64
    found = await dns.check().find("b.example", "TXT")
    assert (found.found, found.detail) == (Found.FAILED, "more than 64 records")


async def test_the_next_server_is_asked_if_one_does_not_answer(dns: Dns) -> None:
    dns.put(("a.example", "TXT", "here"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        dead = Server("127.0.0.1", silent.getsockname()[1])
        check = Resolver([dead, dns.server], seconds=3.0).check(authoritative=False)
        assert (await check.find("a.example", "TXT")).records == ("here",)


async def test_one_check_asks_a_question_once_and_the_next_check_again(dns: Dns) -> None:
    dns.put(("a.example", "TXT", "before"))
    resolver = Resolver([dns.server], seconds=PATIENCE)
    first = resolver.check(authoritative=False, questions=1)
    await asyncio.gather(*(first.find("a.example", "TXT") for _ in range(5)))
    dns.put(("a.example", "TXT", "after"))
    assert (await first.find("a.example", "TXT")).records == ("before",)
    assert (await resolver.check(authoritative=False).find("a.example", "TXT")).records == ("after",)


async def test_a_check_that_asks_too_much_or_takes_too_long_knows_nothing_more(dns: Dns) -> None:
    check = dns.check(questions=1)
    assert (await check.find("a.example", "TXT")).found is Found.NO_NAME
    assert (await check.find("b.example", "TXT")).detail == "the check asks too many questions"
    assert (await dns.check(seconds=0.0).find("a.example", "TXT")).detail == "the check takes too long"


async def test_a_question_that_waited_too_long_for_its_turn_says_so(dns: Dns) -> None:
    resolver = Resolver([dns.server], seconds=PATIENCE)
    with pytest.raises(NoReply, match="the check takes too long"):
        await resolver.ask([dns.server], "a.example", "TXT", recursive=True, deadline=monotonic() - 1)


def test_one_address_of_each_host_is_asked_before_a_second_one_and_at_most_six() -> None:
    hosts = [[Server(f"192.0.2.{host}{n}") for n in range(4)] for host in range(1, 5)]
    last = [server.address[-2:] for server in chosen(hosts)]
    assert last == ["10", "20", "30", "40", "11", "21"]
    assert chosen([[], []]) == []


@pytest.mark.parametrize("name", ["a..example", "x" * 64 + ".example", "a." * 130 + "example", ""])
async def test_what_is_no_name_is_no_error_of_the_program(dns: Dns, name: str) -> None:
    assert (await dns.check().find(name, "TXT")).found in (Found.FAILED, Found.NO_NAME)


# -- the zones' own servers ---------------------------------------------------------------------------------------


async def test_a_zone_is_asked_at_its_own_name_servers(dns: Dns) -> None:
    dns.put(
        ("a.example", "NS", "ns.a.example."),
        ("ns.a.example", "A", "127.0.0.1"),
        ("_dmarc.a.example", "TXT", "here"),
    )
    found = await dns.check(authoritative=True).find("_dmarc.a.example", "TXT")
    assert (found.records, found.authoritative) == (("here",), True)


@pytest.mark.parametrize("address", ["10.0.0.53", "127.0.0.53", "169.254.169.254", "0.0.0.0", "224.0.0.251"])
async def test_name_servers_inside_our_network_are_never_asked(dns: Dns, address: str) -> None:
    dns.put(
        ("a.example", "NS", "ns.a.example."), ("ns.a.example", "A", address), ("a.example", "TXT", "here")
    )
    found = await dns.check(authoritative=True).find("a.example", "TXT")
    assert (found.found, found.detail) == (
        Found.FAILED,
        "the name servers of a.example have no public address",
    )


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700:4700::1111", True),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("::1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:0a00:0001::1", False),
        ("fd00::1", False),
        ("fec0::1", False),
        ("::10.0.0.1", False),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::8.8.8.8", True),
        ("64:ff9b:1::8.8.8.8", False),
        ("fe80::1", False),
        ("ff02::fb", False),
        ("ns.example", False),
    ],
)
def test_only_addresses_of_the_internet_are_public(address: str, public: bool) -> None:
    assert resolvers.is_public(address) is public


async def test_a_zone_that_cannot_be_found_is_looked_for_once(dns: Dns) -> None:
    dns.fail("a.example", rcode="SERVFAIL")
    check = dns.check(authoritative=True, questions=1)
    for type in ("MX", "TXT", "A"):
        assert (await check.find("a.example", type)).detail == "SERVFAIL"


async def test_a_delegated_zone_that_its_server_does_not_serve_is_not_empty(dns: Dns) -> None:
    dns.put(("a.example", "NS", "ns.a.example."), ("ns.a.example", "A", "127.0.0.1"))
    dns.fail("_dmarc.a.example", lame=True)
    found = await dns.check(authoritative=True).find("_dmarc.a.example", "TXT")
    assert found.found is Found.FAILED


def test_the_resolvers_of_this_host_are_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(
        "# x\nsearch example\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\nnameserver x\nnameserver\n"
    )
    assert resolvers.host_servers(file) == (Server("192.0.2.53"), Server("fe80::1"))
    assert resolvers.host_servers(tmp_path / "none") == (Server("127.0.0.1"),)
