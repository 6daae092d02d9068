"""The DNS records that a tenant publishes for a domain: for a table, for a DNS console, or as a zone file. Pure.

Names are absolute without a final dot, as SES returns them. A zone file has them relative to its zone, or absolute with the dot.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Literal
from urllib.parse import quote

from mailcordon.core import domain as domains
from mailcordon.core.errors import Fault, Invalid
from mailcordon.messages import identities as words

Names = Literal["absolute", "relative"]
TTL = 3600  #: seconds; of the lines of a zone file
_LONGEST_STRING = 255  #: octets of one string of a TXT record (RFC 1035 3.3)
_SAFE_IN_URI = "@+"  #: `;`, `,` and `!` mean something in a DMARC record
_TARGETS = ("CNAME", "MX")  #: types whose value ends in a host name


class Purpose(StrEnum):
    DKIM = "dkim"
    MAIL_FROM = "mail-from"
    DMARC = "dmarc"
    CLAIM = "claim"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    type: str
    name: str  #: absolute, no final dot
    value: str  #: MX: preference and host; TXT: the text without quotes, in one piece


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    record: Record
    purpose: Purpose
    required: bool = True  #: False: mail leaves without it
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DkimKey:
    """A DKIM key of ours."""

    selector: str
    public_key: str  #: base64 of its SubjectPublicKeyInfo
    keep_until: date | None = None  #: it was replaced, and signs no more mail


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    domain: str
    region: str  #: of SES
    easy_dkim: tuple[Record, ...] = ()  #: as SES returned them; empty: not known yet, or a key of ours
    keys: tuple[DkimKey, ...] = ()
    mail_from: str | None = None  #: the custom MAIL FROM domain
    claim_token: str | None = None  #: of an open claim that is not proved
    rua: str | None = None  #: address for DMARC reports


def to_publish(facts: Facts) -> tuple[Publish, ...]:
    """In the order in which they matter: DKIM verifies the domain, MAIL FROM aligns SPF, DMARC is a proposal."""
    found = [Publish(record=each, purpose=Purpose.DKIM) for each in facts.easy_dkim]
    for key in facts.keys:
        note = None if key.keep_until is None else words.old_dkim_key_stays(key.keep_until.isoformat())
        found.append(Publish(record=dkim_key(facts.domain, key), purpose=Purpose.DKIM, note=note))
    if facts.mail_from is not None:
        records = mail_from(facts.mail_from, facts.region)
        found += [Publish(record=each, purpose=Purpose.MAIL_FROM, required=False) for each in records]
    found.append(
        Publish(
            record=dmarc(facts.domain, facts.rua),
            purpose=Purpose.DMARC,
            required=False,
            note=words.dmarc_is_a_proposal(),
        )
    )
    if facts.claim_token is not None:
        found.append(Publish(record=claim(facts.domain, facts.claim_token), purpose=Purpose.CLAIM))
    return tuple(found)


def dkim_key(domain: str, key: DkimKey) -> Record:
    """The key record of a DKIM key of ours (RFC 6376 3.6.1)."""
    name = f"{key.selector}._domainkey.{domain}"
    return Record(type="TXT", name=name, value=f"v=DKIM1; k=rsa; p={key.public_key}")


def mail_from(name: str, region: str) -> tuple[Record, ...]:
    """What a custom MAIL FROM needs: exactly one MX, and SPF (ses.md 5.4)."""
    return (
        Record(type="MX", name=name, value=f"10 feedback-smtp.{region}.amazonses.com"),
        Record(type="TXT", name=name, value="v=spf1 include:amazonses.com ~all"),
    )


def dmarc(domain: str, rua: str | None = None) -> Record:
    """A record to begin with: it changes nothing for the mail, and large providers ask for one (ses.md 8.2)."""
    reports = "" if rua is None else f"; rua=mailto:{quote(rua, safe=_SAFE_IN_URI)}"
    return Record(type="TXT", name=f"_dmarc.{domain}", value=f"v=DMARC1; p=none{reports}")


def claim(domain: str, token: str) -> Record:
    """What shows which of two tenants a domain belongs to."""
    return Record(type="TXT", name=claim_name(domain), value=claim_value(token))


def claim_name(domain: str) -> str:
    return f"_mailcordon.{domain}"


def claim_value(token: str) -> str:
    return f"mailcordon-claim={token}"


def relative(name: str, zone: str) -> str:
    """As most DNS consoles want it: `@` is the zone itself. Raises Invalid if the name is not in the zone."""
    if name == zone:
        return "@"
    if not name.endswith(f".{zone}"):
        raise Invalid(Fault("zone", words.name_not_in_zone(name, zone)))
    return name.removesuffix(f".{zone}")


def check_zone(domain: str, zone: str) -> None:
    """Raises Invalid for a zone that the domain is not in."""
    if not domains.covers(zone, domain):
        raise Invalid(Fault("zone", words.not_in_zone(domain, zone)))


def strings(text: str) -> list[str]:
    """A TXT record's text in the pieces that a zone file has it in."""
    return [text[n : n + _LONGEST_STRING] for n in range(0, len(text), _LONGEST_STRING)] or [""]


def zone_file(domain: str, published: Iterable[Publish], zone: str, names: Names) -> str:
    """RFC 1035 5.1. Raises Invalid for a zone that a record is not in. Ends with a line break."""
    check_zone(domain, zone)
    lines = [f"; {words.zone_file_heading(domain, zone)}", f"$ORIGIN {zone}.", f"$TTL {TTL}"]
    of: Purpose | None = None
    for each in published:
        if each.purpose is not of:
            of = each.purpose
            lines.append(f"; {words.record_is_for(of)}")
        if each.note is not None:
            lines.append(f"; {each.note}")
        name = relative(each.record.name, zone)
        owner = name if names == "relative" else f"{each.record.name}."
        lines.append(f"{owner} IN {each.record.type} {_data(each.record)}")
    return "\n".join(lines) + "\n"


def _data(record: Record) -> str:
    if record.type in _TARGETS:
        return f"{record.value}."
    return " ".join(_quoted(piece) for piece in strings(record.value))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
