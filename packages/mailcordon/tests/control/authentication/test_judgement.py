"""The computed answer: each planted fault is named once, with the record to publish, and each lane's mail is weighed."""

from dataclasses import replace

import pytest

from mailcordon.adapters.dns.public_suffixes import PublicSuffixes
from mailcordon.control.authentication import judgement
from mailcordon.control.authentication.faults import Code, Fault
from mailcordon.control.authentication.judgement import Judgement, Result
from mailcordon.control.authentication.subject import Domain, Mail
from mailcordon_fixtures.written_dns import WrittenDns

SUFFIXES = PublicSuffixes()
Records = dict[str, dict[str, list[str]]]

ACME = Domain(
    name="acme.example",
    region="us-east-1",
    tokens=("t1", "t2", "t3"),
    dkim_status="SUCCESS",
    mail_from="bounce.acme.example",
    mail_from_status="SUCCESS",
)
KEY = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC6WzDV7X0s"
SPF = "v=spf1 include:amazonses.com ~all"
MX = "10 feedback-smtp.us-east-1.amazonses.com"


def zone() -> Records:
    """All that acme.example needs."""
    aliases = {f"{token}._domainkey.acme.example": f"{token}.dkim.amazonses.com" for token in ACME.tokens}
    return {
        **{name: {"CNAME": [target]} for name, target in aliases.items()},
        "bounce.acme.example": {"MX": [MX], "TXT": [SPF]},
        "_dmarc.acme.example": {"TXT": ["v=DMARC1; p=quarantine"]},
        "amazonses.com": {"TXT": ["v=spf1 ip4:192.0.2.0/24 ip4:198.51.100.0/24 -all"]},
    }


DMARC = "_dmarc.acme.example"
BOUNCE = "bounce.acme.example"


async def judge(records: Records | WrittenDns, domain: Domain = ACME, *from_domains: str) -> Judgement:
    dns = records if isinstance(records, WrittenDns) else WrittenDns(records)
    mails = [Mail(lane=f"lane{n}", from_domain=each) for n, each in enumerate(from_domains or (domain.name,))]
    return await judgement.judge(domain, mails, dns, SUFFIXES)


def changed(name: str, kinds: dict[str, list[str]] | None) -> Records:
    records = zone()
    records.pop(name, None)
    if kinds is not None:
        records[name] = kinds
    return records


def one(found: Judgement, code: Code) -> Fault:
    [fault] = [each for each in found.faults if each.code is code]
    return fault


async def test_a_domain_with_all_its_records_passes_by_both() -> None:
    found = await judge(zone())
    assert found.faults == ()
    assert (found.passes, found.complete, found.authoritative) == (True, True, True)
    [answer] = found.mails
    assert (answer.result, answer.organisation, answer.policy) == (
        Result.PASSES_BOTH,
        "acme.example",
        "quarantine",
    )
    assert answer.sentence == "Mail from acme.example passes DMARC by DKIM and SPF."


# -- DKIM ---------------------------------------------------------------------------------------------------------


async def test_a_missing_dkim_record_is_named_with_what_to_publish() -> None:
    found = await judge(changed("t2._domainkey.acme.example", None))
    fault = one(found, Code.DKIM_MISSING)
    assert fault.sentence.startswith("t2._domainkey.acme.example has no CNAME record")
    assert fault.publish is not None
    assert (fault.publish.type, fault.publish.name, fault.publish.value) == (
        "CNAME",
        "t2._domainkey.acme.example",
        "t2.dkim.amazonses.com",
    )
    assert found.mails[0].result is Result.PASSES_SPF_ONLY
    assert found.mails[0].sentence == "Mail from acme.example passes DMARC by SPF only: DKIM fails."


async def test_a_record_at_a_name_that_has_the_domain_twice_is_found() -> None:
    records = changed("t1._domainkey.acme.example", None)
    records["t1._domainkey.acme.example.acme.example"] = {"CNAME": ["t1.dkim.amazonses.com"]}
    fault = one(await judge(records), Code.DKIM_MISSING)
    assert fault.sentence.endswith(
        "It is at t1._domainkey.acme.example.acme.example: the DNS console appended the domain by itself."
    )


async def test_what_a_wildcard_answers_is_not_taken_for_the_record() -> None:
    records = changed("t1._domainkey.acme.example", None)
    records["t1._domainkey.acme.example.acme.example"] = {"CNAME": ["www.acme.example"]}
    del records[DMARC]
    records[f"{DMARC}.acme.example"] = {"TXT": ["any text"]}
    found = await judge(records)
    assert not [fault for fault in found.faults if "the DNS console" in fault.sentence]


async def test_the_target_must_be_in_the_zone_that_ses_named() -> None:
    domain = replace(ACME, signing_zone="dkim.eu-west-1.amazonses.com")
    found = await judge(zone(), domain)
    assert [fault.code for fault in found.faults] == [Code.DKIM_WRONG] * 3
    assert "instead of t1.dkim.eu-west-1.amazonses.com" in found.faults[0].sentence


@pytest.mark.parametrize(
    ("texts", "code", "words"),
    [
        ([f"v=DKIM1; k=rsa; p={KEY}"], None, ""),
        ([f"v=DKIM1; p={KEY[:-4]}AAAA"], Code.DKIM_WRONG, "not the key"),
        (["v=DKIM1; p="], Code.DKIM_WRONG, "revoked"),
        ([f"v=DKIM1; p={KEY}", "x"], Code.DKIM_WRONG, "2 TXT records"),
        (None, Code.DKIM_MISSING, "no TXT record"),
    ],
)
async def test_a_key_of_ours_must_be_there_and_be_the_same(
    texts: list[str] | None, code: Code | None, words: str
) -> None:
    domain = replace(ACME, tokens=(), selector="mc1", public_key=KEY)
    found = await judge(
        changed("mc1._domainkey.acme.example", None if texts is None else {"TXT": texts}), domain
    )
    assert [fault.code for fault in found.faults] == ([] if code is None else [code])
    assert all(words in fault.sentence for fault in found.faults)
    assert found.mails[0].result is (Result.PASSES_BOTH if code is None else Result.PASSES_SPF_ONLY)


async def test_signing_that_is_switched_off_is_an_error_whatever_the_dns_says() -> None:
    found = await judge(zone(), replace(ACME, signing=False))
    assert one(found, Code.DKIM_OFF).severity == "error"
    assert found.mails[0].sentence == "Mail from acme.example passes DMARC by SPF only: SES does not sign it."


@pytest.mark.parametrize(("status", "severity"), [("PENDING", "warning"), ("FAILED", "error")])
async def test_what_ses_has_not_verified_does_not_pass(status: str, severity: str) -> None:
    found = await judge(zone(), replace(ACME, dkim_status=status))
    assert one(found, Code.DKIM_PENDING).severity == severity
    assert found.mails[0].result is Result.PASSES_SPF_ONLY


async def test_a_domain_whose_tokens_are_not_known_yet_is_neither_right_nor_wrong() -> None:
    found = await judge(zone(), replace(ACME, tokens=()))
    assert found.mails[0].sentence == (
        "Mail from acme.example passes DMARC by SPF only: SES has not made its DKIM keys yet."
    )


# -- MAIL FROM and SPF --------------------------------------------------------------------------------------------


async def test_a_domain_without_a_mail_from_passes_by_dkim_only() -> None:
    found = await judge(zone(), replace(ACME, mail_from=None, mail_from_status=None))
    assert one(found, Code.MAIL_FROM_NONE).severity == "warning"
    assert (
        found.mails[0].sentence
        == "Mail from acme.example passes DMARC by DKIM only: MAIL FROM is amazonses.com."
    )


@pytest.mark.parametrize(
    ("kinds", "code"),
    [
        ({"TXT": [SPF]}, Code.MAIL_FROM_MX_MISSING),
        (None, Code.MAIL_FROM_MX_MISSING),
        ({"TXT": [SPF], "MX": [MX, "20 mx.acme.example"]}, Code.MAIL_FROM_MX_WRONG),
        ({"TXT": [SPF], "MX": ["10 feedback-smtp.eu-west-1.amazonses.com"]}, Code.MAIL_FROM_MX_WRONG),
    ],
)
async def test_without_its_mx_mail_from_falls_back_and_spf_does_not_align(
    kinds: dict[str, list[str]] | None, code: Code
) -> None:
    found = await judge(changed(BOUNCE, kinds))
    fault = one(found, code)
    assert fault.publish is not None
    assert (fault.publish.type, fault.publish.value) == ("MX", MX)
    assert found.mails[0].result is Result.PASSES_DKIM_ONLY
    assert found.mails[0].sentence == (
        "Mail from acme.example passes DMARC by DKIM only: MAIL FROM fell back to amazonses.com."
    )


@pytest.mark.parametrize(
    ("status", "severity"), [("PENDING", "warning"), ("TEMPORARY_FAILURE", "warning"), ("FAILED", "error")]
)
async def test_a_mail_from_that_is_not_active_at_ses_falls_back_though_its_records_are_there(
    status: str, severity: str
) -> None:
    found = await judge(zone(), replace(ACME, mail_from_status=status))
    assert one(found, Code.MAIL_FROM_PENDING).severity == severity
    assert found.mails[0].result is Result.PASSES_DKIM_ONLY


@pytest.mark.parametrize(
    ("texts", "code", "words"),
    [
        ([], Code.SPF_MISSING, "has no SPF record"),
        (["x"], Code.SPF_MISSING, "has no SPF record"),
        ([SPF, "v=spf1 -all"], Code.SPF_TWO_RECORDS, "has 2 SPF records"),
        (
            ["v=spf1 includes:amazonses.com ~all"],
            Code.SPF_SYNTAX,
            "wrong at term 1, `includes:amazonses.com`",
        ),
        (["v=spf1 ip4:203.0.113.1 -all"], Code.SPF_NOT_SES, "SPF says fail"),
        (["v=spf1 ip4:192.0.2.0/24 ~all"], Code.SPF_NOT_SES, "SPF says softfail"),
        (
            ["v=spf1 include:gone.example include:amazonses.com -all"],
            Code.SPF_BROKEN,
            "gone.example, which has no SPF",
        ),
        (
            ["v=spf1 a:x.gone.example a:y.gone.example mx:z.gone.example include:amazonses.com -all"],
            Code.SPF_TOO_MANY_VOIDS,
            "z.gone.example",
        ),
    ],
)
async def test_what_is_wrong_with_spf_is_named_with_the_one_record_to_publish(
    texts: list[str], code: Code, words: str
) -> None:
    found = await judge(changed(BOUNCE, {"MX": [MX], "TXT": texts}))
    fault = one(found, code)
    assert words in fault.sentence
    assert fault.publish is not None
    assert (fault.publish.type, fault.publish.name, fault.publish.value) == ("TXT", BOUNCE, SPF)
    assert found.mails[0].sentence == "Mail from acme.example passes DMARC by DKIM only: SPF does not pass."


def many_includes(before: int) -> Records:
    includes = [f"include:i{n}.example" for n in range(before)]
    records = changed(
        BOUNCE, {"MX": [MX], "TXT": [f"v=spf1 {' '.join(includes)} include:amazonses.com -all"]}
    )
    return records | {f"i{n}.example": {"TXT": ["v=spf1 -all"]} for n in range(before)}


async def test_an_eleventh_lookup_before_ses_is_named_is_an_error() -> None:
    assert (await judge(many_includes(9))).faults == ()
    found = await judge(many_includes(10))
    fault = one(found, Code.SPF_TOO_MANY_LOOKUPS)
    assert fault.severity == "error"
    assert fault.sentence == (
        "The SPF record of bounce.acme.example needs 11 look-ups, and 10 are allowed (the last: include:i8.example, "
        "include:i9.example, "
        "include:amazonses.com): receivers stop at the eleventh with an error."
    )


async def test_an_eleventh_lookup_behind_ses_is_a_warning_and_the_mail_passes() -> None:
    includes = " ".join(f"include:i{n}.example" for n in range(10))
    records = changed(BOUNCE, {"MX": [MX], "TXT": [f"v=spf1 include:amazonses.com {includes} -all"]})
    records |= {f"i{n}.example": {"TXT": ["v=spf1 -all"]} for n in range(10)}
    found = await judge(records)
    assert one(found, Code.SPF_TOO_MANY_LOOKUPS).severity == "warning"
    assert found.mails[0].result is Result.PASSES_BOTH


# -- DMARC --------------------------------------------------------------------------------------------------------


async def test_a_domain_without_a_dmarc_record_fails_and_gets_a_proposal() -> None:
    found = await judge(changed(DMARC, None))
    fault = one(found, Code.DMARC_MISSING)
    assert fault.publish is not None
    assert (fault.publish.name, fault.publish.value) == (DMARC, "v=DMARC1; p=none")
    assert found.mails[0].result is Result.FAILS
    assert found.mails[0].sentence == "Mail from acme.example fails DMARC, because there is no DMARC record."


async def test_an_alias_that_leads_to_a_record_is_as_good_as_the_record() -> None:
    records = changed(DMARC, {"CNAME": ["acme.reports.example"]})
    records["acme.reports.example"] = {"TXT": ["v=DMARC1; p=reject"]}
    found = await judge(records)
    assert found.faults == ()
    assert found.mails[0].policy == "reject"


@pytest.mark.parametrize("target", [None, {"TXT": ["not a record"]}, {"A": ["192.0.2.1"]}])
async def test_an_alias_that_leads_to_no_record_is_named(target: dict[str, list[str]] | None) -> None:
    records = changed(DMARC, {"CNAME": ["acme.reports.example"]})
    if target:
        records["acme.reports.example"] = target
    found = await judge(records)
    fault = one(found, Code.DMARC_ALIAS_EMPTY)
    assert fault.sentence == f"{DMARC} is a CNAME to acme.reports.example, which has no DMARC record."
    assert fault.publish is not None
    assert [each.code for each in found.faults] == [Code.DMARC_ALIAS_EMPTY]
    assert found.mails[0].result is Result.FAILS


@pytest.mark.parametrize("place", ["acme.example", "_dmarc.bounce.acme.example"])
async def test_a_record_where_nobody_looks_is_named_with_where_it_belongs(place: str) -> None:
    records = changed(DMARC, None)
    records[place] = {"TXT": ["v=DMARC1; p=reject"]}
    found = await judge(records)
    fault = one(found, Code.DMARC_WRONG_PLACE)
    assert (
        fault.sentence
        == f"The DMARC record at {place} is not used for mail from acme.example: it belongs at {DMARC}."
    )
    assert fault.publish is not None
    assert fault.publish.value == "v=DMARC1; p=reject"
    assert found.mails[0].result is Result.FAILS


async def test_a_record_between_the_from_domain_and_its_organisation_is_not_used() -> None:
    records = zone()
    records["_dmarc.mail.acme.example"] = {"TXT": ["v=DMARC1; p=reject"]}
    found = await judge(records, ACME, "a.mail.acme.example")
    fault = one(found, Code.DMARC_WRONG_PLACE)
    assert fault.severity == "warning"
    assert "(they use that of _dmarc.acme.example)" in fault.sentence
    assert found.mails[0].policy == "quarantine"


async def test_two_dmarc_records_are_none() -> None:
    found = await judge(changed(DMARC, {"TXT": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}))
    fault = one(found, Code.DMARC_TWO_RECORDS)
    assert fault.publish is not None
    assert fault.publish.value == "v=DMARC1; p=none"
    assert found.mails[0].result is Result.FAILS


@pytest.mark.parametrize(
    ("text", "severity", "publish", "result"),
    [
        ("v=DMARC1; p=reject; rua=dmarc@acme.example", "warning", "v=DMARC1; p=reject", Result.PASSES_BOTH),
        ("v=DMARC1; p=rejected", "error", "v=DMARC1; p=none", Result.FAILS),
        ("v=DMARC1 p=reject", "error", "v=DMARC1; p=none", Result.FAILS),
        ("v=dmarc1; p=reject", "error", "v=DMARC1; p=none", Result.FAILS),
    ],
)
async def test_a_wrong_record_is_named_with_a_right_one(
    text: str, severity: str, publish: str, result: Result
) -> None:
    found = await judge(changed(DMARC, {"TXT": [text]}))
    fault = one(found, Code.DMARC_SYNTAX)
    assert fault.publish is not None
    assert (fault.severity, fault.publish.value) == (severity, publish)
    assert found.mails[0].result is result


async def test_strict_spf_can_never_align_with_ses() -> None:
    found = await judge(changed(DMARC, {"TXT": ["v=DMARC1; p=reject; aspf=s"]}))
    assert one(found, Code.DMARC_STRICT_SPF).severity == "warning"
    assert found.mails[0].sentence == (
        "Mail from acme.example passes DMARC by DKIM only: SPF cannot align with SES (aspf=s)."
    )


async def test_strict_dkim_aligns_only_with_the_domain_that_signs() -> None:
    records = changed(DMARC, {"TXT": ["v=DMARC1; p=reject; adkim=s"]})
    found = await judge(records, ACME, "acme.example", "news.acme.example")
    assert one(found, Code.DMARC_STRICT_DKIM).record == DMARC
    assert [answer.result for answer in found.mails] == [Result.PASSES_BOTH, Result.PASSES_SPF_ONLY]


async def test_mail_that_passes_by_nothing_fails_with_both_reasons_and_the_policy() -> None:
    records = zone()
    for name in ("t1._domainkey.acme.example", BOUNCE):
        del records[name]
    records[DMARC] = {"TXT": ["v=DMARC1; p=reject"]}
    assert (await judge(records)).mails[0].sentence == (
        "Mail from acme.example fails DMARC, because DKIM fails and MAIL FROM fell back to amazonses.com."
        " Receivers reject it."
    )


async def test_sub_domains_have_the_policy_that_is_for_them_by_whether_they_exist() -> None:
    records = changed(DMARC, {"TXT": ["v=DMARC1; p=none; sp=quarantine; np=reject"]})
    records["news.acme.example"] = {"A": ["192.0.2.1"]}
    found = await judge(records, ACME, "news.acme.example", "gone.acme.example")
    assert [answer.policy for answer in found.mails] == ["quarantine", "reject"]


# -- readers of the old RFC ---------------------------------------------------------------------------------------


async def test_an_organisation_below_its_registration_is_noted_where_it_matters() -> None:
    """A record at a sub-domain alone: the walk ends there, and the list of suffixes is asked for the registration."""
    records = changed(DMARC, None)
    records["_dmarc.mail.acme.example"] = {"TXT": ["v=DMARC1; p=none"]}
    records["bounce.mail.acme.example"] = records.pop(BOUNCE)
    for token in ACME.tokens:
        records[f"{token}._domainkey.mail.acme.example"] = records.pop(f"{token}._domainkey.acme.example")
    domain = replace(ACME, name="mail.acme.example", mail_from="bounce.mail.acme.example")
    same = await judge(records, domain)
    assert same.faults == ()
    assert same.mails[0].organisation == "mail.acme.example"
    below = await judge(records, domain, "a.mail.acme.example")
    note = one(below, Code.DMARC_DIFFERENT_ORGANISATION)
    assert note.severity == "note"
    assert "is mail.acme.example by RFC 9989, and acme.example for receivers" in note.sentence
    assert below.mails[0].result is Result.PASSES_BOTH


async def test_domains_that_align_for_old_readers_only_are_noted() -> None:
    records = changed(DMARC, {"TXT": ["v=DMARC1; p=reject"]})
    records["_dmarc.news.acme.example"] = {"TXT": ["v=DMARC1; p=reject; psd=n"]}
    found = await judge(records, ACME, "news.acme.example")
    assert found.mails[0].result is Result.FAILS
    assert found.mails[0].sentence.startswith(
        "Mail from news.acme.example fails DMARC, because its organisational domain is different."
    )


# -- look-ups that fail -------------------------------------------------------------------------------------------


async def test_a_lookup_that_fails_says_nothing_and_is_no_missing_record() -> None:
    found = await judge(WrittenDns(zone(), silent=["t1._domainkey.acme.example"]))
    fault = one(found, Code.NOT_KNOWN)
    assert fault.unsure
    assert fault.sentence == (
        "Nothing is known about the CNAME record of t1._domainkey.acme.example: the DNS did not answer (no answer in 5 s)."
    )
    assert (found.passes, found.complete) == (True, False)
    assert found.mails[0].sentence == (
        "Mail from acme.example passes DMARC by SPF only: the DNS did not answer about DKIM."
    )


async def test_without_the_dmarc_record_being_known_nothing_is() -> None:
    found = await judge(WrittenDns(zone(), silent=[DMARC]))
    assert found.mails[0].result is Result.UNKNOWN
    assert found.mails[0].sentence == (
        f"Whether mail from acme.example passes DMARC is not known: the DNS did not answer about TXT of {DMARC}."
    )
    assert [fault.code for fault in found.faults] == [Code.NOT_KNOWN]


async def test_what_fails_above_the_domains_own_record_leaves_its_dkim_answer() -> None:
    found = await judge(WrittenDns(zone(), silent=["_dmarc.example"]))
    assert found.mails[0].result is Result.PASSES_DKIM_ONLY
    assert found.mails[0].organisation is None


async def test_a_dead_dns_is_unknown_and_not_a_failure() -> None:
    found = await judge(WrittenDns({}, silent=[*zone(), "acme.example", "example", "_dmarc.example"]))
    assert found.mails[0].result is Result.UNKNOWN
    assert found.passes
    assert all(fault.unsure for fault in found.faults)


async def test_a_record_of_the_organisation_may_not_be_the_one_that_applies() -> None:
    """The From domain's own record would win, and nobody knows whether there is one."""
    found = await judge(WrittenDns(zone(), silent=["_dmarc.news.acme.example"]), ACME, "news.acme.example")
    assert found.mails[0].result is Result.UNKNOWN
    assert found.mails[0].policy is None


async def test_an_mx_that_cannot_be_read_is_no_fall_back() -> None:
    found = await judge(WrittenDns(changed(BOUNCE, {"TXT": [SPF]}), silent=[(BOUNCE, "MX")]))
    assert found.mails[0].sentence == (
        "Mail from acme.example passes DMARC by DKIM only: the DNS did not answer about SPF."
    )
    assert found.passes


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        (BOUNCE, ["v=spf1 a:\x1b[2J\x9bhidden\n -all"]),
        (DMARC, ["v=DMARC1; p=\x1b[2J\x07none; \r\nrua=x"]),
        (DMARC, ["v=DMARC1; p=none; \x1b]0;title\x07", "v=DMARC1; p=none"]),
        ("mc1._domainkey.acme.example", ["v=DKIM1; \x1b[2J"]),
    ],
)
async def test_what_a_record_says_cannot_control_a_terminal(name: str, texts: list[str]) -> None:
    domain = replace(ACME, selector="mc1", public_key=KEY)
    records = changed(name, {"MX": [MX], "TXT": texts})
    found = await judge(records, domain)
    shown = [fault.sentence for fault in found.faults] + [
        fault.publish.value for fault in found.faults if fault.publish
    ]
    assert len(shown) > 1
    assert not [each for each in shown if "\x1b" in each or "\x9b" in each or "\n" in each or "\r" in each]


# -- What was not looked at ---------------------------------------------------------------------------------------


async def test_a_domain_that_ses_has_no_keys_for_is_not_said_to_have_its_dkim_records() -> None:
    found = await judge(zone(), replace(ACME, tokens=(), dkim_status=None))
    assert one(found, Code.DKIM_NOT_YET).unsure
    assert found.mails[0].dkim is None


@pytest.mark.parametrize("text", [None, "v=DKIM1; p=", "v=DKIM1; k=ed25519; p=AAAA"])
async def test_a_key_that_somebody_gave_to_ses_by_hand_must_be_published(text: str | None) -> None:
    records = zone()
    if text is not None:
        records["theirs._domainkey.acme.example"] = {"TXT": [text]}
    found = await judge(records, replace(ACME, tokens=(), selector="theirs"))
    fault = one(found, Code.DKIM_MISSING if text is None else Code.DKIM_WRONG)
    assert fault.publish is None  # its public half is not known
    assert found.mails[0].dkim is False


async def test_a_key_that_somebody_gave_to_ses_by_hand_passes_by_its_record_and_the_word_of_ses() -> None:
    records = zone()
    records["theirs._domainkey.acme.example"] = {"TXT": [f"v=DKIM1; p={KEY}"]}
    assert (await judge(records, replace(ACME, tokens=(), selector="theirs"))).mails[0].dkim is True
    failed = replace(ACME, tokens=(), selector="theirs", dkim_status="FAILED")
    assert (await judge(records, failed)).mails[0].dkim is False


async def test_a_mail_from_that_ses_does_not_have_passes_nothing() -> None:
    found = await judge(zone(), replace(ACME, mail_from_status=None))
    assert "not set as the MAIL FROM domain at SES" in one(found, Code.MAIL_FROM_PENDING).sentence
    assert found.mails[0].result is Result.PASSES_DKIM_ONLY


@pytest.mark.parametrize("texts", [["v=spf1 include:other.example -all"], ["v=spf1 ip4:x"], []])
async def test_spf_is_not_known_while_the_addresses_of_ses_are_not(texts: list[str]) -> None:
    found = await judge(changed("amazonses.com", {"TXT": texts}))
    assert one(found, Code.NOT_KNOWN).record == "amazonses.com"
    assert found.mails[0].spf is None


async def test_a_record_of_any_size_is_a_few_faults_with_a_short_repair() -> None:
    junk = ";".join(f"a{n}" for n in range(9000))
    tags = ";".join(f"a{n}=1" for n in range(7000))
    for text in (f"v=DMARC1; p=none; {junk}", f"v=DMARC1; p=none; {tags}; b1; b2", f"v=DMARC1; p=x; {tags}"):
        found = await judge(changed(DMARC, {"TXT": [text]}))
        assert len(found.faults) <= 12
        assert max(len(fault.publish.value) for fault in found.faults if fault.publish) < 1100


async def test_a_policy_that_is_being_tested_is_not_said_to_be_applied() -> None:
    domain = replace(ACME, dkim_status="FAILED", mail_from=None, mail_from_status=None)
    records = changed(DMARC, {"TXT": ["v=DMARC1; p=reject; t=y"]})
    [answer] = (await judge(records, domain)).mails
    assert answer.sentence.endswith("Receivers treat it as spam.")
    assert answer.policy == "reject"
    records = changed(DMARC, {"TXT": ["v=DMARC1; p=quarantine; t=y"]})
    assert "Receivers treat" not in (await judge(records, domain)).mails[0].sentence


async def test_a_dns_that_answered_nothing_is_no_authority() -> None:
    asked = WrittenDns(zone())
    await judge(asked)
    found = await judge(WrittenDns({}, silent=[name for name, _ in asked.asked]))
    assert (found.authoritative, found.complete) == (False, False)
