"""Whoever runs the platform: asked before mails leave, and told what a sender is told. A run without an operator lets everything
leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

What = Literal[
    "delivery",
    "delay",  # an attempt was deferred
    "bounce",  # refused, returned later, or given up after deferrals
    "complaint",  # only those that the provider reports
    "open",  # by people and machines alike
    "click",
    "unsubscribe",
    "rejected",  # SES refused the call, since the tenant or the account is paused
    "suppressed",
]


class Waiting(msgspec.Struct, frozen=True):
    """A mail that is due to leave."""

    key: str
    recipient: str
    provider: str
    tenant: str
    campaign: str
    bulk: bool  #: marketing
    content: str  #: fingerprint of the template or text
    due: float  #: seconds since the start of the scenario


class Seen(msgspec.Struct, frozen=True):
    """What a sender learns about a mail. Whether it reached the inbox is not in it."""

    at: float  #: seconds since the start of the scenario
    what: What
    mail: Waiting
    permanent: bool = False  #: of a bounce
    code: int = 0  #: SMTP reply code
    status: str = ""  #: enhanced status code
    text: str = ""  #: the provider's own words


class Path(msgspec.Struct, frozen=True, kw_only=True):
    """What a mail leaves from, in place of its tenant's own domain and pool."""

    domain: str  #: of the header From
    pool: str
    dkim: bool = True  #: signed with the From domain
    spf: bool = True  #: SPF passes, with a MAIL FROM below the From domain
    dmarc: Literal["absent", "none", "quarantine", "reject"] = "none"
    ses_tenant: str = ""  #: whose bounces and complaints it counts among at SES, and whose pause stops it; "": the tenant's own


class Paths(Protocol):
    """A platform whose tenants have more than one way to send, as while they move from what they share to what is their own."""

    def path(self, at: float, mail: Waiting) -> Path | None:
        """Called once for each mail, in the minute in which it leaves. None: the tenant's own domain and pool."""
        ...


class Operator(Protocol):
    def ask(self, at: float, tenant: str, mails: Sequence[Waiting]) -> Sequence[float] | None:
        """Called for each tenant at the start of each minute in which it has mails to send, oldest first; `at` counts from the
        start of the scenario. Returns for each mail when it may leave. Before the end of this minute: it leaves at that time,
        when it is due, or now, whichever is last. Later: it is held and asked about again in that minute. math.inf: it never
        leaves. None: all leave."""
        ...

    def see(self, seen: Seen) -> None:
        """Called for each event, in the order of time."""
        ...

    def actions(self) -> Sequence[tuple[float, str, str, str]]:
        """Returns what it did: time, what, tenant ("": all), and why in a sentence. Called once, at the end."""
        ...
