"""What receiving hosts see of a mail: its envelope, made when SES accepts it, from the identity as it is set up then."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from seslocal.mail.content import Letter
from seslocal.mail.world_content import fingerprint
from seslocal.state.accepted_mail import Mail
from seslocal.state.account import Account
from seslocal.state.configuration_sets import ConfigurationSet
from seslocal.state.dedicated_ips import SHARED
from seslocal.state.identities import Identity
from seslocal.state.world_state import KEY_HEADER, WorldState
from seslocal.state.zone import Record, text_of
from seslocal.wire.params import Params
from seslocal.world.envelope import Envelope
from seslocal.world.providers import provider_of

#: causes of a refusal that hold for every sender
_NO_MAILBOX: Final = ("no_mailbox", "disabled", "moved", "no_host")
_KEY: Final = KEY_HEADER.lower()
_POLICIES: Final = ("none", "quarantine", "reject")


def keys_of(state: WorldState, letter: Letter, tenant: str | None, recipients: list[str]) -> list[str]:
    """Returns the key of the mail for each recipient: all chance depends on it."""
    given = _header(letter, _KEY)
    return [state.key(given, tenant, letter.senders[0], one.lower(), letter.subject) for one in recipients]


def envelopes(
    account: Account,
    mail: Mail,
    letter: Letter,
    content: Params,
    identity: Identity,
    configuration_set: ConfigurationSet | None,
    keyed: list[tuple[str, str]],
) -> list[Envelope]:
    """Returns an envelope for each recipient, given with the mail's key for it, as if it left from the shared IP. `identity` is
    that of the first sender."""
    sender = (letter.senders[1:] or letter.senders)[0]  # of the header From
    from_domain = sender.rpartition("@")[2]
    signer = _signer(account, sender)
    mail_from = _mail_from(account, identity)
    dmarc = _dmarc(account, from_domain)
    campaigns: list[str] = mail.tags.get("campaign") or [""]
    told = _header(letter, "list-unsubscribe")
    common = Envelope(
        key="",
        recipient="",
        from_domain=from_domain,
        # SES also signs all mail as amazonses.com; that says nothing about the sender, so no opinion depends on it
        signed_by=signer,
        spf=True,  # for both MAIL FROM domains that SES uses (ses.md 5.4)
        aligned=_is_aligned(dmarc, from_domain, signer, mail_from, identity),
        mail_from=mail_from,
        pool=SHARED.pool,
        ip=SHARED.ip,
        dmarc=dmarc[0],
        size=letter.size,
        content=fingerprint(content),
        bulk=told is not None,
        one_click=told is not None and _header(letter, "list-unsubscribe-post") is not None,
        sender=mail.tenant or "",
        campaign=campaigns[0],
        configuration_set=configuration_set.name if configuration_set else "",
    )
    replace = msgspec.structs.replace
    return [replace(common, key=key, recipient=recipient.lower()) for recipient, key in keyed]


def leaving(
    account: Account, state: WorldState, envelope: Envelope, configuration_set: ConfigurationSet | None
) -> Envelope:
    """Returns the envelope with the IP and pool that this mail leaves from, which counts for their warm-up."""
    delivery: Params = configuration_set.options.get("DeliveryOptions", {}) if configuration_set else {}
    pool: str | None = delivery.get("SendingPoolName")
    if not account.dedicated_ips.by_ip and (pool is None or not account.dedicated_ips.is_managed(pool)):
        return envelope
    drawn = state.world.draws.four("ip", f"{envelope.key} {envelope.recipient}")
    provider = provider_of(envelope.recipient)
    chosen = account.dedicated_ips.choose(pool, provider, drawn[:2], account.clock.now())
    return msgspec.structs.replace(envelope, ip=chosen.ip, pool=chosen.pool)


def message_id_of(name: str, region: str) -> str:
    """Returns the value of the header Message-ID that SES sets (ses.md 3.1)."""
    return f"{name}@{'email' if region == 'us-east-1' else region}.amazonses.com"


def has_no_mailbox(account: Account, address: str) -> bool:
    """Whether the world has nobody at this address, whoever sends. Looks without sending: nothing changes by it."""
    state = account.mailboxes.world
    if state is None:
        return False
    envelope = Envelope(
        key="",
        recipient=address,
        from_domain="amazonses.com",
        signed_by="amazonses.com",
        spf=True,
        aligned=True,
        mail_from="amazonses.com",
        pool=SHARED.pool,
        ip=SHARED.ip,
    )
    verdict = state.world.peek(envelope, 1, account.clock.now())
    return verdict.kind == "refuse" and verdict.cause in _NO_MAILBOX


def _header(letter: Letter, name: str) -> str | None:
    for header in letter.headers:
        if header["name"].lower() == name:
            return header["value"].strip()
    return None


def _signer(account: Account, sender: str) -> str | None:
    """Returns the domain that signs for this address: its identity if that is a domain, else the identity of its own domain
    (ses.md 5.3). With strict identities, one is verified only while its keys are in the DNS."""
    identity = account.identities.resolve(sender)
    if identity is not None and not identity.is_domain:
        identity = account.identities.get(sender.rpartition("@")[2])
    return identity.name if identity is not None and identity.verified and identity.signing else None


def _mail_from(account: Account, identity: Identity) -> str:
    """Returns the identity's MAIL FROM domain if it works, else SES's own of this region (ses.md 5.4)."""
    if identity.mail_from and identity.mail_from_status == "SUCCESS":
        return identity.mail_from
    return "amazonses.com" if account.region == "us-east-1" else f"{account.region}.amazonses.com"


def _is_aligned(
    dmarc: tuple[str, bool, bool], from_domain: str, signer: str | None, mail_from: str, identity: Identity
) -> bool:
    """RFC 7489, 3.1. A signer and a MAIL FROM of one's own are of the same organization as From: SES takes no others."""
    _, strict_dkim, strict_spf = dmarc
    if signer is not None and (signer == from_domain or not strict_dkim):
        return True
    own = mail_from == identity.mail_from
    return own and (mail_from == from_domain or not strict_spf)


def _dmarc(account: Account, domain: str) -> tuple[str, bool, bool]:
    """Returns the policy of a domain, and whether its alignment of DKIM and SPF is strict, by the record at it or above it.
    Without any record the policy is `absent` if identities are strict, as the zone is all DNS there is, else `none`."""
    name = domain
    while "." in name:
        for record in account.zone.find(f"_dmarc.{name}", "TXT"):
            if (found := _policy(record, name != domain)) is not None:
                return found
        name = name.partition(".")[2]
    return "absent" if account.settings.strict else "none", False, False


@lru_cache(256)
def _policy(record: Record, above: bool) -> tuple[str, bool, bool] | None:
    pairs = [part.partition("=") for part in text_of(record).split(";")]
    tags = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if tags.get("v") != "DMARC1":
        return None
    policy = (tags.get("sp") if above else None) or tags.get("p", "none")
    policy = policy.lower() if policy.lower() in _POLICIES else "none"
    return policy, tags.get("adkim") == "s", tags.get("aspf") == "s"
