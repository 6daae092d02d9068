"""The DNS records that an identity has to publish, and whether they are in the zone. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from seslocal.state.account import Account
from seslocal.state.identities import Identity
from seslocal.state.zone import Record, Zone, checked, folded, text_of


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of checking records."""

    ok: bool
    error: str | None = None  #: a VerificationInfo.ErrorType
    final: bool = False  #: waiting will not fix it


FOUND: Final = Finding(True)


def required_records(identity: Identity, region: str) -> list[Record]:
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


def records_as_published(account: Account, name: str) -> list[Record]:
    """Returns the records at a name that the owner of a verified domain must have published. `name` is in lower case."""
    return [
        checked(record)
        for identity in _covering(account, name)
        for record in _published(identity, account.region)
        if folded(record.name) == name
    ]


def exists_as_published(account: Account, name: str) -> bool:
    """Whether a name exists because of such a record, at it or below it. `name` is in lower case."""
    if any(identity.is_domain and _is_below(identity.name, name) for identity in account.identities.values()):
        return True
    return any(
        folded(record.name) == name or _is_below(folded(record.name), name)
        for identity in _covering(account, name)
        for record in _published(identity, account.region)
    )


def _is_below(name: str, parent: str) -> bool:
    return name.endswith("." + parent)


def _published(identity: Identity, region: str) -> list[Record]:
    keys = [record for record in required_records(identity, region) if record.name != identity.mail_from]
    mail_from = [record for record in required_records(identity, region) if record.name == identity.mail_from]
    return [
        *(keys if identity.verified else []),
        *(mail_from if identity.mail_from_status == "SUCCESS" else []),
    ]


def _covering(account: Account, name: str) -> list[Identity]:
    """Returns the domain identities at this name and above it."""
    labels = name.split(".")
    above = (".".join(labels[i:]) for i in range(len(labels)))
    found = (account.identities.get(each) for each in above)
    return [identity for identity in found if identity is not None and identity.is_domain]


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


def _tag(text: str, name: str) -> str:
    """Returns the value of a tag of a DKIM record."""
    for part in text.split(";"):
        key, _, value = part.partition("=")
        if key.strip() == name:
            return value.strip()
    return ""
