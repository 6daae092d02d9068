"""Why a mail bounced: a closed list of reasons, each of one group."""

from enum import IntEnum


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
