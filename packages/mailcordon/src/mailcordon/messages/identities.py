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
