"""What is judged: a domain as it should be and as SES returned it, and the mail that lanes send from it."""

from dataclasses import dataclass

from mailcordon.control.authentication.faults import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """An identity as it should be and as SES last returned it (ses.md 5.2)."""

    name: str
    region: str
    #: Easy DKIM: GetEmailIdentity's DkimAttributes.Tokens and SigningHostedZone.
    tokens: tuple[str, ...] = ()
    signing_zone: str = "dkim.amazonses.com"
    selector: str | None = None  #: of a key that SES was given; None: Easy DKIM
    public_key: str | None = None  #: base64 of its SubjectPublicKeyInfo; None: it is not known
    signing: bool = True  #: DkimAttributes.SigningEnabled
    dkim_status: str | None = None  #: DkimAttributes.Status; None: not yet asked
    mail_from: str | None = None  #: the custom MAIL FROM domain; None: SES's own
    mail_from_status: str | None = (
        None  #: MailFromAttributes.MailFromDomainStatus; None: SES does not have it
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """What a lane sends."""

    lane: str  #: its type
    from_domain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one mechanism does for a domain's mail."""

    passes: bool | None  #: None: a look-up failed and the rest does not settle it
    domain: str  #: that it authenticates
    faults: tuple[Fault, ...] = ()
    why_not: str = ""  #: code of messages/identities.mail_because
