"""DMARC as RFC 9989 has it: what a record says, where it is looked for, and whose mail it lets pass."""

import pytest

from mailcordon.adapters.dns.public_suffixes import PublicSuffixes
from mailcordon.control.authentication import alignment, dmarc_discovery, dmarc_record
from mailcordon_fixtures.written_dns import WrittenDns

SUFFIXES = PublicSuffixes()

# -- records ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "v=DMARC1; p=none",
        "v=DMARC1;p=reject;",
        "V = DMARC1 ; P = Reject ;\tSP=none ; adkim=s;aspf=R",
        "v=DMARC1; sp=reject; p=none",
        "v=DMARC1; rua=mailto:a@acme.example",
        "v=DMARC1; p=none; rua=mailto:a@acme.example , mailto:b@acme.example!10m",
        "v=DMARC1; p=none; rua=mailto:a@acme.example\t,\tmailto:b@acme.example; later \t=\t x",
        "v=DMARC1; p=none; rua=https://acme.example/reports",
        "v=DMARC1; p=none; fo=1:d:s; ruf=mailto:a@acme.example",
        "v=DMARC1; p=quarantine; pct=25; rf=afrf; ri=86400",
        "v=DMARC1; p=none; pct=many",
        "v=DMARC1; p=none; later=anything at all",
        "v=DMARC1; p=reject; np=none; psd=u; t=y",
    ],
)
def test_what_the_rfc_allows_is_right(text: str) -> None:
    assert dmarc_record.parse(text).faults == ()


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("v=DMARC1", "p"),
        ("v=DMARC1;", "p"),
        ("v=DMARC1 p=none", "v"),
        ("v=dmarc1; p=none", "v"),
        ("v=DMARC2; p=none", "v"),
        ("p=none; v=DMARC1", "v"),
        (" v=DMARC1; p=none", "v"),
        ("v=DMARC1; p=nothing", "p"),
        ("v=DMARC1; p=", "p"),
        ("v=DMARC1; p=none; sp=rejected", "sp"),
        ("v=DMARC1; p=none; np=y", "np"),
        ("v=DMARC1; p=none; adkim=strict", "adkim"),
        ("v=DMARC1; p=none; aspf=x", "aspf"),
        ("v=DMARC1; p=none; psd=no", "psd"),
        ("v=DMARC1; p=none; t=x", "t"),
        ("v=DMARC1; p=none; fo=01", "fo"),
        ("v=DMARC1; p=none; p=reject", "p"),
        ("v=DMARC1; p=none;; sp=none", ""),
        ("v=DMARC1; p=none; reject", "reject"),
        ("v=DMARC1; p=none; rua=dmarc@acme.example", "rua"),
        ("v=DMARC1; p=none; rua=mailto:acme.example", "rua"),
        ("v=DMARC1; p=none; rua=mailto:a@acme.example!", "rua"),
        ("v=DMARC1; p=none; rua=mailto:a@acme.example!10p", "rua"),
        ("v=DMARC1; p=none; ruf=mailto:a@acme.example,", "ruf"),
        ("v=DMARC1; p=none; rua=mailto:caf\xe9@acme.example", "rua"),
    ],
)
def test_what_is_wrong_is_named_by_its_tag(text: str, tag: str) -> None:
    assert [fault.tag for fault in dmarc_record.parse(text).faults][:1] == [tag]


def test_receivers_take_defaults_for_wrong_tags_and_ignore_unknown_ones() -> None:
    record = dmarc_record.parse("v=DMARC1; p=reject; adkim=strict; t=x; pct=5; later=1")
    assert (record.policy, record.strict_dkim, record.testing) == ("reject", False, False)
    assert record.ignored == ("pct", "later")


@pytest.mark.parametrize(
    ("text", "applies", "policy"),
    [
        ("v=DMARC1; p=quarantine", True, "quarantine"),
        ("v=DMARC1; rua=mailto:a@acme.example", True, "none"),
        ("v=DMARC1; p=wrong; rua=mailto:a@acme.example", True, "none"),
        ("v=DMARC1; p=reject; sp=wrong; rua=mailto:a@acme.example", True, "none"),
        ("v=DMARC1; p=reject; sp=wrong", False, "none"),
        ("v=DMARC1; p=wrong; rua=a@acme.example", False, "none"),
        ("v=DMARC1;", False, "none"),
    ],
)
def test_a_wrong_policy_is_none_with_an_address_for_reports_and_no_record_without(
    text: str, applies: bool, policy: str
) -> None:
    record = dmarc_record.parse(text)
    assert (record.applies, record.policy) == (applies, policy)


def test_sub_domains_have_the_policy_that_is_for_them() -> None:
    record = dmarc_record.parse("v=DMARC1; p=reject; sp=quarantine; np=none")
    assert (record.policy_below(exists=True), record.policy_below(exists=False)) == ("quarantine", "none")
    assert dmarc_record.parse("v=DMARC1; p=reject").policy_below(exists=False) == "reject"
    assert dmarc_record.parse("v=DMARC1; p=reject; sp=none").policy_below(exists=False) == "none"


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("v=DMARC1; p=reject; sp=reject", ()),
        ("v=DMARC1; sp=none; p=reject", ("order",)),
        ("v=DMARC1; p=reject; pct=10", ("pct",)),
        ("v=DMARC1; p=none; pct=10", ()),
        ("v=DMARC1; p=none; pct=many", ("wrong-removed",)),
        ("v=DMARC1; p=reject; t=y", ("testing",)),
        ("v=DMARC1; p=none; np=reject; psd=n", ("np", "psd")),
    ],
)
def test_what_readers_of_the_old_rfc_decide_otherwise_is_known(text: str, codes: tuple[str, ...]) -> None:
    assert dmarc_record.parse(text).old_readers == codes


# -- discovery ----------------------------------------------------------------------------------------------------


def dns(**records: str) -> WrittenDns:
    """DMARC records by domain; `_` is a dot."""
    return WrittenDns({f"_dmarc.{name.replace('_', '.')}": {"TXT": [text]} for name, text in records.items()})


def test_a_walk_asks_at_most_eight_times_and_shortens_long_names() -> None:
    assert list(dmarc_discovery.targets("a.b.c.d.e.f.g.h.i.j.mail.example.com")) == [
        "a.b.c.d.e.f.g.h.i.j.mail.example.com",
        "g.h.i.j.mail.example.com",
        "h.i.j.mail.example.com",
        "i.j.mail.example.com",
        "j.mail.example.com",
        "mail.example.com",
        "example.com",
        "com",
    ]
    assert len(list(dmarc_discovery.targets("a.b.c.d.e.f.example.com"))) == 8
    assert list(dmarc_discovery.targets("example.com")) == ["example.com", "com"]


async def test_the_organisation_is_the_highest_domain_with_a_record() -> None:
    found = await dmarc_discovery.walk(
        "a.mail.example.com", dns(mail_example_com="v=DMARC1; p=none", example_com="v=DMARC1; p=reject")
    )
    assert found.organisation == "example.com"
    assert found.policy_step is not None
    assert found.policy_step.domain == "example.com"


async def test_the_domains_own_record_is_the_policy_and_need_not_be_the_organisations() -> None:
    found = await dmarc_discovery.walk(
        "mail.example.com", dns(mail_example_com="v=DMARC1; p=none", example_com="v=DMARC1; p=reject")
    )
    assert found.organisation == "example.com"
    assert found.policy_step is not None
    assert found.policy_step.domain == "mail.example.com"


async def test_psd_n_ends_the_walk_at_an_organisation() -> None:
    zone = dns(mail_example_com="v=DMARC1; p=none; psd=n", example_com="v=DMARC1; p=reject")
    assert (await dmarc_discovery.walk("a.mail.example.com", zone)).organisation == "mail.example.com"
    assert ("_dmarc.example.com", "TXT") not in zone.asked


async def test_below_a_public_suffix_the_organisation_is_one_label_down() -> None:
    zone = dns(com="v=DMARC1; p=reject; psd=y")
    found = await dmarc_discovery.walk("a.mail.example.com", zone)
    assert found.organisation == "example.com"
    assert found.policy_step is not None
    assert found.policy_step.domain == "com"
    assert (await dmarc_discovery.walk("com", zone)).organisation == "com"


async def test_two_records_are_none() -> None:
    zone = WrittenDns({"_dmarc.example.com": {"TXT": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}})
    found = await dmarc_discovery.walk("example.com", zone)
    assert found.policy_step is None
    assert found.steps[0].found == 2


async def test_other_texts_beside_the_record_do_not_count() -> None:
    zone = WrittenDns({"_dmarc.example.com": {"TXT": ["v=DMARC1; p=none", "v=spf1 -all", "x"]}})
    found = await dmarc_discovery.walk("example.com", zone)
    assert found.policy_step is not None


async def test_a_walk_with_a_lookup_that_failed_is_not_known() -> None:
    zone = WrittenDns(
        {"_dmarc.mail.example.com": {"TXT": ["v=DMARC1; p=none"]}}, silent=["_dmarc.example.com"]
    )
    assert not (await dmarc_discovery.walk("mail.example.com", zone)).known


# -- alignment ----------------------------------------------------------------------------------------------------


def align(from_domain: str, authenticated: str, *, strict: bool) -> bool:
    return alignment.aligned(
        from_domain,
        authenticated,
        strict=strict,
        organisation_of=lambda domain: dmarc_discovery.listed_organisation(domain, SUFFIXES),
    )


@pytest.mark.parametrize(
    ("from_domain", "authenticated", "relaxed", "strict"),
    [
        ("acme.example", "ACME.example.", True, True),
        ("news.acme.example", "bounce.acme.example", True, False),
        ("acme.example", "notacme.example", False, False),
        ("acme.example", "acme.example.evil.test", False, False),
        ("acme.co.uk", "zen.co.uk", False, False),
        ("acme.co.uk", "co.uk", False, False),
        ("co.uk", "co.uk", True, True),
        ("", "", False, False),
    ],
)
def test_domains_align_by_their_organisation_or_exactly(
    from_domain: str, authenticated: str, relaxed: bool, strict: bool
) -> None:
    assert align(from_domain, authenticated, strict=False) is relaxed
    assert align(from_domain, authenticated, strict=True) is strict
