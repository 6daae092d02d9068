"""Limits: how much mail may leave in a minute, an hour or a day, and whose it counts (docs/limits.md).

They are rows that policy, warm-up and releases write and every dispatcher obeys. What is over a limit waits for its next
window.
"""

from dataclasses import dataclass
from enum import StrEnum

from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider

#: Wrote the limits that Mailcordon has by itself: an address gets this many mails of an urgent type in an hour, unless somebody
#: sets another limit. A loop that asks for resets for one person stops there.
DEFAULT_OWNER = "default"
URGENT_TO_ONE_ADDRESS = 5
SIMULATOR_DOMAIN = (
    "simulator.amazonses.com"  #: SES's own: its addresses have no limit of their own (ses.md 8)
)


class LimitScope(StrEnum):
    """Whose mail a limit counts together. Each mail of the tenant that matches all the fields that are set counts."""

    TENANT = "tenant"
    CLASS = "class"
    LANE = "lane"
    KEY = "key"  #: mail that one API key handed in
    CAMPAIGN = "campaign"  #: of one lane
    LIST = "list"  #: of one lane
    PROVIDER = "provider"  #: a lane's mail to one mailbox provider
    IDENTITY = "identity"  #: mail of one From domain to one mailbox provider (or all), whatever lane: warm-up
    RECIPIENT = "recipient"  #: a lane's mail to each address, counted apart
    REPEAT = "repeat"  #: a lane's mail to each address with each template or shape of subject, counted apart
    EACH_CAMPAIGN = (
        "each-campaign"  #: what each campaign of a lane gets; a claim that meets one makes its own limit
    )
    EACH_PROVIDER = "each-provider"  #: the same for each mailbox provider


#: Counted for each address, and not in a row of their own.
OF_AN_ADDRESS = frozenset({LimitScope.RECIPIENT, LimitScope.REPEAT})


#: Wrote the limits of single campaigns and providers that follow from these.
EACH_OWNER = "each"
#: By scope, that of the limits that follow from it.
EACH = {LimitScope.EACH_CAMPAIGN: LimitScope.CAMPAIGN, LimitScope.EACH_PROVIDER: LimitScope.PROVIDER}
MOST_EACH = 200  #: campaigns of a lane with limits of their own; those beyond count together


class Per(StrEnum):
    """The window: a UTC minute, hour or day by the database's clock, or for ever."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    EVER = "ever"


class Mode(StrEnum):
    OBSERVE = "observe"  #: counted and shown
    SHADOW = "shadow"  #: says what it would have held
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    id: int  #: 0: not stored yet
    tenant: int
    owner: str  #: who wrote it: policy, each, new-sender, warm-up, release, guard, outside, default
    scope: LimitScope
    per: Per
    cap: int  #: mails in a window
    mode: Mode
    because: str  #: where it comes from, as a sentence
    class_: Class | None = None
    lane: int | None = None
    api_key: int | None = None
    campaign: str | None = None
    list: str | None = None
    provider: Provider | None = None
    domain: str | None = None
    spares_urgent: bool = (
        True  #: urgent mail counts and is never held by it (limits of a tenant, a key, an identity)
    )
    refuses: bool = False  #: what is over it is refused instead of held
