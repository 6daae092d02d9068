"""The DNS records that the admin API put, and the records that identities need. Names are in lower case without a final
dot; values are text as in a zone file and checked when put. Pure, except that each change calls `Zone.changed`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from dns.rdtypes.ANY.TXT import TXT

if TYPE_CHECKING:
    from seslocal.state.account import Identity

TTL: Final = 300  # seconds
SOA: Final = "ns.seslocal. hostmaster.seslocal. 1 3600 600 86400 60"  #: of every zone


@dataclass(frozen=True, slots=True)
class Record:
    name: str
    type: str  #: such as CNAME
    value: str
    ttl: int = TTL


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of checking records."""

    ok: bool
    error: str | None = None  #: a VerificationInfo.ErrorType
    final: bool = False  #: waiting will not fix it


FOUND: Final = Finding(True)


class Zone:
    def __init__(self) -> None:
        self._records: dict[str, dict[str, list[Record]]] = {}
        self.changed: Callable[[], None] = lambda: None  #: called after each change

    def put(self, records: list[Record]) -> None:
        """Replaces all records of the same name and type. All or nothing; raises ValueError with a sentence."""
        new: dict[tuple[str, str], list[Record]] = {}
        for record in records:
            checked = _checked(record)
            new.setdefault((checked.name, checked.type), []).append(checked)
        for (name, kind), found in new.items():
            kinds = {*self._records.get(name, ()), *(other for owner, other in new if owner == name)} - {kind}
            if (kind == "CNAME" and (kinds or len(found) > 1)) or "CNAME" in kinds:
                raise ValueError(f"{name} has a CNAME. A name with a CNAME can have no other record.")
        for (name, kind), found in new.items():
            self._records.setdefault(name, {})[kind] = found
        self.changed()

    def delete(self, name: str, kind: str | None = None) -> int:
        """Returns the number of deleted records."""
        name = folded(name)
        kinds = self._records.get(name, {})
        gone = [kinds.pop(each) for each in list(kinds) if kind in (None, each)]
        if not kinds:
            self._records.pop(name, None)
        if gone:
            self.changed()
        return sum(len(records) for records in gone)

    def find(self, name: str, kind: str) -> list[Record]:
        return self._records.get(folded(name), {}).get(kind, [])

    def at(self, name: str) -> list[Record]:
        return [record for records in self._records.get(folded(name), {}).values() for record in records]

    def has(self, name: str) -> bool:
        """Whether the name exists: it has records, or a name below it does."""
        name = folded(name)
        return name in self._records or any(other.endswith("." + name) for other in self._records)

    def __iter__(self) -> Iterator[Record]:
        for name in sorted(self._records):
            yield from self.at(name)


def folded(name: str) -> str:
    return name.rstrip(".").lower()


def needed(identity: Identity, region: str) -> list[Record]:
    """Returns the records that this identity's domain must publish."""
    records: list[Record] = []
    if identity.is_domain:
        tokens: list[str] = identity.dkim.get("Tokens", [])
        if identity.dkim.get("SigningAttributesOrigin") == "EXTERNAL":
            records += [
                Record(f"{t}._domainkey.{identity.name}", "TXT", f"v=DKIM1; k=rsa; p={identity.public_key}")
                for t in tokens
            ]
        else:
            zone = identity.dkim.get("SigningHostedZone", "dkim.amazonses.com")
            records += [Record(f"{t}._domainkey.{identity.name}", "CNAME", f"{t}.{zone}.") for t in tokens]
    if identity.mail_from:
        records.append(Record(identity.mail_from, "MX", f"10 feedback-smtp.{region}.amazonses.com."))
        records.append(Record(identity.mail_from, "TXT", "v=spf1 include:amazonses.com ~all"))
    return records


def check_keys(zone: Zone, identity: Identity, region: str) -> Finding:
    """Checks an identity's DKIM records. For a replica it checks its parent, which is never found because one server is one
    region (ses.md 5.3)."""
    origin: str = identity.dkim.get("SigningAttributesOrigin", "AWS_SES")
    external = origin == "EXTERNAL"
    if origin.startswith("AWS_SES_"):
        is_here = origin == f"AWS_SES_{region.upper().replace('-', '_')}"
        return Finding(False, f"REPLICATION_PRIMARY_{'INVALID_REGION' if is_here else 'NOT_FOUND'}")
    kind = "TXT" if external else "CNAME"
    target = identity.dkim.get("SigningHostedZone", "dkim.amazonses.com")
    for token in identity.dkim.get("Tokens", []):
        name = f"{token}._domainkey.{identity.name}"
        found = zone.find(name, kind)
        if not found:
            return Finding(False, "TYPE_NOT_FOUND" if zone.has(name) else "HOST_NOT_FOUND")
        if external:
            fits = any(_tag(text_of(record), "p") == identity.public_key for record in found)
        else:
            fits = folded(found[0].value) == folded(f"{token}.{target}")
        if not fits:
            return Finding(False, "INVALID_VALUE")
    return FOUND


def check_mail_from(zone: Zone, domain: str, region: str) -> Finding:
    """Checks that a MAIL FROM domain has exactly the MX, and an SPF record, that SES requires."""
    exchanges = zone.find(domain, "MX")
    if not exchanges:
        return Finding(False, "TYPE_NOT_FOUND" if zone.has(domain) else "HOST_NOT_FOUND")
    hosts = [folded(record.value.split()[1]) for record in exchanges]
    if hosts != [f"feedback-smtp.{region}.amazonses.com"]:
        return Finding(False, "INVALID_VALUE", final=len(hosts) > 1)
    policies = [text_of(record) for record in zone.find(domain, "TXT")]
    policies = [text for text in policies if text.lower().split()[:1] == ["v=spf1"]]
    if not policies:
        return Finding(False, "TYPE_NOT_FOUND")
    if len(policies) > 1 or "include:amazonses.com" not in policies[0].lower().split():
        return Finding(False, "INVALID_VALUE")
    return FOUND


def text_of(record: Record) -> str:
    """Returns a TXT record's strings, joined."""
    parsed = cast(TXT, dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.TXT, record.value))
    strings: tuple[bytes, ...] = parsed.strings
    return b"".join(strings).decode("utf-8", "replace")


def _checked(record: Record) -> Record:
    kind = record.type.upper()
    value = record.value
    if kind == "TXT" and not value.startswith('"'):
        octets = value.encode()
        pieces = [octets[i : i + 255] for i in range(0, len(octets), 255)] or [b""]
        value = " ".join(f'"{_escaped(piece)}"' for piece in pieces)
    try:
        owner = dns.name.from_text(record.name)
        dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(kind), value, origin=dns.name.root)
    except (dns.exception.DNSException, ValueError) as error:
        raise ValueError(f"{record.name} {kind} {record.value} is not a valid record: {error}.") from None
    return Record(folded(owner.to_text()), kind, value, record.ttl)


def _escaped(octets: bytes) -> str:
    """Escapes as in zone files."""
    return "".join(
        f"\\{octet:03d}" if octet in b'"\\' or not 32 <= octet < 127 else chr(octet) for octet in octets
    )


def _tag(text: str, name: str) -> str:
    """Returns the value of a tag of a DKIM record."""
    for part in text.split(";"):
        key, _, value = part.partition("=")
        if key.strip() == name:
            return value.strip()
    return ""
