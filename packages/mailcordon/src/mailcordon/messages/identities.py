"""Domains: the DNS records to publish, whose a domain is, and what is wrong with what is published."""

from mailcordon.messages import example

# Records -----------------------------------------------------------------------------------------------------------------


@example("dkim")
@example("mail-from")
@example("dmarc")
@example("claim")
def record_is_for(purpose: str) -> str:
    """Beside each DNS record to publish: what it is for."""
    return {
        "dkim": "DKIM: signs the mail, and shows SES that the domain is yours",
        "mail-from": "MAIL FROM: bounces come back here, and SPF aligns",
        "dmarc": "DMARC: tells receivers to check From, and where to report",
        "claim": "claim: shows that the domain is yours, not another tenant's",
    }[purpose]


@example()
def dmarc_is_a_proposal() -> str:
    """Beside the DMARC record to publish."""
    return "a proposal to begin with; if a DMARC record exists already, keep that one"


@example("2026-12-14")
def old_dkim_key_stays(until: str) -> str:
    """Beside the record of a DKIM key that was replaced."""
    return f"keep it until {until}: mail that was signed with the old key is still being checked"


@example("mail.acme.example")
def no_dkim_records_yet(domain: str) -> str:
    """`identity records`, before SES has made the identity."""
    return f"SES has not made the identity {domain} yet, so its DKIM records are not known. Ask again in a minute."


@example("mail.acme.example", "zen.example")
def not_in_zone(domain: str, zone: str) -> str:
    """`identity records --zone` with another domain's zone."""
    return f"The domain {domain} is not in the zone {zone}. Name the zone that it is in, or one above it."


@example("bounce.other.example", "acme.example")
def name_not_in_zone(name: str, zone: str) -> str:
    """`identity records --zone`, if a record belongs into a zone above."""
    return f"The record {name} is not in the zone {zone}. Name a zone that contains it."


@example("mail.acme.example", "acme.example")
def zone_file_heading(domain: str, zone: str) -> str:
    """The first line of a zone file."""
    return f"What {domain} needs, for the zone {zone}. Add it to the records that are there."


@example("mail.acme.example")
def records_of(domain: str) -> str:
    """Above the table of `identity records`."""
    return f"DNS records to publish for {domain}:"


# What is judged ------------------------------------------------------------------------------------------------------------


@example("TXT", "_dmarc.acme.example", "SERVFAIL")
@example("CNAME", "abc._domainkey.acme.example", "no answer in 5 s")
def not_known(type: str, name: str, detail: str) -> str:
    """A look-up failed, so nothing is said about the record."""
    return f"Nothing is known about the {type} record of {name}: the DNS did not answer ({detail})."


@example("abc._domainkey.acme.example", "CNAME", None)
@example("abc._domainkey.acme.example", "CNAME", "abc._domainkey.acme.example.acme.example")
@example("mc1._domainkey.acme.example", "TXT", None)
def dkim_missing(name: str, type: str, found_at: str | None) -> str:
    """A DKIM record is not there. Where it is at the name twice over, that is said too."""
    return (
        f"{name} has no {type} record, so mail that is signed with this key fails DKIM.{_doubled(found_at)}"
    )


@example("abc._domainkey.acme.example", "abc.dkim.example", "abc.dkim.amazonses.com")
def dkim_points_elsewhere(name: str, found: str, wanted: str) -> str:
    """A CNAME of Easy DKIM has another target than SES gave."""
    return f"{name} points to {found} instead of {wanted}, so mail that is signed with this key fails DKIM."


@example("mc1._domainkey.acme.example", None)
@example("mc1._domainkey.acme.example", "the key was revoked (p= is empty)")
def dkim_wrong_key(name: str, why: str | None) -> str:
    """The record of a DKIM key is not usable, or has another key."""
    reason = "it is not the key that mail is signed with" if why is None else why
    return f"The DKIM key at {name} cannot be used: {reason}. Mail fails DKIM."


@example("mc1._domainkey.acme.example", 2)
def dkim_several(name: str, found: int) -> str:
    """A selector has more than one TXT record."""
    return f"{name} has {found} TXT records instead of one: which one receivers use is not defined (RFC 6376 3.6.2.2)."


@example("acme.example")
def dkim_not_yet(domain: str) -> str:
    """SES has not returned the DKIM tokens of a domain, so no record can be looked for."""
    return f"SES has not returned DKIM keys for {domain} yet, so its DKIM records were not checked."


@example("acme.example")
def dkim_off(domain: str) -> str:
    """SES does not sign a domain's mail."""
    return f"SES does not sign the mail of {domain}: DKIM signing is switched off there."


@example("acme.example", "PENDING")
@example("acme.example", "FAILED")
@example("acme.example", "TEMPORARY_FAILURE")
def dkim_not_verified(domain: str, status: str) -> str:
    """SES has not verified a domain's DKIM records, or no longer finds them."""
    if status == "FAILED":
        return (
            f"SES stopped looking for the DKIM records of {domain}: publish them, then have SES look again."
        )
    if status == "TEMPORARY_FAILURE":
        return f"SES did not find the DKIM records of {domain} when it looked last; after three days it sends no more mail."
    return (
        f"SES has not verified {domain} yet: it looks for the DKIM records by itself, for up to three days."
    )


@example("acme.example")
def mail_from_none(domain: str) -> str:
    """A domain has no custom MAIL FROM."""
    return f"{domain} has no MAIL FROM domain of its own: SPF passes for amazonses.com, so DMARC depends on DKIM alone."


@example("bounce.acme.example", None)
@example("bounce.acme.example", "bounce.acme.example.acme.example")
def mail_from_mx_missing(name: str, found_at: str | None) -> str:
    """A MAIL FROM domain has no MX record, so SES uses its own."""
    return f"{name} has no MX record, so MAIL FROM falls back to amazonses.com and SPF does not align.{_doubled(found_at)}"


@example("bounce.acme.example", ["10 mx.acme.example"], "10 feedback-smtp.us-east-1.amazonses.com")
@example(
    "bounce.acme.example",
    ["10 feedback-smtp.us-east-1.amazonses.com", "20 mx.acme.example"],
    "10 feedback-smtp.us-east-1.amazonses.com",
)
def mail_from_mx_wrong(name: str, found: list[str], wanted: str) -> str:
    """A MAIL FROM domain has MX records other than the one that SES needs."""
    listed = " and ".join(found[:3]) + (" and more" if len(found) > 3 else "")
    return (
        f"{name} has the MX {listed} instead of {wanted} alone, so MAIL FROM falls back to amazonses.com"
        " and SPF does not align."
    )


@example("bounce.acme.example", "PENDING")
@example("bounce.acme.example", "FAILED")
@example("bounce.acme.example", None)
def mail_from_not_active(name: str, status: str | None) -> str:
    """SES does not use a custom MAIL FROM domain yet, or no longer."""
    if status is None:
        return f"{name} is not set as the MAIL FROM domain at SES yet. Until it is, MAIL FROM falls back to amazonses.com."
    if status == "FAILED":
        return (
            f"SES stopped looking for the MX record of {name}, and MAIL FROM fell back to amazonses.com:"
            " publish the record, then set the MAIL FROM domain again."
        )
    return f"{name} is not active at SES yet ({status}): until SES finds its MX record, MAIL FROM falls back to amazonses.com."


@example("amazonses.com")
def ses_addresses_not_known(name: str) -> str:
    """The SPF record of SES itself cannot be used, so it is not known which addresses must pass."""
    return f"Whether SPF passes is not known: the SPF record of {name} names no addresses."


@example("bounce.acme.example")
def spf_missing(name: str) -> str:
    """A MAIL FROM domain has no SPF record."""
    return f"{name} has no SPF record, so SPF says nothing about its mail."


@example("bounce.acme.example", 2)
def spf_several(name: str, found: int) -> str:
    """A domain has more than one SPF record."""
    return f"{name} has {found} SPF records, which receivers treat as an error: keep one."


@example("bounce.acme.example", "ipv4:192.0.2.1", 1, "it is not a mechanism of SPF")
def spf_syntax(name: str, term: str, number: int, why: str) -> str:
    """A term of an SPF record is wrong, so the whole record is."""
    return f"The SPF record of {name} is wrong at term {number}, `{term}`: {why}. Receivers reject the whole record."


@example("bounce.acme.example", ["a", "mx", "include:spf.acme.example"], passes=False)
@example("bounce.acme.example", ["include:amazonses.com", "mx"], passes=True)
def spf_too_many_lookups(name: str, terms: list[str], *, passes: bool) -> str:
    """An SPF record needs more than ten look-ups."""
    effect = (
        "mail from SES passes because the record names it early, and tools that count all terms report an error"
        if passes
        else "receivers stop at the eleventh with an error"
    )
    last = ", ".join(terms[-3:])
    return f"The SPF record of {name} needs {len(terms)} look-ups, and 10 are allowed (the last: {last}): {effect}."


@example("bounce.acme.example", "gone.example")
def spf_too_many_voids(name: str, where: str) -> str:
    """More than two look-ups of an SPF record find nothing."""
    return f"More than 2 look-ups of the SPF record of {name} find nothing, the last at {where}: receivers stop with an error."


@example("bounce.acme.example", "spf.other.example", "no-record")
@example("bounce.acme.example", "spf.other.example", "two-records")
def spf_broken(name: str, where: str, because: str) -> str:
    """A record that an SPF record includes cannot be used."""
    return (
        f"The SPF record of {name} uses {where}, which {_SPF_BROKEN[because]}: receivers stop with an error."
    )


_SPF_BROKEN = {
    "no-record": "has no SPF record",
    "not-a-domain": "is not a domain name",
    "two-records": "has more than one SPF record",
    "syntax": "has a wrong SPF record",
    "too-many-names": "has more than 10 hosts",
}


@example("bounce.acme.example", "softfail")
def spf_not_ses(name: str, result: str) -> str:
    """An SPF record does not name SES."""
    return f"The SPF record of {name} does not allow SES to send: SPF says {result}."


@example("mail.acme.example", None)
@example("mail.acme.example", "_dmarc.mail.acme.example.acme.example")
def dmarc_missing(domain: str, found_at: str | None) -> str:
    """There is no DMARC record for a domain, at it or above it."""
    return f"{domain} has no DMARC record, at _dmarc.{domain} or above it.{_doubled(found_at)}"


@example("_dmarc.acme.example", "acme.dmarc-provider.example")
def dmarc_alias_empty(name: str, target: str) -> str:
    """A CNAME at a DMARC name leads to a name without a DMARC record."""
    return f"{name} is a CNAME to {target}, which has no DMARC record."


@example("mail.acme.example", "acme.example", "_dmarc.mail.acme.example", used="")
@example(
    "a.mail.acme.example",
    "_dmarc.mail.acme.example",
    "_dmarc.a.mail.acme.example",
    used="_dmarc.acme.example",
)
def dmarc_wrong_place(domain: str, found_at: str, wanted: str, *, used: str) -> str:
    """A DMARC record is at a name where receivers do not look, or where another one is used instead."""
    instead = f" (they use that of {used})" if used else ""
    return (
        f"The DMARC record at {found_at} is not used for mail from {domain}{instead}: it belongs at {wanted}."
    )


@example("_dmarc.acme.example", 2)
def dmarc_several(name: str, found: int) -> str:
    """A name has more than one DMARC record."""
    return f"{name} has {found} DMARC records, so receivers use none of them: keep one."


@example("_dmarc.acme.example", "rua", "`dmarc@acme.example` does not start with mailto:", applies=True)
@example("_dmarc.acme.example", "p", "it takes none, quarantine or reject", applies=False)
def dmarc_syntax(name: str, tag: str, why: str, *, applies: bool) -> str:
    """A DMARC record is wrong."""
    effect = "Receivers ignore this part" if applies else "Receivers ignore the whole record"
    return f"The DMARC record at {name} is wrong at {tag or 'an empty part'}: {why}. {effect}."


@example("_dmarc.acme.example", "order")
@example("_dmarc.acme.example", "pct")
@example("_dmarc.acme.example", "wrong-removed")
@example("_dmarc.acme.example", "testing")
@example("_dmarc.acme.example", "np")
@example("_dmarc.acme.example", "psd")
def dmarc_old_readers(name: str, what: str) -> str:
    """Receivers that still follow RFC 7489 read a DMARC record differently from RFC 9989."""
    return f"Receivers that still follow RFC 7489 read {name} differently: {_OLD_READERS[what]}."


_OLD_READERS = {
    "order": "`p` must be second for them, and some ignore the record",
    "pct": "they apply the policy to `pct` percent of failing mail, and RFC 9989 to all of it",
    "wrong-removed": "a tag that RFC 9989 dropped has a wrong value, and some ignore the record",
    "testing": "they do not know `t=y` and apply the policy",
    "np": "they do not know `np`, and apply `sp` or `p` to names that do not exist",
    "psd": "they do not know `psd`, and find the organisational domain by the public suffix list",
}


@example("_dmarc.acme.example")
def dmarc_strict_spf(name: str) -> str:
    """A DMARC record asks for strict SPF alignment, which SES cannot meet."""
    return f"{name} says aspf=s: SPF can never align with SES, whose MAIL FROM is always a sub-domain of the From domain."


@example("_dmarc.acme.example", "news.acme.example", "acme.example")
def dmarc_strict_dkim(name: str, from_domain: str, signed: str) -> str:
    """A DMARC record asks for strict DKIM alignment, and SES signs with a parent domain."""
    return f"{name} says adkim=s, and SES signs mail from {from_domain} as {signed}: DKIM does not align."


@example("acme.uk.example", "uk.example", "acme.uk.example", "alignment")
@example("a.mail.acme.example", "mail.acme.example", "acme.example", "policy")
def dmarc_different_organisation(domain: str, walked: str, listed: str, effect: str) -> str:
    """The tree walk and the public suffix list find different organisational domains, and receivers decide differently."""
    what = {
        "alignment": "other domains align for them",
        "policy": "they find a different DMARC record, or none",
    }[effect]
    return (
        f"The organisational domain of {domain} is {walked} by RFC 9989, and {listed} for receivers that still use the"
        f" public suffix list: {what}."
    )


@example("acme.example", "both", None)
@example("acme.example", "dkim", "MAIL FROM fell back to amazonses.com")
@example("acme.example", "spf", "DKIM fails")
def mail_passes(domain: str, by: str, why_not: str | None) -> str:
    """Mail from a domain passes DMARC. By one mechanism only: why not by the other."""
    how = {"both": "DKIM and SPF", "dkim": "DKIM only", "spf": "SPF only"}[by]
    return f"Mail from {domain} passes DMARC by {how}{f': {why_not}' if why_not else ''}."


@example("acme.example", ["there is no DMARC record"], None)
@example("acme.example", ["DKIM fails", "MAIL FROM fell back to amazonses.com"], "reject")
def mail_fails(domain: str, because: list[str], policy: str | None) -> str:
    """Mail from a domain fails DMARC."""
    effect = {"reject": " Receivers reject it.", "quarantine": " Receivers treat it as spam."}.get(
        policy or "", ""
    )
    return f"Mail from {domain} fails DMARC, because {' and '.join(because)}.{effect}"


@example("acme.example", ["TXT of _dmarc.acme.example"], "")
@example("acme.example", [], "dkim-not-yet")
def mail_not_known(domain: str, failed: list[str], why: str) -> str:
    """Whether mail passes DMARC is not known, mostly because look-ups failed."""
    because = f"the DNS did not answer about {' and '.join(failed)}" if failed else mail_because(why)
    return f"Whether mail from {domain} passes DMARC is not known: {because}."


@example("no-record")
@example("dkim")
@example("dkim-off")
@example("dkim-not-yet")
@example("dkim-unknown")
@example("dkim-strict")
@example("fell-back")
@example("no-mail-from")
@example("spf")
@example("spf-strict")
@example("spf-unknown")
@example("not-aligned")
def mail_because(what: str) -> str:
    """Why mail does not pass DMARC by one of its mechanisms."""
    return {
        "no-record": "there is no DMARC record",
        "dkim": "DKIM fails",
        "dkim-off": "SES does not sign it",
        "dkim-not-yet": "SES has not made its DKIM keys yet",
        "dkim-unknown": "the DNS did not answer about DKIM",
        "dkim-strict": "DKIM does not align (adkim=s)",
        "fell-back": "MAIL FROM fell back to amazonses.com",
        "no-mail-from": "MAIL FROM is amazonses.com",
        "spf": "SPF does not pass",
        "spf-strict": "SPF cannot align with SES (aspf=s)",
        "spf-unknown": "the DNS did not answer about SPF",
        "not-aligned": "its organisational domain is different",
    }[what]


@example("spf-and-dkim", "not-met")
@example("dmarc", "met")
@example("aligned", "not-checked")
@example("one-click", "met")
@example("unsubscribe-honoured", "not-checked")
@example("spam-rate", "not-checked")
@example("reverse-dns", "not-checked")
@example("tls", "not-checked")
def sender_rule(rule: str, state: str) -> str:
    """A rule that a mailbox provider has for bulk senders, and whether a lane keeps it."""
    asks = {
        "spf-and-dkim": "SPF and DKIM pass, both for a domain of yours",
        "dmarc": "There is a DMARC record, at least p=none",
        "aligned": "The From domain aligns with SPF or DKIM",
        "one-click": "Marketing mail can be unsubscribed from with one click (RFC 8058)",
        "unsubscribe-honoured": "Recipients who unsubscribe get no more mail after two days",
        "spam-rate": "Fewer than 0.3 % of recipients report spam; below 0.1 % is the target",
        "reverse-dns": "Sending IP addresses have matching forward and reverse DNS",
        "tls": "Mail is sent over TLS",
    }[rule]
    if state == "not-checked":
        return f"{asks}. Not checked, {_SENDER_RULE_NOT_SEEN.get(rule, 'because the DNS did not answer')}."
    if rule == "one-click":
        return f"{asks}. Mailcordon accepts no marketing mail without the headers."
    return f"{asks}."


_SENDER_RULE_NOT_SEEN = {
    "unsubscribe-honoured": "because your application may bring a link of its own; Mailcordon's are honoured at once",
    "spam-rate": "because the rate that counts is the provider's own (Gmail: Postmaster Tools)",
    "reverse-dns": "because the addresses are SES's",
    "tls": "because SES uses TLS when the receiver offers it, and does not report it",
}


@example("all")
@example("domain-missing")
@example("domain-end")
@example("ip4")
@example("prefix", "32")
@example("macro", "%{x}")
def spf_term_wrong(what: str, value: str = "") -> str:
    """Why a term of an SPF record is wrong."""
    return {
        "start": "it does not start with v=spf1 and a space",
        "mechanism": "it is not a mechanism of SPF",
        "twice": f"{value}= may be there only once",
        "all": "`all` takes nothing",
        "domain-missing": "it needs a domain after a colon",
        "domain-empty": "the domain is empty",
        "domain-end": "the domain does not end in a top-level domain",
        "ip4": "it needs an IPv4 address, with at most a prefix length from 0 to 32",
        "ip6": "it needs an IPv6 address, with at most a prefix length from 0 to 128",
        "prefix": f"a prefix length is at most {value}",
        "macro": f"it has a character or macro that SPF does not know, at `{value}`",
        "explanation-only": f"the macro %{{{value}}} is for explanations only",
        "keeps-nothing": "a macro must keep at least one label",
    }[what]


@example("takes", "none, quarantine or reject")
@example("twice")
@example("scheme", "dmarc@acme.example")
@example("address", "acme.example")
def dmarc_tag_wrong(what: str, value: str = "") -> str:
    """Why a tag of a DMARC record is wrong."""
    return {
        "start": "the record does not start with v=DMARC1;",
        "no-policy": "there is no policy, and no address for reports",
        "not-a-tag": "it is not a tag with `=` and a value",
        "missing": "a tag is missing between two semicolons",
        "value": "its value is empty, or has characters that cannot be printed",
        "twice": "it is there twice",
        "takes": f"it takes {value}",
        "scheme": f"`{value}` does not start with mailto:",
        "address": f"`{value}` is not an e-mail address",
        "size": f"`!{value}` is not a size",
    }[what]


@example("no-key")
@example("type", "ed25519")
@example("twice", "p")
def dkim_key_wrong(what: str, value: str = "") -> str:
    """Why the record of a DKIM key cannot be used."""
    return {
        "not-a-tag": f"`{value}` is not a tag",
        "twice": f"the tag {value} is there twice",
        "version": "v=DKIM1 must be first",
        "no-key": "it has no key (p=)",
        "revoked": "the key was revoked (p= is empty)",
        "base64": "the key is not base64",
        "type": f"the key type is {value}, and SES signs with RSA",
        "hash": "it does not allow SHA-256",
        "service": "it is not for e-mail (s=)",
    }[what]


def _doubled(found_at: str | None) -> str:
    """The usual slip in DNS consoles that append the zone to every name."""
    return "" if found_at is None else f" It is at {found_at}: the DNS console appended the domain by itself."


# Checks and lapses ---------------------------------------------------------------------------------------------------------


@example("mail.acme.example", None, "FAILED")
@example("mail.acme.example", "bounce.mail.acme.example", "FAILED")
def lost_at_ses(domain: str, mail_from: str | None, status: str) -> str:
    """SES no longer finds the records of a domain, or of its MAIL FROM domain, that it had found before."""
    if mail_from is None:
        return f"SES no longer finds the DKIM records of {domain}: it says {status}"
    return f"SES no longer finds the records of the MAIL FROM domain {mail_from}: it says {status}"


@example(
    "mail.acme.example",
    "bounce.mail.acme.example has no MX record",
    "MX bounce.mail.acme.example 10 feedback-smtp.us-east-1.amazonses.com",
    0,
    fails=False,
)
@example(
    "mail.acme.example", "SES no longer finds the DKIM records of mail.acme.example", None, 2, fails=True
)
def domain_lapsed(domain: str, says: str, publish: str | None, others: int, *, fails: bool) -> str:
    """A domain lost DNS records that it had. Seen as the reason of a hold of the owner policy, and in `status`."""
    more = (
        ""
        if others == 0
        else " One more record is lost."
        if others == 1
        else f" {others} more records are lost."
    )
    mend = "" if publish is None else f" Publish {publish}."
    effect = "Its mail fails DMARC" if fails else "Its mail still passes DMARC, by what is left"
    return f"{domain} has lapsed: {says}.{mend}{more} {effect}"


@example("mail.acme.example")
def lapse_over(domain: str) -> str:
    """The hold of a lapse is lifted: the records are there again, or the policy asks for no hold any more."""
    return f"the lost records of {domain} were found again, or the lapse policy changed"


@example("mail.acme.example")
def checked_just_now(domain: str) -> str:
    """A check was asked for again too soon."""
    return f"{domain} was checked a moment ago. What that check found can be read meanwhile."


@example(30)
def too_many_checks(per_minute: int) -> str:
    """A tenant's domains were checked too often."""
    return f"At most {per_minute} domains of a tenant are checked in a minute."


@example()
def checks_busy() -> str:
    """Too many checks wait for the DNS at once."""
    return "Too many domains are being checked right now: the DNS is slow, or many ask at once."


@example("mail.acme.example")
def never_checked(domain: str) -> str:
    """The last check of a domain was asked for, and there is none yet."""
    return f"{domain} was not checked yet. Check it with `mailcordon identity check {domain}`."


@example("mail.acme.example")
def not_checked_retired(domain: str) -> str:
    """A check of a retired domain was asked for."""
    return f"{domain} is retired, so it is not checked. Take it back with `mailcordon identity unretire {domain}`."


@example("dkim", "mail.acme.example", None)
@example("mail-from", "mail.acme.example", "bounce.mail.acme.example")
@example("mail-from", "mail.acme.example", None)
@example("dmarc", "mail.acme.example", None)
def is_right(what: str, domain: str, mail_from: str | None) -> str:
    """`identity check`: nothing is wrong with these records."""
    if what == "mail-from":
        return (
            "SES's own MAIL FROM domain is used, as long as the domain has none"
            if mail_from is None
            else f"{mail_from} has the MX and the SPF record that SES needs"
        )
    return {
        "dkim": f"The DKIM records of {domain} are what SES signs with",
        "dmarc": f"{domain} has a DMARC record that receivers can read",
    }[what]


@example("SUCCESS", "SUCCESS")
@example("PENDING", None)
@example(None, None)
def ses_says(status: str | None, mail_from_status: str | None) -> str:
    """`identity check`: what GetEmailIdentity returned last."""
    if status is None:
        return "SES has not made the identity yet"
    more = "" if mail_from_status is None else f", and {mail_from_status} for its MAIL FROM domain"
    return f"SES says {status} for the domain{more}"


@example("2026-12-01 10:02Z", 2)
def suspected_since(since: str, agreed: int) -> str:
    """`identity check`: a record is missing, and it does not count as a lapse yet."""
    times = "once" if agreed == 1 else f"{agreed} times"
    return f"Missing or wrong since {since}, confirmed {times}. It does not count as a lapse yet"


@example("2026-12-01 10:02Z")
def lapsed_since(since: str) -> str:
    """`identity check`: a record counts as lost."""
    return f"Lapsed since {since}"


@example(authoritative=True, complete=True)
@example(authoritative=False, complete=True)
@example(authoritative=True, complete=False)
def how_checked(*, authoritative: bool, complete: bool) -> str:
    """`identity check`: how far its answer can be relied on."""
    if not complete:
        return "Not every look-up was answered: what is not known is neither right nor wrong."
    if not authoritative:
        return "Some answers came from a cache, so they may be old. They count for no lapse."
    return "The domain's own name servers answered."


@example()
def domain_without_lanes() -> str:
    """`identity check`: no lane sends from the domain; the answer is for mail that would."""
    return "no lane"


@example("mail.acme.example")
def domains_lapsed_next(domain: str) -> str:
    """`status`: what to do about a domain that lapsed."""
    return (
        f"See which record is missing with `mailcordon identity check {domain}`, and have it published again"
    )


@example(12, 2)
def domains_unchecked(count: int, days: int) -> str:
    """`status`: domains whose DNS could not be read for days."""
    what = "1 domain was" if count == 1 else f"{count} domains were"
    return f"{what} not checked for more than {days} days: the DNS did not answer, or nothing checks"


@example("mail.acme.example")
def domains_unchecked_next(domain: str) -> str:
    """`status`: what to do about domains that were not checked."""
    return (
        f"Try `mailcordon identity check {domain}`. If no domain can be checked, see that the hosts reach port 53,"
        " or set MAILCORDON_DNS_SERVERS. Nothing lapses by this"
    )


@example()
def policy_needs_class_and_effect() -> str:
    """`identity lapse-policy --action` without saying for what."""
    return "Name the class and the effect that the action is for, such as: marketing fails."


# Claims ------------------------------------------------------------------------------------------------------------------


@example("co.uk")
def public_suffix(domain: str) -> str:
    """A public suffix is to be added as a domain (422)."""
    return f"{domain} is a public suffix: the names below it have many owners, so no tenant can have it. Use a domain below it."


@example("gmail.com", "gmail.com")
@example("mail.gmail.com", "gmail.com")
def mailbox_providers_domain(domain: str, provider: str) -> str:
    """A mailbox provider's domain is to be added (422)."""
    which = domain if domain == provider else f"{domain} is below {provider}, which"
    return (
        f"{which} is a mailbox provider's own domain, so no tenant can have it. Use a domain of the tenant."
    )


@example("eu-west-1.amazonses.com", "amazonses.com")
def domain_of_amazon(domain: str, amazon: str) -> str:
    """A domain of SES is to be added (422)."""
    return f"{domain} is Amazon's ({amazon}), so no tenant can have it. Use a domain of the tenant."


@example("ann")
def freed_by_plan(actor: str) -> str:
    """Why a domain is not a tenant's any more, if whoever applied the plan said nothing."""
    return f"freed by {actor}"


@example("mail.acme.example", 14)
def claim_lapsed(domain: str, days: int) -> str:
    """Why a domain is not a tenant's any more: nobody published its DNS records."""
    return f"the claim to {domain} was not proved in {days} days"


@example("mail.acme.example")
def claim_proved(domain: str) -> str:
    """Why a domain changed its tenant: the new one has shown that it owns it."""
    return f"the DNS shows which tenant {domain} belongs to"


@example("mail.acme.example")
def claim_lost(domain: str) -> str:
    """Why a claim to a domain ended."""
    return f"another tenant has proved that {domain}, or a domain above or below it, is its own"


@example("_mailcordon.mail.acme.example", "SERVFAIL")
def claim_not_known(name: str, detail: str) -> str:
    """Beside a claim: the DNS could not be asked for its token."""
    return f"nothing is known of {name}: the DNS did not answer ({detail or 'no answer'})"


@example("_mailcordon.mail.acme.example")
def claim_not_published(name: str) -> str:
    """Beside a claim: its token is not in the DNS."""
    return f"{name} has no TXT record with the token of this claim"


@example("_mailcordon.mail.acme.example")
def claim_not_authoritative(name: str) -> str:
    """Beside a claim: its token came from a cache."""
    return f"the token is at {name}, but not by the zone's own name servers; it is asked for again"


@example("_mailcordon.mail.acme.example")
def claim_published(name: str) -> str:
    """Beside a claim: its token is in the DNS."""
    return f"the token is at {name}"


@example("mail.acme.example", "acme", "zen")
def transfers(domain: str, of: str, to: str) -> str:
    """`identity transfer`: what it does. Only platform keys see this."""
    return f"{domain} is {to}'s, and not {of}'s any more. Its DNS records stay as they are."


@example("mail.acme.example", "acme")
def transfer_cancels(domain: str, of: str) -> str:
    """`identity transfer`: what becomes of mail."""
    return f"Mail of {of} from {domain} that is still in a queue is cancelled. What was sent stays {of}'s, with its reports."


@example("mail.acme.example", "acme")
def is_theirs(domain: str, slug: str) -> str:
    """A domain is to be transferred to the tenant that has it (409)."""
    return f"{slug} has {domain} already."


@example("platform.example", "acme")
def tenant_has(domain: str, slug: str) -> str:
    """A domain that a tenant has is to be shared (409). Only platform keys see this."""
    return f"{slug} has the domain {domain}. Transfer or free it first; then it can be a domain that tenants share."


@example("platform.example", ["acme.platform.example"], 1)
@example("platform.example", ["a.platform.example", "b.platform.example", "c.platform.example"], 7)
def still_used_below(domain: str, names: list[str], total: int) -> str:
    """A domain is to be shared no more while tenants send from below it (409). Only platform keys see this."""
    more = f" and {total - len(names)} more" if total > len(names) else ""
    return f"Tenants have domains below {domain}: {', '.join(names)}{more}. Retire and free them first."


@example("platform.example")
def no_shared_parent(domain: str) -> str:
    """A domain is to be shared no more that was not shared (404)."""
    return f"{domain} is not a domain that tenants share."


@example("mail.acme.example", "acme", "not proved", "2026-12-13T09:00:00.000Z")
@example("mail.acme.example", "acme", "proved by ses", "-")
@example("mail.acme.example", "zen", "contends", "2026-12-13T09:00:00.000Z")
def claim_state(domain: str, slug: str, state: str, lapses: str) -> str:
    """`identity claim`: what the claim is worth."""
    if state == "contends":
        return f"Another tenant has {domain} and has not proved it. {slug} gets it by publishing a record."
    if state.startswith("proved"):
        return f"{domain} is {slug}'s: {state}."
    until = "" if lapses == "-" else f" Unless it is proved, the claim lapses at {lapses}."
    records = f"`mailcordon identity records {domain}`"
    return f"{slug} has {domain}: {state}. SES proves it once the records of {records} are published.{until}"


@example()
def claim_needs_record() -> str:
    """`identity claim`: above the record that decides between two tenants."""
    return "Publish this record, then run the command again. Mailcordon looks for it by itself too:"


# Sharing -----------------------------------------------------------------------------------------------------------------


@example("platform.example")
def shared_not_isolated(parent: str) -> str:
    """Beside a domain below one that tenants share."""
    return f"shared, not isolated: other tenants send from names below {parent} too, and share its reputation and DMARC record"


@example("platform.example")
def is_shared(domain: str) -> str:
    """`identity share`: done."""
    return f"Tenants can send from names below {domain}: each has its own name, and they are marked as shared, not isolated."


@example("platform.example")
def is_not_shared(domain: str) -> str:
    """`identity unshare`: done."""
    return f"{domain} is not shared any more."


# DKIM keys of ours -------------------------------------------------------------------------------------------------------


@example()
def bad_selector() -> str:
    """`identity dkim --selector` (422)."""
    return "A selector is one DNS label: 1 to 63 small letters, digits and hyphens. SES's own keys have none."


@example("mail.acme.example", "mc1")
@example("mail.acme.example", None)
def dkim_waits(domain: str, selector: str | None) -> str:
    """A DKIM key is to be changed while another one waits (409)."""
    if selector is None:
        return f"{domain}: SES's own keys are being switched on. Ask again in a minute."
    return (
        f"{domain}: the key {selector} waits for its DNS record. Publish it, or take the key back with"
        f" `mailcordon identity dkim {domain} ses`."
    )


@example("mail.acme.example")
def dkim_another_waits(domain: str) -> str:
    """A DKIM key is to be changed while somebody else changes it (409)."""
    return f"{domain}: another key was made at the same time. See it with `mailcordon identity dkim-keys {domain}`."


@example("mail.acme.example", "mc1")
def dkim_selector_used(domain: str, selector: str) -> str:
    """`identity dkim --selector` with a selector that the domain had before (409)."""
    return f"{domain} had a key with the selector {selector} before. Name another selector, or none."


@example("mail.acme.example", "own")
@example("mail.acme.example", "rotate")
def dkim_is_so_already(domain: str, action: str) -> str:
    """A DKIM key is to be changed to what it is (409)."""
    if action == "own":
        return f"{domain} is signed with a key of yours already; `mailcordon identity dkim {domain} rotate` makes another one."
    return (
        f"{domain} is signed with SES's own keys; `mailcordon identity dkim {domain} own` makes one of yours."
    )


@example("mc1._domainkey.mail.acme.example")
def dkim_not_published(name: str) -> str:
    """Beside a DKIM key: its record is not in the DNS."""
    return f"the zone's own name servers have no TXT record at {name}"


@example("mc1._domainkey.mail.acme.example")
def dkim_twice(name: str) -> str:
    """Beside a DKIM key: more than one record."""
    return f"{name} has more than one TXT record: receivers may take the wrong one"


@example("mc1._domainkey.mail.acme.example")
def dkim_differs(name: str) -> str:
    """Beside a DKIM key: its record has another key."""
    return f"the TXT record at {name} has another key in p="


@example("mc1._domainkey.mail.acme.example", "the key was revoked (p= is empty)")
def dkim_unusable(name: str, why: str) -> str:
    """Beside a DKIM key: receivers cannot use its record."""
    return f"the TXT record at {name} cannot be used: {why}"


@example("BadRequestException: the key is too short")
def dkim_refused(error: str) -> str:
    """Beside a DKIM key: SES did not take it."""
    return f"SES did not take it: {error}"


@example()
def dkim_signs() -> str:
    """Beside a DKIM key that is used."""
    return "SES signs with it"


@example("mail.acme.example", "mc1")
@example("mail.acme.example", None)
def dkim_changes(domain: str, selector: str | None) -> str:
    """`identity dkim`: what happens next."""
    if selector is None:
        return (
            f"SES makes keys of its own for {domain}. Publish their records at once: until SES finds them the domain is not"
            " verified, and its lanes are held."
        )
    return f"Publish this record. SES signs mail from {domain} with the key {selector} once its name servers show it:"


@example("mail.acme.example")
def dkim_waits_no_more(domain: str) -> str:
    """`identity dkim ses`, while a key of yours waited."""
    return f"{domain}: the key that waited was taken back. The present key goes on signing."
