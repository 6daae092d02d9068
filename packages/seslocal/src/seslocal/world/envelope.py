"""What a receiving host sees of a mail before it decides, and what only the ground truth knows of it."""

from __future__ import annotations

import msgspec


class Envelope(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One mail to one recipient, as it arrives."""

    key: str  #: the sender's own key of the mail; all chance depends on it, never on ids of SES
    recipient: str
    from_domain: str  #: of the header From
    signed_by: str | None  #: domain of the DKIM signature that passes: an aligned one if there is one
    spf: bool  #: SPF passes for the MAIL FROM domain
    aligned: bool  #: DMARC passes: From is aligned with a passing signature or with SPF (RFC 7489, 3.1)
    mail_from: str  #: the MAIL FROM domain
    pool: str  #: IP pool
    ip: str  #: the address it leaves from
    dmarc: str = "none"  #: policy of the From domain: absent, none, quarantine or reject
    size: int = 2_000  #: bytes
    content: str = ""  #: fingerprint of the content: equal for mails that say the same
    bulk: bool = False  #: it has List-Unsubscribe (RFC 2369)
    one_click: bool = False  #: it has List-Unsubscribe-Post too (RFC 8058)
    # for the ground truth only: no provider sees these
    sender: str = ""  #: the tenant
    campaign: str = ""
    configuration_set: str = ""

    @property
    def domain(self) -> str:
        """The domain whose reputation this mail has: of the signature, else of From."""
        return self.signed_by or self.from_domain
