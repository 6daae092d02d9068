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
    return f"{domain} has what it lost again, or the policy of lapses changed"


@example("mail.acme.example", 6)
def checked_just_now(domain: str, seconds: int) -> str:
    """A check was asked for again too soon."""
    return f"{domain} was checked a moment ago. Try again in {seconds} s, or read the last check"


@example(30)
def too_many_checks(per_minute: int) -> str:
    """A tenant's domains were checked too often."""
    return f"The domains of a tenant can be checked {per_minute} times a minute. Try again in a minute"


@example()
def checks_busy() -> str:
    """Too many checks wait for the DNS at once."""
    return "Too many domains are being checked right now: the DNS is slow, or many ask at once. Try again in some seconds"


@example("mail.acme.example")
def never_checked(domain: str) -> str:
    """The last check of a domain was asked for, and there is none yet."""
    return f"{domain} was not checked yet. Check it with `mailcordon identity check {domain}`"
