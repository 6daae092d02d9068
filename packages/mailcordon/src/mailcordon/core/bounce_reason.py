"""Why a mail bounced: a closed list of reasons, each of one group, with who can act and what follows for the address."""

from enum import IntEnum, StrEnum

from mailcordon.messages import bounces


class Group(IntEnum):
    """What the reasons have in common, and the column of a cohort that they are counted in. The values are stored."""

    RECIPIENT_GONE = 0
    RECIPIENT_FULL = 1
    SENDER_REPUTATION = 2
    SENDER_AUTH = 3
    CONTENT = 4
    THROTTLED = 5
    POLICY = 6
    INFRASTRUCTURE = 7
    UNDETERMINED = 8

    @property
    def word(self) -> str:
        return self.name.lower()


class Actor(StrEnum):
    """Who can do something about a bounce."""

    LIST_OWNER = "list owner"  #: whoever keeps the addresses: it is wrong or gone
    RECIPIENT = "recipient"  #: or who runs their mail system
    SENDER_DNS = "sender's DNS"  #: whoever runs the DNS of the sending domain
    CONTENT = "content"  #: whoever writes the mail
    REPUTATION = "our reputation"  #: whoever runs this platform: what it sends, and from which addresses
    SES = "SES"
    NOBODY = "nobody"


class Follow(StrEnum):
    """What follows from a bounce for its address."""

    SUPPRESS = "suppress"  #: for the tenant, without an end
    WEAKEN = "weaken"  #: for a limited time: SES calls it permanent, and the text does not say that the address is gone
    NOTHING = "nothing"  #: the address stays open; the bounce is counted
    RETRY = "retry later"  #: the address stays open, and a later mail may well arrive


class BounceReason(IntEnum):
    """The values are stored, and are bits of `outcome.reasons`."""

    USER_UNKNOWN = 0
    MAILBOX_DISABLED = 1
    MAILBOX_FULL = 2
    DOMAIN_INVALID = 3
    BLOCKED_REPUTATION = 4
    AUTH_FAILURE = 5
    SENDER_REJECTED = 6
    RATE_LIMITED = 7
    GREYLISTED = 8
    CONTENT = 9
    TOO_LARGE = 10
    POLICY = 11
    RELAY_DENIED = 12
    NETWORK = 13
    REMOTE_ERROR = 14
    PROTOCOL_ERROR = 15
    UNDETERMINED = 16
    AUTOREPLY = 17  #: an out-of-office reply that came as a bounce; of no group

    @property
    def word(self) -> str:
        return self.name.lower()

    @property
    def actor(self) -> Actor:
        return _ACTORS[self]

    def follow(self, *, permanent: bool, passing: bool = False) -> Follow:
        """`permanent`: SES's type. `passing`: the codes of the text say that the refusal is not for good.

        The text may weaken what SES's type says, and never strengthens it.
        """
        if self in _PASS:
            return Follow.RETRY
        if not permanent:
            return Follow.NOTHING
        if self.gone:
            # Some hosts say 450 to every unknown user, and SES has decided that it is for good.
            return Follow.WEAKEN if passing and self is not BounceReason.USER_UNKNOWN else Follow.SUPPRESS
        return Follow.WEAKEN if self is BounceReason.UNDETERMINED else Follow.NOTHING

    def sentence(self, follow: Follow) -> str:
        """What it means, what follows for the address, and who can act."""
        return bounces.bounced(self.word, self.actor, follow)

    @property
    def gone(self) -> bool:
        """Whether it says that mail to this address can never arrive."""
        return self.group is Group.RECIPIENT_GONE

    @property
    def group(self) -> Group | None:
        return _GROUPS.get(self)


_GROUPS = {
    BounceReason.USER_UNKNOWN: Group.RECIPIENT_GONE,
    BounceReason.MAILBOX_DISABLED: Group.RECIPIENT_GONE,
    BounceReason.MAILBOX_FULL: Group.RECIPIENT_FULL,
    BounceReason.DOMAIN_INVALID: Group.RECIPIENT_GONE,
    BounceReason.BLOCKED_REPUTATION: Group.SENDER_REPUTATION,
    BounceReason.AUTH_FAILURE: Group.SENDER_AUTH,
    BounceReason.SENDER_REJECTED: Group.SENDER_AUTH,
    BounceReason.RATE_LIMITED: Group.THROTTLED,
    BounceReason.GREYLISTED: Group.THROTTLED,
    BounceReason.CONTENT: Group.CONTENT,
    BounceReason.TOO_LARGE: Group.CONTENT,
    BounceReason.POLICY: Group.POLICY,
    BounceReason.RELAY_DENIED: Group.POLICY,
    BounceReason.NETWORK: Group.INFRASTRUCTURE,
    BounceReason.REMOTE_ERROR: Group.INFRASTRUCTURE,
    BounceReason.PROTOCOL_ERROR: Group.INFRASTRUCTURE,
    BounceReason.UNDETERMINED: Group.UNDETERMINED,
}

_ACTORS = {
    BounceReason.USER_UNKNOWN: Actor.LIST_OWNER,
    BounceReason.MAILBOX_DISABLED: Actor.LIST_OWNER,
    BounceReason.MAILBOX_FULL: Actor.RECIPIENT,
    BounceReason.DOMAIN_INVALID: Actor.LIST_OWNER,
    BounceReason.BLOCKED_REPUTATION: Actor.REPUTATION,
    BounceReason.AUTH_FAILURE: Actor.SENDER_DNS,
    BounceReason.SENDER_REJECTED: Actor.SENDER_DNS,
    BounceReason.RATE_LIMITED: Actor.REPUTATION,
    BounceReason.GREYLISTED: Actor.SES,
    BounceReason.CONTENT: Actor.CONTENT,
    BounceReason.TOO_LARGE: Actor.CONTENT,
    BounceReason.POLICY: Actor.RECIPIENT,
    BounceReason.RELAY_DENIED: Actor.RECIPIENT,
    BounceReason.NETWORK: Actor.NOBODY,
    BounceReason.REMOTE_ERROR: Actor.NOBODY,
    BounceReason.PROTOCOL_ERROR: Actor.SES,
    BounceReason.UNDETERMINED: Actor.NOBODY,
    BounceReason.AUTOREPLY: Actor.NOBODY,
}

#: Of these a later mail may arrive although nobody does anything.
_PASS = frozenset(
    {BounceReason.MAILBOX_FULL, BounceReason.RATE_LIMITED, BounceReason.GREYLISTED}
    | {BounceReason.NETWORK, BounceReason.REMOTE_ERROR}
)
