"""The computed answer for a domain: what of its records is wrong, and whether the mail of each lane passes DMARC."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from mailcordon.control.authentication.alignment import Suffixes
from mailcordon.control.authentication.faults import Fault
from mailcordon.control.authentication.lookup import Lookup


class Result(StrEnum):
    PASSES_BOTH = "passes-both"
    PASSES_DKIM_ONLY = "passes-dkim-only"
    PASSES_SPF_ONLY = "passes-spf-only"
    FAILS = "fails"
    UNKNOWN = "unknown"  #: a look-up failed and the rest does not settle it


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """An identity as it should be and as SES last returned it (ses.md 5.2)."""

    name: str
    region: str
    #: Easy DKIM: GetEmailIdentity's DkimAttributes.Tokens and SigningHostedZone.
    tokens: tuple[str, ...] = ()
    signing_zone: str = "dkim.amazonses.com"
    #: A DKIM key of ours: the selector, and the public key as base64 of its SubjectPublicKeyInfo. None: Easy DKIM.
    selector: str | None = None
    public_key: str | None = None
    signing: bool = True  #: DkimAttributes.SigningEnabled
    dkim_status: str | None = None  #: DkimAttributes.Status; None: not yet asked
    mail_from: str | None = None  #: the custom MAIL FROM domain; None: SES's own
    mail_from_status: str | None = None  #: MailFromAttributes.MailFromDomainStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """What a lane sends."""

    lane: str  #: its type
    from_domain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailAnswer:
    mail: Mail
    result: Result
    sentence: str
    organisation: str | None  #: the From domain's organisational domain; None: not known
    policy: str | None  #: none, quarantine or reject; None: no DMARC record, or not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    domain: str
    faults: tuple[Fault, ...]  #: errors first
    mails: tuple[MailAnswer, ...]
    authoritative: bool  #: every answer came from the zones' own servers
    complete: bool  #: no look-up failed

    @property
    def passes(self) -> bool:
        """Whether nothing is an error. An incomplete judgement without errors passes as far as is known."""
        return not any(fault.severity == "error" for fault in self.faults)


async def judge(domain: Domain, mails: Sequence[Mail], lookup: Lookup, suffixes: Suffixes) -> Judgement:
    """Asks for what it needs, a bounded number of times, and never raises for what it finds."""
    raise NotImplementedError
