"""Whatever a stranger publishes is judged: nothing that a record holds is an error of the program."""

from hypothesis import given
from hypothesis import strategies as st

from mailcordon.adapters.dns.public_suffixes import PublicSuffixes
from mailcordon.control.authentication import (
    dkim_record,
    dmarc_record,
    judgement,
    spf_record,
)
from mailcordon.control.authentication.subject import Domain, Mail
from mailcordon_fixtures.written_dns import WrittenDns

SUFFIXES = PublicSuffixes()
OCTETS = st.text(st.characters(max_codepoint=255), max_size=60)
TERMS = [
    "a", "mx", "ptr", "-all", "~all", "ip4:192.0.2.1", "ip4:192.0.2.0/24", "include:b.example", "include:%{d}", "%{", "a:",
    "redirect=b.example", "exists:%{ir}.x", "exp=b.example", "a:%{l}%{p}..x", "mx:b.example/33", "ip6:::1", "x=y",
    "include:amazonses.com",
]  # fmt: skip
TAGS = [
    "p=none", "p=x", "sp=reject", "np=none", "rua=mailto:a@b.example", "rua=x", "aspf=s", "adkim=s", "psd=y", "psd=n",
    "t=y", "pct=5",
]  # fmt: skip
KEY_TAGS = ["v=DKIM1", "k=rsa", "p=AAAA", "p=", "t=s", "h=sha1"]
SPF = st.lists(st.sampled_from(TERMS) | OCTETS, max_size=6).map(lambda terms: "v=spf1 " + " ".join(terms))
DMARC = st.lists(st.sampled_from(TAGS) | OCTETS, max_size=5).map(lambda tags: "v=DMARC1; " + "; ".join(tags))
KEY = st.lists(st.sampled_from(KEY_TAGS) | OCTETS, max_size=4).map("; ".join)
TEXTS = st.lists(SPF | DMARC | KEY | OCTETS, min_size=1, max_size=3)
NAMES = st.sampled_from(
    [
        "acme.example",
        "bounce.acme.example",
        "_dmarc.acme.example",
        "t1._domainkey.acme.example",
        "b.example",
        "amazonses.com",
    ]
)
TYPES = st.one_of(
    st.fixed_dictionaries({"TXT": TEXTS}),
    st.fixed_dictionaries(
        {"TXT": TEXTS, "MX": st.lists(st.sampled_from(["10 b.example", "0 .", ""]), min_size=1)}
    ),
    st.fixed_dictionaries({"CNAME": st.lists(NAMES, min_size=1, max_size=1)}),
)


@given(OCTETS | SPF)
def test_a_text_is_an_spf_record_or_has_a_place_where_it_is_not(text: str) -> None:
    try:
        spf_record.parse(text)
    except spf_record.SpfSyntaxError as error:
        place = error.position
    else:
        place = 0
    assert 0 <= place <= len(text)


@given(OCTETS | DMARC | KEY)
def test_any_text_can_be_read(text: str) -> None:
    dmarc_record.parse(dmarc_record.parse(text).repaired)
    dkim_record.parse(text)


@given(OCTETS | DMARC)
def test_a_repaired_record_is_right(text: str) -> None:
    assert dmarc_record.parse(dmarc_record.parse(text).repaired).faults == ()


@given(st.dictionaries(NAMES, TYPES), st.sets(NAMES, max_size=2))
async def test_any_zone_is_judged(records: dict[str, dict[str, list[str]]], silent: set[str]) -> None:
    domain = Domain(name="acme.example", region="us-east-1", tokens=("t1",), mail_from="bounce.acme.example")
    dns = WrittenDns(records, silent=silent)
    found = await judgement.judge(domain, [Mail(lane="a", from_domain="x.acme.example")], dns, SUFFIXES)
    assert len(found.mails) == 1
    assert all(fault.sentence.isprintable() for fault in found.faults)
    assert len(dns.asked) < 250
