"""SPF as RFC 7208 has it: what a record may say, and what a receiver finds."""

import ipaddress

import pytest

from mailcordon.control.authentication import spf_check, spf_record
from mailcordon.control.authentication.spf_check import Because, Client, Spf, SpfResult
from mailcordon_fixtures.written_dns import WrittenDns


async def check(
    records: dict[str, list[str]] | WrittenDns, address: str = "192.0.2.1", sender: str = "kim@acme.example"
) -> SpfResult:
    dns = (
        records
        if isinstance(records, WrittenDns)
        else WrittenDns({name: {"TXT": texts} for name, texts in records.items()})
    )
    client = Client(address=ipaddress.ip_address(address), helo="mail.sender.example", sender=sender)
    return await spf_check.check_host("acme.example", client, dns)


@pytest.mark.parametrize(
    "text",
    [
        "v=spf1",
        "V=SPF1 -ALL",
        "v=spf1  a   mx  ",
        "v=spf1 +a ?mx ~ptr -all",
        "v=spf1 a:acme.example/24//64 mx/24 mx//64 a/0",
        "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ip6:::192.0.2.1",
        "v=spf1 include:%{d}.acme.example exists:%{ir}.%{v}._spf.%{d2} redirect=_spf.%{d}",
        "v=spf1 exists:%{L1r+-}.acme.example a:foo%%bar.%_%-.acme-net.example",
        "v=spf1 a:acme.xn--55qx5d -all",
        "v=spf1 a:a/b.acme.example -all",
        "v=spf1 later.name_x-1=%{d} -all exp=why.%{d}",
        "v=spf1 a:acme.example. -all",
    ],
)
def test_what_the_grammar_allows_is_read(text: str) -> None:
    assert spf_record.parse(text).text == text


@pytest.mark.parametrize(
    ("text", "term", "position"),
    [
        ("v=spf1 a all: -all", "all:", 9),
        ("v=spf1 -all/8", "-all/8", 7),
        ("v=spf1 include -all", "include", 7),
        ("v=spf1 include: -all", "include:", 7),
        ("v=spf1 include:acme.example/24 -all", "include:acme.example/24", 7),
        ("v=spf1 ip4 -all", "ip4", 7),
        ("v=spf1 ip4:192.0.2 -all", "ip4:192.0.2", 7),
        ("v=spf1 ip4:192.0.2.01 -all", "ip4:192.0.2.01", 7),
        ("v=spf1 ip4:192.0.2.0/33 -all", "ip4:192.0.2.0/33", 7),
        ("v=spf1 ip4:192.0.2.0/024 -all", "ip4:192.0.2.0/024", 7),
        ("v=spf1 ip4:192.0.2.0/24/24 -all", "ip4:192.0.2.0/24/24", 7),
        ("v=spf1 ip6:2001:db8::/129 -all", "ip6:2001:db8::/129", 7),
        ("v=spf1 ip6:fe80::1%eth0 -all", "ip6:fe80::1%eth0", 7),
        ("v=spf1 ip6:192.0.2.1 -all", "ip6:192.0.2.1", 7),
        ("v=spf1 a: -all", "a:", 7),
        ("v=spf1 a:museum -all", "a:museum", 7),
        ("v=spf1 a:acme.123 -all", "a:acme.123", 7),
        ("v=spf1 a:acme.example:25 -all", "a:acme.example:25", 7),
        ("v=spf1 mx/ -all", "mx/", 7),
        ("v=spf1 mx/24/64 -all", "mx/24/64", 7),
        ("v=spf1 exists:%{x}.acme.example", "exists:%{x}.acme.example", 7),
        ("v=spf1 exists:%{d0}.acme.example", "exists:%{d0}.acme.example", 7),
        ("v=spf1 exists:%{t}.acme.example", "exists:%{t}.acme.example", 7),
        ("v=spf1 exists:%d.acme.example", "exists:%d.acme.example", 7),
        ("v=spf1 redirect=a.example redirect=b.example", "redirect=b.example", 26),
        ("v=spf1 exp=a.example exp=a.example -all", "exp=a.example", 21),
        ("v=spf1 redirect= -all", "redirect=", 7),
        ("v=spf1 x=%{ -all", "x=%{", 7),
        ("v=spf1 mail.acme.example -all", "mail.acme.example", 7),
        ("v=spf1 - all", "-", 7),
        ("v=spf1 a\t-all", "a\t-all", 7),
        ("v=spf1 -all\n", "-all\n", 7),
        ("v=spf1 a:caf\xe9.example -all", "a:caf\xe9.example", 7),
        ("v=spf1 ipv4:192.0.2.1 -all", "ipv4:192.0.2.1", 7),
    ],
)
def test_the_first_wrong_term_is_named_with_its_place(text: str, term: str, position: int) -> None:
    with pytest.raises(spf_record.SpfSyntaxError) as wrong:
        spf_record.parse(text)
    assert (wrong.value.term, wrong.value.position) == (term, position)


@pytest.mark.parametrize(
    "text", ["", "v=spf10 -all", "v=spf1; -all", "v=spf1\t-all", " v=spf1 -all", "v=spf1\n"]
)
def test_other_texts_are_no_spf_records(text: str) -> None:
    assert not spf_record.is_spf(text)


def test_terms_that_cost_a_lookup_are_counted_and_a_redirect_beside_all_is_not() -> None:
    assert (
        spf_record.parse("v=spf1 a mx ptr include:a.example exists:b.example ip4:192.0.2.1").direct_lookups
        == 5
    )
    assert spf_record.parse("v=spf1 a redirect=b.example").direct_lookups == 2
    assert spf_record.parse("v=spf1 a redirect=b.example -all").direct_lookups == 1


@pytest.mark.parametrize(
    ("sign", "result"), [("", "pass"), ("+", "pass"), ("-", "fail"), ("~", "softfail"), ("?", "neutral")]
)
async def test_the_sign_of_what_matches_first_is_the_result(sign: str, result: str) -> None:
    found = await check({"acme.example": [f"v=spf1 ip4:198.51.100.0/24 {sign}ip4:192.0.2.0/24 -all"]})
    assert found.result == result
    assert found.term == f"{sign}ip4:192.0.2.0/24"


async def test_nothing_that_matches_is_neutral() -> None:
    assert (await check({"acme.example": ["v=spf1 ip4:198.51.100.1"]})).result is Spf.NEUTRAL


async def test_a_domain_without_a_record_has_no_result() -> None:
    found = await check({"acme.example": ["google-site-verification=x"]})
    assert (found.result, found.because) == (Spf.NONE, Because.NO_RECORD)


async def test_two_records_are_a_permanent_error() -> None:
    found = await check({"acme.example": ["v=spf1 +all", "v=spf1 -all"]})
    assert (found.result, found.because) == (Spf.PERMERROR, Because.TWO_RECORDS)


async def test_a_wrong_term_behind_the_one_that_matches_is_still_a_permanent_error() -> None:
    found = await check({"acme.example": ["v=spf1 +all ipv4:192.0.2.1"]})
    assert (found.result, found.because) == (Spf.PERMERROR, Because.SYNTAX)


async def test_an_include_matches_only_what_passes_there() -> None:
    for inner, result in (
        ("+all", Spf.PASS),
        ("-all", Spf.SOFTFAIL),
        ("~all", Spf.SOFTFAIL),
        ("?all", Spf.SOFTFAIL),
    ):
        found = await check(
            {"acme.example": ["v=spf1 include:b.example ~all"], "b.example": [f"v=spf1 {inner}"]}
        )
        assert found.result is result


async def test_what_is_included_must_have_a_record() -> None:
    found = await check({"acme.example": ["v=spf1 include:b.example -all"]})
    assert (found.result, found.because, found.where) == (Spf.PERMERROR, Because.NO_RECORD, "b.example")


async def test_a_redirect_gives_the_other_domains_result() -> None:
    found = await check({"acme.example": ["v=spf1 redirect=b.example"], "b.example": ["v=spf1 -all"]})
    assert (found.result, found.where) == (Spf.FAIL, "b.example")
    assert (await check({"acme.example": ["v=spf1 redirect=b.example"]})).result is Spf.PERMERROR


def chain(length: int) -> dict[str, list[str]]:
    """A record with `length` terms that cost look-ups before the one that passes."""
    return {
        "acme.example": [
            "v=spf1 " + " ".join(f"include:i{n}.example" for n in range(length)) + " ip4:192.0.2.1 -all"
        ],
        **{f"i{n}.example": ["v=spf1 -all"] for n in range(length)},
    }


async def test_ten_lookups_are_allowed_and_the_eleventh_is_a_permanent_error() -> None:
    assert (await check(chain(10))).result is Spf.PASS
    found = await check(chain(11))
    assert (found.result, found.because) == (Spf.PERMERROR, Because.TOO_MANY_LOOKUPS)
    assert [cost.term for cost in found.trace][-1] == "include:i10.example"


async def test_lookups_of_what_is_included_count_too() -> None:
    records = chain(9) | {"i0.example": ["v=spf1 include:i1.example include:i2.example -all"]}
    assert (await check(records)).because is Because.TOO_MANY_LOOKUPS


async def test_a_record_that_includes_itself_ends() -> None:
    found = await check({"acme.example": ["v=spf1 include:acme.example -all"]})
    assert found.because is Because.TOO_MANY_LOOKUPS


async def test_two_lookups_may_find_nothing_and_the_third_is_a_permanent_error() -> None:
    two = "v=spf1 a:x.example a:y.example ip4:192.0.2.1 -all"
    assert (await check({"acme.example": [two]})).result is Spf.PASS
    three = "v=spf1 a:x.example mx:y.example exists:z.example ip4:192.0.2.1 -all"
    assert (await check({"acme.example": [three]})).because is Because.TOO_MANY_VOIDS


async def test_more_than_ten_exchanges_are_a_permanent_error() -> None:
    dns = WrittenDns(
        {"acme.example": {"TXT": ["v=spf1 mx -all"], "MX": [f"10 m{n}.acme.example" for n in range(11)]}}
    )
    assert (await check(dns)).because is Because.TOO_MANY_NAMES


async def test_addresses_and_exchanges_match_by_their_prefix_and_family() -> None:
    dns = WrittenDns(
        {
            "acme.example": {"TXT": ["v=spf1 a:h.example/24 mx//64 -all"], "MX": ["10 m.example"]},
            "h.example": {"A": ["192.0.2.200"]},
            "m.example": {"AAAA": ["2001:db8::1"]},
        }
    )
    assert (await check(dns)).term == "a:h.example/24"
    assert (await check(dns, address="2001:db8::ffff")).term == "mx//64"
    assert (await check(dns, address="2001:db8:1::1")).result is Spf.FAIL
    assert (await check(dns, address="::ffff:192.0.2.9")).term == "a:h.example/24"  # an IPv4 client


async def test_a_name_of_the_address_matches_only_if_it_has_the_address() -> None:
    dns = WrittenDns(
        {
            "acme.example": {"TXT": ["v=spf1 ptr -all"]},
            "1.2.0.192.in-addr.arpa": {"PTR": ["liar.acme.example", "h.acme.example"]},
            "liar.acme.example": {"A": ["198.51.100.1"]},
            "h.acme.example": {"A": ["192.0.2.1"]},
            "2.2.0.192.in-addr.arpa": {"PTR": ["liar.acme.example"]},
        }
    )
    assert (await check(dns)).result is Spf.PASS
    assert (await check(dns, address="192.0.2.2")).result is Spf.FAIL


async def test_a_lookup_that_fails_is_a_temporary_error_and_says_so() -> None:
    dns = WrittenDns({"acme.example": {"TXT": ["v=spf1 include:b.example -all"]}}, silent=["b.example"])
    found = await check(dns)
    assert (found.result, found.because) == (Spf.TEMPERROR, Because.LOOKUP_FAILED)
    assert found.detail == "TXT of b.example: no answer in 5 s"


@pytest.mark.parametrize(
    ("address", "macros", "name"),
    [  # RFC 7208 7.4
        ("192.0.2.3", "%{s}.x.example", "strong-bad@email.acme.example.x.example"),
        ("192.0.2.3", "%{o}.x.example", "email.acme.example.x.example"),
        ("192.0.2.3", "%{d1}.x.example", "example.x.example"),
        ("192.0.2.3", "%{dr}.x.example", "example.acme.x.example"),
        ("192.0.2.3", "%{l-}.x.example", "strong.bad.x.example"),
        ("192.0.2.3", "%{lr-}.x.example", "bad.strong.x.example"),
        ("192.0.2.3", "%{l1r-}.x.example", "strong.x.example"),
        ("192.0.2.3", "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.acme.example"),
        ("192.0.2.3", "%{p}.x.example", "unknown.x.example"),
        ("192.0.2.3", "%{h2}.x.example", "sender.example.x.example"),
        (
            "2001:db8::cb01",
            "%{ir}.%{v}._spf.%{d2}",
            "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.acme.example",
        ),
    ],
)
async def test_macros_become_the_names_of_the_rfc(address: str, macros: str, name: str) -> None:
    dns = WrittenDns({"acme.example": {"TXT": [f"v=spf1 exists:{macros} -all"]}, name: {"A": ["127.0.0.2"]}})
    found = await check(dns, address=address, sender="strong-bad@email.acme.example")
    assert (name, "A") in dns.asked
    assert found.result is Spf.PASS


async def test_a_name_that_is_too_long_loses_labels_from_the_left() -> None:
    label = "x" * 60
    record = f"v=spf1 exists:{label}.{label}.{label}.{label}.%{{d}}.{label}.example -all"
    dns = WrittenDns({"acme.example": {"TXT": [record]}})
    await check(dns)
    assert dns.asked[-1] == (f"{label}.{label}.{label}.acme.example.{label}.example"[61:], "A")


async def test_a_failure_is_explained_in_its_domains_words_and_never_in_those_of_an_include() -> None:
    dns = WrittenDns(
        {
            "acme.example": {"TXT": ["v=spf1 include:b.example -all exp=why.%{d}"]},
            "b.example": {"TXT": ["v=spf1 -all exp=other.b.example"]},
            "why.acme.example": {"TXT": ["%{i} may not send as %{d}%_(%{L})"]},
            "other.b.example": {"TXT": ["not this"]},
        }
    )
    found = await check(dns, sender="a+b@acme.example")
    assert found.explanation == "192.0.2.1 may not send as acme.example (a%2Bb)"


async def test_a_count_without_a_mail_has_every_term_that_can_be_reached() -> None:
    dns = WrittenDns(
        {
            "acme.example": {
                "TXT": ["v=spf1 a include:b.example include:%{d}.c.example mx redirect=d.example"]
            },
            "b.example": {"TXT": ["v=spf1 mx include:acme.example -all"]},
            "d.example": {"TXT": ["v=spf1 a -all"]},
        }
    )
    trace = await spf_check.count_lookups("acme.example", dns)
    assert [(cost.domain, cost.term) for cost in trace] == [
        ("acme.example", "a"),
        ("acme.example", "include:b.example"),
        ("b.example", "mx"),
        ("b.example", "include:acme.example"),
        ("acme.example", "include:%{d}.c.example"),
        ("acme.example", "mx"),
        ("acme.example", "redirect=d.example"),
        ("d.example", "a"),
    ]
